"""What the audio plane has told, added up over all that have played. Thread: control."""

import time
from collections import deque
from collections.abc import Mapping

import structlog

from nemod.common.units import amplitude_to_db
from nemod.engine.ipc import TelemetryRecord

METER_HOLD_S = 0.2
"""[s] A meter shows the highest sample of this long; asking does not take it from others."""

log = structlog.get_logger("nemod")


class Telemetry:
    """Meters and counts. The counts of an audio plane begin at 0; these go on."""

    def __init__(self) -> None:
        self.load_peak = 0.0
        self._report: TelemetryRecord | None = None
        self._before = dict.fromkeys(("clips", "late", "xruns", "tape_lost"), 0)
        self._peaks: deque[tuple[float, float, float]] = deque()
        self._clips_forgotten = 0
        self._faults_told = 0

    def add(self, report: TelemetryRecord) -> None:
        """Take a report."""
        self._report = report
        now = time.monotonic()
        self._peaks.append((now, report.peak_in, report.peak_out))
        while self._peaks[0][0] < now - METER_HOLD_S:
            self._peaks.popleft()
        self.load_peak = max(self.load_peak, report.load_peak)
        if report.faults > self._faults_told:
            log.warning("muted blocks with samples that are not finite", count=report.faults)
            self._faults_told = report.faults

    def begin_again(self) -> None:
        """Hear that the next report comes from another process."""
        for name in self._before:
            self._before[name] = self.total(name)
        self._report = None
        self._peaks.clear()
        self._faults_told = 0

    def total(self, name: str) -> int:
        """Return a count since the daemon began: `clips`, `late`, `xruns` or `tape_lost`."""
        return self._before[name] + (getattr(self._report, name) if self._report else 0)

    @property
    def load(self) -> float:
        """Mean share of the period, 0..1."""
        return self._report.load if self._report else 0.0

    def meters(self) -> Mapping[str, float | int]:
        """Peaks [dBFS] of the last `METER_HOLD_S`, and the count of limited blocks."""
        oldest = time.monotonic() - METER_HOLD_S
        recent = [peaks for peaks in self._peaks if peaks[0] >= oldest]
        return {
            "in": amplitude_to_db(max((peak for _, peak, _ in recent), default=0.0)),
            "out": amplitude_to_db(max((peak for _, _, peak in recent), default=0.0)),
            "clip": self.total("clips") - self._clips_forgotten,
        }

    def reset(self) -> None:
        """Forget the clips and the highest load."""
        self._clips_forgotten = self.total("clips")
        self.load_peak = 0.0
