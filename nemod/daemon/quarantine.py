"""Which model has crashed the audio process too often."""

from collections import deque

CRASHES = 3
WITHIN_S = 60.0
"""[s] A model with `CRASHES` crashes in this time is quarantined."""


class Quarantine:
    """Counts crashes by model."""

    def __init__(self) -> None:
        self._crashes: dict[str, deque[float]] = {}

    def record_crash(self, name: str, now_s: float) -> bool:
        """Count a crash with this model; return whether it is to be quarantined now."""
        times = self._crashes.setdefault(name, deque(maxlen=CRASHES))
        times.append(now_s)
        return len(times) == CRASHES and now_s - times[0] <= WITHIN_S

    def clear(self, name: str) -> None:
        """Forget the crashes of a model."""
        self._crashes.pop(name, None)
