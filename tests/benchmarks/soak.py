# ruff: noqa: T201 - a script prints
"""Soak test under all loads at once: memory, descriptors, threads, processes and late blocks.

    python tests/benchmarks/soak.py [--minutes 30] [--clock jack-rt] [--seed 1] [--out docs]

Idle at first, then all loads, then idle again. The exit status is 1 if an aim is missed.
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
from tests.benchmarks.harness import XrunCounter  # noqa: E402
from tests.benchmarks.loads import fill_library  # noqa: E402
from tests.benchmarks.realtime import CLOCKS, Rescans, Switcher  # noqa: E402
from tests.parts.daemon import Daemon  # noqa: E402
from tests.parts.osc_client import OscClient  # noqa: E402

ROLES = ("daemon", "audio", "builder")
IDLE_SHARE = 0.1
"""Share of the run that is idle, at both ends."""
WARM_SHARE = 0.2
"""Share of the loaded part that is not judged: every program is loaded once and stays in memory."""
MESSAGES_PER_S, MALFORMED_PER_S = 500, 100
CLIENT_S = 1.0
SWITCH_S = 2.0
PRELUDE_S = 20.0
"""[s] Of all loads, before the first sample: threads and pools are created on first use."""
BUILDER_KILL_S = 60.0
"""[s] Between two kills of the builder."""
GROWTH_MB = 8.0
"""Allowed growth of daemon and audio process together, after the warm-up."""
SETTLE_S = 5.0


@dataclass(frozen=True, slots=True)
class Sample:
    """Measurements of the daemon at one moment."""

    at_s: float
    pss_mb: dict[str, float]
    """By role, without a process that is being restarted."""
    descriptors: dict[str, int]
    threads: dict[str, int]
    processes: int
    counts: Counts
    jack_xruns: int


@dataclass
class Run:
    """All samples and the boundaries between the parts of the run."""

    samples: list[Sample] = field(default_factory=list)
    loaded_from_s: float = 0.0
    loaded_to_s: float = 0.0
    idle_from_s: float = 0.0
    notes: list[str] = field(default_factory=list)
    failure: str = ""
    """Why the daemon ended early, empty if it did not."""

    def between(self, begin_s: float, end_s: float) -> list[Sample]:
        """Return the samples of a part of the run."""
        return [sample for sample in self.samples if begin_s <= sample.at_s <= end_s]


def pss_mb(pid: int) -> float:
    """Return the proportional set size [MB] of a process. Raises: OSError."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024.0
    raise OSError(f"no Pss of {pid}")


def take_sample(
    running: Daemon, times: Path, xrun_counter: XrunCounter | None, at_s: float
) -> Sample:
    """Return the current measurements of the daemon."""
    memory, descriptors, threads = {}, {}, {}
    for role, pid in harness.processes(running).items():
        with suppress(OSError):
            memory[role] = pss_mb(pid)
            descriptors[role] = len(os.listdir(f"/proc/{pid}/fd"))
            threads[role] = len(os.listdir(f"/proc/{pid}/task"))
    return Sample(
        at_s, memory, descriptors, threads, 1 + len(harness.children(running.process.pid)),
        histogram.read(times), xrun_counter.count if xrun_counter else 0,
    )  # fmt: skip


class ShortLivedClients(threading.Thread):
    """OSC clients that connect, query, subscribe and disconnect, each from a port of its own."""

    def __init__(self, port: int, seed: int) -> None:
        super().__init__(daemon=True)
        self._port = port
        self._rng = random.Random(seed)
        self._stop_it = threading.Event()
        self.count = self.answered = 0

    def run(self) -> None:
        """Run one client after another until `stop` is called."""
        queries = ("/nemo/status", "/nemo/model/list", "/nemo/*/mix", "/nemo/model/info")
        while not self._stop_it.wait(self._rng.random() * 2.0 * CLIENT_S):
            client = OscClient(self._port)
            if self._rng.random() < 0.5:
                client.send("/nemo/subscribe")
            client.send(self._rng.choice(queries))
            client.send("/nemo/ping")
            with suppress(TimeoutError):
                client.wait("/nemo/pong", seconds=1.0)
                self.answered += 1
            if self._rng.random() < 0.5:
                client.send("/nemo/unsubscribe")
            client.close()
            self.count += 1
            self._try_tcp()

    def _try_tcp(self) -> None:
        """Try to connect to the port by TCP too, which nemod does not serve."""
        with suppress(OSError), socket.create_connection(("127.0.0.1", self._port), 0.2) as tcp:
            tcp.sendall(self._rng.randbytes(64))

    def stop(self) -> str:
        """Stop and return a summary."""
        self._stop_it.set()
        self.join()
        return f"{self.count} clients connected and disconnected, {self.answered} pings answered"


class BuilderKiller(threading.Thread):
    """Kills the builder at regular intervals."""

    def __init__(self, running: Daemon, every_s: float) -> None:
        super().__init__(daemon=True)
        self._running = running
        self._every_s = every_s
        self._stop_it = threading.Event()
        self.count = 0

    def run(self) -> None:
        """Kill the builder until `stop` is called."""
        while not self._stop_it.wait(self._every_s):
            pid = harness.processes(self._running).get("builder")
            if pid is not None:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                    self.count += 1

    def stop(self) -> str:
        """Stop and return a summary."""
        self._stop_it.set()
        self.join()
        return f"{self.count} kills of the builder"


@contextmanager
def all_loads(
    running: Daemon, names: list[str], scan: Path, seed: int, total_s: float
) -> Iterator[list[str]]:
    """Run all loads; yields a list that contains their summaries after the end."""
    notes: list[str] = []
    port, seeds = str(running.port), ("--seed", str(seed))
    with ExitStack() as loads:
        knobs, malformed, scans = (
            loads.enter_context(harness.load_process(*words))
            for words in (
                ("flood", port, "--rate", str(MESSAGES_PER_S), *seeds),
                ("malformed", port, "--rate", str(MALFORMED_PER_S), *seeds),
                ("scan", str(scan)),
            )
        )
        switcher = Switcher(running.port, names, seed, SWITCH_S)
        rescans = Rescans(running.port)
        clients = ShortLivedClients(running.port, seed)
        killer = BuilderKiller(running, min(BUILDER_KILL_S, total_s / 6.0))
        for thread in (switcher, rescans, clients, killer):
            thread.start()
        yield notes
        notes += [killer.stop(), clients.stop(), switcher.stop()]
        notes.append(f"{rescans.stop()} rescans of the library by the daemon")
        notes.append(f"{harness.stop_load(knobs)['sent']:,} messages for knobs")
        notes.append(f"{harness.stop_load(malformed)['sent']:,} malformed datagrams")
        notes.append(f"{harness.stop_load(scans)['scans']} scans of 1,000 files")


def settle(client: OscClient, name: str) -> None:
    """Load the model of the idle parts and wait until the daemon is idle."""
    for _ in range(5):
        with suppress(RuntimeError, TimeoutError):
            client.load(name)
            break
    time.sleep(SETTLE_S)


def soak(
    minutes: float, clock: str, seed: int, report_progress: Callable[[str, float], None]
) -> Run:
    """Return the measurements of a complete run."""
    run, total_s = Run(), 60.0 * minutes
    step_s = min(5.0, total_s / 60.0)
    with ExitStack() as stack:
        home, times = stack.enter_context(harness.temporary_home())
        names = harness.copy_models(home / "library")
        fill_library(home / "scan", seed)
        xrun_counter = None
        if clock != "null":
            stack.enter_context(harness.jack_server(realtime=clock == "jack-rt"))
            xrun_counter = XrunCounter()
            stack.callback(xrun_counter.close)
        libraries = ["--library", str(home / "library"), "--library", str(home / "scan")]
        device = "null" if clock == "null" else "system"
        running = stack.enter_context(
            harness.daemon(device, home, times, *libraries, "--model", names[0])
        )
        client = OscClient(running.port)
        for name in names:  # into the cache, so that the run measures the daemon and not XLA
            client.load(name)
        with all_loads(running, names, home / "scan", seed, total_s):
            time.sleep(min(PRELUDE_S, total_s / 3.0))
        settle(client, names[0])
        began = time.monotonic()

        def sample_until(end_s: float, part: str) -> None:
            while (now_s := time.monotonic() - began) < end_s and not run.failure:
                time.sleep(min(step_s, end_s - now_s))
                at_s = time.monotonic() - began
                run.samples.append(take_sample(running, times, xrun_counter, at_s))
                report_progress(part, time.monotonic() - began - now_s)
                if running.process.poll() is not None:
                    run.failure = f"the daemon ended with status {running.process.returncode}"

        run.samples.append(take_sample(running, times, xrun_counter, 0.0))
        sample_until(IDLE_SHARE * total_s, "idle")
        run.loaded_from_s = time.monotonic() - began
        with all_loads(running, names, home / "scan", seed, total_s) as notes:
            sample_until((1.0 - IDLE_SHARE) * total_s, "all loads")
        run.loaded_to_s = time.monotonic() - began
        run.notes = notes
        if not run.failure:
            settle(client, names[0])
        run.idle_from_s = time.monotonic() - began
        sample_until(run.idle_from_s + IDLE_SHARE * total_s, "idle again")
        client.close()
    return run


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of a run."""

    late_idle_per_min: float
    late_loaded_per_min: float
    late_loaded: int
    allowed_late: float
    growth_mb: float
    slope_mb_per_h: float
    problems: list[str]


def late_between(samples: list[Sample]) -> tuple[int, float]:
    """Return the number of late blocks of a part, and its length [min]."""
    if len(samples) < 2:
        return 0, 0.0
    late = samples[-1].counts.late - samples[0].counts.late
    return late, (samples[-1].at_s - samples[0].at_s) / 60.0


def judge(run: Run) -> Verdict:
    """Return the result of a run, with the missed aims."""
    problems = [run.failure] if run.failure else []
    loaded = run.between(run.loaded_from_s, run.loaded_to_s)
    idle = late_between(run.between(0.0, run.loaded_from_s))
    again = late_between(run.between(run.idle_from_s, np.inf))
    late, minutes = late_between(loaded)
    rate = max((count / length for count, length in (idle, again) if length), default=0.0)
    allowed = rate * minutes
    if late > allowed:
        problems.append(f"{late} late blocks under load; at the idle rate {allowed:.0f}")
    warm_s = run.loaded_from_s + WARM_SHARE * (run.loaded_to_s - run.loaded_from_s)
    # Not the builder: each kill resets its memory.
    warm = [s for s in run.between(warm_s, run.loaded_to_s) if {"daemon", "audio"} <= set(s.pss_mb)]
    growth = slope = 0.0
    if len(warm) >= 4:
        hours = np.array([sample.at_s for sample in warm]) / 3600.0
        memory = np.array([sample.pss_mb["daemon"] + sample.pss_mb["audio"] for sample in warm])
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
            f"{what} of {role}: {before.get(role)} before, {after.get(role)} after"
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
    total = last.counts - first.counts
    figures = harness.table(("process", "PSS MB", "descriptors", "threads"), rows)
    notes = "\n".join(f"- {note}" for note in run.notes)
    missed = "\n".join(f"- {problem}" for problem in verdict.problems) or "None."
    return f"""# Soak test

Made by `{command}` on: {harness.machine()}.

![Over time](soak.png)

{last.at_s / 60.0:.1f} minutes on {CLOCKS[clock]}. {run.loaded_from_s / 60.0:.1f} minutes idle, then
all loads at once until minute {run.loaded_to_s / 60.0:.1f}, then idle again. The loads, in a seeded
random order:

{notes}

The first and the last sample (before / after), both idle with the same model. Before the first
sample all loads ran for a while and every model was loaded once, because the audio process keeps
loaded programs:

{figures}

Memory (PSS: proportional set size) of daemon and audio process together, after a warm-up
({WARM_SHARE:.0%} of the loaded part): the regression line rises by {verdict.slope_mb_per_h:+.1f}
MB/h, {verdict.growth_mb:+.1f} MB in all; the limit is {GROWTH_MB:g} MB. Processes:
{first.processes} before, {last.processes} after.

Late blocks: {verdict.late_loaded} under load, {verdict.late_loaded_per_min:.2f} per minute;
{verdict.late_idle_per_min:.2f} per minute in the worse of the idle parts. Times of all
{total.blocks:,} blocks: p50 {1e6 * total.quantile_s(0.5):.0f} us, p99.9
{1e6 * total.quantile_s(0.999):.0f} us, longest {1e6 * total.quantile_s(1.0):.0f} us. JACK counted
{last.jack_xruns - first.jack_xruns} xruns.

## Missed aims

{missed}
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
    panels[2].plot(minutes, xruns, ":", label="xruns, JACK")
    for panel, name in zip(panels, ("PSS [MB]", "descriptors", "since the start"), strict=True):
        panel.axvspan(run.loaded_from_s / 60.0, run.loaded_to_s / 60.0, color="0.93")
        panel.set_ylabel(name)
        panel.set_ylim(bottom=0)
        panel.legend(fontsize=8)
    panels[2].set_xlabel("minutes; grey: all loads")
    figure.savefig(path, dpi=110)


def main() -> int:
    """Run the soak test; write the page and the picture."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--clock", choices=tuple(CLOCKS), default="jack-rt")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=ROOT / "docs")
    arguments = parser.parse_args()
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("starting", total=60.0 * arguments.minutes)
        run = soak(
            arguments.minutes, arguments.clock, arguments.seed,
            lambda part, step: progress.update(task, description=part, advance=step),
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
