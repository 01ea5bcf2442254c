"""DC blocker, compared with scipy's first-order high-pass in float64."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import signal as dsp

from nemod.fx.dc import CORNER_HZ, dc_blocker


@pytest.mark.parametrize("rate_hz", [44_100, 48_000, 96_000])
def test_is_the_bilinear_high_pass(play, noise, rate_hz):
    """Sample by sample equal to the filter that scipy designs for the same corner."""
    b, a = dsp.butter(1, CORNER_HZ, "highpass", fs=rate_hz)
    expected = dsp.lfilter(b, a, noise.astype(np.float64) + 0.5)
    out = play(dc_blocker(rate_hz), np.zeros(0), noise + np.float32(0.5), [64])
    assert np.allclose(expected, out, rtol=0, atol=2e-6)


def test_corner_and_slope(play):
    """-3 dB at the corner, and 6 dB per octave two octaves below it."""
    rate_hz = 48_000
    impulse = np.zeros(2**18, np.float32)
    impulse[0] = 1.0
    response = np.abs(
        np.fft.rfft(play(dc_blocker(rate_hz), np.zeros(0), impulse, [4096]).astype(float))
    )
    hz = np.fft.rfftfreq(2**18, 1.0 / rate_hz)
    at = np.interp(
        [CORNER_HZ, CORNER_HZ / 4, CORNER_HZ / 8, 40.0], hz, 20 * np.log10(response + 1e-30)
    )
    assert abs(at[0] + 3.01) < 0.05
    assert abs((at[1] - at[2]) - 6.02) < 0.3
    assert at[3] > -0.1


def test_removes_an_offset(play):
    """A constant has fallen to -100 dB after half a second."""
    out = play(dc_blocker(48_000), np.zeros(0), np.full(48_000, 0.8, np.float32), [512])
    assert np.max(np.abs(out[24_000:])) < 1e-5


def test_settles_to_an_offset_that_was_always_there():
    """After a warm-up on a constant, the same constant gives silence from the first frame."""
    blocker = dc_blocker(48_000)
    constant = jnp.full(64, 0.8, jnp.float32)
    no_controls = jnp.zeros((0, 64), jnp.float32)
    fresh = blocker.init((), jnp.zeros(0))
    warm, start = blocker.process((), no_controls, fresh, constant)
    assert abs(float(start[0])) > 0.7
    _, out = blocker.process((), no_controls, blocker.settle(warm, fresh), constant)
    assert not np.any(out)
