"""Which models have crashed the audio process too often."""

from collections import deque
from collections.abc import Iterable

from nemod.control.backends import RigFiles

CRASHES = 3
WITHIN_S = 60.0
"""[s] A rig with `CRASHES` crashes in this time has its models quarantined."""


class Quarantine:
    """Counts crashes by rig, and keeps the models that are quarantined."""

    def __init__(self) -> None:
        self.models: frozenset[str] = frozenset()
        """Those that were quarantined last, until they are requested again."""
        self._crashes: list[tuple[RigFiles, deque[float]]] = []
        """Times [s] of the last crashes with a rig, oldest first."""

    def record_crash(self, rig: RigFiles, now_s: float) -> bool:
        """Count a crash with this chain and these files; return whether that is too often."""
        self._crashes = [each for each in self._crashes if now_s - each[1][-1] <= WITHIN_S]
        times = next((times for other, times in self._crashes if other == rig), None)
        if times is None:
            times = deque(maxlen=CRASHES)
            self._crashes.append((rig, times))
        times.append(now_s)
        return len(times) == CRASHES and now_s - times[0] <= WITHIN_S

    def clear(self, rig: RigFiles) -> None:
        """Forget the crashes of a rig."""
        self._crashes = [each for each in self._crashes if each[0] != rig]

    def confine(self, crashing: RigFiles, previous: RigFiles | None) -> frozenset[str]:
        """Quarantine models of a rig that crashes; return which.

        `previous`: the rig before it, which played and plays again. Its models are not suspected,
        only those whose files are new. Where none is, the chain or a cabinet may be the cause, and
        none is quarantined.
        """
        played = set(previous.models.values()) if previous is not None else set()
        suspects = [file.name for file in crashing.models.values() if file not in played]
        self.models = frozenset(suspects)
        return self.models

    def release(self, names: Iterable[str]) -> None:
        """Release models that play again because somebody has requested them."""
        self.models -= frozenset(names)
