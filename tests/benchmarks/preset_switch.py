# ruff: noqa: T201 - a script prints
"""Measures the time from a request for another sound to the first sample that it changes, on JACK.

    python tests/benchmarks/preset_switch.py [--switches 200] [--cold 50] [--out docs]

One JACK client sends a constant to the daemon, another detects the first frame that differs.
"""

import argparse
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import Progress

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.benchmarks import harness  # noqa: E402
from tests.benchmarks.latency import StepProbe  # noqa: E402
from tests.parts.jackd import BLOCK, RATE  # noqa: E402
from tests.parts.osc_client import OscClient, datagram  # noqa: E402

MODELS = (
    "clipper-lstm16",
    "drive-gru20",
    "muff-gru40",
    "muff-lstm20",
    "muffcond-gru40",
    "screamer-gru24",
)
"""All shipped models, one preset each."""
AIM_MS = 50.0
"""[ms] For rigs that were built ahead."""
ONE_OF_TWO_AIM_MS = 300.0
"""[ms] For another second model, whose program is on the disk."""
BUILT_AHEAD, ONE_OF_TWO = "built ahead", "one of two models"
LONGEST_S = 180.0
"""[s] A program is compiled in a few seconds, on a busy machine in minutes."""
SETTLE_S = 0.7
"""[s] Pause after a switch: the constant has left the DC blocker to -140 dB."""
IDLE_S = 0.3
"""[s] A builder that has used no processor time for this long has nothing to do."""

Advance = Callable[[], None]


@dataclass
class Switches:
    """Measurements of one row."""

    name: str
    sound_ms: list[float] = field(default_factory=list)
    """[ms] From `sendto` to the first changed frame at the JACK client after the daemon."""


def cpu_ticks(pid: int) -> int:
    """Return the processor time of a process, in clock ticks."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def wait_until_idle(pid: int) -> None:
    """Return when the builder has used no processor time for `IDLE_S`."""
    before, since = cpu_ticks(pid), time.monotonic()
    while time.monotonic() - since < IDLE_S:
        time.sleep(0.02)
        now = cpu_ticks(pid)
        if now != before:
            before, since = now, time.monotonic()


class Rig:
    """A running daemon with a client of its own and the probe on its ports."""

    def __init__(self, running: harness.Daemon, cache: Path) -> None:
        self.client = OscClient(running.port)
        self.cache = cache
        self.builder = harness.processes(running)["builder"]
        self.probe = StepProbe()

    def close(self) -> None:
        """Disconnect from the daemon and from JACK."""
        self.probe.close()
        self.client.close()

    def prepare(self) -> None:
        """Save one dry preset for each model, so that the output of a constant comes to rest."""
        for path in ("delay/mix", "reverb/mix"):
            self.client.send(f"/nemo/{path}", 0.0)
        for number, model in enumerate(MODELS):
            self.client.load(model, LONGEST_S)
            self.client.send("/nemo/preset/save", number)
            self.end_of_job()

    def request(self, address: str, *arguments: str | int) -> float:
        """Send a request and return the time [ms] to the first changed frame."""
        while self.client.receive(0.0):
            pass
        message = datagram(address, *arguments)
        self.probe.arm()
        sent_us = self.probe.now_us()
        self.client.send_raw(message)
        end = time.monotonic() + LONGEST_S
        while self.probe.changed_us is None:
            if time.monotonic() > end:
                raise RuntimeError(f"{address} {arguments}: the output did not change")
            time.sleep(0.0005)
        changed_us = self.probe.changed_us
        self.end_of_job()
        time.sleep(SETTLE_S)
        return 1e-3 * (changed_us - sent_us)

    def end_of_job(self) -> None:
        """Wait for the end of a job. Raises: RuntimeError where it fails, TimeoutError."""
        answer = self.client.wait("/nemo/done", "/nemo/error", seconds=LONGEST_S)
        if answer.address == "/nemo/error":
            raise RuntimeError(f"the daemon answers {answer.params}")

    # --- the rows --------------------------------------------------------------------------------

    def cold(self, number: int) -> float:
        """Load a model whose program was never compiled."""
        for file in self.cache.glob("*.program"):
            file.unlink()
        return self.request("/nemo/model/load", MODELS[number % len(MODELS)])

    def cached(self, number: int) -> float:
        """Load a model whose program is on the disk."""
        return self.request("/nemo/model/load", MODELS[number % len(MODELS)])

    def use_two_models(self) -> None:
        """Set a chain of two models, and have every program that it needs compiled."""
        slots = ["gate", "comp", {"model": {"file": MODELS[0]}}, "model2", "eq", "delay", "reverb"]
        self.client.send("/nemo/chain/set", json.dumps(slots))
        self.end_of_job()
        for model in MODELS:
            self.client.send("/nemo/model2/load", model)
            self.end_of_job()

    def one_of_two(self, number: int) -> float:
        """Load another second model."""
        return self.request("/nemo/model2/load", MODELS[number % len(MODELS)])

    def built_ahead(self, _number: int) -> float:
        """Step to the next preset, whose rig the daemon has built ahead."""
        wait_until_idle(self.builder)
        return self.request("/nemo/preset/next", 1)


def measure(counts: dict[str, int], advance: Advance) -> Iterator[Switches]:
    """Yield the measurements of each row: cold, cached, built ahead."""
    with harness.temporary_home() as (home, times), harness.jack_server(realtime=False):
        cache = home / "cache"
        arguments = ("--model", MODELS[-1])
        with harness.daemon("system", home, times, *arguments, cache=cache) as running:
            rig = Rig(running, cache)
            try:
                rig.prepare()
                ways = {
                    "cold": rig.cold,
                    "cached": rig.cached,
                    ONE_OF_TWO: rig.one_of_two,
                    BUILT_AHEAD: rig.built_ahead,
                }
                for name, way in ways.items():
                    if name == "cached" and counts["cold"]:
                        rig.prepare()  # compiles what the last row has removed
                    if name == ONE_OF_TWO:
                        rig.use_two_models()
                    if name == BUILT_AHEAD:
                        rig.client.send("/nemo/preset/load", 1)
                        rig.end_of_job()
                    time.sleep(SETTLE_S)
                    row = Switches(name)
                    for number in range(counts[name]):
                        row.sound_ms.append(way(number))
                        advance()
                    yield row
            except (RuntimeError, TimeoutError):
                print(running.text[-4000:], file=sys.stderr)
                raise
            finally:
                rig.close()


def page(rows: list[Switches], command: str) -> str:
    """Return the page."""
    heads = ("rig of the next sound", "switches", "p50", "p99", "longest")
    rows = [row for row in rows if row.sound_ms]
    cells = [
        [row.name, str(len(row.sound_ms))]
        + [f"{np.percentile(row.sound_ms, share):.1f}" for share in (50, 99, 100)]
        for row in rows
    ]
    aims = {BUILT_AHEAD: AIM_MS, ONE_OF_TWO: ONE_OF_TWO_AIM_MS}
    p99 = {row.name: float(np.percentile(row.sound_ms, 99)) for row in rows}
    verdicts = {
        name: "met" if p99[name] < aim else "missed" for name, aim in aims.items() if name in p99
    }
    return f"""# Time from a request to the first sample of the next sound

Made by `{command}` on: {harness.machine()}.

Milliseconds from `sendto` of the request until the JACK client after the daemon has the first frame
that differs, at {BLOCK} frames and {RATE} Hz, over the six shipped models. Aims: for rigs that were
built ahead a p99 below {AIM_MS:.0f} ms ({verdicts.get(BUILT_AHEAD, "not measured")}), for one of
two models below {ONE_OF_TWO_AIM_MS:.0f} ms ({verdicts.get(ONE_OF_TWO, "not measured")}).

{harness.table(heads, cells)}

`cold`: `/nemo/model/load` of a model whose program was never compiled (the cache is emptied before
each request). `cached`: the same with the program on the disk. `{ONE_OF_TWO}`: `/nemo/model2/load`
in a chain of two models, every program on the disk. `{BUILT_AHEAD}`: `/nemo/preset/next`, once the
builder has nothing more to do. The crossfade of 30 ms begins with the first frame that differs.
"""


def main() -> int:
    """Measure all rows; print the page, and write it where `--out` says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--switches", type=int, default=200, help="per row, other than cold")
    parser.add_argument("--cold", type=int, default=50, help="switches without a compiled program")
    parser.add_argument("--out", type=Path, help="folder for preset-switch.md")
    arguments = parser.parse_args()
    if shutil.which("jackd") is None:
        print("jackd is not installed", file=sys.stderr)
        return 1
    counts = dict.fromkeys(("cached", ONE_OF_TWO, BUILT_AHEAD), arguments.switches)
    counts["cold"] = arguments.cold
    # Nothing else may write to the terminal in the middle of a table.
    os.environ.setdefault("NO_COLOR", "1")
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("switches", total=sum(counts.values()))
        rows = list(measure(counts, lambda: progress.advance(task)))
    command = f"python tests/benchmarks/preset_switch.py --switches {arguments.switches}"
    text = page(rows, f"{command} --cold {arguments.cold}")
    print(text)
    if arguments.out is not None:
        (arguments.out / "preset-switch.md").write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
