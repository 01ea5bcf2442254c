# ruff: noqa: T201 - a script prints
"""Measures the time from `sendto` of an OSC message to the first sample that it changes, on JACK.

    python tests/benchmarks/latency.py [--steps 1000] [--out docs]

One JACK client sends a constant to the daemon, another detects the first frame that differs.
"""

import argparse
import ctypes
import ctypes.util
import random
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jack
import numpy as np
from matplotlib.figure import Figure
from rich.console import Console
from rich.progress import Progress

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.benchmarks import harness  # noqa: E402
from tests.benchmarks.harness import PERIOD_US  # noqa: E402
from tests.parts.jackd import BLOCK, RATE  # noqa: E402
from tests.parts.osc_client import OscClient, datagram  # noqa: E402

ROWS = {
    "jackd -r": (False, False),
    "jackd -R": (True, False),
    "jackd -R, 2,000 messages/s": (True, True),
}
"""Name: whether the server has real-time priority, whether another client floods the daemon."""
LEVEL = 0.5
SETTLE_S = 0.16
"""[s] Pause after a step: the mute has a time constant of 10 ms and reaches -120 dB in 140 ms."""
CHANGED = 2e-6
"""Smallest difference that counts as a change; the first frame of a step changes by 1e-3."""
LOST_S = 1.0
AIM_MS = 2e-3 * PERIOD_US + 1.0
CLIENT_PRIORITY = 75


def jack_clock() -> Callable[[], int]:
    """Return the function for JACK's time [us]. libjack needs an existing client for it."""
    now: Any = ctypes.CDLL(ctypes.util.find_library("jack")).jack_get_time
    now.restype = ctypes.c_uint64
    typed: Callable[[], int] = now
    return typed


class StepProbe:
    """Two JACK clients: one sends a constant to the daemon, one detects changes of its output."""

    def __init__(self) -> None:
        self._source = jack.Client("source", no_start_server=True)
        self._sink = jack.Client("sink", no_start_server=True)
        self._out: Any = self._source.outports.register("out")
        self._in: Any = self._sink.inports.register("in")
        self._before: float | None = None
        self._with_priority: set[str] = set()
        self.last = 0.0
        """The last frame of the daemon's output."""
        self.changed_us: int | None = None
        """Time of the period with the first frame that differs, or None before it."""
        # Read in the callback, because JACK's own time of a frame jumps when the server is late.
        self.now_us = jack_clock()
        self._source.set_process_callback(self._send)
        self._sink.set_process_callback(self._receive)
        self._source.activate()
        self._sink.activate()
        output, input_ = self._daemon_ports()
        for port in self._source.get_all_connections(input_):
            self._source.disconnect(port, input_)
        self._source.connect(self._out, input_)
        self._sink.connect(output, self._in)

    def _daemon_ports(self) -> tuple[Any, Any]:
        own = ("system:", "source:", "sink:")
        ports = [p for p in self._sink.get_ports(is_audio=True) if not p.name.startswith(own)]
        output = next(port for port in ports if port.is_output)
        input_ = next(port for port in ports if port.is_input)
        return output, input_

    def _take_priority(self, name: str) -> None:
        if name not in self._with_priority:
            self._with_priority.add(name)
            harness.take_realtime_priority(CLIENT_PRIORITY)

    def _send(self, _frames: int) -> None:
        self._take_priority("source")
        self._out.get_array()[:] = LEVEL

    def _receive(self, _frames: int) -> None:
        self._take_priority("sink")
        block, before = self._in.get_array(), self._before
        if before is not None and (np.abs(block - np.float32(before)) > CHANGED).any():
            self.changed_us = self.now_us()
            self._before = None
        self.last = float(block[-1])

    def arm(self) -> None:
        """Detect the next change of the output; its time is stored in `changed_us`."""
        self.changed_us = None
        self._before = self.last

    def close(self) -> None:
        """Disconnect from the server."""
        for client in (self._source, self._sink):
            client.deactivate()
            client.close()


@dataclass
class Steps:
    """Measurements of one row."""

    name: str
    sound_ms: list[float] = field(default_factory=list)
    """[ms] From `sendto` to the first changed frame at the JACK client after the daemon."""
    answer_ms: list[float] = field(default_factory=list)
    """[ms] From `sendto` of a query to its answer, without the audio process."""
    lost: int = 0

    def met(self) -> bool:
        """Return whether the row meets the aim."""
        return bool(self.sound_ms) and bool(np.percentile(self.sound_ms, 99) < AIM_MS)


def measure(
    row: str, count: int, seed: int, where: tuple[Path, Path], advance: Callable[[], None]
) -> Steps:
    """Return the measurements of one row; `advance` is called after each step.

    Raises: RuntimeError where the daemon's output is not the constant.
    """
    realtime, flooded = ROWS[row]
    steps, rng = Steps(row), random.Random(seed)
    with (
        harness.jack_server(realtime=realtime),
        harness.daemon("system", *where, "--model", "clipper-lstm16") as running,
    ):
        client, probe = OscClient(running.port), StepProbe()
        try:
            # With all effects bypassed the output is exactly the constant.
            client.send("/nemo/bypass", True)
            time.sleep(0.5)
            if abs(probe.last - LEVEL) > CHANGED:
                raise RuntimeError(f"the output is {probe.last}, expected the input, {LEVEL}")
            with _flood(running.port, seed) if flooded else nullcontext():
                for number in range(count):
                    # At a random moment within a block.
                    time.sleep(SETTLE_S + rng.random() * 0.02)
                    _step(steps, client, probe, muted=number % 2 == 0)
                    advance()
        finally:
            probe.close()
            client.close()
    return steps


def _step(steps: Steps, client: OscClient, probe: StepProbe, *, muted: bool) -> None:
    message = datagram("/nemo/mute", muted)
    while client.receive(0.0):
        pass
    probe.arm()
    sent_us = probe.now_us()
    client.send_raw(message)
    end = time.monotonic() + LOST_S
    while probe.changed_us is None and time.monotonic() < end:
        time.sleep(0.001)
    if probe.changed_us is None:
        steps.lost += 1
    else:
        steps.sound_ms.append(1e-3 * (probe.changed_us - sent_us))
    query = datagram("/nemo/mute")
    queried_us = probe.now_us()
    client.send_raw(query)
    if client.receive(LOST_S) is not None:
        steps.answer_ms.append(1e-3 * (probe.now_us() - queried_us))


@contextmanager
def _flood(port: int, seed: int) -> Iterator[None]:
    arguments = ("--rate", "2000", "--seed", str(seed), "--keep-bypass")
    with harness.load_process("flood", str(port), *arguments):
        yield


def page(rows: list[Steps], command: str) -> str:
    """Return the page."""
    heads = ("server", "steps", "lost", "p50", "p99", "longest", "aim", "answer p50", "answer p99")
    cells = []
    for row in rows:
        sound = [f"{np.percentile(row.sound_ms, share):.2f}" for share in (50, 99, 100)]
        answer = [f"{np.percentile(row.answer_ms, share):.2f}" for share in (50, 99)]
        verdict = "met" if row.met() else "missed"
        cells.append([row.name, str(len(row.sound_ms)), str(row.lost), *sound, verdict, *answer])
    short = [f"- {row.name}: p99 is {np.percentile(row.sound_ms, 99):.2f} ms." for row in rows
             if not row.met()]  # fmt: skip
    missed = "\n".join(short) or "None: every row meets the aim."
    return f"""# Latency from an OSC message to the sound

Made by `{command}` on: {harness.machine()}.

![Distribution](latency.png)

Milliseconds from `sendto` of `/nemo/mute` until the JACK client after the daemon has the first
frame that differs, both on JACK's clock (`jack_get_time`), at {BLOCK} frames and {RATE} Hz:
{1e-3 * PERIOD_US:.2f} ms a block. Aim: p99 below two blocks plus 1 ms, {AIM_MS:.2f} ms. A step is
one switch of the mute; it is lost if the output does not change within {LOST_S:g} s. Servers:
`jackd -r` runs without and `jackd -R` with real-time priority.

{harness.table(heads, cells)}

The latency contains: the kernel's delivery of the datagram, the wake-up of the daemon, which
parses it and writes the settings; the wait for the next block, between zero and one block; the
block itself; and the wake-up of the receiving client. Knobs start to change in the first frame of
a block, by 0.1 % of the step, and are smoothed with a time constant of 20 ms in most cases and 10
ms for this switch. The latency does not contain the sound card's buffers, which follow JACK's
cycle and are part of what `nemod latency` measures. Sending client, daemon and receiving client
are connected in series in JACK's graph, so JACK adds no block between them.

`answer`: from `sendto` of the query `/nemo/mute` until the sender has the daemon's answer: two
deliveries by the kernel, and the daemon. Of these, the latency to the sound contains one delivery;
most of the rest is the wait for a block.

## Missed aims

{missed}
"""


def picture(rows: list[Steps], path: Path) -> None:
    """Draw the distributions."""
    figure = Figure(figsize=(8.0, 4.2), layout="constrained")
    panel = figure.subplots()
    for row in rows:
        share = np.arange(1, len(row.sound_ms) + 1) / len(row.sound_ms)
        (line,) = panel.plot(np.sort(row.sound_ms), share, label=f"{row.name}: sound")
        share = np.arange(1, len(row.answer_ms) + 1) / len(row.answer_ms)
        panel.plot(np.sort(row.answer_ms), share, ":", color=line.get_color(), label="answer")
    panel.axvline(AIM_MS, color="grey", ls="--", lw=0.8)
    panel.axhline(0.99, color="grey", ls="--", lw=0.8)
    panel.set(xlim=(0.0, 2.0 * AIM_MS), xlabel="ms after sendto", ylabel="share of the steps")
    panel.legend(fontsize=8)
    panel.grid(alpha=0.3)
    figure.savefig(path, dpi=110)


def main() -> int:
    """Measure all rows; write the page and the picture."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=ROOT / "docs")
    arguments = parser.parse_args()
    with harness.temporary_home() as where, Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("steps", total=arguments.steps * len(ROWS))
        rows = [
            measure(row, arguments.steps, arguments.seed, where, lambda: progress.advance(task))
            for row in ROWS
        ]
    command = f"python tests/benchmarks/latency.py --steps {arguments.steps}"
    text = page(rows, f"{command} --seed {arguments.seed}")
    print(text)
    (arguments.out / "latency.md").write_text(text, encoding="utf-8")
    picture(rows, arguments.out / "latency.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
