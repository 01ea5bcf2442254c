# ruff: noqa: T201 - a script talks to its terminal
"""From `sendto` of an OSC message to the first sample that it changes, on JACK.

    python tests/benchmarks/latency.py [--steps 1000] [--out docs]

One JACK client feeds the daemon a constant, another looks for the first frame that differs.
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
"""[s] After a step; the mute's time constant is 10 ms and it ends 120 dB down, after 140 ms."""
CHANGED = 2e-6
"""The first frame of a step moves by 1e-3."""
LOST_S = 1.0
AIM_MS = 2e-3 * PERIOD_US + 1.0
CLIENT_PRIORITY = 75


def jack_clock() -> Callable[[], int]:
    """Return the function that tells JACK's time [us]. Wants a client: libjack fails without."""
    now: Any = ctypes.CDLL(ctypes.util.find_library("jack")).jack_get_time
    now.restype = ctypes.c_uint64
    told: Callable[[], int] = now
    return told


class Ear:
    """Two JACK clients around the daemon: one gives a constant, one watches what comes out."""

    def __init__(self) -> None:
        self._given = jack.Client("constant", no_start_server=True)
        self._heard = jack.Client("ear", no_start_server=True)
        self._out: Any = self._given.outports.register("out")
        self._in: Any = self._heard.inports.register("in")
        self._watched: float | None = None
        self._ahead: set[str] = set()
        self.last = 0.0
        self.changed_us: int | None = None
        """When the first frame was here that differs from what was watched."""
        # Taken in the callback: JACK's own time of a frame jumps where a server is late.
        self.now_us = jack_clock()
        self._given.set_process_callback(self._give)
        self._heard.set_process_callback(self._listen)
        self._given.activate()
        self._heard.activate()
        source, sink = self._daemon_ports()
        for port in self._given.get_all_connections(sink):
            self._given.disconnect(port, sink)
        self._given.connect(self._out, sink)
        self._heard.connect(source, self._in)

    def _daemon_ports(self) -> tuple[Any, Any]:
        own = ("system:", "constant:", "ear:", "watch:")
        ports = [p for p in self._heard.get_ports(is_audio=True) if not p.name.startswith(own)]
        source = next(port for port in ports if port.is_output)
        sink = next(port for port in ports if port.is_input)
        return source, sink

    def _get_ahead(self, who: str) -> None:
        if who not in self._ahead:
            self._ahead.add(who)
            harness.take_realtime_priority(CLIENT_PRIORITY)

    def _give(self, _frames: int) -> None:
        self._get_ahead("constant")
        self._out.get_array()[:] = LEVEL

    def _listen(self, _frames: int) -> None:
        self._get_ahead("ear")
        heard = self._in.get_array()
        watched = self._watched
        if watched is not None and (np.abs(heard - np.float32(watched)) > CHANGED).any():
            self.changed_us = self.now_us()
            self._watched = None
        self.last = float(heard[-1])

    def watch(self) -> None:
        """Wait for the first frame that is not what was last heard."""
        self.changed_us = None
        self._watched = self.last

    def close(self) -> None:
        """Leave the server."""
        for client in (self._given, self._heard):
            client.deactivate()
            client.close()


@dataclass
class Steps:
    """What was measured in one row."""

    name: str
    sound_ms: list[float] = field(default_factory=list)
    """From `sendto` to the first changed frame in the hands of JACK's next client."""
    answer_ms: list[float] = field(default_factory=list)
    """From `sendto` of a question to its answer, which the control plane gives alone."""
    lost: int = 0

    def met(self) -> bool:
        """Say whether the row meets the aim."""
        return bool(self.sound_ms) and bool(np.percentile(self.sound_ms, 99) < AIM_MS)


def measure(
    row: str, count: int, seed: int, where: tuple[Path, Path], tick: Callable[[], None]
) -> Steps:
    """Return the steps of one row. Raises: RuntimeError where the constant does not come out."""
    realtime, flooded = ROWS[row]
    steps, rng = Steps(row), random.Random(seed)
    with (
        harness.jack_server(realtime=realtime),
        harness.daemon("system", *where, "--model", "clipper-lstm16") as running,
    ):
        client, ear = OscClient(running.port), Ear()
        try:
            # Past the model, so that what comes out is the constant, to the bit.
            client.send("/nemo/bypass", True)
            time.sleep(0.5)
            if abs(ear.last - LEVEL) > CHANGED:
                raise RuntimeError(f"{LEVEL} goes in, {ear.last} comes out")
            with _flood(running.port, seed) if flooded else nullcontext():
                for number in range(count):
                    # Anywhere in a block: the next one is not waited for.
                    time.sleep(SETTLE_S + rng.random() * 0.02)
                    _step(steps, client, ear, muted=number % 2 == 0)
                    tick()
        finally:
            ear.close()
            client.close()
    return steps


def _step(steps: Steps, client: OscClient, ear: Ear, *, muted: bool) -> None:
    message = datagram("/nemo/mute", muted)
    while client.receive(0.0):
        pass
    ear.watch()
    sent_us = ear.now_us()
    client.send_raw(message)
    end = time.monotonic() + LOST_S
    while ear.changed_us is None and time.monotonic() < end:
        time.sleep(0.001)
    if ear.changed_us is None:
        steps.lost += 1
    else:
        steps.sound_ms.append(1e-3 * (ear.changed_us - sent_us))
    question = datagram("/nemo/mute")
    asked_us = ear.now_us()
    client.send_raw(question)
    if client.receive(LOST_S) is not None:
        steps.answer_ms.append(1e-3 * (ear.now_us() - asked_us))


@contextmanager
def _flood(port: int, seed: int) -> Iterator[None]:
    arguments = ("--rate", "2000", "--seed", str(seed), "--still")
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
    fell = "\n".join(short) or "Nothing: every row meets the aim."
    return f"""# From an OSC message to the sound

Made by `{command}` on: {harness.machine()}.

![Distribution](latency.png)

Milliseconds from `sendto` of `/nemo/mute` to the moment when the client after the daemon has the
first frame that differs, both on JACK's clock (`jack_get_time`), at {BLOCK} frames and {RATE} Hz:
{1e-3 * PERIOD_US:.2f} ms a block. Aim: p99 below two blocks and 1 ms, {AIM_MS:.2f} ms.

{harness.table(heads, cells)}

What is in the figure: the way through the kernel to the control plane, its waking up, parsing and
writing of the settings; the wait for the next block to begin, which is anything between nothing and
a block; the block itself, and the listening client's waking up. Knobs begin to move with the first
frame of a block, by 0.1 % of the step (the smoothing goes on from there: 10 ms for this switch,
20 ms for most knobs). What is not in it: the card's buffers, which come after JACK's cycle and are
part of what `nemod latency` measures. Giver, daemon and listener are one line in JACK's graph, so
JACK adds no block between them.

`answer`: from `sendto` of the question `/nemo/mute` to the daemon's answer in the sender's hands:
twice the way through the kernel, and the control plane. The way to the sound has one of the two,
and the rest of its figure is the wait for a block.

## What fell short

{fell}
"""


def picture(rows: list[Steps], path: Path) -> None:
    """Draw the distributions."""
    figure = Figure(figsize=(8.0, 4.2), layout="constrained")
    panel = figure.subplots()
    for row in rows:
        share = np.arange(1, len(row.sound_ms) + 1) / len(row.sound_ms)
        (line,) = panel.plot(np.sort(row.sound_ms), share, label=f"{row.name}: first sample")
        share = np.arange(1, len(row.answer_ms) + 1) / len(row.answer_ms)
        panel.plot(np.sort(row.answer_ms), share, ":", color=line.get_color(), label="an answer")
    panel.axvline(AIM_MS, color="grey", ls="--", lw=0.8)
    panel.axhline(0.99, color="grey", ls="--", lw=0.8)
    panel.set(xlim=(0.0, 2.0 * AIM_MS), xlabel="ms after sendto", ylabel="share of the steps")
    panel.legend(fontsize=8)
    panel.grid(alpha=0.3)
    figure.savefig(path, dpi=110)


def main() -> int:
    """Measure, and write the page and the picture."""
    made = argparse.ArgumentParser(description=__doc__)
    made.add_argument("--steps", type=int, default=1000)
    made.add_argument("--seed", type=int, default=1)
    made.add_argument("--out", type=Path, default=ROOT / "docs")
    arguments = made.parse_args()
    with harness.places() as where, Progress(console=Console(stderr=True)) as progress:
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
