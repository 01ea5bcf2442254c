"""Warnings about what clients do, which must not fill the log."""

from collections.abc import Callable
from typing import Any

QUIET_S = 10.0
"""[s] Between two warnings of the same event."""


class RareWarnings:
    """Logs each event at most every `QUIET_S`."""

    def __init__(self, log: Any, clock: Callable[[], float]) -> None:
        """`log`: a structlog logger."""
        self._log = log
        self._clock = clock
        self._logged_s: dict[str, float] = {}

    def warn(self, event: str, **fields: object) -> None:
        """Log a warning, unless the same event was logged a moment ago."""
        now = self._clock()
        if now - self._logged_s.get(event, -QUIET_S) >= QUIET_S:
            self._logged_s[event] = now
            self._log.warning(event, **fields)
