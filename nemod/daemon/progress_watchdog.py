"""How long to wait for a process that works: as long as it makes progress.

A compilation takes a second here and a minute there, so a fixed limit is either too short or of no
use. A process that uses processor time works; one that was stopped, or sleeps for long, hangs.
"""

import time
from collections.abc import Callable

from nemod.common.procinfo import ProcessInfo, process_info

STOPPED_S = 1.0
"""[s] How long a process may be stopped by a signal."""
IDLE_S = 10.0
"""[s] How long it may use no processor time."""
TOTAL_S = 600.0
"""[s] How long one request may take."""


class ProgressWatchdog:
    """Watches one process during one request."""

    def __init__(
        self,
        pid: int,
        *,
        look: Callable[[int], ProcessInfo | None] = process_info,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start now. `look` returns the state of the process, None where it is not known."""
        self._pid = pid
        self._look = look
        self._clock = clock
        self._began = self._moved = self._ran = clock()
        self._worked_s = 0.0

    def problem(self) -> str:
        """Return why not to wait longer, or nothing. To be called every now and then."""
        now = self._clock()
        found = self._look(self._pid)
        if found is None or found.worked_s > self._worked_s:
            self._moved = now
        if found is None or not found.is_stopped:
            self._ran = now
        self._worked_s = found.worked_s if found else 0.0
        if now - self._ran >= STOPPED_S:
            return "it was stopped by a signal"
        if now - self._moved >= IDLE_S:
            return f"it has used no processor time for {IDLE_S:g} s"
        if now - self._began >= TOTAL_S:
            return f"no answer for {TOTAL_S:g} s"
        return ""
