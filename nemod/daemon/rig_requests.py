"""Requests for rigs, and which of them a newer one supersedes. Thread: control."""

from collections.abc import Iterator
from dataclasses import dataclass

from nemod.control.backends import CabinetFile, ModelFile, Recall
from nemod.control.errors import Code, ControlError
from nemod.control.jobs import Job

MODEL, CABINET = "model", "cabinet"
"""Places of a rig that a request fills."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RigFiles:
    """What a rig is to be built of; None is the one that plays."""

    model: ModelFile | None = None
    cabinet: CabinetFile | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RigRequest:
    """A request that waits or is being carried out."""

    candidates: Iterator[RigFiles]
    """What to try, in order, until one plays."""
    job: Job
    fills: frozenset[str]
    """Which places of the rig."""
    recall: Recall | None = None

    def supersedes(self, older: "RigRequest") -> bool:
        """Return whether this request makes an older one useless.

        A model that is requested takes the place of a preset that was, which is a model with more.
        A model and a cabinet that are requested one after the other are both carried out.
        """
        return older.fills <= self.fills or MODEL in older.fills & self.fills


class RigRequests:
    """The requests that wait, in the order in which they were made."""

    def __init__(self) -> None:
        self._waiting: list[RigRequest] = []

    def __bool__(self) -> bool:
        """Whether a request waits."""
        return bool(self._waiting)

    def add(self, request: RigRequest) -> None:
        """Add a request; those that wait and that it supersedes fail."""
        waiting, self._waiting = self._waiting, []
        for older in waiting:
            if not request.supersedes(older):
                self._waiting.append(older)
        self._waiting.append(request)
        for older in waiting:
            if request.supersedes(older):
                older.job.fail(superseded(request))

    def take(self) -> RigRequest | None:
        """Return the request that has waited longest, and hold it no longer."""
        return self._waiting.pop(0) if self._waiting else None

    def successor(self, request: RigRequest) -> RigRequest | None:
        """Return a request that waits and supersedes this one, which is being carried out."""
        return next((newer for newer in self._waiting if newer.supersedes(request)), None)


def superseded(by: RigRequest) -> ControlError:
    """Return the error of a request that a newer one supersedes."""
    subject = by.job.subject
    what = f"a request for {subject!r}" if subject else "a newer request"
    return ControlError(Code.BUSY, subject, f"superseded by {what}")
