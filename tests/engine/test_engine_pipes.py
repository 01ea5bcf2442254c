"""The engine and its pipes: settings in, telemetry and the recording out."""

import itertools
import os
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from nemod.engine.engine import Engine
from nemod.engine.ipc import encode_settings
from tests.engine.rigs import (
    BLOCK,
    FADE_BLOCKS,
    RATE_HZ,
    Amp,
    Block,
    next_record,
    play,
    playing,
    records,
    rig,
    rise,
)

Pipe = Callable[[], tuple[int, int]]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Return `clock(step)`: from now on every reading of the clock is `step` seconds later."""
    ticks = itertools.count()

    def every(step: float) -> None:
        monkeypatch.setattr("time.perf_counter", lambda: 100.0 + step * next(ticks))

    return every


def test_the_newest_settings_win(pipe: Pipe) -> None:
    """The next block uses the last of all waiting records."""
    read, write = pipe()
    engine = playing(settings_fd=read)
    for factor in np.linspace(0.1, 0.9, 20):
        os.write(write, encode_settings(1, np.array([factor], np.float32)))
    np.testing.assert_allclose(play(engine, 2), 0.45, rtol=1e-6)


def test_settings_of_another_rig_are_ignored(pipe: Pipe) -> None:
    """So is a record with another number of controls than the rig has."""
    read, write = pipe()
    engine = playing(settings_fd=read)
    os.write(write, encode_settings(2, np.array([0.1], np.float32)))
    os.write(write, encode_settings(1, np.array([0.2, 0.3], np.float32)))
    assert (play(engine, 1) == 0.5).all()


def test_settings_reach_the_pending_rig(pipe: Pipe) -> None:
    """It starts with the newest."""
    read, write = pipe()
    engine = playing(factor=0.0, settings_fd=read)
    engine.pending_rig = rig(2, 1.0)
    os.write(write, encode_settings(2, np.array([0.5], np.float32)))
    np.testing.assert_allclose(play(engine, FADE_BLOCKS + 1), 0.25 * rise(), atol=1e-6)


def test_settings_reach_both_rigs_of_a_crossfade(pipe: Pipe) -> None:
    """Each by its own record."""
    read, write = pipe()
    engine = playing(settings_fd=read)
    engine.pending_rig = rig(2, 1.0)
    play(engine, 1)
    os.write(write, encode_settings(1, np.array([0.0], np.float32)))
    os.write(write, encode_settings(2, np.array([0.0], np.float32)))
    assert not play(engine, FADE_BLOCKS).any()


def test_the_end_of_the_settings_pipe_changes_nothing(pipe: Pipe) -> None:
    """If the daemon dies, the sound continues."""
    read, write = os.pipe()
    os.set_blocking(read, False)
    engine = playing(settings_fd=read)
    os.close(write)
    assert (play(engine, 3) == 0.5).all()
    os.close(read)


def test_telemetry_has_peaks_counts_and_load(pipe: Pipe, clock: Callable[[float], None]) -> None:
    """With a clock on which a block takes a quarter of its period."""
    read, write = pipe()
    clock(0.25 * BLOCK / RATE_HZ)  # read twice a block, one period after the last block
    engine = Engine(RATE_HZ, BLOCK, telemetry_fd=write)
    play(engine, 4)
    first, *_ = records(read)
    assert (first.blocks, first.rig_id, first.faults) == (1, 0, 0)
    assert (first.peak_in, first.peak_out) == (0.5, 0.0)
    assert first.load == pytest.approx(0.25)
    assert first.load_peak == pytest.approx(0.25)


def test_telemetry_names_the_rig_only_while_it_sounds_alone(pipe: Pipe) -> None:
    """So that the end of its crossfade can be awaited."""
    read, write = pipe()
    engine = Engine(RATE_HZ, BLOCK, telemetry_fd=write)
    engine.pending_rig = rig(7)
    play(engine, 1)
    assert next_record(engine, read).rig_id == 0
    play(engine, FADE_BLOCKS)
    assert next_record(engine, read).rig_id == 7
    engine.pending_rig = rig(8)
    assert next_record(engine, read).rig_id == 0
    play(engine, FADE_BLOCKS)
    assert next_record(engine, read).rig_id == 8


def test_peaks_are_those_since_the_last_record(pipe: Pipe) -> None:
    """Input and output before the limiter; blocks beyond full scale are counted."""
    read, write = pipe()
    engine = playing(factor=2.0, telemetry_fd=write)
    next_record(engine, read)
    play(engine, 2, level=0.6)
    play(engine, 1, level=0.1)
    record = next_record(engine, read)
    assert (record.peak_in, record.peak_out) == pytest.approx((0.6, 1.2))
    quiet = next_record(engine, read)
    assert (quiet.peak_in, quiet.peak_out) == pytest.approx((0.5, 1.0))
    # The two blocks at 0.6 alone exceed full scale, by 1.2; 1.0 does not.
    assert quiet.clips == 2
    assert quiet.load > 0.0
    assert quiet.load_peak >= quiet.load


def test_telemetry_has_its_own_interval(pipe: Pipe, clock: Callable[[float], None]) -> None:
    """Every 20 ms of the clock, not every block."""
    read, write = pipe()
    clock(0.001)
    play(Engine(RATE_HZ, BLOCK, telemetry_fd=write), 100)
    record = records(read)
    assert 9 <= len(record) <= 11
    assert [each.blocks for each in record] == sorted(each.blocks for each in record)


def test_a_full_telemetry_pipe_loses_no_peak(pipe: Pipe) -> None:
    """A peak that could not be sent is in the next record."""
    read, write = pipe()
    engine = playing(telemetry_fd=write)
    while True:
        try:
            os.write(write, bytes(1))
        except BlockingIOError:
            break
    engine._next_telemetry = 0.0
    play(engine, 1, level=0.9)
    os.read(read, 1 << 20)
    engine._next_telemetry = 0.0
    play(engine, 1)
    assert records(read)[-1].peak_in == pytest.approx(0.9)


def test_late_blocks_and_xruns_are_counted(pipe: Pipe, clock: Callable[[float], None]) -> None:
    """Late means more than a whole period after the expected time."""
    read, write = pipe()
    engine = Engine(RATE_HZ, BLOCK, telemetry_fd=write)
    clock(1.4 * BLOCK / RATE_HZ)  # a block begins every 2.8 periods
    block, out = np.zeros(BLOCK, np.float32), np.zeros(BLOCK, np.float32)
    for xrun in (False, True, True):
        engine.process(block, out, xrun=xrun)
    clock(0.5 * BLOCK / RATE_HZ)
    record = next_record(engine, read)
    assert (record.late, record.xruns) == (2, 2)


def test_the_recording_is_the_output_from_the_first_frame_of_the_first_rig(pipe: Pipe) -> None:
    """Without the silence before it, with the fade-in."""
    read, write = pipe()
    engine = Engine(RATE_HZ, BLOCK, recording_fd=write)
    play(engine, 5)
    engine.pending_rig = rig(1)
    out = play(engine, FADE_BLOCKS + 1)
    recording = np.frombuffer(os.read(read, 1 << 20), np.float32)
    np.testing.assert_array_equal(recording, out)


def test_a_full_recording_pipe_drops_blocks_and_counts_their_frames(pipe: Pipe) -> None:
    """Whole blocks, so that the recorded ones are intact."""
    recording, recording_write = pipe()
    read, write = pipe()
    engine = playing(recording_fd=recording_write, telemetry_fd=write)
    blocks = 1000
    play(engine, blocks)
    kept = len(os.read(recording, 1 << 22)) // 4
    lost = next_record(engine, read).recording_lost
    assert kept % BLOCK == 0
    assert lost > 0
    assert kept + lost == (blocks + FADE_BLOCKS + 1) * BLOCK


def test_a_long_block_is_not_idle_time_of_the_device() -> None:
    """The device is idle between two blocks only."""
    seen: list[float] = []

    class Slow(Amp):
        def __call__(self, *given: Any) -> tuple[list[Any], Block]:
            time.sleep(0.002)
            seen.append(engine.idle_s)
            return super().__call__(*given)

    engine = Engine(RATE_HZ, BLOCK)
    engine.pending_rig = rig(1, 1.0, Slow())
    play(engine, 1)
    assert seen == [0.0]
    time.sleep(0.002)
    assert engine.idle_s >= 0.002
