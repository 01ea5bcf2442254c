"""Which model has killed the audio plane too often."""

from collections import deque

DEATHS = 3
WITHIN_S = 60.0
"""[s] A model with `DEATHS` in this time is set aside."""


class Quarantine:
    """Counts deaths by name."""

    def __init__(self) -> None:
        self._deaths: dict[str, deque[float]] = {}

    def record_crash(self, name: str, now_s: float) -> bool:
        """Count a death over this model; return whether it is to be set aside now."""
        times = self._deaths.setdefault(name, deque(maxlen=DEATHS))
        times.append(now_s)
        return len(times) == DEATHS and now_s - times[0] <= WITHIN_S

    def clear(self, name: str) -> None:
        """Forget the deaths: somebody wants to try it again."""
        self._deaths.pop(name, None)
