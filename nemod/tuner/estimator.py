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
"""Level of the first partial, or of the third, fifth and seventh, relative to the strongest: a
string has either."""
OWN = 0.005
"""Share of the partials 1, 5, 7 and 11 in the power: not multiples of 2 or 3."""
OWN_OF_LONGER = 5e-3
"""Share of the partials in the power that only the longer of two possible periods has."""
MISFIT_CENTS = 9.0
"""Largest distance of a string's partials from where they should be, weighted by their power."""
NEAR = 2.0 ** (25.0 / 1200.0)
"""The partials and the period of a single string have the same pitch to within 25 cents."""

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
        string = _longer(finder, sound, period) or _string(finder, sound, period.hz)
        if string is None:
            return None
        return Estimate(string.hz, period.clarity)


def _string(finder: PartialFinder, sound: Samples, hz: float) -> String | None:
    """Return the string in a sound whose pitch is about `hz`, if it is a single one."""
    string = finder.find(sound, hz)
    if string is None or not 1.0 / NEAR < string.hz / hz < NEAR:
        return None
    return string if _is_single(string) else None


def _longer(finder: PartialFinder, sound: Samples, period: Period) -> String | None:
    """Return the string of two or three periods, where it has partials of its own."""
    factor = next((n for n in (2, 3) if period.multiple % n == 0), 0)
    if not factor or period.hz / factor < LOWEST_HZ:
        return None
    string = _string(finder, sound, period.hz / factor)
    if string is None:
        return None
    power = string.amplitudes**2
    own = np.where(np.arange(1, power.size + 1) % factor != 0, power, 0.0)
    if own.sum() < OWN_OF_LONGER * power.sum():
        return None
    return string if _misfit(string, own) < MISFIT_CENTS else None


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
    has_odd = bool((levels[[2, 4, 6]] > ODD_DB).all())
    number = np.arange(1, power.size + 1)
    own = power[(number % 2 != 0) & (number % 3 != 0)].sum()
    is_whole = has_first or has_odd
    fits = _misfit(string, power) < MISFIT_CENTS
    return bool(is_whole and own > OWN * power.sum() and fits)


def _misfit(string: String, weights: Samples) -> float:
    """Return how far [cents] the partials are from where they should be, weighted."""
    return math.sqrt(float(weights @ string.errors**2 / weights.sum()))
