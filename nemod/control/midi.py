"""Learning of MIDI and hardware controls: what surfaces can ask of it. Thread: control.

The MIDI surface attaches itself here; without one every request ends with an error. So the core
knows no MIDI, and what one surface can ask, every one can.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from nemod.control.errors import Code, ControlError
from nemod.control.events import (
    EventStream,
    MidiLearned,
    MidiLearning,
    MidiListChanged,
    Source,
)
from nemod.control.jobs import Job

LEARN_JOB, UNLEARN_JOB = "midi learn", "midi unlearn"


class MidiBinding(NamedTuple):
    """One control of a controller and what it does."""

    target: str
    """Path of a parameter, or an action such as `preset/next`."""
    control: str
    """What is moved, as `cc 20`."""
    device: str
    """Where it is; empty for any."""
    is_default: bool = False
    """Nobody has bound it."""


class Unbound(NamedTuple):
    """Which bindings are to be removed."""

    target: str
    control: str = ""
    """As in the list; empty for all of the target."""
    device: str | None = None
    """As in the list, also empty; None for any."""

    def has(self, one: MidiBinding) -> bool:
        """Return whether a binding is meant."""
        return (
            not one.is_default
            and one.target == self.target
            and self.control in ("", one.control)
            and self.device in (None, one.device)
        )


class MidiBackend(Protocol):
    """Learns controls; in the daemon this is the MIDI surface. Thread: control."""

    def bindings(self) -> Sequence[MidiBinding]:
        """Return all bindings in the order of the file, then the defaults."""
        ...

    def ports(self) -> Sequence[str]:
        """Return the names of what is connected."""
        ...

    def check_target(self, target: str, how: str) -> str:
        """Return a target as it is spelt. Raises: ControlError where it cannot be learned."""
        ...

    def learn(self, target: str, how: str, job: Job) -> None:
        """Bind what is moved next to a target; the job ends with it, or with an error."""
        ...

    def cancel(self) -> None:
        """End learning; its job fails with the code `busy`."""
        ...

    def unlearn(self, which: "Unbound", job: Job) -> None:
        """Remove the bindings that are meant; then the job ends."""
        ...


class Midi:
    """Learning, on behalf of all surfaces."""

    def __init__(self, events: EventStream) -> None:
        self._events = events
        self._backend: MidiBackend | None = None
        self._job: Job | None = None
        self.last = MidiLearned("", "", 0)
        """What was learned last; empty before that."""

    def attach(self, backend: MidiBackend | None) -> None:
        """Let this one learn; None for none."""
        self._backend = backend

    @property
    def learning(self) -> str:
        """The target that is being learned; empty for none."""
        return self._job.subject if self._job is not None else ""

    @property
    def bindings(self) -> Sequence[MidiBinding]:
        """All bindings, then the defaults."""
        return self._backend.bindings() if self._backend is not None else ()

    @property
    def ports(self) -> Sequence[str]:
        """Names of the controllers that are connected."""
        return self._backend.ports() if self._backend is not None else ()

    def check(self, target: str, how: str = "") -> str:
        """Return a target as it is spelt. Raises: ControlError where it cannot be learned."""
        return self._attached().check_target(target, how)

    def learn(self, target: str, source: Source, how: str = "") -> Job:
        """Bind the control that is moved next to a parameter or an action.

        `how`: an encoding or a mode of a switch, where the control does not show it. The newest
        request wins: one before it ends with the code `busy`, and so does one that waits too long.

        Raises: ControlError `not_found`, `value`.
        """
        backend = self._attached()
        known = backend.check_target(target, how)
        backend.cancel()
        job = self._job = Job(LEARN_JOB, known, source, self._events)
        self._events.publish(MidiLearning(known, source))
        job.when_over(self._over)
        backend.learn(known, how, job)
        return job

    def _over(self, job: Job) -> None:
        if self._job is job:
            self._job = None
            self._events.publish(MidiLearning("", job.source))

    def learned(self, event: MidiLearned) -> None:
        """Publish what was learned."""
        self.last = event
        self._events.publish(event)

    def changed(self, event: MidiListChanged) -> None:
        """Publish that there are other bindings or controllers."""
        self._events.publish(event)

    def cancel(self) -> None:
        """End learning, if somebody began it."""
        if self._backend is not None:
            self._backend.cancel()

    def check_bound(self, which: Unbound) -> MidiBackend:
        """Return what learns, where such bindings are there. Raises: ControlError `not_found`."""
        backend = self._attached()
        if not any(which.has(one) for one in backend.bindings()):
            what = "no control is bound to it"
            if which.control:
                what = f"{which.control[:120]!r} is not bound to it"
            raise ControlError(Code.NOT_FOUND, which.target[:120], what)
        return backend

    def unlearn(self, which: Unbound, source: Source) -> Job:
        """Remove what was bound to a parameter or an action.

        Raises: ControlError `not_found` where nothing is.
        """
        backend = self.check_bound(which)
        job = Job(UNLEARN_JOB, which.target, source, self._events)
        backend.unlearn(which, job)
        return job

    def _attached(self) -> MidiBackend:
        if self._backend is None:
            text = "MIDI is off; midi.enable in the configuration turns it on"
            raise ControlError(Code.NOT_FOUND, "", text)
        return self._backend
