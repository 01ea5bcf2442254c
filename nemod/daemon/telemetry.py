"""Counts and timings from the audio process, added up over restarts. Thread: control."""

import time
from collections import deque
from typing import Literal

import structlog

from nemod.common.units import amplitude_to_db
from nemod.control.events import EventStream, Meters
from nemod.engine.ipc import TelemetryRecord

METER_HOLD_S = 0.2
"""[s] A meter shows the highest peak of this long, so that a query resets nothing for others."""

Count = Literal["clips", "xruns", "late", "recording_lost"]

log = structlog.get_logger("nemod")


class Telemetry:
    """Meters and counts. The counts of each audio process start at 0; these go on."""

    def __init__(self, events: EventStream | None = None) -> None:
        """`events` gets the meters with every record, where somebody listens."""
        self.load_peak = 0.0
        self._events = events or EventStream()
        self._record: TelemetryRecord | None = None
        self._before: dict[Count, int] = {"clips": 0, "xruns": 0, "late": 0, "recording_lost": 0}
        self._peaks: deque[tuple[float, float, float]] = deque()
        self._clips_at_reset = 0
        self._faults_logged = 0

    def add(self, record: TelemetryRecord) -> None:
        """Take a record of the audio process."""
        self._record = record
        now = time.monotonic()
        self._peaks.append((now, record.peak_in, record.peak_out))
        while self._peaks[0][0] < now - METER_HOLD_S:
            self._peaks.popleft()
        self.load_peak = max(self.load_peak, record.load_peak)
        if record.faults > self._faults_logged:
            log.warning("blocks muted because of samples that are not finite", count=record.faults)
            self._faults_logged = record.faults
        if self._events.is_wanted(Meters):
            self._events.publish(self.meters())

    def new_process(self) -> None:
        """Expect the next record from another audio process, whose counts start at 0."""
        for name in self._before:
            self._before[name] = self.total(name)
        self._record = None
        self._peaks.clear()
        self._faults_logged = 0

    def total(self, name: Count) -> int:
        """Return a count since the daemon started."""
        now: int = getattr(self._record, name) if self._record else 0
        return self._before[name] + now

    @property
    def load(self) -> float:
        """DSP load: mean share of the period, 0..1."""
        return self._record.load if self._record else 0.0

    def meters(self) -> Meters:
        """Return the peaks of the last `METER_HOLD_S` and the clips since the last reset."""
        oldest = time.monotonic() - METER_HOLD_S
        recent = [peaks for peaks in self._peaks if peaks[0] >= oldest]
        return Meters(
            in_dbfs=amplitude_to_db(max((peak for _, peak, _ in recent), default=0.0)),
            out_dbfs=amplitude_to_db(max((peak for _, _, peak in recent), default=0.0)),
            clips=self.total("clips") - self._clips_at_reset,
        )

    def reset(self) -> None:
        """Set the count of clipped blocks and the peak load to zero."""
        self._clips_at_reset = self.total("clips")
        self.load_peak = 0.0
