"""The load of the last moment, from the telemetry of the audio process. Thread: control."""

from bisect import bisect_left
from collections import deque
from itertools import accumulate
from typing import NamedTuple

from nemod.engine.ipc import LOAD_BINS, LOAD_BINS_PER_PERIOD, TelemetryRecord

WINDOW_S = 2.0
"""[s] How long a moment is."""
QUARTERS = 4


class Load(NamedTuple):
    """The load of a moment in which one rig played."""

    p99: float
    """Share of the period that 99 of 100 blocks do not exceed; rounded down to 5 %."""
    lasting_p99: float
    """The same is reached in three quarters of the moment: a hiccup touches no more than two."""
    late: int
    """Blocks that began more than a period late."""
    late_quarters: int
    """0..4: in how many quarters of the moment some of them were; a stall touches no more than
    two."""


class LoadWindow:
    """Keeps the telemetry of the last `WINDOW_S`; blocks of crossfades do not count."""

    def __init__(self) -> None:
        self._records: deque[tuple[float, TelemetryRecord, int]] = deque()
        self._begun_s: float | None = None
        self._last: TelemetryRecord | None = None

    def clear(self) -> None:
        """Forget everything, because something else plays from now on."""
        self._records.clear()
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
        self._records.append((now_s, record, max(0, record.late - last.late)))
        while self._records[0][0] <= now_s - WINDOW_S:
            self._records.popleft()

    def load(self, now_s: float) -> Load | None:
        """Return the load; None before it has been measured for `WINDOW_S`, or without blocks."""
        if self._begun_s is None or now_s - self._begun_s < WINDOW_S:
            return None
        quarters = [[0] * LOAD_BINS for _ in range(QUARTERS)]
        late = [0] * QUARTERS
        for at_s, record, late_blocks in self._records:
            age = (now_s - at_s) / WINDOW_S
            quarter = min(int(age * QUARTERS), QUARTERS - 1)
            late[quarter] += late_blocks
            counts = quarters[quarter]
            for place, count in enumerate(record.load_counts):
                counts[place] += count
        if not all(map(sum, quarters)):
            return None
        return Load(
            p99=_p99([sum(counts) for counts in zip(*quarters, strict=True)]),
            lasting_p99=sorted(map(_p99, quarters))[1],
            late=sum(late),
            late_quarters=sum(map(bool, late)),
        )


def _p99(counts: list[int]) -> float:
    below = list(accumulate(counts))
    return bisect_left(below, below[-1] - below[-1] // 100) / LOAD_BINS_PER_PERIOD
