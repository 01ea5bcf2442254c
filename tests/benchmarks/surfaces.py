# ruff: noqa: T201 - a script prints
"""Uses all surfaces at once while nemod plays on JACK, and compares late blocks with an idle run.

    python tests/benchmarks/surfaces.py [--seconds 600] [--clock jack-rt] [--out docs]

Two pages in Chromium, OSC, a MIDI controller (a named pipe), uploads, presets and edits of the
chain. Exit status 1: more late blocks than idle, a muted block, an error that nobody provoked, or
the daemon ended.
"""

import argparse
import itertools
import os
import random
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from nemod.engine import histogram  # noqa: E402
from nemod.engine.histogram import Counts  # noqa: E402
from tests.benchmarks import harness  # noqa: E402
from tests.benchmarks.browser_pages import PAGES  # noqa: E402
from tests.benchmarks.harness import XrunCounter  # noqa: E402
from tests.benchmarks.preset_switch import cpu_ticks  # noqa: E402
from tests.benchmarks.realtime import CLOCKS  # noqa: E402
from tests.parts.daemon import Daemon  # noqa: E402
from tests.parts.osc_client import OscClient  # noqa: E402

MODELS = ("drive-gru20", "muff-lstm20", "screamer-gru24")
"""Of the presets; they take about the same time, so that the runs can be compared."""
OSC_PER_S = 500
MIDI_PER_S = 200
UPLOAD_S, PRESET_S, CHAIN_S, LEARN_S = 10.0, 3.0, 8.0, 15.0
"""[s] Between two of a kind."""
FIRST_PRESET = 100
JOB_S = 60.0
SETTLE_S = 5.0
BINDINGS = """\
bindings:
  - {device: pedal, cc: 20, target: treble}
  - {device: pedal, cc: 11, target: level}
"""
IDLE, ALL = "idle", "all surfaces"


@dataclass
class Done:
    """What one load has done: counts by name, and what went wrong."""

    counts: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    def fail(self, text: str) -> None:
        """Note something that should not happen; the first few are kept."""
        self.counts["errors"] += 1
        if len(self.problems) < 5:
            self.problems.append(text)


class Load(threading.Thread):
    """Does something at regular times until it is stopped."""

    def __init__(self, every_s: float, work: Callable[[int], None], done: Done) -> None:
        super().__init__(daemon=True)
        self._every_s = every_s
        self._work = work
        self._done = done
        self._stop_it = threading.Event()

    def run(self) -> None:
        """Work; what is due while work goes on is left out."""
        for number in itertools.count():
            due = time.monotonic() + self._every_s
            try:
                self._work(number)
            except (OSError, TimeoutError, RuntimeError) as error:
                self._done.fail(f"{type(error).__name__}: {error}")
            if self._stop_it.wait(max(0.0, due - time.monotonic())):
                return

    def stop(self) -> None:
        """Stop after the work that is under way."""
        self._stop_it.set()
        self.join(JOB_S)


def job(client: OscClient, done: Done, address: str, *arguments: str | int) -> None:
    """Start a job and wait for its end; `busy` is what a newer request of somebody else makes."""
    client.send(address, *arguments)
    end = time.monotonic() + JOB_S
    while time.monotonic() < end:
        answer = client.receive(0.2)
        if answer is None:
            continue
        if answer.address == "/nemo/done" and answer.params[0] == address:
            done.counts[address] += 1
            return
        if answer.address == "/nemo/error" and answer.params[1] == address:
            if answer.params[0] == "busy":
                done.counts["superseded"] += 1
            else:
                done.fail(f"{address} {arguments}: {answer.params}")
            return
    done.fail(f"{address} {arguments}: no answer in {JOB_S:g} s")


# --- the loads -----------------------------------------------------------------------------------


def presets(client: OscClient, done: Done, rng: random.Random) -> Callable[[int], None]:
    """Step, load, save and rename presets, and recall snapshots."""

    def work(number: int) -> None:
        which = FIRST_PRESET + rng.randrange(len(MODELS))
        match number % 5:
            case 0:
                job(client, done, "/nemo/preset/load", which)
            case 1:
                job(client, done, "/nemo/preset/next", 1)
            case 2:
                job(client, done, "/nemo/preset/load", FIRST_PRESET)
                job(client, done, "/nemo/preset/save", FIRST_PRESET)
            case 3:
                client.send("/nemo/snapshot/save", rng.randrange(8))
                client.send("/nemo/snapshot/load", rng.randrange(8))
                done.counts["snapshots"] += 1
            case _:
                name = MODELS[0] if number % 2 else f"{MODELS[0]} {number}"
                job(client, done, "/nemo/preset/rename", name, FIRST_PRESET)

    return work


def chains(client: OscClient, done: Done) -> Callable[[int], None]:
    """Add a second delay, move it, and remove it."""

    def work(_number: int) -> None:
        for address, *arguments in (
            ("/nemo/chain/add", "echo", -1, '{"kind": "delay"}'),
            ("/nemo/chain/move", "echo", ""),
            ("/nemo/chain/remove", "echo"),
        ):
            # A preset that was loaded or saved meanwhile has a chain with it, or without.
            answer = Done()
            job(client, answer, str(address), *arguments)
            done.counts[str(address) if answer.counts[address] else "prevented by a preset"] += 1

    return work


def uploads(port: int, done: Done) -> Callable[[int], None]:
    """Send models, cabinets and presets, and files that are none."""
    model = (ROOT / "models" / f"{MODELS[0]}.json").read_bytes()
    cabinet = next((ROOT / "cabinets").glob("*.flac")).read_bytes()
    preset = b"nemod: preset\n"

    def post(path: str, body: bytes) -> int:
        root = f"http://127.0.0.1:{port}"
        headers = {"Origin": root, "X-Nemod": "page"}
        request = urllib.request.Request(f"{root}/api/{path}", body, headers)
        try:
            with urllib.request.urlopen(request, timeout=JOB_S) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code

    def work(number: int) -> None:
        for path, body, wanted in (
            (f"models/sent-{number}.json", model, 200),
            (f"cabinets/sent-{number}.flac", cabinet, 200),
            ("models/no-model.json", model[: len(model) // 2], 422),
            ("cabinets/no-sound.wav", model, 422),
            ("presets/no-preset.yaml", b"[" * 5_000 + preset, 422),
        ):
            status = post(path, body)
            done.counts["taken" if status == 200 else "refused"] += 1
            if status != wanted:
                done.fail(f"POST {path}: {status}, expected {wanted}")

    return work


def learning(client: OscClient, pipe: "Pipe", done: Done) -> Callable[[int], None]:
    """Bind a control by learning, and remove it again."""

    def work(_number: int) -> None:
        # The control that is moved next is learned: nobody may move another one.
        with pipe.lock:
            client.send("/nemo/midi/learn", "mid")
            time.sleep(0.3)
            for value in range(0, 120, 8):
                pipe.send(0xB0, 21, value)
                time.sleep(0.01)
            answer = client.wait("/nemo/done", "/nemo/error", seconds=JOB_S)
        if answer.address != "/nemo/done":
            done.fail(f"learning: {answer.params}")
            return
        done.counts["learned"] += 1
        job(client, done, "/nemo/midi/unlearn", "mid")

    return work


class Pipe:
    """A controller on a named pipe. Thread: any."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb", buffering=0)
        self.lock = threading.RLock()
        self.sent = 0

    def send(self, *message: int) -> None:
        """Send one message. Raises: OSError."""
        with self.lock:
            self._file.write(bytes(message))
            self.sent += 1

    def close(self) -> None:
        """Unplug it."""
        self._file.close()


def controller(pipe: Pipe, rng: random.Random) -> Callable[[int], None]:
    """Move two knobs, and choose a program now and then."""
    state = itertools.count()

    def work(number: int) -> None:
        for _ in range(MIDI_PER_S // 10):
            at = next(state)
            pipe.send(0xB0, 20 if at % 2 else 11, 100 + at // 2 % 28)
        if number % 70 == 69:
            pipe.send(0xC0, FIRST_PRESET + rng.randrange(len(MODELS)))

    return work


# --- the runs ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Row:
    """Counts of one run."""

    name: str
    seconds: float
    counts: Counts
    jack_xruns: int
    cpu_share: float
    """Processor time of the control process, as a share of one core."""


@dataclass
class Run:
    """All measurements."""

    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


@contextmanager
def all_surfaces(running: Daemon, pedal: Path, seed: int, run: Run) -> Iterator[None]:
    """Use everything at once; notes what was done, and what went wrong."""
    port, http = running.port, running.http_port()
    rng = random.Random(seed)
    clients = [OscClient(port) for _ in range(3)]
    pipe = Pipe(pedal)
    done = {name: Done() for name in ("presets", "chains", "uploads", "learning", "controller")}
    loads = [
        Load(PRESET_S, presets(clients[0], done["presets"], rng), done["presets"]),
        Load(CHAIN_S, chains(clients[1], done["chains"]), done["chains"]),
        Load(UPLOAD_S, uploads(http, done["uploads"]), done["uploads"]),
        Load(LEARN_S, learning(clients[2], pipe, done["learning"]), done["learning"]),
        Load(0.1, controller(pipe, rng), done["controller"]),
    ]
    with (
        harness.load_process(
            "flood", str(port), "--rate", str(OSC_PER_S), "--seed", str(seed), "--keep-bypass"
        ) as flood,
        harness.child(ROOT / "tests/benchmarks/browser_pages.py", str(http)) as pages,
    ):
        for load in loads:
            load.start()
        yield
        for load in loads:
            load.stop()
        sent = harness.stop_load(flood)
        seen = harness.stop_load(pages)
    pipe.close()
    for client in clients:
        client.close()
    run.notes += [
        f"{PAGES} pages in Chromium: {_said(Counter(seen['counts']))}",
        f"OSC: {sent['sent']:,.0f} messages and patterns, {sent['answers']:,.0f} packets received",
        f"MIDI: {pipe.sent:,} messages, {done['learning'].counts['learned']} controls learned",
        f"HTTP: {_said(done['uploads'].counts)}",
        f"presets: {_said(done['presets'].counts)}",
        f"chain: {_said(done['chains'].counts)}",
    ]
    run.problems += seen["problems"]
    for name, one in done.items():
        run.problems += [f"{name}: {text}" for text in one.problems]


def _said(counts: Counter[str]) -> str:
    return ", ".join(f"{count:,} {name.removeprefix('/nemo/')}" for name, count in counts.items())


def prepare(client: OscClient, done: Done) -> None:
    """Have a preset of each model, with all programs compiled and loaded once."""
    for number, name in enumerate(MODELS):
        job(client, done, "/nemo/model/load", name)
        client.send("/nemo/preset/save", f"{name} surfaces")
        answer = client.wait("/nemo/done", "/nemo/error", seconds=JOB_S)
        if answer.address == "/nemo/error":
            raise RuntimeError(f"{name}: {answer.params}")
        job(client, done, "/nemo/preset/save", FIRST_PRESET + number)
    job(client, done, "/nemo/chain/add", "echo", -1, '{"kind": "delay"}')
    job(client, done, "/nemo/chain/remove", "echo")


def measure(seconds: float, clock: str, seed: int, advance: Callable[[str, float], None]) -> Run:
    """Return the measurements of both runs."""
    run = Run()
    with ExitStack() as stack:
        home, times = stack.enter_context(harness.temporary_home())
        pedal, bindings = home / "pedal", home / "bindings.yaml"
        os.mkfifo(pedal)
        bindings.write_text(BINDINGS)
        stack.enter_context(harness.jack_server(realtime=clock == "jack-rt"))
        xruns = XrunCounter()
        stack.callback(xruns.close)
        options = ("--model", MODELS[0], "--bindings", str(bindings), "--raw-midi", str(pedal))
        running = stack.enter_context(harness.daemon("system", home, times, *options))
        client = OscClient(running.port)
        stack.callback(client.close)
        preparing = Done()
        prepare(client, preparing)
        run.problems += preparing.problems

        def row(name: str) -> None:
            began, before, lost = time.monotonic(), histogram.read(times), xruns.count
            ticks = cpu_ticks(running.process.pid)
            while (left := seconds - (time.monotonic() - began)) > 0.0:
                step = min(1.0, left)
                time.sleep(step)
                advance(name, step)
                if running.process.poll() is not None:
                    raise RuntimeError(f"nemod ended:\n{running.text[-4000:]}")
            took = time.monotonic() - began
            used = (cpu_ticks(running.process.pid) - ticks) / os.sysconf("SC_CLK_TCK")
            counts = histogram.read(times) - before
            run.rows.append(Row(name, took, counts, xruns.count - lost, used / took))

        time.sleep(SETTLE_S)
        row(IDLE)
        with all_surfaces(running, pedal, seed, run):
            row(ALL)
        if (state := client.query("/nemo/status/state")) != "running":
            run.problems.append(f"the state is {state} at the end")
    idle, used = run.rows
    if used.counts.late > idle.counts.late:
        text = f"{used.counts.late} late blocks with all surfaces, {idle.counts.late} idle"
        run.problems.append(text)
    if used.counts.faults:
        run.problems.append(f"{used.counts.faults} muted blocks")
    return run


def page(run: Run, command: str, clock: str) -> str:
    """Return the page."""
    heads = (
        "run", "seconds", "blocks", "late", "JACK's xruns", "p50 us", "p99.9 us", "longest us",
        "control process",
    )  # fmt: skip
    rows = [
        [
            row.name,
            f"{row.seconds:.0f}",
            f"{row.counts.blocks:,}",
            str(row.counts.late),
            str(row.jack_xruns),
            *(f"{1e6 * row.counts.quantile_s(share):.0f}" for share in (0.5, 0.999, 1.0)),
            f"{row.cpu_share:.1%}",
        ]
        for row in run.rows
    ]
    notes = "\n".join(f"- {note}" for note in run.notes)
    problems = "\n".join(f"- {problem}" for problem in run.problems) or "None."
    return f"""# All surfaces at once

Made by `{command}` on: {harness.machine()}.

{CLOCKS[clock]}, {harness.BLOCK} frames. First nothing is connected, then all of this happens at
the same time, from the same machine:

{notes}

{harness.table(heads, rows)}

A block is late if it begins a whole period or more after its time. The last column is the processor
time of the control process, as a share of one core. The browsers run at a lower priority: on a
stage they are other machines. Each preset, model and edit of the chain is a crossfade, in which two
rigs are computed.

## Missed aims and errors

{problems}
"""


def main() -> int:
    """Do both runs; write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=600.0, help="of each of the two runs")
    parser.add_argument("--clock", choices=("jack", "jack-rt"), default="jack-rt")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=ROOT / "docs")
    arguments = parser.parse_args()
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("starting", total=2.0 * arguments.seconds)
        run = measure(
            arguments.seconds, arguments.clock, arguments.seed,
            lambda name, step: progress.update(task, description=name, advance=step),
        )  # fmt: skip
    command = f"python tests/benchmarks/surfaces.py --seconds {arguments.seconds:g}"
    command = f"{command} --clock {arguments.clock} --seed {arguments.seed}"
    text = page(run, command, arguments.clock)
    print(text)
    (arguments.out / "surfaces.md").write_text(text, encoding="utf-8")
    return 1 if run.problems else 0


if __name__ == "__main__":
    sys.exit(main())
