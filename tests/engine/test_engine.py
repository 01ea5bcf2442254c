"""The engine: fades and crossfades of rigs."""

import numpy as np
import pytest

from nemod.engine.engine import Engine
from nemod.fx.tools.ceiling import CEILING
from tests.engine.rigs import BLOCK, FADE, FADE_BLOCKS, RATE_HZ, Amp, play, playing, rig, rise


def test_silent_before_the_first_rig() -> None:
    """The whole buffer is overwritten, and no frame counts as played."""
    engine = Engine(RATE_HZ, BLOCK)
    assert not play(engine, 3).any()
    assert engine.frames_played == 0
    assert engine.active_rigs == ()


def test_the_first_rig_fades_in() -> None:
    """Along a quarter of a sine over 30 ms, then at full level."""
    engine = Engine(RATE_HZ, BLOCK)
    engine.pending_rig = rig(1)
    out = play(engine, FADE_BLOCKS + 1)
    np.testing.assert_allclose(out, 0.5 * rise(), atol=1e-6)
    assert out[-BLOCK:].tolist() == [0.5] * BLOCK
    assert engine.frames_played == out.size
    assert engine.pending_rig is None


def test_the_next_rig_is_crossfaded_with_equal_power() -> None:
    """The gains are the sine and cosine of one angle: their squares add up to one."""
    engine = playing(factor=0.0)
    engine.pending_rig = rig(2, 1.0)
    new = play(engine, FADE_BLOCKS + 1) / 0.5
    engine = playing(factor=1.0)
    engine.pending_rig = rig(2, 0.0)
    old = play(engine, FADE_BLOCKS + 1) / 0.5
    np.testing.assert_allclose(new, rise(), atol=1e-6)
    np.testing.assert_allclose(new**2 + old**2, 1.0, atol=1e-5)
    assert not old[FADE - 1 :].any()


@pytest.mark.parametrize("factor", [1.0, 0.25])
def test_a_crossfade_of_correlated_rigs_keeps_the_level(factor: float) -> None:
    """Sine and cosine divided by the power of two correlated sounds, 1 + 2 sin cos."""
    engine = playing(factor=1.0)
    engine.pending_rig = rig(2, factor)
    out = play(engine, FADE_BLOCKS + 1) / 0.5
    new = rise().astype(np.float64)
    old = np.sqrt(np.maximum(1.0 - new**2, 0.0))
    expected = (factor * new + old) / np.sqrt(1.0 + 2.0 * new * old)
    np.testing.assert_allclose(out, expected, atol=1e-3)
    assert out.max() <= 1.0 + 1e-6


def test_a_crossfade_of_opposite_rigs_is_not_amplified() -> None:
    """No gain compensates for their cancellation."""
    engine = playing(factor=1.0)
    engine.pending_rig = rig(2, -1.0)
    out = play(engine, FADE_BLOCKS + 1) / 0.5
    new = rise().astype(np.float64)
    old = np.sqrt(np.maximum(1.0 - new**2, 0.0))
    np.testing.assert_allclose(out, old - new, atol=1e-3)


def test_both_rigs_of_a_crossfade_play() -> None:
    """The old one continues from its state, the new one starts with its own."""
    before, after = Amp(), Amp()
    engine = playing(before)
    played = len(before.states)
    engine.pending_rig = rig(2, 1.0, after)
    play(engine, 3)
    assert before.states[played:] == [played, played + 1, played + 2]
    assert after.states == [0, 1, 2]


def test_a_crossfade_never_rises_above_the_ceiling() -> None:
    """Two loud rigs in phase would add up to 3 dB more than either."""
    engine = playing(factor=CEILING)
    engine.pending_rig = rig(2, CEILING)
    out = play(engine, FADE_BLOCKS + 1, level=1.0)
    assert np.abs(out).max() <= np.float32(CEILING)
    assert np.float32(CEILING) in out
    engine.pending_rig = rig(3, -CEILING)
    out = play(engine, FADE_BLOCKS + 1, level=-1.0)
    assert np.abs(out).max() <= np.float32(CEILING)


def test_the_old_rig_is_retired_when_it_no_longer_sounds() -> None:
    """Not before; the helper thread frees it."""
    engine = playing()
    (old,) = engine.active_rigs
    engine.pending_rig = rig(2)
    play(engine, FADE_BLOCKS - 1)
    assert not engine.retired
    assert {each.rig_id for each in engine.active_rigs} == {1, 2}
    play(engine, 1)
    assert list(engine.retired) == [old]
    assert [each.rig_id for each in engine.active_rigs] == [2]


def test_the_next_rig_waits_for_the_end_of_a_fade() -> None:
    """During a fade-in and during a crossfade; then it starts at once."""
    engine = Engine(RATE_HZ, BLOCK)
    engine.pending_rig = rig(1)
    play(engine, 1)
    for number in (2, 3):
        engine.pending_rig = pending = rig(number)
        play(engine, FADE_BLOCKS - 1)
        assert engine.pending_rig is pending
        play(engine, 1)
        assert engine.pending_rig is None
    assert [each.rig_id for each in engine.retired] == [1]


def test_a_pending_rig_can_be_replaced() -> None:
    """A rig that never sounded is simply dropped."""
    engine = Engine(RATE_HZ, BLOCK)
    engine.pending_rig = rig(1)
    play(engine, 1)
    engine.pending_rig = rig(2)
    play(engine, 1)
    engine.pending_rig = rig(3)
    play(engine, 3 * FADE_BLOCKS)
    assert [each.rig_id for each in engine.active_rigs] == [3]


def test_stopping_fades_to_silence_and_stays_there() -> None:
    """Along a quarter of a cosine, for any input."""
    engine = playing()
    assert not engine.is_stopped
    engine.stopping = True
    out = play(engine, FADE_BLOCKS + 3)
    fall = np.cos(np.minimum((np.arange(out.size) + 1) / FADE, 1.0) * np.pi / 2)
    np.testing.assert_allclose(out, 0.5 * fall, atol=1e-6)
    assert not out[FADE - 1 :].any()
    assert engine.is_stopped


def test_stopping_before_the_first_rig_is_silence() -> None:
    """Without anything to fade out."""
    engine = Engine(RATE_HZ, BLOCK)
    engine.stopping = True
    assert not play(engine, FADE_BLOCKS).any()
    assert engine.is_stopped


@pytest.mark.parametrize("block", [32, 65, 1024, 4096])
def test_fades_fit_any_block(block: int) -> None:
    """Shorter and longer than the fade."""
    engine = Engine(RATE_HZ, block)
    ones = np.ones(block, np.float32)
    outputs = []
    for number in (1, 2):
        engine.pending_rig = rig(number, 0.5)
        for _ in range(-(-FADE // block) + 1):
            out = np.empty(block, np.float32)
            engine.process(ones, out)
            outputs.append(out)
    sound = np.concatenate(outputs)
    assert np.abs(np.diff(sound)).max() < 2.0 / FADE
    assert sound[-1] == 0.5
    assert engine.frames_played == sound.size
