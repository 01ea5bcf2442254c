"""Rigs of one line of numpy each, and an engine that plays them block by block."""

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nemod.engine.active_rig import ActiveRig, LoadedRig
from nemod.engine.crossfade import FADE_S
from nemod.engine.engine import Engine
from nemod.engine.ipc import TelemetryRecord, decode_telemetry

RATE_HZ = 48_000
BLOCK = 64
FADE = round(FADE_S * RATE_HZ)
FADE_BLOCKS = -(-FADE // BLOCK)

Block = NDArray[np.float32]


class Amp:
    """A rig that multiplies by its first control; its state counts the blocks it has played."""

    def __init__(self) -> None:
        self.states: list[int] = []
        self.fails = False
        self.gives_nan = False

    def __call__(
        self, weights: list[Any], controls: Block, state: list[Any], block: Block
    ) -> tuple[list[Any], Block]:
        self.states.append(int(state[0][0]))
        if self.fails:
            raise RuntimeError("deliberate failure")
        out = block * controls[0]
        if self.gives_nan:
            out[3] = np.nan
        peaks = [np.abs(block).max(), np.abs(out).max(), np.abs(out).sum()]
        return [state[0] + 1], np.concatenate([out, np.array(peaks, np.float32)])


def rig(number: int, factor: float = 1.0, amp: Amp | None = None) -> ActiveRig:
    """Return a rig that multiplies by `factor`."""
    loaded = LoadedRig(
        call=amp or Amp(),
        weights=[],
        controls=np.array([factor], np.float32),
        fresh=lambda: [np.zeros(1, np.int64)],
    )
    return ActiveRig(number, loaded)


def play(engine: Engine, blocks: int, level: float = 0.5) -> Block:
    """Return the output for a constant input, block after block."""
    block = np.full(BLOCK, level, np.float32)
    outputs = []
    for _ in range(blocks):
        out = np.full(BLOCK, 9.0, np.float32)  # stale samples in the device's buffer
        engine.process(block, out)
        outputs.append(out)
    return np.concatenate(outputs)


def playing(amp: Amp | None = None, factor: float = 1.0, **fds: int) -> Engine:
    """Return an engine whose first rig, number 1, has faded in."""
    engine = Engine(RATE_HZ, BLOCK, **fds)
    engine.pending_rig = rig(1, factor, amp)
    play(engine, FADE_BLOCKS + 1)
    return engine


def rise() -> NDArray[np.float64]:
    """Return the fade-in, a quarter of a sine, then 1, in float64."""
    done = (np.arange((FADE_BLOCKS + 1) * BLOCK) + 1) / FADE
    return np.sin(np.minimum(done, 1.0) * np.pi / 2)


def records(fd: int) -> list[TelemetryRecord]:
    """Return the telemetry records that wait in a pipe."""
    return list(decode_telemetry(os.read(fd, 1 << 16)))


def next_record(engine: Engine, read: int) -> TelemetryRecord:
    """Play a block and return its telemetry record; the engine sends none until the next call."""
    engine._next_telemetry = 0.0
    play(engine, 1)
    engine._next_telemetry = float("inf")
    return records(read)[-1]
