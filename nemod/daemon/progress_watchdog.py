"""How long to wait for a process that works: as long as it makes headway.

A compilation takes a second here and a minute there, so a fixed limit is either too short or
useless. A process that uses the processor works; one that was stopped, or sleeps for long, hangs.
"""

import time
from collections.abc import Callable

from nemod.common.procinfo import ProcessInfo, process_info

STOPPED_S = 1.0
"""[s] A process that somebody has stopped is given up after this long."""
IDLE_S = 10.0
"""[s] So is one that does nothing: it waits for something that does not come."""
TOTAL_S = 600.0
"""[s] And one that works this long over one order."""


class ProgressWatchdog:
    """Watches one process over one order."""

    def __init__(
        self,
        pid: int,
        *,
        look: Callable[[int], ProcessInfo | None] = process_info,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin now. `look` returns how the process is, None where that is not to be known."""
        self._pid = pid
        self._look = look
        self._clock = clock
        self._began = self._moved = self._ran = clock()
        self._worked_s = 0.0

    def lost(self) -> str:
        """Return why it is no use to wait longer, or nothing. To be asked now and then."""
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
            return f"it has done nothing for {IDLE_S:g} s"
        if now - self._began >= TOTAL_S:
            return f"no answer for {TOTAL_S:g} s"
        return ""
