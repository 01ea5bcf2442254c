"""The line that the terminal shows while the daemon plays."""

from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

import pytest

from nemod.cli.meters import line, page_urls, panel
from nemod.control.backends import Status
from nemod.control.events import Meters
from nemod.engine.ipc import DeviceOpened


class Rig:
    """What is shown of a controller."""

    model_name = "amp"

    def status(self) -> Status:
        return Status(
            state="running",
            load=0.1,
            load_peak=0.2,
            xruns=3,
            late=5,
            latency_ms=1.0,
            rate=48_000,
            block=64,
            model_rate=48_000,
            rate_policy="exact",
            uptime=1,
        )

    def meters(self) -> Meters:
        return Meters(in_dbfs=-20.0, out_dbfs=-10.0, clips=0)


@dataclass
class Daemon:
    """What is shown of a daemon."""

    device: DeviceOpened | None
    controller: Rig
    osc_port: int = 9000
    http_port: int = 9080


@pytest.mark.parametrize(
    ("counts_xruns", "shown", "hidden"),
    [(True, "xruns 3", "late wake-ups"), (False, "late wake-ups 5", "xruns")],
)
def test_a_clock_shows_late_wake_ups_instead_of_xruns(
    counts_xruns: bool, shown: str, hidden: str
) -> None:
    """It cannot lose samples; that the machine woke it up late is no fault of the rig."""
    daemon: Any = Daemon(
        DeviceOpened(
            device="demo",
            rate_hz=48_000,
            block_frames=64,
            latency_s=0.001,
            counts_xruns=counts_xruns,
            notices=(),
        ),
        Rig(),
    )
    for text in (line(daemon), panel(daemon, "host").plain):
        assert shown in text
        assert hidden not in text


def test_the_page_is_found_by_name_and_by_address() -> None:
    """Not every phone resolves the machine's name; IPv6 addresses are too long to type."""
    addresses = [ip_address(text) for text in ("127.0.0.1", "::1", "fe80::1", "192.168.1.5")]
    expected = ["http://stage:9080/", "http://192.168.1.5:9080/"]
    assert page_urls(9080, "stage", lambda: addresses) == expected
    assert page_urls(9080, "localhost", lambda: addresses) == ["http://localhost:9080/"]
