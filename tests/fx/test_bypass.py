"""Bypass and mute: switches that fade."""

import numpy as np

from nemod.fx.bypass import bypassable, mute
from nemod.fx.delay import delay
from nemod.fx.gain import gain


def test_bypass_off_is_the_effect_to_the_bit(play, noise):
    """At 0 the way around adds nothing."""
    effect = bypassable(gain("gain"))
    assert effect.controls == ("gain", "bypass")
    assert np.array_equal(noise * np.float32(3.7), play(effect, [3.7, 0.0], noise))


def test_bypass_on_is_the_input_to_the_bit(play, noise):
    """At 1 nothing of the effect is left."""
    assert np.array_equal(noise, play(bypassable(gain("gain")), [3.7, 1.0], noise))


def test_halfway_is_the_mean(play, noise):
    """Both sides add in amplitude, so that equal sides stay equal and nothing bulges."""
    out = play(bypassable(gain("gain")), [3.0, 0.5], noise)
    assert np.allclose(2.0 * noise.astype(np.float64), out, rtol=1e-6, atol=0)


def test_effect_goes_on_hearing_while_bypassed(play):
    """An echo of what was played during the bypass is there after it."""
    effect = bypassable(delay(48_000.0))
    signal = np.zeros(1024, np.float32)
    signal[10] = 1.0
    controls = np.repeat(np.array([[1.0], [10.0], [0.0], [1.0]], np.float32), 1024, axis=1)
    controls[3, 400:] = 0.0
    out = play(effect, controls, signal)
    assert np.flatnonzero(out).tolist() == [10, 490]


def test_mute_goes_to_exact_silence(play, noise):
    """Muted is zero, unmuted every bit."""
    assert np.array_equal(noise, play(mute(), [0.0], noise))
    assert not np.any(play(mute(), [1.0], noise))
