"""The engine, with rigs that are a line of numpy each and real pipes."""

import itertools
import os
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from nemod.engine.engine import CEILING, FADE_S, ActiveRig, Engine
from nemod.engine.ipc import TelemetryRecord, decode_telemetry, encode_settings

RATE_HZ = 48_000
BLOCK = 64
FADE = round(FADE_S * RATE_HZ)
FADE_BLOCKS = -(-FADE // BLOCK)

Block = NDArray[np.float32]
Pipe = Callable[[], tuple[int, int]]


class Amp:
    """A rig that multiplies by its first control; its state counts the blocks it has heard."""

    def __init__(self) -> None:
        self.states: list[int] = []
        self.fails = False
        self.poisoned = False

    def __call__(
        self, weights: list[Any], controls: Block, state: list[Any], block: Block
    ) -> tuple[list[Any], Block]:
        self.states.append(int(state[0][0]))
        if self.fails:
            raise RuntimeError("no sound today")
        out = block * controls[0]
        if self.poisoned:
            out[3] = np.nan
        told = [np.abs(block).max(), np.abs(out).max(), np.abs(out).sum()]
        return [state[0] + 1], np.concatenate([out, np.array(told, np.float32)])


def rig(number: int, factor: float = 1.0, amp: Amp | None = None) -> ActiveRig:
    """Return a rig that multiplies by `factor`."""
    states = ([np.zeros(1, np.int64)], [np.zeros(1, np.int64)])
    return ActiveRig(number, amp or Amp(), [], states, np.array([factor], np.float32))


def play(engine: Engine, blocks: int, level: float = 0.5) -> Block:
    """Return what comes out for a steady input, end to end."""
    block = np.full(BLOCK, level, np.float32)
    heard = []
    for _ in range(blocks):
        out = np.full(BLOCK, 9.0, np.float32)  # whatever the device left there
        engine.process(block, out)
        heard.append(out)
    return np.concatenate(heard)


def playing(amp: Amp | None = None, factor: float = 1.0, **fds: int) -> Engine:
    """Return an engine whose first rig, number 1, has faded in."""
    engine = Engine(RATE_HZ, BLOCK, **fds)
    engine.slot = rig(1, factor, amp)
    play(engine, FADE_BLOCKS + 1)
    return engine


def rise() -> NDArray[np.float64]:
    """Return the fade-in, a quarter of a sine, then 1, in float64."""
    done = (np.arange((FADE_BLOCKS + 1) * BLOCK) + 1) / FADE
    return np.sin(np.minimum(done, 1.0) * np.pi / 2)


def reports(fd: int) -> list[TelemetryRecord]:
    return list(decode_telemetry(os.read(fd, 1 << 16)))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Return `clock(step)`: from now on every look at the clock is `step` seconds later."""
    ticks = itertools.count()

    def every(step: float) -> None:
        monkeypatch.setattr("time.perf_counter", lambda: 100.0 + step * next(ticks))

    return every


# --- fades -------------------------------------------------------------------------------------


def test_silent_before_the_first_rig() -> None:
    """The whole block is filled, whatever was in it, and no frame counts as played."""
    engine = Engine(RATE_HZ, BLOCK)
    assert not play(engine, 3).any()
    assert engine.frames_played == 0
    assert engine.playing == ()


def test_the_first_rig_fades_in() -> None:
    """Along a quarter of a sine over 30 ms, then it stands."""
    engine = Engine(RATE_HZ, BLOCK)
    engine.slot = rig(1)
    heard = play(engine, FADE_BLOCKS + 1)
    np.testing.assert_allclose(heard, 0.5 * rise(), atol=1e-6)
    assert heard[-BLOCK:].tolist() == [0.5] * BLOCK
    assert engine.frames_played == heard.size
    assert engine.slot is None


def test_the_next_rig_is_crossfaded_with_equal_power() -> None:
    """The gains are sine and cosine of one angle: their squares add up to one."""
    engine = playing(factor=0.0)
    engine.slot = rig(2, 1.0)
    new = play(engine, FADE_BLOCKS + 1) / 0.5
    engine = playing(factor=1.0)
    engine.slot = rig(2, 0.0)
    old = play(engine, FADE_BLOCKS + 1) / 0.5
    np.testing.assert_allclose(new, rise(), atol=1e-6)
    np.testing.assert_allclose(new**2 + old**2, 1.0, atol=1e-5)
    assert not old[FADE - 1 :].any()


@pytest.mark.parametrize("factor", [1.0, 0.25])
def test_rigs_that_are_alike_are_crossfaded_without_a_bulge(factor: float) -> None:
    """Sine and cosine over the power that two correlated sounds have: 1 + 2 sin cos."""
    engine = playing(factor=1.0)
    engine.slot = rig(2, factor)
    heard = play(engine, FADE_BLOCKS + 1) / 0.5
    new = rise().astype(np.float64)
    old = np.sqrt(np.maximum(1.0 - new**2, 0.0))
    expected = (factor * new + old) / np.sqrt(1.0 + 2.0 * new * old)
    np.testing.assert_allclose(heard, expected, atol=1e-3)
    assert heard.max() <= 1.0 + 1e-6


def test_rigs_that_are_opposites_are_not_amplified() -> None:
    """Where they cancel, nothing is raised to make up for it."""
    engine = playing(factor=1.0)
    engine.slot = rig(2, -1.0)
    heard = play(engine, FADE_BLOCKS + 1) / 0.5
    new = rise().astype(np.float64)
    old = np.sqrt(np.maximum(1.0 - new**2, 0.0))
    np.testing.assert_allclose(heard, old - new, atol=1e-3)


def test_both_rigs_of_a_crossfade_hear_the_guitar() -> None:
    """The old one goes on from its state, the new one begins with its own."""
    before, after = Amp(), Amp()
    engine = playing(before)
    heard = len(before.states)
    engine.slot = rig(2, 1.0, after)
    play(engine, 3)
    assert before.states[heard:] == [heard, heard + 1, heard + 2]
    assert after.states == [0, 1, 2]


def test_a_crossfade_never_rises_above_the_ceiling() -> None:
    """Two loud rigs that agree would add up to 3 dB more than either."""
    engine = playing(factor=CEILING)
    engine.slot = rig(2, CEILING)
    heard = play(engine, FADE_BLOCKS + 1, level=1.0)
    assert np.abs(heard).max() <= np.float32(CEILING)
    assert np.float32(CEILING) in heard
    engine.slot = rig(3, -CEILING)
    heard = play(engine, FADE_BLOCKS + 1, level=-1.0)
    assert np.abs(heard).max() <= np.float32(CEILING)


def test_the_old_rig_is_laid_in_the_tray_when_it_is_no_longer_heard() -> None:
    """And not before; the helper thread frees it."""
    engine = playing()
    (old,) = engine.playing
    engine.slot = rig(2)
    play(engine, FADE_BLOCKS - 1)
    assert not engine.retired
    assert {each.rig_id for each in engine.playing} == {1, 2}
    play(engine, 1)
    assert list(engine.retired) == [old]
    assert [each.rig_id for each in engine.playing] == [2]


def test_the_next_rig_waits_for_the_end_of_a_fade() -> None:
    """At the fade-in and at a crossfade; then it is taken at once."""
    engine = Engine(RATE_HZ, BLOCK)
    engine.slot = rig(1)
    play(engine, 1)
    for number in (2, 3):
        engine.slot = waiting = rig(number)
        play(engine, FADE_BLOCKS - 1)
        assert engine.slot is waiting
        play(engine, 1)
        assert engine.slot is None
    assert [each.rig_id for each in engine.retired] == [1]


def test_a_rig_that_waits_can_be_replaced() -> None:
    """What was never heard is simply forgotten."""
    engine = Engine(RATE_HZ, BLOCK)
    engine.slot = rig(1)
    play(engine, 1)
    engine.slot = rig(2)
    play(engine, 1)
    engine.slot = rig(3)
    play(engine, 3 * FADE_BLOCKS)
    assert [each.rig_id for each in engine.playing] == [3]


def test_leaving_fades_to_silence_and_stays_there() -> None:
    """Along a quarter of a cosine, whatever comes in."""
    engine = playing()
    assert not engine.silent
    engine.leaving = True
    heard = play(engine, FADE_BLOCKS + 3)
    fall = np.cos(np.minimum((np.arange(heard.size) + 1) / FADE, 1.0) * np.pi / 2)
    np.testing.assert_allclose(heard, 0.5 * fall, atol=1e-6)
    assert not heard[FADE - 1 :].any()
    assert engine.silent


def test_leaving_before_the_first_rig_is_silence() -> None:
    """There is nothing to fade."""
    engine = Engine(RATE_HZ, BLOCK)
    engine.leaving = True
    assert not play(engine, FADE_BLOCKS).any()
    assert engine.silent


@pytest.mark.parametrize("block", [32, 65, 1024, 4096])
def test_fades_fit_any_block(block: int) -> None:
    """Shorter than the fade and longer."""
    engine = Engine(RATE_HZ, block)
    ones = np.ones(block, np.float32)
    heard = []
    for number in (1, 2):
        engine.slot = rig(number, 0.5)
        for _ in range(-(-FADE // block) + 1):
            out = np.empty(block, np.float32)
            engine.process(ones, out)
            heard.append(out)
    sound = np.concatenate(heard)
    assert np.abs(np.diff(sound)).max() < 2.0 / FADE
    assert sound[-1] == 0.5
    assert engine.frames_played == sound.size


# --- what goes wrong ---------------------------------------------------------------------------


def test_a_block_that_is_not_finite_is_muted_and_the_rig_starts_afresh(pipe: Pipe) -> None:
    """The spare state takes over, the fault is counted, and the next block sounds."""
    amp = Amp()
    read, write = pipe()
    engine = playing(amp, report_fd=write)
    (current,) = engine.playing
    amp.poisoned = True
    assert not play(engine, 1).any()
    amp.poisoned = False
    assert (play(engine, 2) == 0.5).all()
    assert amp.states[-2:] == [0, 1]
    assert current.spare is None
    assert last_report(engine, read).faults == 1


def last_report(engine: Engine, read: int) -> TelemetryRecord:
    """Return what the engine tells next."""
    engine._next_report = 0.0
    play(engine, 1)
    return reports(read)[-1]


def test_a_rig_without_a_spare_is_silent_until_one_is_laid_out(pipe: Pipe) -> None:
    """It is not called, and nothing raises."""
    amp = Amp()
    read, write = pipe()
    engine = playing(amp, report_fd=write)
    (current,) = engine.playing
    amp.poisoned = True
    play(engine, 2)  # the second takes the spare and loses it too
    calls = len(amp.states)
    amp.poisoned = False
    assert not play(engine, 5).any()
    assert len(amp.states) == calls
    current.spare = [np.array([40])]
    assert (play(engine, 1) == 0.5).all()
    assert amp.states[-1] == 40
    assert last_report(engine, read).faults == 2


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_guitar_that_is_not_finite_is_not_heard(value: float) -> None:
    """Nor does it stop the engine."""
    engine = playing()
    block = np.full(BLOCK, 0.5, np.float32)
    block[10] = value
    out = np.empty(BLOCK, np.float32)
    engine.process(block, out)
    assert not out.any()
    assert (play(engine, 1) == 0.5).all()


def test_an_error_in_the_rig_is_silence_and_recovery(pipe: Pipe) -> None:
    """The state went into the failed call, so the spare takes over."""
    amp = Amp()
    read, write = pipe()
    engine = playing(amp, report_fd=write)
    amp.fails = True
    assert not play(engine, 1).any()
    amp.fails = False
    assert (play(engine, 1) == 0.5).all()
    assert amp.states[-1] == 0
    assert last_report(engine, read).faults == 1


def test_a_broken_old_rig_does_not_hold_the_next_one_up() -> None:
    """The crossfade comes to its end, and what is heard stays finite."""
    amp = Amp()
    engine = playing(amp)
    amp.fails = True
    engine.slot = rig(2, 0.25)
    heard = play(engine, 2 * FADE_BLOCKS)
    assert np.isfinite(heard).all()
    assert (heard[-BLOCK:] == 0.125).all()
    assert [each.rig_id for each in engine.retired] == [1]


def test_a_new_rig_that_always_fails_can_be_replaced() -> None:
    """Its own fade does not keep the slot shut, however often it gets a new spare."""
    amp = Amp()
    amp.fails = True
    engine = playing()
    engine.slot = rig(2, 1.0, amp)
    play(engine, 2)
    engine.slot = rig(3, 0.25)
    for _ in range(6 * FADE_BLOCKS):
        play(engine, 1)
        for each in engine.playing:
            each.spare = each.spare or [np.zeros(1, np.int64)]
    assert [each.rig_id for each in engine.playing] == [3]


# --- settings ----------------------------------------------------------------------------------


def test_the_newest_settings_win(pipe: Pipe) -> None:
    """All that has come is taken at the next block, and none is left for the one after."""
    read, write = pipe()
    engine = playing(settings_fd=read)
    for factor in np.linspace(0.1, 0.9, 20):
        os.write(write, encode_settings(1, np.array([factor], np.float32)))
    np.testing.assert_allclose(play(engine, 2), 0.45, rtol=1e-6)


def test_settings_of_another_rig_are_left_alone(pipe: Pipe) -> None:
    """So is a record whose number of controls is not the rig's."""
    read, write = pipe()
    engine = playing(settings_fd=read)
    os.write(write, encode_settings(2, np.array([0.1], np.float32)))
    os.write(write, encode_settings(1, np.array([0.2, 0.3], np.float32)))
    assert (play(engine, 1) == 0.5).all()


def test_settings_reach_the_rig_that_waits(pipe: Pipe) -> None:
    """It begins with the newest."""
    read, write = pipe()
    engine = playing(factor=0.0, settings_fd=read)
    engine.slot = rig(2, 1.0)
    os.write(write, encode_settings(2, np.array([0.5], np.float32)))
    np.testing.assert_allclose(play(engine, FADE_BLOCKS + 1), 0.25 * rise(), atol=1e-6)


def test_settings_reach_both_rigs_of_a_crossfade(pipe: Pipe) -> None:
    """Each its own record."""
    read, write = pipe()
    engine = playing(settings_fd=read)
    engine.slot = rig(2, 1.0)
    play(engine, 1)
    os.write(write, encode_settings(1, np.array([0.0], np.float32)))
    os.write(write, encode_settings(2, np.array([0.0], np.float32)))
    assert not play(engine, FADE_BLOCKS).any()


def test_the_end_of_the_settings_pipe_changes_nothing(pipe: Pipe) -> None:
    """The control plane may be gone; the sound goes on."""
    read, write = os.pipe()
    os.set_blocking(read, False)
    engine = playing(settings_fd=read)
    os.close(write)
    assert (play(engine, 3) == 0.5).all()
    os.close(read)


# --- reports and tape --------------------------------------------------------------------------


def test_reports_hold_peaks_counts_and_load(pipe: Pipe, clock: Callable[[float], None]) -> None:
    """With a clock that a block takes a quarter of its period on."""
    read, write = pipe()
    clock(0.25 * BLOCK / RATE_HZ)  # two looks a block, one period apart from the block before
    engine = Engine(RATE_HZ, BLOCK, report_fd=write)
    play(engine, 4)
    first, *_ = reports(read)
    assert (first.blocks, first.rig_id, first.faults) == (1, 0, 0)
    assert (first.peak_in, first.peak_out) == (0.5, 0.0)
    assert first.load == pytest.approx(0.25)
    assert first.load_peak == pytest.approx(0.25)


def test_reports_name_the_rig_only_when_it_is_heard_alone(pipe: Pipe) -> None:
    """Whoever waits for a rig waits for the end of its fade."""
    read, write = pipe()
    engine = Engine(RATE_HZ, BLOCK, report_fd=write)
    engine.slot = rig(7)
    play(engine, 1)
    assert last_report(engine, read).rig_id == 0
    play(engine, FADE_BLOCKS)
    assert last_report(engine, read).rig_id == 7
    engine.slot = rig(8)
    assert last_report(engine, read).rig_id == 0
    play(engine, FADE_BLOCKS)
    assert last_report(engine, read).rig_id == 8


def test_peaks_are_those_since_the_last_report(pipe: Pipe) -> None:
    """Before the limiter, in and out; blocks in which it had to act are counted."""
    read, write = pipe()
    engine = playing(factor=2.0, report_fd=write)
    last_report(engine, read)
    play(engine, 2, level=0.6)
    play(engine, 1, level=0.1)
    told = last_report(engine, read)
    assert (told.peak_in, told.peak_out) == pytest.approx((0.6, 1.2))
    quiet = last_report(engine, read)
    assert (quiet.peak_in, quiet.peak_out) == pytest.approx((0.5, 1.0))
    # Loud were all blocks but the one at 0.1.
    assert quiet.clips == quiet.blocks - 1
    assert quiet.load > 0.0
    assert quiet.load_peak >= quiet.load


def test_reports_come_at_their_pace(pipe: Pipe, clock: Callable[[float], None]) -> None:
    """Not one a block: every 20 ms of the clock."""
    read, write = pipe()
    clock(0.001)
    play(Engine(RATE_HZ, BLOCK, report_fd=write), 100)
    told = reports(read)
    assert 9 <= len(told) <= 11
    assert [each.blocks for each in told] == sorted(each.blocks for each in told)


def test_a_full_report_pipe_loses_no_peak(pipe: Pipe) -> None:
    """What could not be told is in the next report."""
    read, write = pipe()
    engine = playing(report_fd=write)
    while True:
        try:
            os.write(write, bytes(1))
        except BlockingIOError:
            break
    engine._next_report = 0.0
    play(engine, 1, level=0.9)
    os.read(read, 1 << 20)
    engine._next_report = 0.0
    play(engine, 1)
    assert reports(read)[-1].peak_in == pytest.approx(0.9)


def test_late_blocks_and_the_devices_own_count_are_told(
    pipe: Pipe, clock: Callable[[float], None]
) -> None:
    """Late is more than a whole period after its time."""
    read, write = pipe()
    engine = Engine(RATE_HZ, BLOCK, report_fd=write)
    clock(1.4 * BLOCK / RATE_HZ)  # a block begins every 2.8 periods
    block, out = np.zeros(BLOCK, np.float32), np.zeros(BLOCK, np.float32)
    for xrun in (False, True, True):
        engine.process(block, out, xrun=xrun)
    clock(0.5 * BLOCK / RATE_HZ)
    told = last_report(engine, read)
    assert (told.late, told.xruns) == (2, 2)


def test_the_tape_holds_what_is_heard_from_the_first_frame_that_a_rig_plays(pipe: Pipe) -> None:
    """The silence before it is not on it; the fade-in is."""
    read, write = pipe()
    engine = Engine(RATE_HZ, BLOCK, tape_fd=write)
    play(engine, 5)
    engine.slot = rig(1)
    heard = play(engine, FADE_BLOCKS + 1)
    tape = np.frombuffer(os.read(read, 1 << 20), np.float32)
    np.testing.assert_array_equal(tape, heard)


def test_a_full_tape_loses_blocks_and_counts_their_frames(pipe: Pipe) -> None:
    """Whole blocks: what is on it is heard as it was."""
    tape, tape_write = pipe()
    read, write = pipe()
    engine = playing(tape_fd=tape_write, report_fd=write)
    blocks = 1000
    play(engine, blocks)
    kept = len(os.read(tape, 1 << 22)) // 4
    lost = last_report(engine, read).tape_lost
    assert kept % BLOCK == 0
    assert lost > 0
    assert kept + lost == (blocks + FADE_BLOCKS + 1) * BLOCK


def test_a_long_block_is_not_the_devices_silence() -> None:
    """While a block is being made the device has asked; between two it may have gone."""
    told: list[float] = []

    class Slow(Amp):
        def __call__(self, *given: Any) -> tuple[list[Any], Block]:
            time.sleep(0.002)
            told.append(engine.quiet_s)
            return super().__call__(*given)

    engine = Engine(RATE_HZ, BLOCK)
    engine.slot = rig(1, 1.0, Slow())
    play(engine, 1)
    assert told == [0.0]
    time.sleep(0.002)
    assert engine.quiet_s >= 0.002
