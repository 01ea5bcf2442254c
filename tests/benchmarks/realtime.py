# ruff: noqa: T201 - a script prints
"""Measures the audio callback under load: block times, late blocks and xruns.

    python tests/benchmarks/realtime.py [--seconds 60] [--clock jack,jack-rt,null] [--out docs]

`jack` is `jackd -r` (no real-time priority), `jack-rt` the same server with real-time priority,
`null` the daemon's own clock. Needs a machine that is otherwise idle.
"""

import argparse
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from nemod.engine import histogram  # noqa: E402
from nemod.engine.cpu_latency import CpuLatencyLimit, suitable_us  # noqa: E402
from nemod.engine.histogram import Counts  # noqa: E402
from tests.benchmarks import harness  # noqa: E402
from tests.benchmarks.harness import PERIOD_US, XrunCounter  # noqa: E402
from tests.benchmarks.loads import ARITHMETIC_US, fill_library  # noqa: E402
from tests.parts.daemon import Daemon  # noqa: E402
from tests.parts.osc_client import OscClient  # noqa: E402

CLOCKS = {
    "jack": "JACK, `jackd -r -d dummy -r 48000 -p 64`: the server without real-time priority",
    "jack-rt": "JACK, `jackd -R -P 80 -d dummy -r 48000 -p 64`: the server with real-time priority",
    "null": "The daemon's own clock, `nemod --device null`",
}
SWITCH_S = 0.5
RESCAN_S = 1.0
MESSAGES_PER_S = 2000
ALONE_S = 3.0
"""[s] Time for which each model is measured without loads."""
SETTLE_S = 1.0
AIM_SHARE = 0.30
AIM_SWITCHES = 0.40
SERVER, ARITHMETIC, IDLE, OSC, WARM, COLD, SCAN, ALL, AGAIN = (
    "jackd alone", "arithmetic alone", "idle", "2,000 messages/s", "model switches, cache warm",
    "model switches, cache cold", "library scan", "all together", "idle again",
)  # fmt: skip
ORDER = (SERVER, ARITHMETIC, IDLE, OSC, WARM, COLD, SCAN, ALL, AGAIN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Measurements of one row of the table."""

    name: str
    counts: Counts | None
    jack_xruns: int | None
    note: str = ""

    @property
    def share(self) -> float:
        """The p99.9 of the block time as a share of the period."""
        return 1e6 * self.counts.quantile_s(0.999) / PERIOD_US if self.counts else 0.0


@dataclass
class Clock:
    """Measurements on one clock."""

    name: str
    seconds: float
    rows: list[Row] = field(default_factory=list)
    models: list[tuple[str, Counts]] = field(default_factory=list)

    def idle_late(self) -> int:
        """Return the late blocks of the worse of the two idle rows."""
        idle = [row.counts.late for row in self.rows if row.name in (IDLE, AGAIN) and row.counts]
        return max(idle, default=0)

    def verdict(self, row: Row) -> str:
        """Return whether a row meets the aim, and what it misses."""
        if row.counts is None or row.name == ARITHMETIC:
            return ""
        missed = []
        if row.counts.late > self.idle_late():
            missed.append(f"{row.counts.late - self.idle_late()} more late than idle")
        if row.share >= (AIM_SWITCHES if row.name in (WARM, COLD, ALL) else AIM_SHARE):
            missed.append(f"p99.9 is {row.share:.0%}")
        return f"missed: {', '.join(missed)}" if missed else "met"


class Switcher(threading.Thread):
    """Requests models at a constant rate, in a seeded random order, and counts the answers."""

    def __init__(self, port: int, names: list[str], seed: int, every_s: float = SWITCH_S) -> None:
        super().__init__(daemon=True)
        self._client = OscClient(port)
        self._names = names
        self._every_s = every_s
        self._rng = np.random.default_rng(seed)
        self._stop_it = threading.Event()
        self.requested = self.completed = self.superseded = 0
        self.errors: list[str] = []

    def run(self) -> None:
        """Request models until `stop` is called."""
        name, due = "", time.monotonic()
        while not self._stop_it.is_set():
            name = str(self._rng.choice([other for other in self._names if other != name]))
            self._client.send("/nemo/model/load", name)
            self.requested += 1
            due += self._every_s
            while (left := due - time.monotonic()) > 0.0 and not self._stop_it.is_set():
                self._count(min(left, 0.1))

    def _count(self, seconds: float) -> None:
        message = self._client.receive(seconds)
        if message is None:
            return
        if message.address == "/nemo/done":
            self.completed += 1
        elif message.address == "/nemo/error":
            if message.params[0] == "busy":
                self.superseded += 1
            else:
                self.errors.append(" ".join(map(str, message.params)))

    def stop(self) -> str:
        """Stop and return a summary."""
        self._stop_it.set()
        self.join()
        self._client.close()
        text = (
            f"{self.requested} switches requested, {self.completed} completed, "
            f"{self.superseded} superseded"
        )
        return f"{text}, {len(self.errors)} failed ({self.errors[0]})" if self.errors else text


class Rescans(threading.Thread):
    """Requests rescans of the daemon's library at a constant rate."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self._client = OscClient(port)
        self._stop_it = threading.Event()
        self.count = 0

    def run(self) -> None:
        """Request rescans until `stop` is called."""
        while not self._stop_it.wait(RESCAN_S):
            self._client.send("/nemo/model/rescan")
            self.count += 1

    def stop(self) -> int:
        """Stop and return the number of requests."""
        self._stop_it.set()
        self.join()
        self._client.close()
        return self.count


class Bench:
    """A running daemon, its counts, and its loads."""

    def __init__(
        self, running: Daemon, times: Path, xruns: XrunCounter | None, names: list[str],
        scan: Path, seed: int,
    ) -> None:  # fmt: skip
        self.client = OscClient(running.port)
        self._port = running.port
        self._times = times
        self._xruns = xruns
        self._names = names
        self._scan = scan
        self._seed = seed

    def measure(
        self, seconds: float, advance: Callable[[float], None]
    ) -> tuple[Counts, int | None]:
        """Return the block counts and JACK's xruns of a time span [s]."""
        before, xruns = histogram.read(self._times), self._xruns.count if self._xruns else None
        _wait(seconds, advance)
        counts = histogram.read(self._times) - before
        return counts, self._xruns.count - xruns if self._xruns and xruns is not None else None

    @contextmanager
    def loads(self, name: str) -> Iterator[list[str]]:
        """Run the loads of a row; yields a list that contains their summaries after the end."""
        notes: list[str] = []
        with ExitStack() as stack:
            if name in (OSC, ALL):
                stack.enter_context(self._flood(notes))
            if name in (WARM, COLD, ALL):
                stack.enter_context(self._switches(notes))
            if name in (SCAN, ALL):
                stack.enter_context(self._scans(notes))
            yield notes

    @contextmanager
    def _flood(self, notes: list[str]) -> Iterator[None]:
        bad = self.client.query("/nemo/status/bad_packets")
        arguments = ("--rate", str(MESSAGES_PER_S), "--seed", str(self._seed))
        with harness.load_process("flood", str(self._port), *arguments) as process:
            yield
            counts = harness.stop_load(process)
        lost = self.client.query("/nemo/status/bad_packets") - bad
        rate = counts["sent"] / counts["seconds"]
        notes.append(f"{rate:,.0f} messages/s sent, {counts['answers']:,} answers, {lost} dropped")

    @contextmanager
    def _switches(self, notes: list[str]) -> Iterator[None]:
        switcher = Switcher(self._port, self._names, self._seed)
        switcher.start()
        try:
            yield
        finally:
            notes.append(switcher.stop())

    @contextmanager
    def _scans(self, notes: list[str]) -> Iterator[None]:
        rescans = Rescans(self._port)
        with harness.load_process("scan", str(self._scan)) as process:
            rescans.start()
            try:
                yield
            finally:
                count = rescans.stop()
            counts = harness.stop_load(process)
        notes.append(
            f"{counts['scans']} complete scans of {counts['files']:,} files by `nemod models scan`"
            f", {count} rescans by the daemon"
        )


def measure(
    name: str, seconds: float, seed: int, latency_us: int | None,
    report_progress: Callable[[str, float], None],
) -> Clock:  # fmt: skip
    """Return all rows of one clock."""
    clock = Clock(name, seconds)
    with ExitStack() as stack:
        home, times = stack.enter_context(harness.temporary_home())
        library, scan = home / "library", home / "scan"
        names = harness.copy_models(library)
        fill_library(scan, seed)
        xrun_counter = None
        if name != "null":
            stack.enter_context(harness.jack_server(realtime=name == "jack-rt"))
            xrun_counter = XrunCounter()
            stack.callback(xrun_counter.close)
            time.sleep(SETTLE_S)
            before = xrun_counter.count
            _wait(seconds, lambda step: report_progress(f"{name}: {SERVER}", step))
            clock.rows.append(Row(name=SERVER, counts=None, jack_xruns=xrun_counter.count - before))
        cpu_latency = CpuLatencyLimit(latency_us)
        counted = times.with_name("arithmetic")
        clock.rows.append(_arithmetic(counted, seconds, name, xrun_counter, report_progress))
        cpu_latency.release()
        device = "null" if name == "null" else "system"
        options = ["--library", str(library), "--library", str(scan), "--model", names[0]]
        options += ["--cpu-latency", "off" if latency_us is None else str(latency_us)]

        def begin(cache: Path) -> Bench:
            running = plays.enter_context(
                harness.daemon(device, home, times, *options, cache=cache)
            )
            return Bench(running, times, xrun_counter, names, scan, seed)

        def add(bench: Bench, row: str) -> None:
            with bench.loads(row) as notes:
                time.sleep(SETTLE_S)
                counts, xruns = bench.measure(
                    seconds, lambda step: report_progress(f"{name}: {row}", step)
                )
            clock.rows.append(Row(name=row, counts=counts, jack_xruns=xruns, note="; ".join(notes)))

        with ExitStack() as plays:
            bench = begin(home / "warm")
            for model in names:
                bench.client.load(model)
                time.sleep(0.3)
                alone, _ = bench.measure(min(ALONE_S, seconds), lambda _step: None)
                clock.models.append((model, alone))
            for row in (IDLE, OSC, WARM, SCAN, ALL, AGAIN):
                bench.client.load(names[0])
                add(bench, row)
        with ExitStack() as plays:
            add(begin(home / "cold"), COLD)
    clock.rows.sort(key=lambda row: ORDER.index(row.name))
    return clock


def _arithmetic(
    counted: Path, seconds: float, name: str, xrun_counter: XrunCounter | None,
    report_progress: Callable[[str, float], None],
) -> Row:  # fmt: skip
    """Return the times of a real-time thread that only calculates, without the daemon."""
    with harness.load_process("arithmetic", str(counted)) as process:
        before = xrun_counter.count if xrun_counter else 0
        _wait(seconds, lambda step: report_progress(f"{name}: {ARITHMETIC}", step))
        xruns = xrun_counter.count - before if xrun_counter else None
        harness.stop_load(process)
    return Row(name=ARITHMETIC, counts=histogram.read(counted), jack_xruns=xruns)


def _wait(seconds: float, advance: Callable[[float], None]) -> None:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0.0:
        time.sleep(min(left, 0.5))
        advance(min(left, 0.5))


def cells(clock: Clock, row: Row) -> list[str]:
    """Return a row of the table."""
    xruns = "" if row.jack_xruns is None else str(row.jack_xruns)
    if row.counts is None:
        return [row.name, "", "", "", "", "", "", "", xruns, ""]
    shares = [1e6 * row.counts.quantile_s(share) for share in (0.5, 0.99, 0.999, 1.0)]
    texts = [f"{us:.0f} ({us / PERIOD_US:.0%})" for us in shares]
    return [
        row.name, f"{row.counts.blocks:,}", *texts, str(row.counts.late), str(row.counts.xruns),
        xruns, clock.verdict(row),
    ]  # fmt: skip


HEADS = (
    "row", "blocks", "p50", "p99", "p99.9", "longest", "late", "xruns, daemon", "xruns, JACK",
    "aim",
)  # fmt: skip


def section(clock: Clock) -> str:
    """Return the part of the page about one clock."""
    rows = harness.table(HEADS, [cells(clock, row) for row in clock.rows])
    models = [
        [name, *(f"{1e6 * counts.quantile_s(share):.0f}" for share in (0.5, 0.999))]
        for name, counts in clock.models
    ]
    alone = harness.table(("model", "p50 us", "p99.9 us"), models)
    notes = "\n".join(f"- {row.name}: {row.note}." for row in clock.rows if row.note)
    return f"""## {CLOCKS[clock.name]}

{clock.seconds:g} s per row.

{rows}

{notes}

Each model without loads, {min(ALONE_S, clock.seconds):g} s:

{alone}
"""


def _idle_states(limit_us: int | None) -> str:
    if limit_us is None:
        return "CPUs may use all idle states"
    return f"CPUs wake up within {limit_us} us" if limit_us else "CPUs do not sleep"


def page(clocks: list[Clock], command: str, latency_us: int | None) -> str:
    """Return the page."""
    sections = "\n".join(section(clock) for clock in clocks)
    short = [
        f"- {clock.name}, {row.name}: {verdict.removeprefix('missed: ')}."
        for clock in clocks
        for row in clock.rows
        if (verdict := clock.verdict(row)).startswith("missed")
    ]
    short += [
        f"- {clock.name}: for comparison, {row.counts.late} late in the row {ARITHMETIC}."
        for clock in clocks
        for row in clock.rows
        if row.name == ARITHMETIC and row.counts and short
    ]
    missed = "\n".join(short) or "None: every row meets the aim."
    return f"""# The audio callback under load

Made by `{command}` on: {harness.machine()}.

![Share of blocks that take longer](realtime.png)

The times are those of `Engine.process` for every block, in microseconds and as a share of the
period ({PERIOD_US:.0f} us, 64 frames at 48 kHz), counted in bins of 1.1 % width
(`nemod/engine/histogram.py`). They do not include PortAudio and its Python wrapper. The input is
silent and all effects run. `late` counts the blocks that begin more than one period after their
due time. Xruns are counted by the daemon, as PortAudio reports them to its callback, and by
another client, as JACK reports them. "{SERVER}" is the server without audio clients: its xruns
are not caused by nemod. "{ARITHMETIC}" is a small recurrent product in numpy, once per period
with the audio thread's priority and without the daemon; it takes {ARITHMETIC_US:g} us when it
runs in a loop. Deviations from that are caused by the machine. The loads run on the same machine
as the daemon, at normal priority.

While the daemon or the arithmetic runs, {_idle_states(latency_us)}
(`--cpu-latency`); in the row "{SERVER}" the system decides.

Aim: no more late blocks than idle (the worse of the two idle rows, before and after), and p99.9
below {AIM_SHARE:.0%} of the period, {AIM_SWITCHES:.0%} with switches. In a row with switches two
models run at once for 30 ms of every {1000 * SWITCH_S:g} ms, if they fit into 30% of the period. If
they do not, only the new one runs (`nemod/engine/continuation.py`).
What happens when the load stays too high: [step-down.md](step-down.md).

{sections}
## Missed aims

{missed}
"""


def picture(clocks: list[Clock], path: Path) -> None:
    """Draw, for every row, the share of blocks that take longer than a given time."""
    figure = Figure(figsize=(5.2 * len(clocks), 4.6), layout="constrained")
    panels = figure.subplots(1, len(clocks), sharey=True, squeeze=False)[0]
    edges = 1e6 * histogram.FIRST_S * 2.0 ** (np.arange(histogram.BINS) / histogram.BINS_PER_OCTAVE)
    for panel, clock in zip(panels, clocks, strict=True):
        for row in clock.rows:
            if row.counts is None or not row.counts.bins.sum():
                continue
            longer = 1.0 - np.cumsum(row.counts.bins) / row.counts.bins.sum()
            shown = longer > 0.0
            panel.plot(edges[shown], longer[shown], label=row.name, lw=1.2)
        panel.axvline(AIM_SHARE * PERIOD_US, color="grey", ls="--", lw=0.8)
        panel.axvline(PERIOD_US, color="black", lw=0.8)
        panel.axhline(1e-3, color="grey", ls=":", lw=0.8)
        panel.set(xscale="log", yscale="log", xlim=(20.0, 20_000.0), title=clock.name)
        panel.set_xlabel("time of a block [us]; dashed: 30 % of the period, black: the period")
    panels[0].set_ylabel("share of blocks that take longer")
    handles = panels[0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=2 * len(clocks), fontsize=8)
    figure.savefig(path, dpi=110)


def main() -> int:
    """Measure all rows; write the page and the picture."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--clock", default=",".join(CLOCKS))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cpu-latency", default="auto", help="as for nemod (%(default)s)")
    parser.add_argument("--out", type=Path, default=ROOT / "docs")
    arguments = parser.parse_args()
    chosen = arguments.clock.split(",")
    if unknown := [name for name in chosen if name not in CLOCKS]:
        parser.error(f"--clock {unknown[0]!r}: unknown clock, expected {', '.join(CLOCKS)}")
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    latency = arguments.cpu_latency
    named = {"auto": suitable_us(), "off": None}
    latency_us = named[latency] if latency in named else int(latency)
    total = sum(arguments.seconds * (len(ORDER) - (name == "null")) for name in chosen)
    clocks = []
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("starting", total=total)

        def report_progress(row: str, step: float) -> None:
            progress.update(task, description=row, advance=step)

        for name in chosen:
            clocks.append(
                measure(name, arguments.seconds, arguments.seed, latency_us, report_progress)
            )
            print(section(clocks[-1]), flush=True)
    command = f"python tests/benchmarks/realtime.py --seconds {arguments.seconds:g}"
    command += f" --clock {','.join(chosen)} --seed {arguments.seed}"
    command += "" if latency == "auto" else f" --cpu-latency {latency}"
    text = page(clocks, command, latency_us)
    (arguments.out / "realtime.md").write_text(text, encoding="utf-8")
    picture(clocks, arguments.out / "realtime.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
