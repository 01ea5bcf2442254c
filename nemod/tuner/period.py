"""The period of a sound, by its autocorrelation."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

HIGHEST_HZ = 1_450.0
LOWEST_HZ = 28.0
"""[Hz] Range of periods that are looked for; a note beyond it has no reading."""
FIRST_PEAK = 0.9
"""The period is usually the first peak of the autocorrelation that is this high, relative to the
highest one (McLeod and Wyvill 2005, there `k`): all multiples of a period are periods, too."""
OVERSAMPLED = 4
"""Points of the autocorrelation per sample, so that no peak lies between two points."""
SOFT_HZ = 500.0
"""[Hz] Partials above are weighted less: those of a stiff string are not multiples of the first."""

Samples = NDArray[np.float64]


class Period(NamedTuple):
    """The period of a piece of sound."""

    hz: float
    """Its inverse: the pitch to within some cents, as the partials are not exact multiples."""
    multiple: int
    """This many periods are still more alike than one: they may be the true period, where the odd
    partials are faint. 1 where they are not."""
    clarity: float
    """How alike two periods are, 0..1: 1 without noise and with exact multiples."""


class PeriodFinder:
    """Finds the period of windows of one length.

    After Boersma, "Accurate short-term analysis of the fundamental frequency and the
    harmonics-to-noise ratio of a sampled sound", 1993: the autocorrelation of the windowed sound,
    divided by that of the window. It is interpolated exactly, by a longer inverse transform.
    """

    def __init__(self, rate_hz: float, frames: int) -> None:
        """`frames`: length of the windows, at least 3 of the longest periods."""
        self._rate_hz = rate_hz
        self._window = np.hanning(frames + 2)[1:-1]
        longest = int(rate_hz / LOWEST_HZ) + 2
        self._size = 1 << (frames + longest - 1).bit_length()
        hertz = np.fft.rfftfreq(self._size, 1.0 / rate_hz)
        soft = 1.0 / (1.0 + (hertz / SOFT_HZ) ** 2)
        self._weights = soft / (1.0 + (0.5 * LOWEST_HZ / np.maximum(hertz, 1.0)) ** 8)
        self._first = int(OVERSAMPLED * rate_hz / HIGHEST_HZ)
        self._last = OVERSAMPLED * longest
        self._of_window = self._correlation(np.abs(np.fft.rfft(self._window, self._size)) ** 2)

    def _correlation(self, power: Samples) -> Samples:
        """Return the autocorrelation [lags], 1 at lag 0, of a power spectrum."""
        lags = np.fft.irfft(power, OVERSAMPLED * self._size)[: self._last]
        correlation: Samples = lags / max(lags[0], 1e-300)
        return correlation

    def find(self, sound: Samples) -> Period | None:
        """Return the period of a sound [frames]; None where it has none."""
        spectrum = np.fft.rfft((sound - sound.mean()) * self._window, self._size)
        power = (spectrum.real**2 + spectrum.imag**2) * self._weights
        likeness = self._correlation(power) / self._of_window
        part = likeness[self._first - 1 :]
        is_peak = (part[1:-1] > part[:-2]) & (part[1:-1] >= part[2:])
        peaks = np.flatnonzero(is_peak) + self._first
        if not peaks.size:
            return None
        heights = likeness[peaks]
        highest = float(heights.max())
        if highest <= 0.0:
            return None
        at = int(peaks[np.argmax(heights >= FIRST_PEAK * highest)])
        before, here, after = likeness[at - 1 : at + 2]
        curvature = before - 2.0 * here + after
        offset = 0.5 * (before - after) / curvature if curvature < 0.0 else 0.0
        lag = at + offset
        multiple = round(float(peaks[np.argmax(heights)]) / lag)
        return Period(OVERSAMPLED * self._rate_hz / lag, multiple, min(float(here), 1.0))
