# ruff: noqa: T201 - a script prints
"""Measures what clients cost the daemon while it plays on JACK: late blocks, feedback, CPU, memory.

    python tests/benchmarks/control_load.py [--seconds 60] [--hour] [--clock jack-rt] [--out docs]

Idle, then two UDP subscribers, two WebSockets that listen to everything and 2,000 messages/s from
two senders, then idle again, then 8 subscribers with all meters at 25 Hz. With `--hour`, memory is
sampled for an hour with these 8 subscribers, settings and presets. Exit status 1: an aim is missed.
"""

import argparse
import asyncio
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.benchmarks import harness  # noqa: E402
from tests.benchmarks.preset_switch import cpu_ticks  # noqa: E402
from tests.benchmarks.realtime import CLOCKS  # noqa: E402
from tests.parts.daemon import Daemon  # noqa: E402
from tests.parts.feedback_clients import (  # noqa: E402
    BYTES_PER_S,
    RATE_HZ,
    KnobSender,
    Recorder,
    UdpClient,
    allowed_bytes,
    allowed_values,
    busiest_second,
    differences,
    is_steady,
    knobs_of,
    readable_addresses,
    websocket_client,
)
from tests.parts.osc_client import OscClient  # noqa: E402

SENDERS, MESSAGES_PER_S = 2, 1_000
"""Two senders, 1,000 messages per second each."""
SUBSCRIBERS = 8
METER_HZ = 25.0
HOUR_S = 3600.0
RENEW_S = 30.0
"""[s] Between two subscriptions of one client; each brings everything again."""
SAMPLE_S = 10.0
"""[s] Between two samples of the memory."""
PRESET_S = 60.0
"""[s] Between two presets while the memory is sampled."""
GROWTH_KB_PER_H = 1024.0
"""Allowed slope of the memory over the second half of the samples."""
SETTLE_S = 5.0
ARRIVAL_S = 0.01
"""[s] Longest delay from the daemon's account to the arrival: WebSocket frames wait for their task,
and a second of arrivals may hold what was sent in a little more than a second."""

IDLE, STORM, AGAIN, METERS = "idle", "2,000 messages/s", "idle again", "8 subscribers, meters"

Advance = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class Part:
    """Counts of one part of the run."""

    name: str
    seconds: float
    late: int
    xruns: int
    cpu_s: float
    """Processor time of the control process."""

    @property
    def cpu_share(self) -> float:
        """Share of one core."""
        return self.cpu_s / self.seconds


@dataclass
class Run:
    """All measurements."""

    parts: dict[str, Part] = field(default_factory=dict)
    clients: list[Recorder] = field(default_factory=list)
    """Everybody who was sent something during the storm; the senders are last."""
    clients_s: float = 0.0
    """[s] From the first subscription until everything had arrived."""
    compared: int = 0
    """Addresses whose last values were compared."""
    problems: list[str] = field(default_factory=list)
    memory: list[tuple[float, int]] = field(default_factory=list)
    """Time [s] and resident set size [kB] of the control process."""


class Bench:
    """Measures one running daemon. Thread: inside a running event loop."""

    def __init__(self, running: Daemon, advance: Advance) -> None:
        self.run = Run()
        self._port, self._http_port = running.port, running.http_port()
        self._pid = running.process.pid
        self._addresses = readable_addresses(self._http_port)
        self._knobs = knobs_of(self._addresses)
        self._client = OscClient(self._port)
        self._advance = advance

    async def measure(self, seconds: float, memory_s: float) -> None:
        """Fill `run`."""
        try:
            await asyncio.sleep(SETTLE_S)
            await self._part(IDLE, seconds)
            await self._storm(seconds)
            await asyncio.sleep(SETTLE_S)
            await self._part(AGAIN, seconds)
            async with AsyncExitStack() as stack:
                subscribers = [UdpClient(str(n), self._port) for n in range(SUBSCRIBERS)]
                for subscriber in subscribers:
                    stack.callback(subscriber.close)
                stack.callback((renewing := _renew(subscribers)).cancel)
                self._client.send("/nemo/meter/rate", METER_HZ)
                await asyncio.sleep(1.0)  # the first dumps are no part of the rate
                await self._part(METERS, seconds)
                if memory_s:
                    await self._sample_memory(memory_s)
                if renewing.done():
                    renewing.result()
        finally:
            self._client.close()

    async def _part(self, name: str, seconds: float) -> None:
        """Wait, and note what was counted meanwhile."""
        late, xruns = await self._count("late"), await self._count("xruns")
        ticks, began = cpu_ticks(self._pid), time.monotonic()
        while (left := began + seconds - time.monotonic()) > 0.0:
            await asyncio.sleep(min(left, 1.0))
            self._advance(name, min(left, 1.0))
        passed = time.monotonic() - began
        cpu_s = (cpu_ticks(self._pid) - ticks) / os.sysconf("SC_CLK_TCK")
        late, xruns = await self._count("late") - late, await self._count("xruns") - xruns
        self.run.parts[name] = Part(name, passed, late, xruns, cpu_s)

    async def _count(self, name: str) -> int:
        return int(await asyncio.to_thread(self._client.query, f"/nemo/status/{name}"))

    async def _storm(self, seconds: float) -> None:
        async with AsyncExitStack() as stack:
            # Prepared first: nothing may keep this loop from reading what arrives.
            senders = [UdpClient(f"sender {n + 1}", self._port) for n in range(SENDERS)]
            storms = [
                KnobSender(sender, self._knobs, MESSAGES_PER_S, seconds, seed)
                for seed, sender in enumerate(senders)
            ]
            subscribers = [UdpClient(f"UDP subscriber {n}", self._port) for n in (1, 2)]
            for client in (*subscribers, *senders):
                stack.callback(client.close)
            began = time.monotonic()
            listeners = [
                await stack.enter_async_context(
                    websocket_client(f"WebSocket {n}", self._http_port, self._addresses)
                )
                for n in (1, 2)
            ]
            stack.callback(_renew(subscribers).cancel)
            for storm in storms:
                storm.start()
            await self._part(STORM, seconds)
            for storm in storms:
                await asyncio.to_thread(storm.join)
            steady = [address for address in self._addresses if is_steady(address)]
            # A subscription does not cover lists and descriptions, listening does.
            subscribed = [address for address in steady if address in subscribers[0].last]
            covered = {a.replace("/nemo/", f"/nemo/{p}", 1) for a in self._knobs for p in _FORMS}
            self.run.problems += [f"not sent: {a}" for a in covered.difference(subscribed)]
            for clients, addresses in ((subscribers, subscribed), (listeners, steady)):
                self.run.problems += await differences(self._port, clients, addresses)
            self.run.compared = len(steady)
        self.run.clients_s = time.monotonic() - began
        self.run.clients = [*subscribers, *listeners, *senders]

    async def _sample_memory(self, seconds: float) -> None:
        """Sample the memory while knobs are set once a second, and presets are loaded."""
        rng = random.Random(1)
        began = time.monotonic()
        sample_s, preset_s = 0.0, PRESET_S
        while (now_s := time.monotonic() - began) < seconds:
            if now_s >= sample_s:
                self.run.memory.append((now_s, rss_kb(self._pid)))
                sample_s += SAMPLE_S
            if now_s >= preset_s:
                self._client.send("/nemo/preset/next", 1)
                preset_s += PRESET_S
            else:
                self._client.send(rng.choice(self._knobs), rng.random())
            while self._client.receive(0.0):
                pass
            await asyncio.sleep(1.0)
            self._advance("memory", 1.0)


_FORMS = ("", "real/", "text/")
"""Ways in which a knob is sent."""


def _renew(subscribers: list[UdpClient]) -> "asyncio.Task[None]":
    """Subscribe, and renew the subscriptions until cancelled."""

    async def renew() -> None:
        while True:
            for subscriber in subscribers:
                subscriber.subscribe()
            await asyncio.sleep(RENEW_S)

    return asyncio.create_task(renew())


def rss_kb(pid: int) -> int:
    """Return the resident set size [kB] of a process. Raises: OSError."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise OSError(f"no VmRSS of {pid}")


def slope_kb_per_h(memory: list[tuple[float, int]]) -> float:
    """Return the slope of the regression line over the second half of the samples."""
    half = memory[len(memory) // 2 :]
    if len(half) < 2:
        return 0.0
    hours, kilobytes = np.array(half).T * [[1.0 / 3600.0], [1.0]]
    return float(np.polyfit(hours, kilobytes, 1)[0])


def judge(run: Run) -> list[str]:
    """Return the missed aims."""
    problems = list(run.problems)
    loaded, idle = run.parts[STORM], (run.parts[IDLE], run.parts[AGAIN])
    for what in ("late", "xruns"):
        most = max(getattr(part, what) for part in idle)
        if getattr(loaded, what) > most:
            problems.append(f"{what}: {getattr(loaded, what)} under load, {most} idle")
    most = busiest_second(run.clients)
    if most > BYTES_PER_S + (allowed_bytes(ARRIVAL_S) - allowed_bytes(0.0)):
        problems.append(f"{most:,} bytes of feedback in one second")
    total = sum(size for client in run.clients for _, size in client.arrivals)
    if total > allowed_bytes(run.clients_s):
        problems.append(f"{total:,} bytes of feedback in {run.clients_s:.1f} s")
    for client in run.clients:
        for address, count in client.counts.items():
            if count > allowed_values(run.clients_s):
                problems.append(f"{client.name}: {count} values of {address}")
    if run.memory and slope_kb_per_h(run.memory) > GROWTH_KB_PER_H:
        problems.append(f"memory grows by {slope_kb_per_h(run.memory):,.0f} kB/h")
    return problems


def page(run: Run, command: str, clock: str) -> str:
    """Return the page."""
    idle_s = max(run.parts[IDLE].cpu_share, run.parts[AGAIN].cpu_share)
    parts = harness.table(
        ("part", "seconds", "late blocks", "xruns", "CPU of the control process", "times idle"),
        [
            [part.name, f"{part.seconds:.0f}", str(part.late), str(part.xruns),
             f"{part.cpu_share:.1%}", f"{part.cpu_share / idle_s:.1f}" if idle_s else ""]
            for part in run.parts.values()
        ],
    )  # fmt: skip
    seconds = run.clients_s

    def row(name: str, clients: list[Recorder]) -> list[str]:
        arrivals = [size for client in clients for _, size in client.arrivals]
        counts: Counter[str] = Counter()
        for client in clients:
            counts |= client.counts  # of each address the most
        most = max(counts.values(), default=0) / seconds
        return [name, f"{len(arrivals) / seconds:.0f}", f"{sum(arrivals) / seconds:,.0f}",
                f"{busiest_second(clients):,}", f"{most:.1f}"]  # fmt: skip

    clients = harness.table(
        (
            "client",
            "packets/s",
            "bytes/s",
            "bytes in the busiest second",
            "most of one address, Hz",
        ),
        [
            *(row(client.name, [client]) for client in run.clients),
            row("all together", run.clients),
        ],
    )
    missed = "\n".join(f"- {problem}" for problem in judge(run)) or "None."
    return f"""# Load by clients

Made by `{command}` on: {harness.machine()}.

{CLOCKS[clock]}.

In the second part two UDP subscribers and two WebSockets get everything that the
daemon sends, and two senders set random knobs, {MESSAGES_PER_S:,} messages per second each. In the
last part {SUBSCRIBERS} UDP subscribers get everything, meters at {METER_HZ:g} Hz. CPU: share of one
core, the control process alone.

{parts}

Feedback in the second part, in bytes of OSC. The senders did not subscribe; they are sent what they
have not set themselves. Limits: {BYTES_PER_S:,} bytes in any second in all, {RATE_HZ} Hz for each
address and client. Arrivals are measured, UDP by the kernel's time stamps; a delay of up to
{1e3 * ARRIVAL_S:.0f} ms on the way is allowed for.

{clients}

![Over time](control-load.png)

After the messages had ended, the last values of {run.compared} addresses were compared: what each
of the two subscribers and two WebSockets was sent last, and the answer to a query.

{memory_text(run)}

## Missed aims

{missed}
"""


def memory_text(run: Run) -> str:
    """Return what the page says about memory."""
    if not run.memory:
        return "Memory over time was not measured in this run (`--hour`)."
    first, last = run.memory[0], run.memory[-1]
    return (
        f"Memory: resident set size of the control process, {SUBSCRIBERS} subscribers, a setting a "
        f"second and a preset every {PRESET_S:.0f} s. {first[1]:,} kB at first, {last[1]:,} kB "
        f"after {last[0] / 60.0:.0f} minutes. Slope of the regression line over the second half: "
        f"{slope_kb_per_h(run.memory):+,.0f} kB/h; the limit is {GROWTH_KB_PER_H:,.0f} kB/h."
    )


def picture(run: Run, path: Path) -> None:
    """Draw bytes per second of all clients, and the memory where it was sampled."""
    figure = Figure(figsize=(9.0, 6.0 if run.memory else 3.5), layout="constrained")
    panels = figure.subplots(2 if run.memory else 1, 1, squeeze=False)[:, 0]
    began = min(client.arrivals[0][0] for client in run.clients)
    edges = np.arange(0.0, run.clients_s + 1.0)
    sums = []
    for client in run.clients:
        times, sizes = np.array(client.arrivals).T
        sums.append(np.histogram(times - began, edges, weights=sizes)[0])
    names = [client.name for client in run.clients]
    panels[0].stackplot(edges[:-1], sums, labels=names, step="post")
    panels[0].axhline(BYTES_PER_S, color="black", linestyle=":", label="limit")
    panels[0].set_ylabel("feedback [bytes/s]")
    panels[0].set_xlabel("seconds")
    panels[0].legend(fontsize=8, ncols=4, loc="lower center")
    if run.memory:
        times, kilobytes = np.array(run.memory).T
        panels[1].plot(times / 60.0, kilobytes / 1024.0)
        panels[1].set_ylabel("RSS of the control process [MB]")
        panels[1].set_xlabel("minutes")
        panels[1].set_ylim(0.0, 1.2 * kilobytes.max() / 1024.0)
    figure.savefig(path, dpi=110)


def main() -> int:
    """Run all parts; print the page and write it with its picture."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=60.0, help="length of each part")
    parser.add_argument("--hour", action="store_true", help="sample memory for an hour")
    parser.add_argument("--memory-seconds", type=float, default=0.0, help="the same, for this long")
    parser.add_argument("--clock", choices=tuple(CLOCKS), default="jack-rt")
    parser.add_argument("--out", type=Path, help="folder for control-load.md and its picture")
    arguments = parser.parse_args()
    memory_s = HOUR_S if arguments.hour else arguments.memory_seconds
    is_null = arguments.clock == "null"
    jack = harness.jack_server(realtime=arguments.clock == "jack-rt")
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with (
        Progress(*columns, console=Console(stderr=True)) as progress,
        harness.temporary_home() as (home, times),
        nullcontext() if is_null else jack,
        harness.daemon("null" if is_null else "system", home, times) as running,
    ):
        task = progress.add_task("starting", total=4.0 * arguments.seconds + memory_s)

        async def measure() -> Run:
            bench = Bench(
                running, lambda part, step: progress.update(task, description=part, advance=step)
            )
            await bench.measure(arguments.seconds, memory_s)
            return bench.run

        run = asyncio.run(measure())
    command = f"python tests/benchmarks/control_load.py --seconds {arguments.seconds:g}"
    if arguments.hour:
        command += " --hour"
    elif memory_s:
        command += f" --memory-seconds {memory_s:g}"
    text = page(run, f"{command} --clock {arguments.clock}", arguments.clock)
    print(text)
    if arguments.out is not None:
        (arguments.out / "control-load.md").write_text(text, encoding="utf-8")
        picture(run, arguments.out / "control-load.png")
    return 1 if judge(run) else 0


if __name__ == "__main__":
    sys.exit(main())
