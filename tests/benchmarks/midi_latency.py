# ruff: noqa: T201 - a script prints
"""Measures the time from a controller's MIDI message to the first sample that it changes, on JACK.

    python tests/benchmarks/midi_latency.py [--steps 1000] [--out docs]

Messages go through a named pipe (`--raw-midi`); the rest is as in latency.py. In the second row
another controller sends 10,000 messages a second meanwhile.
"""

import argparse
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.benchmarks import harness  # noqa: E402
from tests.benchmarks.harness import PERIOD_US  # noqa: E402
from tests.benchmarks.latency import CHANGED, LEVEL, LOST_S, SETTLE_S, StepProbe  # noqa: E402
from tests.parts.jackd import BLOCK, RATE  # noqa: E402
from tests.parts.osc_client import OscClient  # noqa: E402

ROWS = {"jackd -R": False, "jackd -R, a controller sends 10,000 messages/s": True}
"""Name: whether another controller floods the daemon."""
AIM_MS = 2e-3 * PERIOD_US
BINDINGS = """\
bindings:
  - {device: pedal, cc: 20, target: mute, mode: momentary}
  - {device: stuck, cc: 21, target: delay/mix}
"""
FLOOD = """
import sys, time
pipe, due, count = open(sys.argv[1], "wb", buffering=0), time.monotonic(), 0
while True:
    pipe.write(b"".join(bytes((0xB0, 21, (count + n) % 128)) for n in range(20)))
    count += 20
    due += 0.002
    time.sleep(max(due - time.monotonic(), 0.0))
"""
"""20 messages every 2 ms."""


@dataclass
class Steps:
    """Measurements of one row."""

    name: str
    sound_ms: list[float] = field(default_factory=list)
    """[ms] From the write of a message to the first changed frame."""
    lost: int = 0
    late: int = 0
    """Blocks that began late meanwhile."""

    @property
    def is_met(self) -> bool:
        """Whether the row meets the aim."""
        return bool(self.sound_ms) and bool(np.percentile(self.sound_ms, 99) < AIM_MS)


@contextmanager
def flood(path: Path) -> Iterator[None]:
    """Have a stuck controller send for ever."""
    process = subprocess.Popen([sys.executable, "-c", FLOOD, str(path)])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def measure(row: str, count: int, seed: int, where: tuple[Path, Path]) -> Steps:
    """Return the measurements of one row.

    Raises: RuntimeError where the daemon's output is not the constant.
    """
    steps, rng, home = Steps(row), random.Random(seed), where[0]
    pedal, stuck, bindings = home / "pedal", home / "stuck", home / "bindings.yaml"
    bindings.write_text(BINDINGS)
    for path in (pedal, stuck):
        if not path.exists():
            os.mkfifo(path)
    options = ("--bindings", str(bindings), "--raw-midi", str(pedal), "--raw-midi", str(stuck))
    with (
        harness.jack_server(realtime=True),
        harness.daemon("system", *where, "--model", "clipper-lstm16", *options) as running,
    ):
        client, probe = OscClient(running.port), StepProbe()
        try:
            client.send("/nemo/bypass", True)
            time.sleep(0.5)
            if abs(probe.last - LEVEL) > CHANGED:
                raise RuntimeError(f"the output is {probe.last}, expected the input, {LEVEL}")
            with (
                pedal.open("wb", buffering=0) as pipe,
                flood(stuck) if ROWS[row] else nullcontext(),
            ):
                time.sleep(1.0)
                late = _late(client)
                for number in range(count):
                    time.sleep(SETTLE_S + rng.random() * 0.02)
                    probe.arm()
                    sent_us = probe.now_us()
                    pipe.write(bytes((0xB0, 20, 0 if number % 2 else 127)))
                    end = time.monotonic() + LOST_S
                    while probe.changed_us is None and time.monotonic() < end:
                        time.sleep(0.001)
                    if probe.changed_us is None:
                        steps.lost += 1
                    else:
                        steps.sound_ms.append(1e-3 * (probe.changed_us - sent_us))
                steps.late = _late(client) - late
        finally:
            probe.close()
            client.close()
    return steps


def _late(client: OscClient) -> int:
    """Return how many blocks began late since the start."""
    return int(client.query("/nemo/status/late"))


def page(rows: list[Steps], command: str) -> str:
    """Return the page."""
    heads = ("server", "steps", "lost", "p50", "p99", "longest", "aim", "late blocks")
    cells = []
    for row in rows:
        sound = [f"{np.percentile(row.sound_ms, share):.2f}" for share in (50, 99, 100)]
        verdict = "met" if row.is_met else "missed"
        cells.append(
            [row.name, str(len(row.sound_ms)), str(row.lost), *sound, verdict, str(row.late)]
        )
    return f"""# Latency from a MIDI message to the sound

Made by `{command}` on: {harness.machine()}.

Milliseconds from the write of a control change into a named pipe (`--raw-midi`) until the JACK
client after the daemon has the first frame that differs, both on JACK's clock, at {BLOCK} frames
and {RATE} Hz: {1e-3 * PERIOD_US:.2f} ms a block. Aim: p99 below two blocks, {AIM_MS:.2f} ms. A step
is one press or release of a switch that is bound to the mute; it is lost if the output does not
change within {LOST_S:g} s.

{harness.table(heads, cells)}

It contains the wake-up of the daemon, its parser and binding, the settings' way to the audio
process, the wait for the next block (between zero and one), the block, and the wake-up of the
client that listens. A controller adds its own time: a message takes 1 ms over a DIN cable and up to
1 ms over USB. [docs/latency.md](latency.md) is the same for OSC.
"""


def main() -> int:
    """Measure all rows; write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=ROOT / "docs")
    arguments = parser.parse_args()
    with harness.temporary_home() as where:
        rows = [measure(row, arguments.steps, arguments.seed, where) for row in ROWS]
    command = f"python tests/benchmarks/midi_latency.py --steps {arguments.steps}"
    text = page(rows, f"{command} --seed {arguments.seed}")
    print(text)
    (arguments.out / "midi-latency.md").write_text(text, encoding="utf-8")
    return 0 if all(row.is_met for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
