"""Requests for rigs, and which of them a newer one supersedes. Thread: control."""

from collections.abc import Iterator
from dataclasses import dataclass

from nemod.control.backends import RigChange, Scope
from nemod.control.errors import Code, ControlError
from nemod.control.jobs import Job


@dataclass(frozen=True, slots=True, kw_only=True)
class RigRequest:
    """A request that waits or is being carried out."""

    changes: Iterator[RigChange]
    """What to try, in order, until one plays."""
    job: Job
    scope: Scope
    slot: str = ""
    """Which slot it is about; empty for more than one."""
    noun: str = "model"
    """What the changes are called."""

    def supersedes(self, older: "RigRequest") -> bool:
        """Return whether this request makes an older one useless.

        A preset, or a chain, takes the place of everything before it. A first model that is
        requested takes the place of a preset that waits, which is a model with more. Files of
        different slots, and edits of the chain, are all carried out. A substitute stays, because
        what comes before it may fail.
        """
        if Scope.SUBSTITUTE in (self.scope, older.scope):
            return self.scope == older.scope
        match self.scope:
            case Scope.CHAIN | Scope.PRESET:
                return True
            case Scope.EDIT:
                return False
            case Scope.MAIN if older.scope is Scope.PRESET:
                return True
        is_file = older.scope in (Scope.SLOT, Scope.MAIN)
        return is_file and older.slot == self.slot


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
        """Return the request to carry out next, and hold it no longer.

        It is the one that has waited longest, a substitute only where nothing else waits.
        """
        if not self._waiting:
            return None
        order = sorted(self._waiting, key=lambda request: request.scope is Scope.SUBSTITUTE)
        self._waiting.remove(order[0])
        return order[0]

    def successor(self, request: RigRequest) -> RigRequest | None:
        """Return a request that waits and supersedes this one, which is being carried out."""
        return next((newer for newer in self._waiting if newer.supersedes(request)), None)


def superseded(by: RigRequest) -> ControlError:
    """Return the error of a request that a newer one supersedes."""
    subject = by.job.subject
    what = f"a request for {subject!r}" if subject else "a newer request"
    return ControlError(Code.BUSY, subject, f"superseded by {what}")
