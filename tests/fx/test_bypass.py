"""Bypass and mute: the switches that fade."""

import jax.numpy as jnp
import numpy as np

from nemod.fx.bypass import dry_wet_mix, mute


def test_bypass_off_is_the_wet_signal_to_the_bit(noise):
    """At 0 nothing of the dry signal is left."""
    wet = noise * np.float32(3.7)
    assert np.array_equal(wet, dry_wet_mix(jnp.float32(0.0), noise, wet))


def test_bypass_on_is_the_dry_signal_to_the_bit(noise):
    """At 1 nothing of the wet signal is left."""
    assert np.array_equal(noise, dry_wet_mix(jnp.float32(1.0), noise, noise * np.float32(3.7)))


def test_halfway_is_the_mean(noise):
    """Amplitudes add up, so that equal signals keep their level."""
    out = dry_wet_mix(jnp.float32(0.5), noise, noise * np.float32(3.0))
    assert np.allclose(2.0 * noise.astype(np.float64), out, rtol=1e-6, atol=0)


def test_a_non_finite_wet_signal_passes_the_bypass():
    """So that a failing effect is detected while it is bypassed."""
    wet = np.array([0.0, np.nan], np.float32)
    assert not np.isfinite(dry_wet_mix(jnp.float32(1.0), np.zeros(2, np.float32), wet)[1])


def test_mute_is_exact_silence(play, noise):
    """Muted, every sample is zero; unmuted, no bit changes."""
    assert np.array_equal(noise, play(mute(), [0.0], noise))
    assert not np.any(play(mute(), [1.0], noise))
