"""The sound of a rig that no longer plays: how it goes on, and a crossfade with it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from scipy import signal as dsp

from nemod.engine.continuation import JOIN_S, LONGEST_S, MATCH_S, SHORTEST_S, Continuation
from nemod.engine.engine import Engine
from nemod.fx.tools.ceiling import CEILING
from tests.engine.rigs import BLOCK, FADE, FADE_BLOCKS, RATE_HZ, Amp, play, playing, rig, rise

Sound = NDArray[np.float32]
HasTime = Callable[[float], None]

NONE = 0.0
"""Share of the period that no rig meets."""


def continued(sound: NDArray[np.float64], block: int = BLOCK, rate_hz: int = RATE_HZ) -> Sound:
    """Return 30 ms that follow a sound [..., frames] which was played in blocks."""
    frames = round(0.03 * rate_hz)
    made = Continuation(rate_hz, (*sound.shape[:-1], block), frames)
    for start in range(0, sound.shape[-1] - block + 1, block):
        made.note(sound[..., start : start + block].astype(np.float32))
    made.start()
    pieces = [made.take(block).copy() for _ in range(-(-frames // block))]
    return np.concatenate(pieces, axis=-1)[..., :frames]


def sine(hz: float, frames: int, rate_hz: int = RATE_HZ) -> NDArray[np.float64]:
    made: NDArray[np.float64] = np.sin(2.0 * np.pi * hz * np.arange(frames) / rate_hz)
    return made


@pytest.mark.parametrize("hz", [82.41, 110.0, 196.0, 440.0, 1318.5])
@pytest.mark.parametrize("rate_hz", [44_100, 48_000, 96_000])
def test_a_tone_goes_on_as_it_is(hz: float, rate_hz: int) -> None:
    """From the low E of a guitar upwards; what is repeated is a whole number of frames long.

    So it may be half a frame off at each repetition, of which there are at most six in 30 ms.
    """
    block = 64
    whole = sine(hz, 40 * block + round(0.03 * rate_hz), rate_hz)
    past, expected = np.split(whole, [40 * block])
    sound = continued(past, block, rate_hz)
    angle = 0.03 / SHORTEST_S * 0.5 * 2.0 * np.pi * hz / rate_hz
    assert np.sqrt(np.mean((sound - expected) ** 2)) < angle * np.sqrt(0.5)


def octaves_db(sound: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the level of each octave from 80 Hz to 5 kHz."""
    levels = []
    for low in 80.0 * 2.0 ** np.arange(6):
        band = dsp.butter(2, [low, 2.0 * low], "bandpass", fs=RATE_HZ, output="sos")
        levels.append(np.mean(dsp.sosfilt(band, np.tile(sound, 3))[-sound.size :] ** 2))
    found: NDArray[np.float64] = 10.0 * np.log10(np.array(levels))
    return found


@pytest.mark.parametrize("name", ["t3k_Mayer-Guitar.wav", "t3k_Power-Guitar.wav"])
def test_a_distorted_guitar_goes_on_as_it_was(shared_data: Path, name: str) -> None:
    """At 100 places of a recording: no step larger than its own, all octaves as loud as before."""
    recording, rate_hz = soundfile.read(shared_data / "di" / name, always_2d=True)
    assert rate_hz == RATE_HZ
    loud = np.tanh(20.0 * recording[:, 0] / np.abs(recording).max())
    jumps, differences = [], []
    for at in np.random.default_rng(1).integers(5000, loud.size, 100):
        past = loud[at - 40 * BLOCK : at]
        if np.mean(past**2) < 1e-3:
            continue
        sound = continued(past).astype(np.float64)
        joined = np.concatenate([past[-2:], sound])
        jumps.append(np.abs(np.diff(joined)).max() / np.abs(np.diff(past)).max())
        differences.append(octaves_db(sound) - octaves_db(past[-sound.size :]))
    assert len(jumps) > 50
    assert max(jumps) < 1.1
    assert np.median(np.abs(differences), axis=0).max() < 2.0


@pytest.mark.parametrize("kind", ["noise", "silence", "step"])
def test_any_sound_goes_on_finite_and_no_louder(kind: str) -> None:
    """Noise keeps its level, silence stays silence, and a constant stays what it is."""
    rng = np.random.default_rng(5)
    past = {
        "noise": rng.uniform(-1.0, 1.0, 4000),
        "silence": np.zeros(4000),
        "step": np.full(4000, 0.7),
    }[kind]
    sound = continued(past)
    if kind == "noise":
        assert abs(10.0 * np.log10(np.mean(sound**2) / np.mean(past**2))) < 1.5
    else:
        np.testing.assert_array_equal(sound, np.full_like(sound, past[-1]))


@pytest.mark.parametrize("block", [16, 64, 500, 4096])
def test_it_does_not_depend_on_the_blocks(block: int) -> None:
    """Longer and shorter than what is kept; only the order of the frames counts."""
    rng = np.random.default_rng(6)
    past = rng.uniform(-1.0, 1.0, 4096 * 2)
    whole = past[-(past.size // block) * block :]
    assert np.array_equal(continued(whole, block), continued(whole[-4096:], 4096))


def test_what_was_searched_before_is_repeated() -> None:
    """Also after more was noted; without a search it is found at the start."""
    past = sine(110.0, 40 * BLOCK)
    early = Continuation(RATE_HZ, (BLOCK,), 1440)
    for start in range(0, past.size, BLOCK):
        early.note(past[start : start + BLOCK].astype(np.float32))
        if start == 38 * BLOCK:
            early.search()
    early.start()
    np.testing.assert_allclose(early.take(BLOCK), continued(past)[:BLOCK], atol=1e-2)
    early.forget()
    early.start()
    assert np.array_equal(early.take(BLOCK), continued(past)[:BLOCK])


def test_two_channels_go_on_together() -> None:
    """With one length for both, or their places would move."""
    left = sine(110.0, 40 * BLOCK)
    both = continued(np.stack([left, 0.5 * left]))
    assert both.shape[0] == 2
    np.testing.assert_allclose(both[1], 0.5 * both[0], atol=1e-6)


def test_what_is_repeated_is_as_long_as_stated() -> None:
    """Between its limits, and a low E has a period between them."""
    assert SHORTEST_S + JOIN_S < 1.0 / 82.41 < LONGEST_S
    assert round((LONGEST_S + MATCH_S) * RATE_HZ) <= FADE


def test_a_crossfade_without_time_has_the_same_gains(has_time: HasTime) -> None:
    """A constant goes on as a constant, so that the whole fade is known in float64."""
    has_time(NONE)
    for old, new in ((1.0, 0.0), (0.0, 1.0), (1.0, 0.25)):
        engine = playing(factor=old)
        play(engine, 20)
        engine.pending_rig = rig(2, new)
        out = play(engine, FADE_BLOCKS + 1) / 0.5
        gain = rise()
        fall = np.sqrt(np.maximum(1.0 - gain**2, 0.0))
        together = np.sqrt(1.0 + 2.0 * gain * fall) if old and new else 1.0
        np.testing.assert_allclose(out, (new * gain + old * fall) / together, atol=1e-3)


def test_without_time_the_old_rig_is_not_played(has_time: HasTime) -> None:
    """It is retired at once; the crossfade goes on, and the next one waits for its end."""
    has_time(NONE)
    old = Amp()
    engine = playing(old)
    played = len(old.states)
    engine.pending_rig = rig(2)
    play(engine, 1)
    pending = rig(3)
    engine.pending_rig = pending
    assert [each.rig_id for each in engine.retired] == [1]
    play(engine, FADE_BLOCKS - 1)
    assert engine.pending_rig is pending
    play(engine, 1)
    assert [each.rig_id for each in engine.retired] == [1, 2]
    assert len(old.states) == played
    assert engine._faults == 0


@pytest.mark.parametrize("blocks", [0, 1, FADE_BLOCKS // 2, FADE_BLOCKS - 1])
def test_time_that_runs_out_within_a_crossfade_makes_no_click(
    has_time: HasTime, blocks: int
) -> None:
    """No step is larger than those of a sine of the largest level in the crossfade."""
    engine = playing(factor=1.0)

    def tone(first: int, count: int) -> Sound:
        frames = np.arange(first * BLOCK, (first + count) * BLOCK)
        sound = (0.5 * np.sin(2.0 * np.pi * 220.0 * frames / RATE_HZ)).astype(np.float32)
        out = np.empty_like(sound)
        for start in range(0, sound.size, BLOCK):
            engine.process(sound[start : start + BLOCK], out[start : start + BLOCK])
        return out

    before = tone(0, 20)
    engine.pending_rig = rig(2, 0.4)
    played = tone(20, blocks)
    has_time(NONE)
    rest = tone(20 + blocks, FADE_BLOCKS + 3 - blocks)
    sound = np.concatenate([before, played, rest])
    own = 0.5 * 2.0 * np.pi * 220.0 / RATE_HZ
    assert np.abs(np.diff(sound)).max() < 1.1 * own + 0.5 * np.pi / 2.0 / FADE
    assert np.abs(rest[-2 * BLOCK :]).max() <= 0.2001


def test_the_limit_of_the_sound_holds(has_time: HasTime) -> None:
    """As for two rigs that play."""
    has_time(NONE)
    engine = playing(factor=CEILING)
    play(engine, 20, level=1.0)
    engine.pending_rig = rig(2, CEILING)
    out = play(engine, FADE_BLOCKS + 1, level=1.0)
    assert np.abs(out).max() <= np.float32(CEILING)


def test_rigs_that_fit_into_the_time_both_play(has_time: HasTime) -> None:
    """As measured: the new one's block and the smoothed time of the old one's."""
    old = Amp()
    engine = playing(old)
    has_time(1e3)
    engine._old_s = engine._current_s = 900.0 * BLOCK / RATE_HZ
    engine.pending_rig = rig(2)
    played = len(old.states)
    play(engine, 1)
    assert len(old.states) == played + 1
    engine._old_s = 1100.0 * BLOCK / RATE_HZ
    play(engine, 1)
    assert len(old.states) == played + 1
    assert [each.rig_id for each in engine.retired] == [1]


def test_before_a_rig_has_played_for_long_its_sound_goes_on_too(has_time: HasTime) -> None:
    """A rig that follows at once: what it played during its own crossfade is known."""
    has_time(NONE)
    engine = Engine(RATE_HZ, BLOCK)
    for number in (1, 2, 3):
        engine.offer(rig(number))
        out = play(engine, FADE_BLOCKS)
    np.testing.assert_allclose(out, 0.5, atol=1e-3)
