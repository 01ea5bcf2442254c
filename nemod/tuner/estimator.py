"""One estimate of the pitch of a single string; none for silence, noise and chords."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nemod.tuner.decimator import BAND_HZ
from nemod.tuner.partials import PartialFinder, String
from nemod.tuner.period import PeriodFinder

SHORT_S, LONG_S = 0.171, 0.341
"""[s] Length of a window: the long one for a note that has sounded long enough to fill it."""
QUIETEST_DBFS = -72.0
"""[dBFS, RMS] Below it is silence: hum and hiss of an instrument that nobody plays."""
CLEAREST = 0.85
"""Smallest clarity of a single string; see `nemod.tuner.period.Period`."""
ALIKE = 2.0 ** (1.0 / 24.0)
"""Two estimates within half a semitone are of the same note."""

Samples = NDArray[np.float64]


class Estimate(NamedTuple):
    """The pitch of a single string."""

    hz: float
    clarity: float


class Estimator:
    """Estimates the pitch at the end of a signal. Not for several threads at once."""

    def __init__(self, rate_hz: float) -> None:
        """`rate_hz`: rate of the signal, as `nemod.tuner.decimator` lowers it."""
        self.frames = round(LONG_S * rate_hz)
        """How much of the signal is looked at."""
        self._short = round(SHORT_S * rate_hz)
        self._period = PeriodFinder(rate_hz, self._short)
        self._of_short = PartialFinder(rate_hz, self._short, BAND_HZ)
        self._of_long = PartialFinder(rate_hz, self.frames, BAND_HZ)

    def estimate(self, signal: Samples, *, is_long: bool) -> Estimate | None:
        """Return the pitch at the end of a signal [self.frames], or None.

        `is_long`: the same note sounds in all of it.
        """
        newest = signal[-self._short :]
        if _dbfs(newest) < QUIETEST_DBFS:
            return None
        period = self._period.find(newest)
        if period is None or period.clarity < CLEAREST:
            return None
        finder, sound = (self._of_long, signal) if is_long else (self._of_short, newest)
        string = finder.find(sound, period.hz)
        if string is None or not _is_single(string) or not 1 / ALIKE < string.hz / period.hz < ALIKE:
            return None
        return Estimate(string.hz, period.clarity)


def _dbfs(sound: Samples) -> float:
    power = float(np.mean((sound - sound.mean()) ** 2))
    return 10.0 * math.log10(max(power, 1e-30))


def _is_single(string: String) -> bool:
    """Whether it can be one string, and not a root and its fifth, with a common longer period."""
    order = np.arange(1, string.amplitudes.size + 1)
    power = string.amplitudes**2
    own = power[(order % 2 != 0) & (order % 3 != 0)].sum()
    return bool(own > 1e-3 * power.sum())
