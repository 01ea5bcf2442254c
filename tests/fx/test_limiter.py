"""Limiter: transparency, ceiling and release."""

import numpy as np
import pytest

from nemod.fx.limiter import RELEASE_S, limiter
from nemod.fx.tools.ceiling import CEILING

RATE_HZ = 48_000.0
NONE = np.zeros(0)


def test_ceiling_is_one_decibel_below_full_scale():
    """-1 dB as an amplitude."""
    assert np.isclose(10.0 ** (-1.0 / 20.0), CEILING, rtol=1e-7)


def test_transparent_below_the_ceiling(play, noise):
    """No bit changes while no sample is above -1 dBFS."""
    quiet = noise / np.max(np.abs(noise)) * np.float32(CEILING)
    quiet = np.clip(quiet, -np.float32(CEILING), np.float32(CEILING))
    assert np.array_equal(quiet, play(limiter(RATE_HZ), NONE, quiet, [64]))


@pytest.mark.parametrize("peak", [0.9, 1.0, 45.0, 1e3, 1e6])
def test_never_above_the_ceiling(play, noise, peak):
    """For any input, no output sample is above -1 dBFS."""
    out = play(limiter(RATE_HZ), NONE, noise * np.float32(peak), [65])
    assert np.max(np.abs(out)) <= np.float32(CEILING)
    assert np.max(np.abs(out)) > 0.8


def test_follows_the_envelope_of_its_definition(play, noise):
    """The gain is ceiling / envelope, computed here in float64, frame by frame."""
    signal = np.concatenate([noise * np.float32(8.0), noise * np.float32(0.1)])
    envelope, expected = 0.0, []
    for sample in signal.astype(np.float64):
        envelope = max(abs(sample), envelope * np.exp(-1.0 / (RELEASE_S * RATE_HZ)))
        expected.append(sample * min(1.0, CEILING / envelope))
    out = play(limiter(RATE_HZ), NONE, signal, [17, 512])
    assert np.allclose(expected, out, rtol=0, atol=2e-5)


def test_recovers_in_its_release_time(play):
    """After a peak of twice the ceiling the gain is 1 again after release * ln 2."""
    signal = np.full(9600, 0.25, np.float32)
    signal[0] = 2.0 * CEILING
    out = play(limiter(RATE_HZ), NONE, signal, [64])
    free = int(np.ceil(RELEASE_S * RATE_HZ * np.log(2.0)))
    assert np.all(out[1 : free - 2] < 0.25)
    assert np.all(out[free + 2 :] == np.float32(0.25))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_hides_no_non_finite_sample(play, bad):
    """A non-finite sample stays non-finite."""
    signal = np.zeros(64, np.float32)
    signal[20] = bad
    out = play(limiter(RATE_HZ), NONE, signal)
    assert not np.isfinite(out[20])
    assert np.array_equal(np.zeros(20, np.float32), out[:20])
