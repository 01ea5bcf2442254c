"""The terminal while the daemon plays: meters, load, and the address for OSC clients."""

import asyncio
import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from rich.console import Console
from rich.live import Live
from rich.text import Text

from nemod.network.hosts import machine_addresses
from nemod.network.interfaces import Address

if TYPE_CHECKING:
    from nemod.daemon.app import Daemon

FLOOR_DB = -60.0
BAR_CELLS = 30
LOCAL_HOST = "localhost"
"""Host where only this machine is served."""
MAX_ADDRESSES = 2
"""Most addresses of the machine that are shown."""
REFRESH_S = 0.1
PLAIN_REFRESH_S = 5.0
"""[s] Between lines where standard output is a file or a journal."""


def bar(level_db: float) -> str:
    """Return a bar of `BAR_CELLS` cells from -60 to 0 dBFS."""
    share = min(max((level_db - FLOOR_DB) / -FLOOR_DB, 0.0), 1.0)
    filled = round(share * BAR_CELLS)
    return "█" * filled + "·" * (BAR_CELLS - filled)


def lost(daemon: "Daemon") -> str:
    """Return the count of lost blocks.

    Without a sound card none can be lost; how often this machine's clock woke up late, which
    depends on what else the machine does, is shown instead.
    """
    status, device = daemon.controller.status(), daemon.device
    if device is not None and not device.counts_xruns:
        return f"late wake-ups {status.late}"
    return f"xruns {status.xruns}"


def line(daemon: "Daemon") -> str:
    """Return the state of the daemon in one line."""
    status, meters = daemon.controller.status(), daemon.controller.meters()
    return (
        f"{status.state} · {daemon.controller.model_name or '(no model yet)'} · "
        f"in {meters.in_dbfs:+6.1f} dB · out {meters.out_dbfs:+6.1f} dB · "
        f"load {status.load:.1%} (peak {status.load_peak:.1%}) · {lost(daemon)}"
    )


def panel(daemon: "Daemon", host: str) -> Text:
    """Return the meters as a panel of a few lines."""
    controller = daemon.controller
    status, meters = controller.status(), controller.meters()
    device = daemon.device
    where = f"{device.device}, {device.rate_hz} Hz, {device.block_frames} frames" if device else "…"
    if device and device.outputs == 2:
        where += ", stereo"
    text = Text()
    text.append(f"nemod {status.state}", style="bold")
    text.append(f"   {controller.model_name or '(no model yet)'}   on {where}\n")
    for name, level in (("in", meters.in_dbfs), ("out", meters.out_dbfs)):
        style = "red" if level > -1.0 else "green"
        text.append(f"{name:>4} ")
        text.append(bar(level), style=style)
        text.append(f" {level:+6.1f} dBFS\n")
    text.append(
        f"load {status.load:.1%} (peak {status.load_peak:.1%})   {lost(daemon)}   "
        f"clipped {meters.clips}\n"
    )
    if daemon.http_port:
        text.append(f"page {' '.join(page_urls(daemon.http_port, host))}\n")
    text.append(f"OSC  udp://{host}:{daemon.osc_port}   try /nemo/gain 0.7   stop with Ctrl-C\n")
    return text


def page_urls(
    port: int, host: str, addresses: Callable[[], Iterable[Address]] = machine_addresses
) -> list[str]:
    """Return where a browser finds the page: by the machine's name, and by its addresses.

    Not every phone resolves the name.
    """
    names = [host]
    if host != LOCAL_HOST:
        found = [address for address in addresses() if address.version == 4]
        names += [str(address) for address in found if not address.is_loopback][:MAX_ADDRESSES]
    return [f"http://{name}:{port}/" for name in names]


async def show_meters(daemon: "Daemon", host: str) -> None:
    """Show the meters until cancelled."""
    console = Console()
    if not sys.stdout.isatty():
        is_announced, has_page = False, False
        while True:
            await asyncio.sleep(PLAIN_REFRESH_S if is_announced else REFRESH_S)
            if daemon.controller.model_name or daemon.controller.status().state == "no_device":
                if not is_announced:
                    print(f"OSC udp://{host}:{daemon.osc_port}", flush=True)  # noqa: T201
                    is_announced = True
                if daemon.http_port and not has_page:
                    print("page", *page_urls(daemon.http_port, host), flush=True)  # noqa: T201
                    has_page = True
                print(line(daemon), flush=True)  # noqa: T201
    with Live(console=console, refresh_per_second=1.0 / REFRESH_S, transient=True) as live:
        while True:
            live.update(panel(daemon, host))
            await asyncio.sleep(REFRESH_S)
