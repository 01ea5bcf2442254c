# ruff: noqa: T201 - a script talks to its terminal
"""Everything at once for long: memory, descriptors, threads, processes and late blocks.

    python tests/benchmarks/soak.py [--minutes 30] [--clock jack-rt] [--seed 1] [--out docs]

Idle at first, then everything moves, then idle again. Status 1 where something fell short.
"""

import argparse
import os
import random
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from nemod.engine import histogram  # noqa: E402
from nemod.engine.histogram import Counts  # noqa: E402
from tests.benchmarks import harness  # noqa: E402
from tests.benchmarks.harness import XrunWatch  # noqa: E402
from tests.benchmarks.loads import fill_library  # noqa: E402
from tests.benchmarks.realtime import CLOCKS, Rescans, Switcher  # noqa: E402
from tests.parts.daemon import Daemon  # noqa: E402
from tests.parts.osc_client import OscClient  # noqa: E402

ROLES = ("control", "audio", "builder")
IDLE_SHARE = 0.1
"""Of the run, at both ends."""
WARM_SHARE = 0.2
"""Of the moving part, before the slope counts: every program is loaded once and kept."""
MESSAGES_PER_S, RUBBISH_PER_S = 500, 100
VISIT_S = 1.0
SWITCH_S = 2.0
PRELUDE_S = 20.0
"""[s] Of everything, before the first sample: threads and pools are made when first wanted."""
FOUNDRY_S = 60.0
"""[s] Between two ends of the builder by SIGKILL."""
GROWTH_MB = 8.0
"""From the end of the warm-up to the end: what the three processes may have gained together."""
SETTLE_S = 5.0


@dataclass(frozen=True, slots=True)
class Sample:
    """The daemon at one moment."""

    at_s: float
    pss_mb: dict[str, float]
    """By role; a process that is just being restarted is left out."""
    descriptors: dict[str, int]
    threads: dict[str, int]
    processes: int
    counts: Counts
    jack_xruns: int


@dataclass
class Run:
    """All samples, and where the parts of the run end."""

    samples: list[Sample] = field(default_factory=list)
    moving_from_s: float = 0.0
    moving_to_s: float = 0.0
    idle_from_s: float = 0.0
    notes: list[str] = field(default_factory=list)
    gone: str = ""

    def between(self, begin_s: float, end_s: float) -> list[Sample]:
        """Return the samples of a part."""
        return [sample for sample in self.samples if begin_s <= sample.at_s <= end_s]


def pss_mb(pid: int) -> float:
    """Return the proportional set size [MB] of a process. Raises: OSError."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024.0
    raise OSError(f"no Pss of {pid}")


def look(running: Daemon, times: Path, watch: XrunWatch | None, at_s: float) -> Sample:
    """Return how the daemon is now."""
    memory, descriptors, threads = {}, {}, {}
    for role, pid in harness.processes(running).items():
        with suppress(OSError):
            memory[role] = pss_mb(pid)
            descriptors[role] = len(os.listdir(f"/proc/{pid}/fd"))
            threads[role] = len(os.listdir(f"/proc/{pid}/task"))
    return Sample(
        at_s, memory, descriptors, threads, 1 + len(harness.children(running.process.pid)),
        histogram.read(times), watch.count if watch else 0,
    )  # fmt: skip


class Visitors(threading.Thread):
    """Phones that come, ask, subscribe and go, each from a port of its own."""

    def __init__(self, port: int, seed: int) -> None:
        super().__init__(daemon=True)
        self._port = port
        self._rng = random.Random(seed)
        self._stop_it = threading.Event()
        self.count = self.answered = 0

    def run(self) -> None:
        """Come and go until told to stop."""
        questions = ("/nemo/status", "/nemo/model/list", "/nemo/*/mix", "/nemo/model/info")
        while not self._stop_it.wait(self._rng.random() * 2.0 * VISIT_S):
            client = OscClient(self._port)
            if self._rng.random() < 0.5:
                client.send("/nemo/subscribe")
            client.send(self._rng.choice(questions))
            client.send("/nemo/ping")
            with suppress(TimeoutError):
                client.wait("/nemo/pong", seconds=1.0)
                self.answered += 1
            if self._rng.random() < 0.5:
                client.send("/nemo/unsubscribe")
            client.close()
            self.count += 1
            self._guest()

    def _guest(self) -> None:
        """Knock at the port by TCP as well; whether or not anybody is there."""
        with suppress(OSError), socket.create_connection(("127.0.0.1", self._port), 0.2) as guest:
            guest.sendall(self._rng.randbytes(64))

    def stop(self) -> str:
        """End, and say what happened."""
        self._stop_it.set()
        self.join()
        return f"{self.count} clients came and went, {self.answered} had their ping answered"


class Killer(threading.Thread):
    """Ends the builder by SIGKILL now and then."""

    def __init__(self, running: Daemon, every_s: float) -> None:
        super().__init__(daemon=True)
        self._running = running
        self._every_s = every_s
        self._stop_it = threading.Event()
        self.count = 0

    def run(self) -> None:
        """Kill until told to stop."""
        while not self._stop_it.wait(self._every_s):
            pid = harness.processes(self._running).get("builder")
            if pid is not None:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                    self.count += 1

    def stop(self) -> str:
        """End, and say what happened."""
        self._stop_it.set()
        self.join()
        return f"the builder was killed {self.count} times"


@contextmanager
def everything(
    running: Daemon, names: list[str], scan: Path, seed: int, total_s: float
) -> Iterator[list[str]]:
    """Move everything; yields the list into which it is told what moved, once it is over."""
    notes: list[str] = []
    port, seeds = str(running.port), ("--seed", str(seed))
    with ExitStack() as loads:
        knobs, rubbish, scans = (
            loads.enter_context(harness.load_process(*words))
            for words in (
                ("flood", port, "--rate", str(MESSAGES_PER_S), *seeds),
                ("rubbish", port, "--rate", str(RUBBISH_PER_S), *seeds),
                ("scan", str(scan)),
            )
        )
        switcher = Switcher(running.port, names, seed, SWITCH_S)
        rescans = Rescans(running.port)
        visitors = Visitors(running.port, seed)
        killer = Killer(running, min(FOUNDRY_S, total_s / 6.0))
        for thread in (switcher, rescans, visitors, killer):
            thread.start()
        yield notes
        notes += [killer.stop(), visitors.stop(), switcher.stop()]
        notes.append(f"the daemon was asked to look through its library {rescans.stop()} times")
        notes.append(f"{harness.stop_load(knobs)['sent']:,} messages for knobs")
        notes.append(f"{harness.stop_load(rubbish)['sent']:,} malformed datagrams")
        notes.append(f"{harness.stop_load(scans)['scans']} scans of 1,000 files")


def calm(client: OscClient, name: str) -> None:
    """Wait until what was asked is done, and have the same model as ever."""
    for _ in range(5):
        with suppress(RuntimeError, TimeoutError):
            client.load(name)
            break
    time.sleep(SETTLE_S)


def soak(minutes: float, clock: str, seed: int, say: Callable[[str, float], None]) -> Run:
    """Return a whole run."""
    run, total_s = Run(), 60.0 * minutes
    step_s = min(5.0, total_s / 60.0)
    with ExitStack() as stack:
        home, times = stack.enter_context(harness.places())
        names = harness.copy_models(home / "library")
        fill_library(home / "scan", seed)
        watch = None
        if clock != "null":
            stack.enter_context(harness.jack_server(realtime=clock == "jack-rt"))
            watch = XrunWatch()
            stack.callback(watch.close)
        libraries = ["--library", str(home / "library"), "--library", str(home / "scan")]
        device = "null" if clock == "null" else "system"
        running = stack.enter_context(
            harness.daemon(device, home, times, *libraries, "--model", names[0])
        )
        client = OscClient(running.port)
        for name in names:  # into the cache, so that the loads are of the daemon, not of XLA
            client.load(name)
        with everything(running, names, home / "scan", seed, total_s):
            time.sleep(min(PRELUDE_S, total_s / 3.0))
        calm(client, names[0])
        began = time.monotonic()

        def watch_until(end_s: float, what: str) -> None:
            while (now_s := time.monotonic() - began) < end_s and not run.gone:
                time.sleep(min(step_s, end_s - now_s))
                run.samples.append(look(running, times, watch, time.monotonic() - began))
                say(what, time.monotonic() - began - now_s)
                if running.process.poll() is not None:
                    run.gone = f"the daemon ended with status {running.process.returncode}"

        run.samples.append(look(running, times, watch, 0.0))
        watch_until(IDLE_SHARE * total_s, "idle")
        run.moving_from_s = time.monotonic() - began
        with everything(running, names, home / "scan", seed, total_s) as notes:
            watch_until((1.0 - IDLE_SHARE) * total_s, "everything moves")
        run.moving_to_s = time.monotonic() - began
        run.notes = notes
        if not run.gone:
            calm(client, names[0])
        run.idle_from_s = time.monotonic() - began
        watch_until(run.idle_from_s + IDLE_SHARE * total_s, "idle again")
        client.close()
    return run


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a run shows."""

    late_idle_per_min: float
    late_moving_per_min: float
    late_moving: int
    allowed_late: float
    growth_mb: float
    slope_mb_per_h: float
    problems: list[str]


def late_between(samples: list[Sample]) -> tuple[int, float]:
    """Return the late blocks of a part, and its length [min]."""
    if len(samples) < 2:
        return 0, 0.0
    late = samples[-1].counts.late - samples[0].counts.late
    return late, (samples[-1].at_s - samples[0].at_s) / 60.0


def judge(run: Run) -> Verdict:
    """Return what fell short."""
    problems = [run.gone] if run.gone else []
    moving = run.between(run.moving_from_s, run.moving_to_s)
    idle = late_between(run.between(0.0, run.moving_from_s))
    again = late_between(run.between(run.idle_from_s, np.inf))
    late, minutes = late_between(moving)
    rate = max((count / length for count, length in (idle, again) if length), default=0.0)
    allowed = rate * minutes
    if late > allowed:
        problems.append(f"{late} late blocks while everything moved; idle would have {allowed:.0f}")
    warm_s = run.moving_from_s + WARM_SHARE * (run.moving_to_s - run.moving_from_s)
    # The builder starts anew with each kill: its memory is no line, so the two others are judged.
    warm = [
        s for s in run.between(warm_s, run.moving_to_s) if {"control", "audio"} <= set(s.pss_mb)
    ]
    growth = slope = 0.0
    if len(warm) >= 4:
        hours = np.array([sample.at_s for sample in warm]) / 3600.0
        memory = np.array([sample.pss_mb["control"] + sample.pss_mb["audio"] for sample in warm])
        slope = float(np.polyfit(hours, memory, 1)[0])
        growth = slope * float(hours[-1] - hours[0])
        if growth > GROWTH_MB:
            problems.append(f"memory grew by {growth:.1f} MB after the warm-up")
    first, last = run.samples[0], run.samples[-1]
    for what, before, after in (
        ("descriptors", first.descriptors, last.descriptors),
        ("threads", first.threads, last.threads),
    ):
        problems += [
            f"{what} of the {role} process: {before.get(role)} before, {after.get(role)} after"
            for role in ROLES
            if after.get(role, 0) > before.get(role, 0)
        ]
    if last.processes != first.processes:
        problems.append(f"{first.processes} processes before, {last.processes} after")
    faults = last.counts.faults - first.counts.faults
    if faults:
        problems.append(f"{faults} muted blocks")
    return Verdict(rate, late / minutes if minutes else 0.0, late, allowed, growth, slope, problems)


def page(run: Run, verdict: Verdict, command: str, clock: str) -> str:
    """Return the page."""
    first, last = run.samples[0], run.samples[-1]

    def ends(before: dict[str, float], after: dict[str, float], role: str) -> str:
        return f"{before.get(role, 0):.0f} / {after.get(role, 0):.0f}"

    rows = [
        [role, ends(first.pss_mb, last.pss_mb, role),
         ends(dict(first.descriptors), dict(last.descriptors), role),
         ends(dict(first.threads), dict(last.threads), role)]
        for role in ROLES
    ]  # fmt: skip
    moved = last.counts - first.counts
    figures = harness.table(("process", "PSS MB", "descriptors", "threads"), rows)
    notes = "\n".join(f"- {note}" for note in run.notes)
    fell = "\n".join(f"- {problem}" for problem in verdict.problems) or "Nothing."
    return f"""# Soak

Made by `{command}` on: {harness.machine()}.

![Over time](soak.png)

{last.at_s / 60.0:.1f} minutes on {CLOCKS[clock]}. {run.moving_from_s / 60.0:.1f} minutes idle, then
everything at once until minute {run.moving_to_s / 60.0:.1f}, then idle again. What moved, by seed:

{notes}

First and last moment (before / after), both idle with the same model; before the first, everything
moved for a while and every program was loaded once, which the audio plane keeps:

{figures}

Memory of control and audio plane after the warm-up ({WARM_SHARE:.0%} of the moving part): a line
through it rises by {verdict.slope_mb_per_h:+.1f} MB/h, {verdict.growth_mb:+.1f} MB in all; allowed
are {GROWTH_MB:g}. Processes: {first.processes} before, {last.processes} after.

Late blocks: {verdict.late_moving} while everything moved, {verdict.late_moving_per_min:.2f} a
minute; {verdict.late_idle_per_min:.2f} a minute in the worse of the idle parts. Of
{moved.blocks:,} blocks in all p50 took {1e6 * moved.quantile_s(0.5):.0f} us, p99.9
{1e6 * moved.quantile_s(0.999):.0f}, the longest {1e6 * moved.quantile_s(1.0):.0f}. JACK counted
{last.jack_xruns - first.jack_xruns} xruns.

## What fell short

{fell}
"""


def picture(run: Run, path: Path) -> None:
    """Draw memory, descriptors and late blocks over time."""
    figure = Figure(figsize=(9.0, 7.0), layout="constrained")
    panels = figure.subplots(3, 1, sharex=True)
    for role in ROLES:
        with_role = [sample for sample in run.samples if role in sample.pss_mb]
        minutes = [sample.at_s / 60.0 for sample in with_role]
        panels[0].plot(minutes, [sample.pss_mb[role] for sample in with_role], label=role)
        panels[1].plot(minutes, [sample.descriptors[role] for sample in with_role], label=role)
    minutes = [sample.at_s / 60.0 for sample in run.samples]
    start = run.samples[0]
    late = [sample.counts.late - start.counts.late for sample in run.samples]
    xruns = [sample.jack_xruns - start.jack_xruns for sample in run.samples]
    panels[2].plot(minutes, late, label="late blocks")
    panels[2].plot(minutes, xruns, ":", label="xruns of JACK")
    for panel, name in zip(panels, ("PSS [MB]", "descriptors", "since the start"), strict=True):
        panel.axvspan(run.moving_from_s / 60.0, run.moving_to_s / 60.0, color="0.93")
        panel.set_ylabel(name)
        panel.set_ylim(bottom=0)
        panel.legend(fontsize=8)
    panels[2].set_xlabel("minutes; grey: everything moves")
    figure.savefig(path, dpi=110)


def main() -> int:
    """Soak, judge, and write the page and the picture."""
    made = argparse.ArgumentParser(description=__doc__)
    made.add_argument("--minutes", type=float, default=30.0)
    made.add_argument("--clock", choices=tuple(CLOCKS), default="jack-rt")
    made.add_argument("--seed", type=int, default=1)
    made.add_argument("--out", type=Path, default=ROOT / "docs")
    arguments = made.parse_args()
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("starting", total=60.0 * arguments.minutes)
        run = soak(
            arguments.minutes, arguments.clock, arguments.seed,
            lambda what, step: progress.update(task, description=what, advance=step),
        )  # fmt: skip
    verdict = judge(run)
    command = f"python tests/benchmarks/soak.py --minutes {arguments.minutes:g}"
    command = f"{command} --clock {arguments.clock} --seed {arguments.seed}"
    text = page(run, verdict, command, arguments.clock)
    print(text)
    (arguments.out / "soak.md").write_text(text, encoding="utf-8")
    picture(run, arguments.out / "soak.png")
    return 1 if verdict.problems else 0


if __name__ == "__main__":
    sys.exit(main())
