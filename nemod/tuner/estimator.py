"""One estimate of the pitch of a single string; none for silence, noise and chords."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nemod.tuner.decimator import BAND_HZ
from nemod.tuner.partials import PartialFinder, String
from nemod.tuner.period import LOWEST_HZ, Period, PeriodFinder

SHORT_S, LONG_S = 0.171, 0.341
"""[s] Length of a window: the long one for a note that has sounded long enough to fill it."""
QUIETEST_DBFS = -72.0
"""[dBFS, RMS] Below it is silence: hum and hiss of an instrument that nobody plays."""
CLEAREST = 0.85
"""Smallest clarity of a single string; see `nemod.tuner.period.Period`."""
ALIKE = 2.0 ** (1.0 / 24.0)
"""Two estimates within half a semitone are of the same note."""
FIRST_DB, ODD_DB = -30.0, -40.0
"""Level of the first partial, or of the third and the fifth, relative to the strongest: a string
has either."""
OWN = 0.01
"""Share of the partials 1, 5, 7 and 11 in the power: not multiples of 2 or 3."""
OWN_OF_LONGER = 1e-3
"""Share of the partials in the power that only the longer of two possible periods has."""
MISFIT_CENTS = 9.0
"""Largest distance of a string's partials from where they should be, weighted by their power."""

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
        string = self._longer(finder, sound, period) or finder.find(sound, period.hz)
        if string is None or not _is_single(string):
            return None
        return Estimate(string.hz, period.clarity)

    def _longer(self, finder: PartialFinder, sound: Samples, period: Period) -> String | None:
        """Return the string of a multiple of the period, where it has partials of its own."""
        if period.multiple < 2 or period.hz / period.multiple < LOWEST_HZ:
            return None
        string = finder.find(sound, period.hz / period.multiple)
        if string is None:
            return None
        power = string.amplitudes**2
        own = power[np.arange(1, power.size + 1) % period.multiple != 0].sum()
        return string if own > OWN_OF_LONGER * power.sum() else None


def _dbfs(sound: Samples) -> float:
    power = float(np.mean((sound - sound.mean()) ** 2))
    return 10.0 * math.log10(max(power, 1e-30))


def _is_single(string: String) -> bool:
    """Whether the partials can be those of one string.

    A chord has a common longer period, too, but not all of its multiples are there (a root and its
    fifth have the second and the third), or they do not fit a string.
    """
    power = string.amplitudes**2
    levels = 10.0 * np.log10(power / power.max() + 1e-12)
    has_first = levels[0] > FIRST_DB
    has_odd = levels[2] > ODD_DB and levels[4] > ODD_DB
    number = np.arange(1, power.size + 1)
    own = power[(number % 2 != 0) & (number % 3 != 0)].sum()
    misfit = math.sqrt(float(power @ string.errors**2 / power.sum()))
    return bool((has_first or has_odd) and own > OWN * power.sum() and misfit < MISFIT_CENTS)
