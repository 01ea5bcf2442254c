"""The event stream: what changes in the rig, and who changed it. Thread: control.

A subscription holds what its reader has not taken yet. For everything that has a current value only
the newest value is held, so a reader that is slow, or never reads, loses intermediate values but
never the last one, uses bounded memory, and delays nobody.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import NamedTuple, Self

from nemod.parameters.table import BY_PATH

MAX_FINISHED_JOBS = 64
"""Ends of jobs that wait for one reader; the oldest are dropped and counted."""


class Source(NamedTuple):
    """Who made a change."""

    surface: str
    """`osc`, `midi`, ... or `model` (a model's own default), `preset`, `session`, `daemon`."""
    client: str = ""
    """Which client of it, as `192.168.1.7:9001`."""

    def __str__(self) -> str:
        """Return `osc 192.168.1.7:9001`."""
        return f"{self.surface} {self.client}".rstrip()


DAEMON = Source("daemon")
MODEL = Source("model")
SESSION = Source("session")


class Event:
    """Base of all events."""

    __slots__ = ()

    @property
    def key(self) -> Hashable:
        """What the event is about: a newer event with the same key replaces an older one."""
        return type(self).__name__


@dataclass(frozen=True, slots=True)
class Changed(Event):
    """A parameter has a new position."""

    path: str
    """Canonical path."""
    position: float
    source: Source
    is_adjusted: bool = False
    """The position is not the one that was given: it was clipped or rounded."""

    @property
    def key(self) -> Hashable:
        """One per parameter."""
        return self.path


@dataclass(frozen=True, slots=True)
class ModelChanged(Event):
    """Another model plays in a slot, or none; its knobs are the parameters from now on."""

    name: str
    source: Source
    slot: str = "model"

    @property
    def key(self) -> Hashable:
        """One per slot."""
        return type(self).__name__, self.slot


@dataclass(frozen=True, slots=True)
class CabinetChanged(Event):
    """Another cabinet plays in a slot, or none; or it was loaded again."""

    name: str
    """Empty for none."""
    source: Source
    slot: str = "cab"

    @property
    def key(self) -> Hashable:
        """One per slot."""
        return type(self).__name__, self.slot


@dataclass(frozen=True, slots=True)
class ChainChanged(Event):
    """The chain has other slots, or another order; their parameters exist from now on.

    Whoever holds values of slots reads them again; earlier events about slots are not delivered.
    """

    source: Source
    renamed: Mapping[str, str] = field(default_factory=dict)
    """New names of slots by their names before."""


@dataclass(frozen=True, slots=True)
class SizeChanged(Event):
    """Another size of models that have several is wanted."""

    size: float
    """0..1"""
    source: Source
    slot: str = "model"

    @property
    def key(self) -> Hashable:
        """One per slot."""
        return type(self).__name__, self.slot


@dataclass(frozen=True, slots=True)
class QualityChanged(Event):
    """The quality was reduced because of the load, or restored."""

    reduced: str
    """What is reduced, as in `Status.reduced`."""


@dataclass(frozen=True, slots=True)
class PresetChanged(Event):
    """Another preset is the current one, or its name or its state has changed."""

    number: int
    """-1: no preset is current."""
    name: str
    is_dirty: bool
    """The sound is not the one that was saved."""
    source: Source


@dataclass(frozen=True, slots=True)
class PresetListChanged(Event):
    """A preset was saved, renamed or deleted."""

    count: int


@dataclass(frozen=True, slots=True)
class LibraryChanged(Event):
    """The lists of models and of cabinets were read again."""

    count: int
    """How many models there are."""


@dataclass(frozen=True, slots=True)
class StateChanged(Event):
    """The audio process has another state, one of the words of `/nemo/status/state`."""

    state: str
    reason: str


@dataclass(frozen=True, slots=True)
class JobDone(Event):
    """A background job has finished."""

    job_id: int
    kind: str
    result: str
    """The name that is now in force, or a count."""
    source: Source

    @property
    def key(self) -> Hashable:
        """One per job."""
        return "job", self.job_id


@dataclass(frozen=True, slots=True)
class JobFailed(Event):
    """A background job has failed; the rig is as before."""

    job_id: int
    kind: str
    code: str
    text: str
    source: Source

    @property
    def key(self) -> Hashable:
        """One per job."""
        return "job", self.job_id


@dataclass(frozen=True, slots=True)
class Meters(Event):
    """Levels since the last telemetry record of the audio process."""

    in_dbfs: float
    out_dbfs: float
    clips: int
    """Blocks above full scale since the last reset."""


@dataclass(frozen=True, slots=True)
class TunerReading(Event):
    """What the tuner shows."""

    note: str
    """Name with octave, as `E2`; empty when no single string is heard, or the tuner is off."""
    cents: float
    """-50..50: how far the string is above the note."""
    hz: float
    """Frequency of the string; 0 when none is heard."""


NO_READING = TunerReading("", 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class MidiLearning(Event):
    """Learning of a control has begun or ended."""

    target: str
    """What it is learned for; empty when it has ended."""
    source: Source


@dataclass(frozen=True, slots=True)
class MidiLearned(Event):
    """A control was bound by learning."""

    target: str
    control: str
    """What was moved and where, as `cc of FCB1010`."""
    number: int
    """Number of the controller, note, program, key or pin."""


@dataclass(frozen=True, slots=True)
class MidiListChanged(Event):
    """There are other bindings, or a controller was connected or disconnected."""

    bindings: int
    ports: int


class Subscription:
    """The events that one listener has not taken yet."""

    def __init__(
        self,
        stream: "EventStream",
        kinds: Collection[type[Event]],
        source: Source | None,
        wake: Callable[[], None] | None,
    ) -> None:
        self.lost_jobs = 0
        """Ends of jobs that were dropped because nobody took them."""
        self._stream = stream
        self._kinds = frozenset(kinds)
        self._source = source
        self._wake = wake
        self._pending: OrderedDict[Hashable, Event] = OrderedDict()
        self._arrived = asyncio.Event()

    def wants(self, kind: type[Event]) -> bool:
        """Whether events of this kind are delivered."""
        return not self._kinds or kind in self._kinds

    def accept(self, event: Event) -> None:
        """Hold an event for the listener, unless it is its own unchanged value."""
        key = event.key
        # Taken out first: the newest value of a parameter stands last.
        self._pending.pop(key, None)
        if isinstance(event, Changed) and event.source == self._source and not event.is_adjusted:
            return
        if isinstance(event, JobDone | JobFailed):
            self._limit_jobs()
        if isinstance(event, ChainChanged):
            self._forget_slots()
        self._pending[key] = event
        self._arrived.set()
        if self._wake is not None:
            self._wake()

    def _forget_slots(self) -> None:
        """Drop what was about slots, which may be gone: the number of names has no limit."""
        self._pending = OrderedDict(
            (key, event) for key, event in self._pending.items() if not _is_of_slot(event)
        )

    def _limit_jobs(self) -> None:
        jobs = JobDone | JobFailed
        waiting = [key for key, event in self._pending.items() if isinstance(event, jobs)]
        if len(waiting) >= MAX_FINISHED_JOBS:
            del self._pending[waiting[0]]
            self.lost_jobs += 1

    def take(self) -> list[Event]:
        """Return all events that wait, oldest first, and hold them no longer."""
        events = list(self._pending.values())
        self._pending.clear()
        self._arrived.clear()
        return events

    async def next(self) -> list[Event]:
        """Return all events that wait, as soon as there is one."""
        await self._arrived.wait()
        return self.take()

    def close(self) -> None:
        """End the subscription."""
        self._stream.remove(self)

    def __enter__(self) -> Self:
        """Return the subscription; it is closed at the end of the block."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the subscription."""
        self.close()


def _is_of_slot(event: Event) -> bool:
    """Whether an event is about a slot that only some chains have."""
    if isinstance(event, Changed):
        return event.path not in BY_PATH
    return isinstance(event, ModelChanged | CabinetChanged | SizeChanged)


class EventStream:
    """Delivers every event to every subscription."""

    def __init__(self) -> None:
        self._subscriptions: list[Subscription] = []

    def subscribe(
        self,
        kinds: Collection[type[Event]] = (),
        *,
        source: Source | None = None,
        wake: Callable[[], None] | None = None,
    ) -> Subscription:
        """Begin to deliver events.

        `kinds`: those that are wanted; none means all. `source`: who listens; positions that it
        set itself, and that were taken as given, are not delivered to it. `wake` is called after
        each delivery, on the control thread; it must return at once and must not raise.
        """
        made = Subscription(self, kinds, source, wake)
        self._subscriptions.append(made)
        return made

    def remove(self, subscription: Subscription) -> None:
        """Deliver nothing more to a subscription."""
        with suppress(ValueError):
            self._subscriptions.remove(subscription)

    def is_wanted(self, kind: type[Event]) -> bool:
        """Whether anybody listens for a kind of event; spares making what nobody wants."""
        return any(one.wants(kind) for one in self._subscriptions)

    def publish(self, event: Event) -> None:
        """Deliver an event."""
        for one in tuple(self._subscriptions):
            if one.wants(type(event)):
                one.accept(event)
