"""Bypass and mute: switches that fade."""

import jax.numpy as jnp
import numpy as np

from nemod.fx.bypass import mute, past


def test_bypass_off_is_the_effect_to_the_bit(noise):
    """At 0 the way around adds nothing."""
    wet = noise * np.float32(3.7)
    assert np.array_equal(wet, past(jnp.float32(0.0), noise, wet))


def test_bypass_on_is_the_input_to_the_bit(noise):
    """At 1 nothing of the effect is left."""
    assert np.array_equal(noise, past(jnp.float32(1.0), noise, noise * np.float32(3.7)))


def test_halfway_is_the_mean(noise):
    """Both sides add in amplitude, so that equal sides stay equal and nothing bulges."""
    out = past(jnp.float32(0.5), noise, noise * np.float32(3.0))
    assert np.allclose(2.0 * noise.astype(np.float64), out, rtol=1e-6, atol=0)


def test_what_is_not_finite_shows_through_the_bypass():
    """A broken effect is noticed although nobody hears it."""
    wet = np.array([0.0, np.nan], np.float32)
    assert not np.isfinite(past(jnp.float32(1.0), np.zeros(2, np.float32), wet)[1])


def test_mute_goes_to_exact_silence(play, noise):
    """Muted is zero, unmuted every bit."""
    assert np.array_equal(noise, play(mute(), [0.0], noise))
    assert not np.any(play(mute(), [1.0], noise))
