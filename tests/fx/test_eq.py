"""EQ, compared with the formulas of the Audio EQ Cookbook in float64, run by scipy's lfilter."""

from functools import cache

import numpy as np
import pytest
from scipy import signal as dsp

from nemod.fx.eq import BASS_HZ, MID_HZ, MID_Q, TREBLE_HZ, eq

FRAMES = 2**16

bands = cache(eq)


def cookbook(kind: str, corner_hz: float, gain_db: float, rate_hz: float):
    """Return b, a of one band by the formulas of the cookbook (shelves with slope S = 1)."""
    a = 10.0 ** (gain_db / 40.0)
    w = 2.0 * np.pi * corner_hz / rate_hz
    cos, sin = np.cos(w), np.sin(w)
    if kind == "peak":
        alpha = sin / (2.0 * MID_Q)
        return (
            [1 + alpha * a, -2 * cos, 1 - alpha * a],
            [1 + alpha / a, -2 * cos, 1 - alpha / a],
        )
    root = 2.0 * np.sqrt(a) * sin / np.sqrt(2.0)
    sign = 1.0 if kind == "low" else -1.0
    return (
        [
            a * ((a + 1) - sign * (a - 1) * cos + root),
            sign * 2 * a * ((a - 1) - sign * (a + 1) * cos),
            a * ((a + 1) - sign * (a - 1) * cos - root),
        ],
        [
            (a + 1) + sign * (a - 1) * cos + root,
            -sign * 2 * ((a - 1) + sign * (a + 1) * cos),
            (a + 1) + sign * (a - 1) * cos - root,
        ],
    )


def reference(signal, gains_db, rate_hz):
    """Filter by the three bands in series, in float64."""
    out = signal.astype(np.float64)
    rows = zip(("low", "peak", "high"), (BASS_HZ, MID_HZ, TREBLE_HZ), gains_db, strict=True)
    for kind, corner_hz, gain_db in rows:
        b, a = cookbook(kind, corner_hz, gain_db, rate_hz)
        out = dsp.lfilter(b, a, out)
    return out


@pytest.fixture
def level_db(play):
    """Return a function from gains to levels in dB at given frequencies."""

    def measure(gains_db, hz, rate_hz=48_000):
        impulse = np.zeros(FRAMES, np.float32)
        impulse[0] = 1.0
        spectrum = np.fft.rfft(play(bands(rate_hz), gains_db, impulse, [4096]).astype(np.float64))
        axis = np.fft.rfftfreq(FRAMES, 1.0 / rate_hz)
        return np.interp(hz, axis, 20.0 * np.log10(np.abs(spectrum)))

    return measure


@pytest.mark.parametrize("rate_hz", [44_100, 48_000, 96_000])
@pytest.mark.parametrize("gains_db", [(12, -12, 12), (-12, 12, -12), (3, 0, -5), (0, 6, 0)])
def test_is_the_cookbooks_filter(play, noise, gains_db, rate_hz):
    """Sample by sample equal to the biquads of the cookbook."""
    out = play(bands(rate_hz), gains_db, noise, [64])
    expected = reference(noise, gains_db, rate_hz)
    assert np.max(np.abs(expected - out)) < 1e-5 * np.max(np.abs(expected))


def test_flat_at_zero(play, noise):
    """0 dB in every band changes no bit."""
    assert np.array_equal(noise, play(bands(48_000), (0, 0, 0), noise, [64]))


@pytest.mark.parametrize("gain_db", [-12.0, 12.0])
def test_shelves_reach_their_gain_and_half_of_it_at_the_corner(level_db, gain_db):
    """Full gain far inside the shelf, half of it in dB at the corner, none far outside."""
    low = level_db((gain_db, 0, 0), [5.0, BASS_HZ, 10_000.0])
    assert np.allclose([gain_db, gain_db / 2, 0.0], low, atol=0.05)
    high = level_db((0, 0, gain_db), [30.0, TREBLE_HZ, 23_900.0])
    assert np.allclose([0.0, gain_db / 2, gain_db], high, atol=0.05)


@pytest.mark.parametrize("gain_db", [-12.0, 12.0])
def test_peak_has_its_gain_in_the_middle_and_its_width(level_db, gain_db):
    """Full gain at the centre; half of it in dB at the edges of the bandwidth given by Q."""
    # Cookbook: 1/Q = 2 sinh(ln(2)/2 * octaves * w/sin(w)), between the midpoint (dB / 2) gains.
    w = 2.0 * np.pi * MID_HZ / 48_000
    octaves = np.arcsinh(0.5 / MID_Q) * 2.0 / np.log(2.0) * np.sin(w) / w
    edges = [MID_HZ * 2.0 ** (-octaves / 2), MID_HZ, MID_HZ * 2.0 ** (octaves / 2)]
    level = level_db((0, gain_db, 0), [10.0, *edges, 23_000.0])
    expected = [0.0, gain_db / 2, gain_db, gain_db / 2, 0.0]
    assert np.allclose(expected, level, atol=0.06)


def test_fast_moving_gains_stay_bounded(play):
    """Gains that jump between their limits at every frame do not make it unstable."""
    rng = np.random.default_rng(3)
    signal = rng.uniform(-1, 1, FRAMES).astype(np.float32)
    controls = rng.choice([-12.0, 12.0], (3, FRAMES)).astype(np.float32)
    out = play(bands(48_000), controls, signal, [4096])
    # All three bands at +12 dB have a gain of 64 at most where they overlap.
    assert np.max(np.abs(out)) < 64.0
