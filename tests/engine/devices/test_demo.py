"""The demo's guitar: pitch by Fourier analysis, and a phrase that can be looped."""

import numpy as np
import pytest
from numpy.typing import NDArray

from nemod.engine.devices.demo import LEAD_IN_S, PEAK, phrase, pluck

RATE_HZ = 48_000


def pitch(sound: NDArray[np.float64], near_hz: float, rate_hz: int) -> float:
    """Return the frequency [Hz] of the strongest peak within a semitone of `near_hz`.

    The second after the attack, Blackman window, eightfold zero padding, and the parabola through
    the logarithms of the three highest bins (a Blackman peak is nearly a Gaussian).
    """
    tone = sound[rate_hz // 10 : rate_hz // 10 + rate_hz]
    size = 8 * tone.size
    spectrum = np.abs(np.fft.rfft(tone * np.blackman(tone.size), size))
    bins = np.arange(spectrum.size)
    inside = np.abs(np.log2(np.maximum(bins, 1) * rate_hz / size / near_hz)) < 1 / 12
    top = int(np.argmax(np.where(inside, spectrum, 0.0)))
    left, middle, right = np.log(spectrum[top - 1 : top + 2])
    offset = 0.5 * (left - right) / (left - 2.0 * middle + right)
    return (top + offset) * rate_hz / size


# The open strings, and the highest note of the phrase.
@pytest.mark.parametrize("note", [40, 45, 50, 55, 59, 64])
@pytest.mark.parametrize("rate_hz", [44_100, 96_000])
def test_a_string_is_in_tune(note: int, rate_hz: int) -> None:
    """Within three cents of equal temperament, which is less than a tuner shows as off."""
    expected = 440.0 * 2.0 ** ((note - 69) / 12.0)
    sound = pluck(expected, 1.2, rate_hz, np.random.default_rng(note))
    cents = 1200.0 * np.log2(pitch(sound, expected, rate_hz) / expected)
    assert abs(cents) < 3.0


def test_a_string_decays() -> None:
    """Each quarter second is softer than the one before, and the treble decays first."""
    sound = pluck(110.0, 2.0, RATE_HZ, np.random.default_rng(0))
    parts = sound.reshape(8, -1)
    levels = np.sqrt((parts**2).mean(axis=1))
    assert (np.diff(levels) < 0.0).all()
    spectra = np.abs(np.fft.rfft(parts, axis=1)) ** 2
    treble = spectra[:, 500:].sum(axis=1) / spectra.sum(axis=1)  # above 2 kHz
    assert treble[4] < 0.25 * treble[0]


def test_a_string_has_the_length_and_the_peak_that_were_asked_for() -> None:
    """Frames, and about full scale at the attack."""
    sound = pluck(82.4, 0.5, RATE_HZ, np.random.default_rng(0))
    assert sound.shape == (24_000,)
    assert np.abs(sound[:2400]).max() == pytest.approx(1.0, abs=0.01)
    assert np.abs(sound).max() <= 1.01


@pytest.fixture(scope="module")
def demo() -> NDArray[np.float32]:
    return phrase(RATE_HZ)


def test_the_phrase_is_two_bars_at_the_level_of_a_pickup(demo: NDArray[np.float32]) -> None:
    """Eight beats at 96 a minute, float32, finite."""
    assert demo.shape == (RATE_HZ * 5,)
    assert demo.dtype == np.float32
    assert np.isfinite(demo).all()
    assert np.abs(demo).max() == pytest.approx(PEAK, rel=1e-6)
    assert abs(demo.mean()) < 1e-3


def test_the_phrase_can_be_looped(demo: NDArray[np.float32]) -> None:
    """It is silent where it begins and ends, and for the most part it is not."""
    assert (demo[0], demo[-1]) == (0.0, 0.0)
    assert np.abs(demo[:100]).max() < 1e-3
    assert np.abs(demo[-100:]).max() < 1e-3
    lead_in = round(LEAD_IN_S * RATE_HZ)
    first = int(np.argmax(np.abs(demo) > 0.25 * PEAK))
    assert lead_in <= first < lead_in + RATE_HZ // 100
    loud = np.sqrt((demo.reshape(-1, RATE_HZ // 10) ** 2).mean(axis=1)) > 0.01
    assert loud.mean() > 0.9


def test_the_phrase_is_the_same_every_time(demo: NDArray[np.float32]) -> None:
    """And another one with another seed."""
    np.testing.assert_array_equal(phrase(RATE_HZ), demo)
    assert not np.array_equal(phrase(RATE_HZ, seed=1), demo)
