"""Chorus: the sweep of its delay against the sound at the exact time, in float64."""

import numpy as np

from nemod.fx.chorus import SWING, chorus
from nemod.fx.effect import stereo_form
from tests.fx.moving import RATE_HZ, SHAPE, check_off, controls_of, sine_of, tone

CHORUS = chorus(RATE_HZ)
STEREO = stereo_form(CHORUS)
FRAMES = 12_032
N = np.arange(FRAMES, dtype=np.float64)


def late(hz, rate_hz, depth, delay_ms, ahead_deg=0.0):
    """Return the tone at the moving time."""
    delay = (
        delay_ms * RATE_HZ / 1000.0 * (1.0 + SWING * depth * sine_of(rate_hz, FRAMES, ahead_deg))
    )
    return tone(hz, N - delay)


def test_the_wet_sound_is_the_input_at_the_moving_time(play):
    """Between frames, too: 80 dB below the tone there is nothing else (zipper noise, images)."""
    controls = controls_of(CHORUS, rate=10.0, depth=1.0, delay=12.0, mix=1.0)
    out = play(CHORUS, controls, tone(1000.0, N), [64])
    start = 1200  # the delay line is filled
    error = out[start:] - late(1000.0, 10.0, 1.0, 12.0)[start:]
    assert np.sqrt(np.mean(error**2)) < 1e-4 * 0.5 * np.sqrt(0.5)


def test_a_fixed_delay_of_whole_frames_is_exact(play, noise):
    """And the mix is that of both signals."""
    controls = controls_of(CHORUS, depth=0.0, delay=5.0, mix=0.25)
    out = play(CHORUS, controls, noise, [64])
    delayed = np.concatenate([np.zeros(240), noise[:-240]])
    np.testing.assert_allclose(out, 0.75 * noise + 0.25 * delayed, atol=2e-6)


def test_the_right_channel_is_ahead_by_the_spread(play):
    """Each channel has its own line."""
    controls = controls_of(STEREO, rate=5.0, depth=0.8, delay=8.0, mix=1.0, spread=90.0)
    sides = np.stack([tone(440.0, N), tone(660.0, N)])
    out = play(STEREO, controls, sides, [64])
    expected = np.stack([late(440.0, 5.0, 0.8, 8.0), late(660.0, 5.0, 0.8, 8.0, 90.0)])
    np.testing.assert_allclose(out[:, 1000:], expected[:, 1000:], atol=2e-4)


def test_off_is_the_input_to_the_bit_and_forgets_what_was_played(play, noise):
    """Switched on again, the line is empty and the oscillator begins anew."""
    check_off(play, CHORUS, noise, mix=1.0)


def test_a_jump_of_the_shape_does_not_click(play):
    """A square moves the delay in `EDGE_S`: the largest step is that of the sped-up tone."""
    controls = controls_of(CHORUS, rate=5.0, depth=0.5, delay=5.0, mix=1.0, shape=SHAPE["square"])
    out = play(CHORUS, controls, tone(220.0, N), [64])
    edge_s, swing_s = 0.004, 2.0 * SWING * 0.5 * 0.005
    speed = 1.0 + 1.5 * swing_s / edge_s
    assert np.max(np.abs(np.diff(out[2000:]))) < 0.5 * 2.0 * np.pi * 220.0 / RATE_HZ * speed * 1.02
