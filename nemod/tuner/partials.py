"""The partials of a string: their frequencies, and the string that they belong to.

The partials of a stiff string are sharper than multiples of the first: `f_n = n f sqrt(1 + B n^2)`
(Fletcher 1964), with `B` from 1e-5 (thin, long) to 1e-3 (thick, short). What is called the pitch
here is the frequency of the first partial, `f sqrt(1 + B)`, as given by all partials together.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

MAX_PARTIALS = 12
FAINTEST = 1e-3
"""Amplitude of the faintest partial that counts, relative to the strongest."""
FAINTEST_NOISE = 5.0
"""Amplitude of the faintest partial that counts, relative to the noise."""
FIFTH = 0.67
"""A fifth of the bins of noise are below this, relative to its standard deviation (Rayleigh)."""
STIFFEST = 5e-3
"""Largest inharmonicity `B`."""
REACH = 0.12
"""A partial is looked for this far from where it is expected, in parts of the pitch."""
FASTEST_CHANGE = 60.0
"""[1/s] A peak that decays or grows faster is noise."""
MODEL_CENTS = 0.5
"""[cents] How far the strongest partial of a real string is from that of the model, whatever the
noise. Fainter ones are further away, by the root of their amplitudes: hum, other strings and what
couples at the bridge move them."""
OUTLIER_CENTS = 4.0

_CENTS = 1200.0 / np.log(2.0)
_BLACKMAN_HARRIS = (0.35875, -0.48829, 0.14128, -0.01168)

Samples = NDArray[np.float64]


class String(NamedTuple):
    """What the partials say of a string."""

    hz: float
    """Frequency of the first partial."""
    stiffness: float
    """The inharmonicity `B`."""
    frequencies: Samples
    """[partials, Hz] 0 where there is none."""
    amplitudes: Samples
    """[partials] 0 where there is none."""
    errors: Samples
    """[partials, cents] How far each is from where it should be; 0 where there is none."""


class PartialFinder:
    """Finds the partials in windows of one length.

    The frequency of each is found by the derivative of the short-time spectrum (Auger and Flandrin,
    "Improving the readability of time-frequency and time-scale representations by the reassignment
    method", 1995), which is exact for a partial that decays exponentially.
    """

    def __init__(self, rate_hz: float, frames: int, highest_hz: float) -> None:
        """`frames`: length of the windows, at least 5 of the longest periods."""
        self._frames = frames
        self._size = 1 << frames.bit_length()
        self._bin_hz = rate_hz / self._size
        self._highest = int(highest_hz / self._bin_hz)
        self._seconds = frames / rate_hz
        # Sampled between the ends, around the middle: the phase then refers to the middle.
        phase = 2.0 * np.pi * (np.arange(frames) + 0.5) / frames
        waves = list(enumerate(_BLACKMAN_HARRIS))
        self._window = np.sum([a * np.cos(k * phase) for k, a in waves], axis=0)
        slope = np.sum([-a * k * np.sin(k * phase) for k, a in waves], axis=0)
        self._slope = slope * 2.0 * np.pi / self._seconds

    def find(self, sound: Samples, hz: float) -> String | None:
        """Return the string in a sound [frames] whose pitch is about `hz`."""
        spectra = np.fft.rfft(np.stack([sound * self._window, sound * self._slope]), self._size)
        spectra = spectra[:, : self._highest]
        levels = np.abs(spectra[0])
        # The level that a fifth of the bins are below: it lies between and above the partials.
        noise = float(np.partition(levels, levels.size // 5)[levels.size // 5]) / FIFTH
        frequencies, amplitudes = self._search(spectra, levels, hz, FAINTEST_NOISE * noise)
        found = amplitudes > 0.0
        if not found.any():
            return None
        deviation = self._deviation(frequencies, amplitudes, noise)
        pitch, stiffness = _fit(frequencies, deviation, found)
        errors = _errors(frequencies, found, pitch, stiffness)
        kept = found & (np.abs(errors) < np.maximum(OUTLIER_CENTS, 3.0 * deviation))
        if kept.sum() > 2:
            pitch, stiffness = _fit(frequencies, deviation, kept)
            errors = _errors(frequencies, found, pitch, stiffness)
        return String(pitch, stiffness, frequencies, amplitudes, errors)

    def _search(
        self, spectra: NDArray[np.complex128], levels: Samples, hz: float, faintest: float
    ) -> tuple[Samples, Samples]:
        """Return frequencies and amplitudes [partials] of the partials."""
        frequencies, amplitudes = np.zeros(MAX_PARTIALS), np.zeros(MAX_PARTIALS)
        faintest = max(faintest, FAINTEST * float(levels.max()))
        expected, spacing = hz, hz
        for index in range(MAX_PARTIALS):
            low = int((expected - REACH * hz) / self._bin_hz)
            high = int((expected + REACH * hz) / self._bin_hz) + 2
            if high >= levels.size:
                break
            at = low + int(np.argmax(levels[low:high]))
            level = float(levels[at])
            if level > faintest and at > 0 and levels[at - 1] <= level >= levels[at + 1]:
                change = -spectra[1, at] / spectra[0, at]
                found = at * self._bin_hz + change.imag / (2.0 * np.pi)
                if (
                    abs(found - expected) < 1.5 * REACH * hz
                    and abs(found - at * self._bin_hz) < 2.0 * self._bin_hz
                    and abs(change.real) < FASTEST_CHANGE
                ):
                    frequencies[index], amplitudes[index] = found, level
                    spacing = max(found / (index + 1), spacing)
                    expected = found
            # Each partial is a little further away than a multiple of the first.
            expected += spacing
        return frequencies, amplitudes

    def _deviation(self, frequencies: Samples, amplitudes: Samples, noise: float) -> Samples:
        """Return how far [cents] each frequency may be from that of the model."""
        found = amplitudes > 0.0
        ratio = noise / np.where(found, amplitudes, 1.0)
        by_noise = ratio / self._seconds / np.where(found, frequencies, 1.0) * _CENTS
        by_model = MODEL_CENTS * np.sqrt(amplitudes.max() / np.where(found, amplitudes, 1.0))
        deviation: Samples = np.hypot(by_model, by_noise)
        return deviation


def _fit(frequencies: Samples, deviation: Samples, used: NDArray[np.bool_]) -> tuple[float, float]:
    """Return pitch and stiffness of the string with these partials, by weighted least squares."""
    order = np.flatnonzero(used) + 1.0
    squares = (frequencies[used] / order) ** 2
    weights = 1.0 / deviation[used] ** 2
    weights /= weights.sum()
    x = order**2
    mean_x, mean_y = weights @ x, weights @ squares
    spread = weights @ (x - mean_x) ** 2
    slope = float(weights @ ((x - mean_x) * (squares - mean_y)) / spread) if spread > 0.0 else 0.0
    slope = min(max(slope, 0.0), STIFFEST * float(mean_y))
    base = float(mean_y - slope * mean_x)
    return float(np.sqrt(base + slope)), slope / base


def _errors(
    frequencies: Samples, found: NDArray[np.bool_], pitch: float, stiffness: float
) -> Samples:
    """Return how far [cents] each partial is from that of a string; 0 where none was found."""
    number = np.arange(1, frequencies.size + 1)
    model = number * pitch * np.sqrt((1.0 + stiffness * number**2) / (1.0 + stiffness))
    errors: Samples = np.log(np.where(found, frequencies, model) / model) * _CENTS
    return errors
