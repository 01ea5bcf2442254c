"""Bundles that are carried out later: those whose time tag is ahead by up to `AHEAD_S`.

When a bundle is due is settled once, on arrival, on the monotonic clock: it does not move when the
system's clock is set afterwards.
"""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count

from nemod.common.timers import Timer, Timers
from nemod.osc.addresses.client import TRANSACTION
from nemod.osc.answers import Answers
from nemod.osc.codec import IMMEDIATELY, Bundle, Message
from nemod.osc.counters import Counters
from nemod.osc.errors import OscError

AHEAD_S = 10.0
"""[s] A time tag further ahead means that the sender's clock is wrong."""
MAX_SCHEDULED = 1024
MAX_PER_HOST = 256
_NTP_EPOCH_S = 2_208_988_800
"""[s] From 1900, where time tags begin, to 1970."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """When a packet arrived, on both clocks: what its time tags are relative to."""

    monotonic_s: float
    wall_s: float

    def time_s(self, time_tag: int) -> float:
        """Return a time tag's time on the monotonic clock."""
        return self.monotonic_s + (time_tag / 2**32 - _NTP_EPOCH_S - self.wall_s)


@dataclass(frozen=True, slots=True)
class Work:
    """What is to be carried out together, in one commit."""

    root: Message | Bundle
    answers: Answers
    arrival: Arrival


class Scheduler:
    """Keeps bundles until they are due. Thread: control."""

    def __init__(
        self,
        perform: Callable[[Work], None],
        counters: Counters,
        timers: Timers,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        """`perform` carries out what is due."""
        self._perform = perform
        self._counters = counters
        self._timers = timers
        self._wall_clock = wall_clock
        self._waiting: list[tuple[float, int, Work]] = []
        """A heap by time, then by order of arrival."""
        self._per_host: Counter[str] = Counter()
        self._order = count()
        self._timer: Timer | None = None

    def __len__(self) -> int:
        """Return the number of bundles that wait."""
        return len(self._waiting)

    def is_ahead(self, bundle: Bundle) -> bool:
        """Return whether a bundle that arrives now is to be carried out later."""
        ahead_s = self._arrival().time_s(bundle.time_tag) - self._timers.now_s()
        return bundle.time_tag != IMMEDIATELY and 0.0 < ahead_s <= AHEAD_S

    def split(self, root: Message | Bundle, answers: Answers) -> Work | None:
        """Keep what is for later; return what is to be carried out now, if anything.

        A bundle inside of another one has a time tag of its own, and is at the earliest carried
        out with the other one. A transaction is one whole: its bundles have its time.
        """
        arrival = self._arrival()
        later: list[tuple[float, Bundle]] = []
        now = self._keep(root, arrival, arrival.monotonic_s, later)
        for due_s, bundle in later:
            self._schedule(due_s, Work(bundle, answers, arrival))
        self._arm()
        return None if now is None else Work(now, answers, arrival)

    def clear(self) -> None:
        """Drop all bundles that wait."""
        self._waiting.clear()
        self._per_host.clear()
        self._arm()

    def _arrival(self) -> Arrival:
        return Arrival(self._timers.now_s(), self._wall_clock())

    def _keep(
        self,
        element: Message | Bundle,
        arrival: Arrival,
        time_s: float,
        later: list[tuple[float, Bundle]],
    ) -> Message | Bundle | None:
        """Return what of an element belongs to `time_s`; add what comes after it to `later`."""
        if isinstance(element, Message):
            return element
        due_s = self._due_s(element, arrival, time_s)
        elements = element.elements
        if not is_transaction(element):
            kept = (self._keep(inner, arrival, due_s, later) for inner in elements)
            elements = tuple(inner for inner in kept if inner is not None)
            if element.elements and not elements:
                return None
        bundle = Bundle(element.time_tag, elements)
        if due_s > time_s:
            later.append((due_s, bundle))
            return None
        return bundle

    def _due_s(self, bundle: Bundle, arrival: Arrival, earliest_s: float) -> float:
        if bundle.time_tag == IMMEDIATELY:
            return earliest_s
        due_s = arrival.time_s(bundle.time_tag)
        if due_s - arrival.monotonic_s > AHEAD_S:
            self._counters.far_future += 1
            return earliest_s
        return max(due_s, earliest_s)

    def _schedule(self, due_s: float, work: Work) -> None:
        host = work.answers.sender.host
        if len(self._waiting) >= MAX_SCHEDULED or self._per_host[host] >= MAX_PER_HOST:
            text = f"{MAX_SCHEDULED} bundles can wait, {MAX_PER_HOST} of one host"
            work.answers.fail(OscError("limit", first_address(work.root), text))
            return
        self._per_host[host] += 1
        heappush(self._waiting, (due_s, next(self._order), work))

    def _forget(self, host: str) -> None:
        self._per_host[host] -= 1
        if not self._per_host[host]:
            del self._per_host[host]

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._waiting:
            due_s = self._waiting[0][0]
            delay_s = max(due_s - self._timers.now_s(), 0.0)
            self._timer = self._timers.later(delay_s, lambda: self._wake(due_s))

    def _wake(self, due_s: float) -> None:
        # A timer may run out a rounding error before its time.
        now = max(self._timers.now_s(), due_s)
        try:
            while self._waiting and self._waiting[0][0] <= now:
                _, _, work = heappop(self._waiting)
                self._forget(work.answers.sender.host)
                self._perform(work)
        finally:
            self._arm()


def is_transaction(bundle: Bundle) -> bool:
    """Return whether all messages of a bundle are carried out, or none."""
    first = bundle.elements[0] if bundle.elements else None
    return isinstance(first, Message) and first.address == TRANSACTION


def first_address(element: Message | Bundle) -> str:
    """Return the address of the first message of an element, or nothing."""
    while isinstance(element, Bundle):
        if not element.elements:
            return ""
        element = element.elements[0]
    return element.address
