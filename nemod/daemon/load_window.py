"""The load of the last moment, from the telemetry of the audio process. Thread: control."""

from bisect import bisect_left
from collections import deque
from itertools import accumulate
from typing import NamedTuple

from nemod.engine.ipc import LOAD_BINS, LOAD_BINS_PER_PERIOD, TelemetryRecord

WINDOW_S = 2.0
"""[s] How long a moment is."""


class Load(NamedTuple):
    """The load of a moment in which one rig played."""

    p99: float
    """Share of the period that 99 of 100 blocks do not exceed; rounded down to 5 %."""
    late: int
    """Blocks that began more than a period late."""


class LoadWindow:
    """Adds up the blocks of the last `WINDOW_S`; those of crossfades do not count."""

    def __init__(self) -> None:
        self._records: deque[tuple[float, TelemetryRecord, int]] = deque()
        self._counts = [0] * LOAD_BINS
        self._late = 0
        self._begun_s: float | None = None
        self._last: TelemetryRecord | None = None

    def clear(self) -> None:
        """Forget everything, because something else plays from now on."""
        self._records.clear()
        self._counts = [0] * LOAD_BINS
        self._late = 0
        self._begun_s = self._last = None

    def add(self, record: TelemetryRecord, now_s: float) -> None:
        """Take a record that came at a time [s]."""
        last, self._last = self._last, record
        if last is not None and record.blocks < last.blocks:
            # Another audio process, whose counts start at 0.
            self.clear()
            last, self._last = None, record
        if self._begun_s is None:
            self._begun_s = now_s
        if last is None or not (last.rig_id and record.rig_id):
            return
        late = max(0, record.late - last.late)
        self._records.append((now_s, record, late))
        self._change(record, late, 1)
        while self._records[0][0] <= now_s - WINDOW_S:
            _, old, old_late = self._records.popleft()
            self._change(old, old_late, -1)

    def load(self, now_s: float) -> Load | None:
        """Return the load; None before it has been measured for `WINDOW_S`, or without blocks."""
        total = sum(self._counts)
        if self._begun_s is None or now_s - self._begun_s < WINDOW_S or not total:
            return None
        below = list(accumulate(self._counts))
        place = bisect_left(below, total - total // 100)
        return Load(place / LOAD_BINS_PER_PERIOD, self._late)

    def _change(self, record: TelemetryRecord, late: int, sign: int) -> None:
        self._late += sign * late
        for place, count in enumerate(record.load_counts):
            if count:
                self._counts[place] += sign * count
