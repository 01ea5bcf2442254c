"""Tremolo: gain and crossover against float64."""

import numpy as np
import pytest

from nemod.fx.effect import stereo_form
from nemod.fx.tremolo import CROSSOVER_HZ, tremolo
from tests.fx.moving import RATE_HZ, SHAPE, check_off, controls_of, sine_of

TREMOLO = tremolo(RATE_HZ)
FRAMES = 9600


@pytest.mark.parametrize("depth", [0.3, 1.0])
def test_the_gain_goes_from_one_down_by_the_depth(play, depth):
    """At full depth to silence; it follows the sine frame by frame, without steps of blocks."""
    controls = controls_of(TREMOLO, rate=10.0, depth=depth)
    gain = play(TREMOLO, controls, np.ones(FRAMES), [64])
    np.testing.assert_allclose(gain, 1.0 - depth * 0.5 * (1.0 - sine_of(10.0, FRAMES)), atol=3e-5)
    assert (np.min(gain), np.max(gain)) == pytest.approx((1.0 - depth, 1.0), abs=1e-5)


def test_the_right_channel_is_ahead_by_the_spread(play):
    """At 180 degrees the sound goes from side to side: both gains add up to a constant."""
    both = stereo_form(TREMOLO)
    controls = controls_of(both, rate=4.0, depth=0.8, spread=180.0)
    out = play(both, controls, np.ones((2, FRAMES)), [64])
    np.testing.assert_allclose(out[0] + out[1], 2.0 - 0.8, atol=1e-5)
    assert np.ptp(out[0]) > 0.39  # 9,600 frames are 0.8 of a cycle


def test_the_bands_of_the_harmonic_mode_add_up_to_the_input(play, noise):
    """Where both have one gain: at no depth."""
    out = play(TREMOLO, controls_of(TREMOLO, depth=0.0, harmonic=1.0), noise, [64])
    np.testing.assert_allclose(out, noise, atol=1e-6)


def test_harmonic_mode_moves_bass_and_treble_in_opposite_phase(play, noise):
    """The low-pass of first order, frame by frame in float64."""
    controls = controls_of(TREMOLO, rate=10.0, depth=0.9, harmonic=1.0)
    out = play(TREMOLO, controls, noise, [64])
    g = np.tan(np.pi * CROSSOVER_HZ / RATE_HZ)
    low, before = np.zeros(4096), 0.0
    for n, x in enumerate(noise.astype(np.float64)):
        older = noise[n - 1] if n else 0.0
        before = ((1.0 - g) * before + g * (x + older)) / (1.0 + g)  # bilinear transform
        low[n] = before
    sine = sine_of(10.0, 4096)
    bass, treble = (1.0 - 0.9 * 0.5 * (1.0 - wave) for wave in (sine, -sine))
    np.testing.assert_allclose(out, bass * low + treble * (noise - low), atol=2e-5)


def test_a_square_does_not_click(play):
    """Its gain takes 4 ms from top to bottom."""
    controls = controls_of(TREMOLO, rate=10.0, depth=1.0, shape=SHAPE["square"])
    gain = play(TREMOLO, controls, np.ones(FRAMES), [64])
    assert (np.min(gain), np.max(gain)) == (0.0, 1.0)
    assert np.max(np.abs(np.diff(gain))) <= 1.5 / (0.004 * RATE_HZ) + 1e-5


def test_off_is_the_input_to_the_bit_and_begins_anew(play, noise):
    """Whatever was before."""
    check_off(play, TREMOLO, noise, harmonic=1.0)
