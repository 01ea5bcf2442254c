"""Flanger: its comb against the analytic one, its sweep and its way through zero in float64."""

import numpy as np
import pytest

from nemod.fx.effect import stereo_form
from nemod.fx.flanger import SWING, flanger
from tests.fx.moving import RATE_HZ, check_off, controls_of, sine_of, tone

FLANGER = flanger(RATE_HZ)
STEREO = stereo_form(FLANGER)
FRAMES = 9600
N = np.arange(FRAMES, dtype=np.float64)
IMPULSE = np.eye(1, FRAMES)[0]


@pytest.mark.parametrize("feedback", [-0.9, 0.0, 0.6])
def test_the_comb_is_the_analytic_one(play, feedback):
    """H = (1 - mix) + mix z^-D / (1 - feedback z^-D).

    Without feedback its notches are at odd multiples of 1 / (2 D).
    """
    controls = controls_of(FLANGER, depth=0.0, delay=1.0, feedback=feedback, mix=0.5)
    out = play(FLANGER, controls, IMPULSE, [64]).astype(np.float64)
    late = np.exp(-2j * np.pi * np.fft.rfftfreq(FRAMES) * 48.0)
    analytic = 0.5 + 0.5 * late / (1.0 - feedback * late)
    np.testing.assert_allclose(np.fft.rfft(out), analytic, atol=3e-5)
    if feedback == 0.0:
        notches = np.arange(500.0, 24_000.0, 1000.0) * FRAMES / RATE_HZ
        assert np.max(np.abs(np.fft.rfft(out))[np.round(notches).astype(int)]) < 1e-5


def test_the_sweep_follows_the_oscillator(play):
    """The copy is the tone at the moving time; at 10 Hz nothing else is 70 dB below it."""
    controls = controls_of(FLANGER, rate=10.0, depth=1.0, delay=3.0, feedback=0.0, mix=1.0)
    out = play(FLANGER, controls, tone(1000.0, N), [64])
    delay = np.maximum(3.0 * 48.0 * (1.0 + SWING * sine_of(10.0, FRAMES)), 2.0)
    error = (out - tone(1000.0, N - delay))[400:]
    assert np.sqrt(np.mean(error**2)) < 3e-4 * 0.5 * np.sqrt(0.5)


def test_through_zero_the_copy_overtakes_the_dry_sound(play):
    """Dry and wet cancel and add as the difference of their delays, which passes zero, says."""
    controls = controls_of(
        FLANGER, rate=5.0, depth=1.0, delay=2.0, feedback=0.0, mix=0.5, through_zero=1.0
    )
    out = play(FLANGER, controls, tone(700.0, N), [64])
    delay = 96.0 * (1.0 + SWING * sine_of(5.0, FRAMES))
    assert np.min(delay - 96.0) < -90.0
    expected = 0.5 * tone(700.0, N - 96.0) + 0.5 * tone(700.0, N - delay)
    np.testing.assert_allclose(out[400:], expected[400:], atol=2e-4)


def line_in_float64(signal, delay, feedback):
    """Return the wet sound, frame by frame, by the polynomial through four frames."""
    line = np.zeros(len(signal))
    wet = np.zeros(len(signal))
    places = np.arange(-1, 3)
    for n, sample in enumerate(signal):
        whole = int(np.floor(delay[n]))
        f = delay[n] - whole
        for j in places:
            weight = np.prod([(f - m) / (j - m) for m in places if m != j])
            if n - whole - j >= 0:
                wet[n] += weight * line[n - whole - j]
        line[n] = sample + feedback * wet[n]
    return wet


def test_two_channels_with_feedback_are_two_lines(play, noise):
    """Frame by frame against float64; the right one is ahead."""
    sides = np.stack([noise, noise[::-1]])[:, :1472]
    controls = controls_of(STEREO, rate=8.0, depth=1.0, delay=1.0, feedback=0.7, mix=1.0)
    out = play(STEREO, controls, sides, [64])
    for side, signal, ahead in zip(out, sides, (0.0, 90.0), strict=True):
        delay = np.maximum(48.0 * (1.0 + SWING * sine_of(8.0, 1472, ahead)), 2.0)
        expected = line_in_float64(signal.astype(np.float64), delay, 0.7)
        np.testing.assert_allclose(side, expected, atol=2e-3)


def test_off_is_the_input_to_the_bit_and_forgets_what_was_played(play, noise):
    """Both lines are empty when it is switched on again."""
    check_off(play, FLANGER, noise, mix=1.0, through_zero=0.5)
