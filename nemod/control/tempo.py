"""Tap tempo: from the times of taps to beats per minute. Thread: control."""

import statistics
import time
from collections import deque
from collections.abc import Callable

from nemod.control.control_vector import TEMPO
from nemod.control.events import Source
from nemod.parameters.table import param

INTERVALS = 4
"""The tempo is the median of this many intervals: one uneven tap does not change it."""
_BOUNCE_S = 0.05
"""[s] A tap so soon after another is a switch that bounces, or a message that came twice."""
_NEW_TEMPO = 1.5
"""An interval that differs from the median by more than this ratio begins a new tempo."""


class TapTempo:
    """Sets the tempo by tapping it."""

    def __init__(
        self,
        set_value: Callable[[str, float, Source], object],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`set_value(path, value, source)` sets a parameter in its unit."""
        self._set_value = set_value
        self._clock = clock
        self._last_s: float | None = None
        self._intervals: deque[float] = deque(maxlen=INTERVALS)

    def tap(self, source: Source, time_s: float | None = None) -> None:
        """Take a tap; from the second one on the tempo is set.

        `time_s`: when it was tapped, on the monotonic clock; None is now. A pause longer than a
        beat of the slowest tempo begins anew.
        """
        now = self._clock() if time_s is None else time_s
        last, row = self._last_s, param(TEMPO)
        if last is not None and now - last < _BOUNCE_S:
            return
        self._last_s = now
        if last is None or now - last > 60.0 / row.low:
            self._intervals.clear()
            return
        interval = now - last
        if self._intervals:
            ratio = interval / statistics.median(self._intervals)
            if not 1.0 / _NEW_TEMPO < ratio < _NEW_TEMPO:
                self._intervals.clear()
        self._intervals.append(interval)
        self._set_value(TEMPO, 60.0 / statistics.median(self._intervals), source)
