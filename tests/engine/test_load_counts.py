"""The counts of blocks by their load, in the telemetry of the engine."""

from collections.abc import Callable

import numpy as np
import pytest

from nemod.engine import engine as engine_module
from nemod.engine.engine import Engine
from nemod.engine.ipc import LOAD_BINS, TELEMETRY_BYTES, TelemetryRecord, encode_telemetry
from tests.engine.rigs import BLOCK, FADE_BLOCKS, RATE_HZ, Amp, Block, next_record, play, rig

PERIOD_S = BLOCK / RATE_HZ


class Clock:
    """Stands for the module `time` in the engine."""

    def __init__(self) -> None:
        self.now_s = 1.0

    def perf_counter(self) -> float:
        return self.now_s


class SlowAmp(Amp):
    """Takes a share of the period."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.share = 0.0
        self._clock = clock

    def __call__(self, *arguments: object) -> tuple[list[object], Block]:
        self._clock.now_s += self.share * PERIOD_S
        return super().__call__(*arguments)  # type: ignore[arg-type]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A clock that stands still unless a rig plays."""
    made = Clock()
    monkeypatch.setattr(engine_module, "time", made)
    return made


def test_blocks_are_counted_by_their_share_of_the_period(
    pipe: Callable[[], tuple[int, int]], clock: Clock
) -> None:
    """In steps of 5 %; all above the last one together. Crossfades are not counted."""
    read, write = pipe()
    amp = SlowAmp(clock)
    engine = Engine(RATE_HZ, BLOCK, telemetry_fd=write)
    engine._next_telemetry = float("inf")
    engine.pending_rig = rig(1, 1.0, amp)
    amp.share = 3.0
    play(engine, FADE_BLOCKS)
    next_record(engine, read)
    for share, blocks in ((0.02, 4), (0.851, 3), (1.01, 2), (40.0, 1)):
        amp.share = share
        play(engine, blocks)
    amp.share = 0.33
    counts = np.array(next_record(engine, read).load_counts)
    assert dict(zip(np.flatnonzero(counts).tolist(), counts[counts > 0].tolist(), strict=True)) == {
        0: 4,
        6: 1,
        17: 3,
        20: 2,
        LOAD_BINS - 1: 1,
    }
    engine.pending_rig = rig(2, 1.0, amp)
    play(engine, FADE_BLOCKS - 2)
    assert sum(next_record(engine, read).load_counts) == 0


def test_a_record_is_written_at_once() -> None:
    """It is below the smallest PIPE_BUF that POSIX allows, so that no other comes between."""
    record = TelemetryRecord._make((*range(7), 0.0, 0.0, 0.0, 0.0, range(LOAD_BINS)))
    assert len(encode_telemetry(record)) == TELEMETRY_BYTES <= 512
