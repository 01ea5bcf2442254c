"""Which files cannot be played: marked in their libraries until they change. Thread: control."""

from collections.abc import Mapping

from nemod.common.background import in_background
from nemod.control.backends import RigFiles, RigPlan
from nemod.daemon.build_ahead import UnplayableError
from nemod.daemon.protocols import FaultLog


class FaultMarks:
    """The marks of models and cabinets."""

    def __init__(self, logs: Mapping[str, FaultLog]) -> None:
        """`logs`: by kind of slot."""
        self._logs = logs

    def mark(self, plan: RigPlan, error: UnplayableError) -> None:
        """Remember that the file at fault, if one is, cannot be played."""
        name = plan.rig.file(error.slot).name if error.slot else ""
        if name:
            self._mark(plan.rig.chain[error.slot].kind, name, str(error))

    def clear(self, rig: RigFiles) -> None:
        """Remove the marks of all files of a rig that plays."""
        for slot in rig.slots:
            name, kind = rig.file(slot).name, rig.chain[slot].kind
            if name and kind in self._logs and self._logs[kind].problem(name):
                self._mark(kind, name, "")

    def _mark(self, kind: str, name: str, reason: str) -> None:
        faults = self._logs.get(kind)
        if faults is not None:
            # On a thread: the disk, or another process that writes to the index, may be slow.
            in_background(lambda: faults.mark_unplayable(name, reason))
