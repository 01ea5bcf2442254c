"""Which models have crashed the audio process too often."""

from collections import deque
from collections.abc import Iterable

CRASHES = 3
WITHIN_S = 60.0
"""[s] A rig with `CRASHES` crashes in this time has its models quarantined."""


class Quarantine:
    """Counts crashes by rig, and keeps the models that are quarantined."""

    def __init__(self) -> None:
        self.models: frozenset[str] = frozenset()
        """Those that were quarantined last, until they are requested again."""
        self._crashes: dict[str, deque[float]] = {}

    def record_crash(self, name: str, now_s: float) -> bool:
        """Count a crash with this rig; return whether it is to be quarantined now."""
        times = self._crashes.setdefault(name, deque(maxlen=CRASHES))
        times.append(now_s)
        return len(times) == CRASHES and now_s - times[0] <= WITHIN_S

    def clear(self, name: str) -> None:
        """Forget the crashes of a rig."""
        self._crashes.pop(name, None)

    def confine(self, crashing: set[str], previous: set[str]) -> frozenset[str]:
        """Quarantine models of a rig that crashes; return which.

        `previous`: those of the rig before it, which played: they are not suspected, unless the
        crashing rig has no others.
        """
        self.models = frozenset(crashing - previous or crashing)
        return self.models

    def release(self, names: Iterable[str]) -> None:
        """Release models that play again because somebody has requested them."""
        self.models -= frozenset(names)
