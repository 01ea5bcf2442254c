"""The engine: what it does about non-finite samples and errors in a rig."""

from collections.abc import Callable

import numpy as np
import pytest

from tests.engine.rigs import BLOCK, FADE_BLOCKS, Amp, next_record, play, playing, rig

Pipe = Callable[[], tuple[int, int]]


def test_a_non_finite_block_is_muted_and_the_rig_restarts(pipe: Pipe) -> None:
    """From the reserve state: the fault is counted, and the next block sounds."""
    amp = Amp()
    read, write = pipe()
    engine = playing(amp, telemetry_fd=write)
    (current,) = engine.active_rigs
    amp.gives_nan = True
    assert not play(engine, 1).any()
    amp.gives_nan = False
    assert (play(engine, 2) == 0.5).all()
    assert amp.states[-2:] == [0, 1]
    assert current.reserve_state is None
    assert next_record(engine, read).faults == 1


def test_a_rig_without_a_reserve_state_is_silent_until_it_gets_one(pipe: Pipe) -> None:
    """It is not called, and nothing raises."""
    amp = Amp()
    read, write = pipe()
    engine = playing(amp, telemetry_fd=write)
    (current,) = engine.active_rigs
    amp.gives_nan = True
    play(engine, 2)  # the second block uses up the reserve state too
    calls = len(amp.states)
    amp.gives_nan = False
    assert not play(engine, 5).any()
    assert len(amp.states) == calls
    current.reserve_state = [np.array([40])]
    assert (play(engine, 1) == 0.5).all()
    assert amp.states[-1] == 40
    assert next_record(engine, read).faults == 2


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_non_finite_input_is_muted(value: float) -> None:
    """And the engine keeps playing."""
    engine = playing()
    block = np.full(BLOCK, 0.5, np.float32)
    block[10] = value
    out = np.empty(BLOCK, np.float32)
    engine.process(block, out)
    assert not out.any()
    assert (play(engine, 1) == 0.5).all()


def test_an_error_in_the_rig_mutes_a_block_and_restarts_it(pipe: Pipe) -> None:
    """The state was donated to the failed call, so the reserve state is used."""
    amp = Amp()
    read, write = pipe()
    engine = playing(amp, telemetry_fd=write)
    amp.fails = True
    assert not play(engine, 1).any()
    amp.fails = False
    assert (play(engine, 1) == 0.5).all()
    assert amp.states[-1] == 0
    assert next_record(engine, read).faults == 1


def test_a_failing_old_rig_does_not_delay_the_next_one() -> None:
    """The crossfade completes, and the output stays finite."""
    amp = Amp()
    engine = playing(amp)
    amp.fails = True
    engine.pending_rig = rig(2, 0.25)
    out = play(engine, 2 * FADE_BLOCKS)
    assert np.isfinite(out).all()
    assert (out[-BLOCK:] == 0.125).all()
    assert [each.rig_id for each in engine.retired] == [1]


def test_a_new_rig_that_always_fails_can_be_replaced() -> None:
    """Its own fade-in completes, however often it restarts."""
    amp = Amp()
    amp.fails = True
    engine = playing()
    engine.pending_rig = rig(2, 1.0, amp)
    play(engine, 2)
    engine.pending_rig = rig(3, 0.25)
    for _ in range(6 * FADE_BLOCKS):
        play(engine, 1)
        for each in engine.active_rigs:
            each.reserve_state = each.reserve_state or [np.zeros(1, np.int64)]
    assert [each.rig_id for each in engine.active_rigs] == [3]
