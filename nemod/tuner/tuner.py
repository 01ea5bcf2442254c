"""What a tuner's display shows: the note, how far from it the string is, and its frequency."""

import math
from collections import deque
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nemod.tuner.decimator import Decimator
from nemod.tuner.estimator import ALIKE, Estimator
from nemod.tuner.notes import note_name, note_number

HOP_S = 0.05
"""[s] Of signal between two readings."""
CONFIRMED = 2
"""Estimates in a row of the same note before it is shown."""
HELD = 4
"""Estimates in a row without a pitch before the display goes empty."""
LONG_AFTER = 7
"""Estimates in a row of the same note after which it fills the long window, its onset included."""
ONSET = 2.0
"""A level that rises by this factor from one hop to the next is a note that was struck."""
SLOWEST = 0.35
"""Share of the newest estimate in the frequency that is shown, once a note is steady."""
MOVING_CENTS = 15.0
"""An estimate that is this far from what is shown is shown at once: the string is being tuned."""
OVERTONE_HELD = 12
"""Estimates in a row that may be an overtone of the note that is shown, without being struck: its
first partial has faded sooner than the second, or another string sounds along."""
HYSTERESIS_CENTS = 5.0
"""How far beyond the middle between two notes the name changes."""


class Reading(NamedTuple):
    """What the display shows."""

    note: str
    """Name with octave, as `E2`; empty where no single string is heard."""
    cents: float
    """-50..50: how far the string is above the note."""
    hz: float
    """Frequency of the string; 0 where none is heard."""


EMPTY = Reading("", 0.0, 0.0)


class Tuner:
    """Reads the pitch of a signal twenty times a second. Not for several threads at once.

    The first reading of a note comes after two estimates of it: 0.15 to 0.25 s after it was struck.
    """

    def __init__(self, rate_hz: float, reference_hz: float = 440.0) -> None:
        """`rate_hz`: rate of the device. `reference_hz`: frequency of A4, 400..480 Hz."""
        self.reference_hz = reference_hz
        self.reading = EMPTY
        """The last reading."""
        self._decimator = Decimator(rate_hz)
        self._estimator = Estimator(self._decimator.rate_hz)
        self._hop = round(HOP_S * self._decimator.rate_hz)
        self._signal = np.zeros(self._estimator.frames)
        self._new = np.zeros(0)
        self._level = 0.0
        self._alike = 0
        self._missing = 0
        self._overtones = 0
        self._last_hz = 0.0
        self._recent: deque[float] = deque(maxlen=3)
        self._shown = 0.0
        self._note = -1

    def push(self, samples: NDArray[np.float32] | NDArray[np.float64]) -> Reading | None:
        """Take the next samples [frames]; return the reading when there is a new one.

        Of samples that come late, more than a window at once, only the newest are looked at.
        """
        self._new = np.concatenate([self._new, self._decimator.push(samples)])
        excess = self._new.size - self._signal.size
        if excess > 0:
            self._new = self._new[excess:]
        is_new = False
        while self._new.size >= self._hop:
            hop, self._new = self._new[: self._hop], self._new[self._hop :]
            self._signal = np.concatenate([self._signal[self._hop :], hop])
            self._read(hop)
            is_new = True
        return self.reading if is_new else None

    def _read(self, hop: NDArray[np.float64]) -> None:
        level = float(np.sqrt(np.mean(hop**2)))
        if level > ONSET * self._level:
            self._alike = min(self._alike, CONFIRMED - 1)
            self._overtones = OVERTONE_HELD
        self._level = level
        estimate = self._estimator.estimate(self._signal, is_long=self._alike >= LONG_AFTER)
        if estimate is None:
            self._miss()
            return
        self._missing = 0
        if self._is_overtone(estimate.hz):
            self._overtones += 1
            if self._overtones <= OVERTONE_HELD:
                return
        else:
            self._overtones = 0
        is_alike = self._last_hz > 0.0 and 1.0 / ALIKE < estimate.hz / self._last_hz < ALIKE
        self._alike = self._alike + 1 if is_alike else 1
        self._last_hz = estimate.hz
        if not is_alike:
            self._recent.clear()
        self._recent.append(math.log2(estimate.hz))
        if self._alike >= CONFIRMED:
            self._show(is_other=self._shown == 0.0)

    def _is_overtone(self, hz: float) -> bool:
        """Whether a frequency is twice or three times the one that is shown."""
        ratio = hz / 2.0**self._shown if self._shown else 0.0
        return any(1.0 / ALIKE < ratio / number < ALIKE for number in (2, 3))

    def _miss(self) -> None:
        self._alike = 0
        self._missing += 1
        if self._missing >= HELD:
            self._recent.clear()
            self._last_hz = self._shown = 0.0
            self._note = -1
            self.reading = EMPTY

    def _show(self, *, is_other: bool) -> None:
        newest = sorted(self._recent)[len(self._recent) // 2]
        off_cents = 1200.0 * abs(newest - self._shown)
        if is_other or off_cents > MOVING_CENTS:
            self._shown = newest
        else:
            share = max(SLOWEST, 1.0 / self._alike)
            self._shown += share * (newest - self._shown)
        hz = 2.0**self._shown
        at = note_number(hz, self.reference_hz)
        if self._note < 0 or abs(at - self._note) > 0.5 + HYSTERESIS_CENTS / 100.0:
            self._note = round(at)
        cents = min(max(100.0 * (at - self._note), -50.0), 50.0)
        self.reading = Reading(note_name(self._note), cents, hz)
