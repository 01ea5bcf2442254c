"""Cabinet: the convolution of numpy in float64, at once, at any block size, and without clicks."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.signal
import soundfile
from numpy.typing import NDArray

from nemod.formats.impulse_response import load_impulse_response, playable
from nemod.fx.cabinet import MIN_CLASS, WIDE_CLASS, cabinet, length_class, partition_frames

ON, UNITY = 1.0, 1.0
BLOCKS = (1, 16, 64, 100, 1024)
PADDED = (131, 514, 997)
"""Blocks that have no whole part of 32 to 128 frames."""


def response(taps: int, seed: int = 5) -> NDArray[np.float64]:
    """Return a decaying response with energy at every frequency, from the first frame on."""
    rng = np.random.default_rng(seed)
    return rng.normal(0.0, 1.0, taps) * np.exp(-5.0 * np.arange(taps) / taps) / np.sqrt(taps)


@cache
def program(size: int, frames: int) -> Any:
    """Return the compiled effect of a class of lengths: the response is an argument."""
    return jax.jit(cabinet(np.zeros(size), frames).process, donate_argnums=2)


def played(
    taps: NDArray[np.float64],
    frames: int,
    sound: NDArray[np.floating],
    controls: Callable[[int], tuple[float, float]] = lambda _block: (ON, UNITY),
) -> NDArray[np.float32]:
    """Return what the cabinet makes of a sound, block by block; its controls [block]."""
    effect = cabinet(taps, frames)
    process = program(length_class(taps.size), frames)
    state = effect.init(effect.weights, jnp.asarray(controls(0), jnp.float32))
    out = []
    padded = np.concatenate([sound, np.zeros(-sound.size % frames)]).astype(np.float32)
    for number, block in enumerate(padded.reshape(-1, frames)):
        values = np.repeat(np.array(controls(number), np.float32)[:, None], frames, axis=1)
        state, wet = process(effect.weights, jnp.asarray(values), state, jnp.asarray(block))
        out.append(np.asarray(wet))
    return np.concatenate(out)[: sound.size]


def error(found: NDArray[np.floating], expected: NDArray[np.float64]) -> float:
    """Return the largest difference over the largest expected sample."""
    return float(np.abs(found - expected).max() / np.abs(expected).max())


@pytest.mark.parametrize(
    ("taps", "frames"),
    [
        *((taps, frames) for taps in (1, 900) for frames in (*BLOCKS, *PADDED)),
        (3000, 64),
        (3000, 100),
        (3000, 131),
    ],
)
def test_equals_convolution_in_float64(taps: int, frames: int, noise: Any) -> None:
    """Whatever the block: so the sound does not depend on how it is cut, either."""
    sound = noise[: 300 if frames == 1 else noise.size]
    h = response(taps)
    expected = np.convolve(sound.astype(np.float64), h)[: sound.size]
    assert error(played(h, frames, sound), expected) < 1e-6


@pytest.mark.parametrize("frames", [64, 100, 131])
def test_has_no_latency_and_no_sound_before_its_onset(frames: int) -> None:
    """An impulse anywhere in a block is answered in the same frame."""
    h = response(700)
    for at in (0, 1, frames - 1, frames, 3 * frames + 7):
        sound = np.zeros(2000)
        sound[at] = 1.0
        found = played(h, frames, sound)
        assert np.abs(found[:at]).max(initial=0.0) < 1e-6 * np.abs(h).max()
        assert error(found[at : at + 700], h) < 1e-6


@pytest.mark.parametrize("frames", [64, 131])
def test_is_silent_again_when_the_response_has_ended(frames: int) -> None:
    """Exactly: nothing circulates."""
    sound = np.zeros(4096)
    sound[:64] = 1.0
    assert not played(response(1024), frames, sound)[64 + 1024 + 2 * frames :].any()


def test_the_level_is_a_gain_of_the_cabinet_alone(noise: Any) -> None:
    """And off, no bit of the input changes."""
    h = response(500)
    whole = played(h, 64, noise)
    half = played(h, 64, noise, lambda _block: (ON, 0.5))
    np.testing.assert_array_equal(half, whole * np.float32(0.5))
    np.testing.assert_array_equal(played(h, 64, noise, lambda _block: (0.0, 2.0)), noise)


def test_the_switch_mixes_cabinet_and_input(noise: Any) -> None:
    """Their gains add up to one: they are one guitar at one moment."""
    h = response(500)
    mixed = played(h, 64, noise, lambda _block: (0.25, UNITY))
    expected = 0.75 * noise + 0.25 * np.convolve(noise.astype(np.float64), h)[: noise.size]
    assert error(mixed, expected) < 1e-6


def test_switched_on_late_it_sounds_as_if_it_had_always_been_on(noise: Any) -> None:
    """While it is off it listens on."""
    h = response(2000)
    late = played(h, 64, noise, lambda block: (float(block >= 20), UNITY))
    np.testing.assert_array_equal(late[20 * 64 :], played(h, 64, noise)[20 * 64 :])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_hides_no_sample_that_is_not_finite(bad: float, noise: Any) -> None:
    """Not even while it is off: the engine mutes the block and starts anew."""
    sound = noise[:512].copy()
    sound[200] = bad
    for switch in (0.0, 1.0):
        out = played(response(300), 64, sound, lambda _block, at=switch: (at, UNITY))
        assert not np.isfinite(out[200])
        assert np.isfinite(out[:192]).all()


def test_another_cabinet_of_its_class_continues_its_state(noise: Any) -> None:
    """So what the former one has begun rings out, as after a change of rig."""
    first, second = response(900), response(1000, seed=6)
    effects = [cabinet(h, 64) for h in (first, second)]
    shapes = [effect.weights.spectra.shape for effect in effects]
    assert shapes[0] == shapes[1]
    state = effects[0].init(effects[0].weights, jnp.ones(2))
    half = noise.size // 2
    sound = noise.copy()
    out = []
    for start in range(0, sound.size, 64):
        effect = effects[start >= half]
        process = program(1024, 64)
        state, wet = process(
            effect.weights, np.ones((2, 64), np.float32), state, sound[start:][:64]
        )
        out.append(np.asarray(wet))
    (tails,) = effects[0].tails(state).values()
    assert tails is state
    before, after = sound.astype(np.float64), sound.astype(np.float64)
    before[half:] = after[:half] = 0.0
    expected = np.convolve(before, first)[: sound.size] + np.convolve(after, second)[: sound.size]
    assert error(np.concatenate(out), expected) < 1e-6


def test_refuses_a_block_of_another_length() -> None:
    """It would be cut wrongly without an error."""
    effect = cabinet(response(10), 64)
    state = effect.init(effect.weights, jnp.ones(2))
    with pytest.raises(ValueError, match="65 frames; 64 are expected"):
        effect.process(effect.weights, jnp.ones((2, 65)), state, jnp.zeros(65))


@pytest.mark.parametrize(
    ("taps", "expected"),
    [(1, 1024), (1024, 1024), (1025, 2048), (8192, 8192), (8193, 16384), (39_970, 40_960)],
)
def test_lengths_fall_into_few_classes(taps: int, expected: int) -> None:
    """Whose programs are shared; a class wastes less than half, and a long one 8,191 taps."""
    assert length_class(taps) == expected
    assert (MIN_CLASS, WIDE_CLASS) == (1024, 8192)


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        *((frames, frames) for frames in (1, 13, 32, 100, 127, 128)),
        *((256, 128), (1000, 125), (1024, 128), (131, 66), (514, 103), (997, 125), (2096, 124)),
    ],
)
def test_a_partition_is_a_whole_part_of_a_block(frames: int, expected: int) -> None:
    """The longest of at most 128 frames; without one of 32 or more, the last one is padded."""
    assert partition_frames(frames) == expected


@pytest.mark.parametrize(
    ("name", "rate_hz"),
    [
        ("eminence", 44_100),
        *(
            pytest.param(name, 48_000, marks=pytest.mark.long)
            for name in ("ampeg", "celestion", "mesa")
        ),
    ],
)
def test_equals_convolution_with_recorded_cabinets(
    name: str, rate_hz: int, noise: Any, shared_data: Path
) -> None:
    """The whole file, its end included, by scipy: the trimmed ends are below 1e-5."""
    path = shared_data / "ir" / f"t3k_{name}.wav"
    samples, found_hz = soundfile.read(path, dtype="float64")
    assert found_hz == rate_hz
    taps = playable(load_impulse_response(path), rate_hz)
    onset = int(np.argmax(np.abs(samples) >= 1e-3 * np.abs(samples).max()))
    whole = samples[onset:]
    gain = np.linalg.norm(taps) / np.linalg.norm(whole)
    sound = np.tile(noise, 12)
    expected = gain * scipy.signal.fftconvolve(sound.astype(np.float64), whole)[: sound.size]
    assert error(played(taps, 64, sound), expected) < 1e-5
