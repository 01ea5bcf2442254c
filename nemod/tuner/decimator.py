"""The signal at a lower sample rate: all that a tuner needs is below 4.4 kHz."""

import numpy as np
from numpy.typing import NDArray

LOWEST_RATE_HZ = 11_000
"""[Hz] The lowered rate is at least this, where the device's is."""
BAND_HZ = 4_400.0
"""[Hz] Up to here the signal is unchanged; what is folded back lies above."""
ATTENUATION_DB = 70.0

Samples = NDArray[np.float64]


class Decimator:
    """Lowers the sample rate of a stream by a whole factor, with a linear-phase filter."""

    def __init__(self, rate_hz: float) -> None:
        """`rate_hz`: rate of the device, any."""
        self.factor = max(1, int(rate_hz // LOWEST_RATE_HZ))
        self.rate_hz = rate_hz / self.factor
        self._taps = _low_pass(rate_hz, self.rate_hz) if self.factor > 1 else np.ones(1)
        self._waiting = np.zeros(self._taps.size - 1)

    def reset(self) -> None:
        """Forget what came before."""
        self._waiting = np.zeros(self._taps.size - 1)

    def push(self, samples: NDArray[np.float32] | Samples) -> Samples:
        """Return the next samples [about frames / factor] at the lower rate.

        They are delayed by half the filter, 1 ms.
        """
        given = np.concatenate([self._waiting, samples.astype(np.float64)])
        count = (given.size - self._taps.size) // self.factor + 1
        if count <= 0:
            self._waiting = given
            return np.zeros(0)
        self._waiting = given[count * self.factor :]
        # Only the samples that are kept are computed.
        windows = np.lib.stride_tricks.sliding_window_view(given, self._taps.size)
        made: Samples = windows[: count * self.factor : self.factor] @ self._taps
        return made


def _low_pass(rate_hz: float, lowered_hz: float) -> Samples:
    """Return the taps of a low-pass filter: a sinc in a Kaiser window (Kaiser 1974)."""
    width = 2.0 * np.pi * (lowered_hz - 2.0 * BAND_HZ) / rate_hz
    half = int(np.ceil((ATTENUATION_DB - 7.95) / (2.285 * width) / 2.0))
    beta = 0.1102 * (ATTENUATION_DB - 8.7)
    place = np.arange(-half, half + 1)
    taps: Samples = np.sinc(place * lowered_hz / rate_hz) * np.kaiser(place.size, beta)
    taps /= taps.sum()
    return taps
