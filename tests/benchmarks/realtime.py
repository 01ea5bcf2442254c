# ruff: noqa: T201 - a script talks to its terminal
"""The audio callback under load: its times, late blocks and xruns, row by row.

    python tests/benchmarks/realtime.py [--seconds 60] [--clock jack,jack-rt,null] [--out docs]

`jack` is `jackd -r` (no real-time priority), `jack-rt` the same server with it, `null` the daemon's
own clock. Wants a machine that does nothing else.
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
from tests.benchmarks.harness import PERIOD_US, XrunWatch  # noqa: E402
from tests.benchmarks.loads import BEAT_US, fill_library  # noqa: E402
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
"""[s] For which each model is heard alone."""
SETTLE_S = 1.0
AIM_SHARE = 0.30
ALONE, BEAT, IDLE, OSC, WARM, COLD, SCAN, ALL, AGAIN = (
    "jackd alone", "arithmetic alone", "idle", "2,000 messages/s", "model switches, cache warm",
    "model switches, cache cold", "library scan", "all together", "idle again",
)  # fmt: skip
ORDER = (ALONE, BEAT, IDLE, OSC, WARM, COLD, SCAN, ALL, AGAIN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One stretch of play."""

    name: str
    counts: Counts | None
    jack_xruns: int | None
    note: str = ""

    @property
    def share(self) -> float:
        """p99.9 as a share of the period."""
        return 1e6 * self.counts.quantile_s(0.999) / PERIOD_US if self.counts else 0.0


@dataclass
class Clock:
    """What was measured on one clock."""

    name: str
    seconds: float
    rows: list[Row] = field(default_factory=list)
    models: list[tuple[str, Counts]] = field(default_factory=list)

    def idle_late(self) -> int:
        """Return the late blocks of the worse of the two idle rows."""
        idle = [row.counts.late for row in self.rows if row.name in (IDLE, AGAIN) and row.counts]
        return max(idle, default=0)

    def verdict(self, row: Row) -> str:
        """Return whether a row meets the aim, and where not."""
        if row.counts is None or row.name == BEAT:
            return ""
        missed = []
        if row.counts.late > self.idle_late():
            missed.append(f"{row.counts.late - self.idle_late()} late beyond idle")
        if row.share >= AIM_SHARE:
            missed.append(f"p99.9 is {row.share:.0%}")
        return f"missed: {', '.join(missed)}" if missed else "met"


class Switcher(threading.Thread):
    """Asks for another model at an even pace, in seeded order, and counts the answers."""

    def __init__(self, port: int, names: list[str], seed: int, every_s: float = SWITCH_S) -> None:
        super().__init__(daemon=True)
        self._client = OscClient(port)
        self._names = names
        self._every_s = every_s
        self._rng = np.random.default_rng(seed)
        self._stop_it = threading.Event()
        self.asked = self.heard = self.overtaken = 0
        self.errors: list[str] = []

    def run(self) -> None:
        """Ask until told to stop."""
        name, due = "", time.monotonic()
        while not self._stop_it.is_set():
            name = str(self._rng.choice([other for other in self._names if other != name]))
            self._client.send("/nemo/model/load", name)
            self.asked += 1
            due += self._every_s
            while (left := due - time.monotonic()) > 0.0 and not self._stop_it.is_set():
                self._count(min(left, 0.1))

    def _count(self, seconds: float) -> None:
        message = self._client.receive(seconds)
        if message is None:
            return
        if message.address == "/nemo/done":
            self.heard += 1
        elif message.address == "/nemo/error":
            if message.params[0] == "busy":
                self.overtaken += 1
            else:
                self.errors.append(" ".join(map(str, message.params)))

    def stop(self) -> str:
        """End, and say what happened."""
        self._stop_it.set()
        self.join()
        self._client.close()
        text = f"{self.asked} switches asked, {self.heard} heard, {self.overtaken} overtaken"
        return f"{text}, {len(self.errors)} refused ({self.errors[0]})" if self.errors else text


class Rescans(threading.Thread):
    """Has the daemon look through its library at an even pace."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self._client = OscClient(port)
        self._stop_it = threading.Event()
        self.count = 0

    def run(self) -> None:
        """Ask until told to stop."""
        while not self._stop_it.wait(RESCAN_S):
            self._client.send("/nemo/model/rescan")
            self.count += 1

    def stop(self) -> int:
        """End; return how often the daemon was asked."""
        self._stop_it.set()
        self.join()
        self._client.close()
        return self.count


class Bench:
    """A running daemon, its counts, and the loads for it."""

    def __init__(
        self, running: Daemon, times: Path, watch: XrunWatch | None, names: list[str],
        scan: Path, seed: int,
    ) -> None:  # fmt: skip
        self.client = OscClient(running.port)
        self._port = running.port
        self._times = times
        self._watch = watch
        self._names = names
        self._scan = scan
        self._seed = seed

    def stretch(self, seconds: float, tick: Callable[[float], None]) -> tuple[Counts, int | None]:
        """Return what is counted in this time [s]."""
        before, xruns = histogram.read(self._times), self._watch.count if self._watch else None
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0.0:
            time.sleep(min(left, 0.5))
            tick(min(left, 0.5))
        counts = histogram.read(self._times) - before
        return counts, self._watch.count - xruns if self._watch and xruns is not None else None

    @contextmanager
    def loads(self, name: str) -> Iterator[list[str]]:
        """Put a row's loads on; yields the list into which they say what they did."""
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
            told = harness.stop_load(process)
        lost = self.client.query("/nemo/status/bad_packets") - bad
        rate = told["sent"] / told["seconds"]
        notes.append(f"{rate:,.0f} messages/s sent, {told['answers']:,} answers, {lost} dropped")

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
            told = harness.stop_load(process)
        notes.append(
            f"{told['scans']} whole scans of {told['files']:,} files, {count} by the daemon itself"
        )


def measure(
    name: str, seconds: float, seed: int, latency_us: int | None, say: Callable[[str, float], None]
) -> Clock:
    """Return all rows of one clock."""
    clock = Clock(name, seconds)
    with ExitStack() as stack:
        home, times = stack.enter_context(harness.places())
        library, scan = home / "library", home / "scan"
        names = harness.copy_models(library)
        fill_library(scan, seed)
        watch = None
        if name != "null":
            stack.enter_context(harness.jack_server(realtime=name == "jack-rt"))
            watch = XrunWatch()
            stack.callback(watch.close)
            time.sleep(SETTLE_S)
            before = watch.count
            _wait(seconds, lambda step: say(f"{name}: {ALONE}", step))
            clock.rows.append(Row(name=ALONE, counts=None, jack_xruns=watch.count - before))
        awake = CpuLatencyLimit(latency_us)
        clock.rows.append(_arithmetic(times.with_name("beat"), seconds, name, watch, say))
        awake.release()
        device = "null" if name == "null" else "system"
        options = ["--library", str(library), "--library", str(scan), "--model", names[0]]
        options += ["--cpu-latency", "off" if latency_us is None else str(latency_us)]

        def begin(cache: Path) -> Bench:
            running = plays.enter_context(
                harness.daemon(device, home, times, *options, cache=cache)
            )
            return Bench(running, times, watch, names, scan, seed)

        def add(bench: Bench, row: str) -> None:
            with bench.loads(row) as notes:
                time.sleep(SETTLE_S)
                counts, xruns = bench.stretch(seconds, lambda step: say(f"{name}: {row}", step))
            clock.rows.append(Row(name=row, counts=counts, jack_xruns=xruns, note="; ".join(notes)))

        with ExitStack() as plays:
            bench = begin(home / "warm")
            for model in names:
                bench.client.load(model)
                time.sleep(0.3)
                alone, _ = bench.stretch(min(ALONE_S, seconds), lambda _step: None)
                clock.models.append((model, alone))
            for row in (IDLE, OSC, WARM, SCAN, ALL, AGAIN):
                bench.client.load(names[0])
                add(bench, row)
        with ExitStack() as plays:
            add(begin(home / "cold"), COLD)
    clock.rows.sort(key=lambda row: ORDER.index(row.name))
    return clock


def _arithmetic(
    counted: Path, seconds: float, name: str, watch: XrunWatch | None,
    say: Callable[[str, float], None],
) -> Row:  # fmt: skip
    """Return what this machine does to a thread with real-time priority that only calculates."""
    with harness.load_process("beat", str(counted)) as process:
        xruns = watch.count if watch else 0
        _wait(seconds, lambda step: say(f"{name}: {BEAT}", step))
        found = watch.count - xruns if watch else None
        harness.stop_load(process)
    return Row(name=BEAT, counts=histogram.read(counted), jack_xruns=found)


def _wait(seconds: float, tick: Callable[[float], None]) -> None:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0.0:
        time.sleep(min(left, 0.5))
        tick(min(left, 0.5))


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
    "row", "blocks", "p50", "p99", "p99.9", "longest", "late", "xruns told to the callback",
    "xruns JACK counts", "aim",
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

{clock.seconds:g} s a row.

{rows}

{notes}

Each model alone, {min(ALONE_S, clock.seconds):g} s:

{alone}
"""


def _sleep(limit_us: int | None) -> str:
    if limit_us is None:
        return "sleeps as it likes"
    return f"sleeps only if it wakes up within {limit_us} us" if limit_us else "does not sleep"


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
        f"- {clock.name}: {row.counts.late} late are the machine's own, of the arithmetic alone."
        for clock in clocks
        for row in clock.rows
        if row.name == BEAT and row.counts and short
    ]
    fell = "\n".join(short) or "Nothing: every row meets the aim."
    return f"""# The audio callback under load

Made by `{command}` on: {harness.machine()}.

![Share of blocks that take longer](realtime.png)

Times are those of `Engine.process`, every block, in microseconds and as a share of the period
({PERIOD_US:.0f} us, 64 frames at 48 kHz), counted in bins that are 1.1 % wide
(`nemod/engine/histogram.py`). What PortAudio and its wrapper do around it is not in them, silence
is at the input, and all effects run. `late` are blocks that begin more than a whole period after
their time. Xruns are told twice: as the daemon's callback is told of them, and as another client
hears of them from JACK. "{ALONE}" is the server with no client that makes sound: what it reports
then is its own. "{BEAT}" is a small recurrent product in numpy,
always the same, once a period with the audio thread's priority and no daemon; {BEAT_US:g} us when
it is done again and again. How its times differ from that, and scatter, is the machine's doing.
Loads run on the same machine as the daemon, at ordinary priority.

While the daemon or the arithmetic runs, a processor {_sleep(latency_us)}
(`--cpu-latency`); in the row of the server alone nobody asks for that.

Aim: as many late blocks as idle (the worse of the two idle rows, before and after), and p99.9 below
{AIM_SHARE:.0%} of the period. A row with switches has two models at once for 30 ms of every
{1000 * SWITCH_S:g}: its p99.9 is the sum of the two largest.

{sections}
## What fell short

{fell}
"""


def picture(clocks: list[Clock], path: Path) -> None:
    """Draw, for every row, which share of the blocks takes longer than a time."""
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
    figure.legend(*handles, loc="outside lower center", ncols=4, fontsize=8)
    figure.savefig(path, dpi=110)


def main() -> int:
    """Measure, and write the page and the picture."""
    made = argparse.ArgumentParser(description=__doc__)
    made.add_argument("--seconds", type=float, default=60.0)
    made.add_argument("--clock", default=",".join(CLOCKS))
    made.add_argument("--seed", type=int, default=1)
    made.add_argument("--cpu-latency", default="auto", help="as nemod takes it (%(default)s)")
    made.add_argument("--out", type=Path, default=ROOT / "docs")
    arguments = made.parse_args()
    wanted = arguments.clock.split(",")
    if unknown := [name for name in wanted if name not in CLOCKS]:
        made.error(f"--clock {unknown[0]!r}: {', '.join(CLOCKS)} are known")
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    latency = arguments.cpu_latency
    wished = {"auto": suitable_us(), "off": None}
    latency_us = wished[latency] if latency in wished else int(latency)
    total = sum(arguments.seconds * (len(ORDER) - (name == "null")) for name in wanted)
    clocks = []
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("starting", total=total)

        def say(what: str, step: float) -> None:
            progress.update(task, description=what, advance=step)

        for name in wanted:
            clocks.append(measure(name, arguments.seconds, arguments.seed, latency_us, say))
            print(section(clocks[-1]), flush=True)
    command = f"python tests/benchmarks/realtime.py --seconds {arguments.seconds:g}"
    command += f" --clock {','.join(wanted)} --seed {arguments.seed}"
    command += "" if latency == "auto" else f" --cpu-latency {latency}"
    text = page(clocks, command, latency_us)
    (arguments.out / "realtime.md").write_text(text, encoding="utf-8")
    picture(clocks, arguments.out / "realtime.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
