"""One packet while it is carried out: what the actions of its messages may do."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from nemod.control.controller import Controller
from nemod.control.events import Source
from nemod.control.jobs import Job
from nemod.osc.addresses.client import SUBSCRIBE
from nemod.osc.addresses.flags import Flags
from nemod.osc.addresses.leaf import Leaf
from nemod.osc.codec import IMMEDIATELY, Bundle
from nemod.osc.encode import BUNDLE_HEADER, ELEMENT_HEADER, encode, string_size
from nemod.osc.errors import OscError
from nemod.osc.feedback.leases import LEASE_S
from nemod.osc.scheduler import AHEAD_S, Work

if TYPE_CHECKING:
    from nemod.osc.dispatcher import Dispatcher

MAX_PATTERN_CHARACTERS = 1024
"""Most characters in the patterns of one packet: bounds the work of matching."""
_SHORTEST = 8
"""[bytes] Type tags and value of the shortest answer, besides its address."""


class PacketRequest:
    """Implements `addresses.leaf.Request`. Thread: control."""

    def __init__(self, dispatcher: "Dispatcher", work: Work) -> None:
        self._dispatcher = dispatcher
        self._answers = work.answers
        self._arrival = work.arrival
        self._sender = work.answers.sender
        self._syncs: list[int] = []
        self._time_s: float | None = None
        self._pattern_characters = 0
        self._has_touched = False

    @property
    def controller(self) -> Controller:
        """The control core."""
        return self._dispatcher.controller

    @property
    def source(self) -> Source:
        """Who sent the packet."""
        return self._sender.source

    @property
    def may_write(self) -> bool:
        """Whether the sender may delete what is kept."""
        return self._sender.may_write

    @property
    def time_s(self) -> float:
        """When the message was meant to happen, on the monotonic clock."""
        now = self._dispatcher.timers.now_s()
        if self._time_s is None or abs(self._time_s - now) > AHEAD_S:
            return now
        return self._time_s

    def enter(self, bundle: Bundle) -> float | None:
        """Take the time of a bundle; return the time of the one around it, for `leave`."""
        before = self._time_s
        if bundle.time_tag != IMMEDIATELY:
            self._time_s = self._arrival.time_s(bundle.time_tag)
        return before

    def leave(self, before: float | None) -> None:
        """Take the time of the bundle around the one that ends."""
        self._time_s = before

    def touch(self) -> None:
        """Note that a message of the packet changes the rig: the sender is to see what changes."""
        if not self._has_touched:
            self._has_touched = True
            self._dispatcher.feedback.touch(self._sender)

    def unchanged(self, address: str) -> None:
        """Note that the value sent to this address is now in force as it was sent."""
        self._dispatcher.feedback.unchanged(self._sender, address)

    def adjusted(self, address: str) -> None:
        """Note that another value than the one sent to this address is in force."""
        self._dispatcher.feedback.adjusted(self._sender, address)

    def reply(self, message: bytes) -> None:
        """Send an encoded message to the sender."""
        self._answers.add("", message)

    def job(self, address: str, start: Callable[[], Job]) -> None:
        """Start a background job. Raises: OscError where it cannot start."""
        self._dispatcher.jobs.start(address, self._answers, start)

    def sync(self, number: int) -> None:
        """Answer `/nemo/synced` when all jobs that the sender started before have ended."""
        self._syncs.append(number)

    def subscribe(self, port: int | None, flags: Flags) -> None:
        """Send every change to the sender, or to another port of its host. Raises: OscError."""
        self._dispatcher.feedback.subscribe(self._sender, port, flags)
        self._answers.add(SUBSCRIBE, encode("/nemo/subscribed", "i", LEASE_S))

    def unsubscribe(self, port: int | None) -> None:
        """End what `subscribe` began."""
        self._dispatcher.feedback.unsubscribe(self._sender, port)

    def refresh(self) -> None:
        """Send a subscriber everything again. Raises: OscError."""
        self._dispatcher.feedback.refresh(self._sender)

    def set_meter_rate(self, rate_hz: float) -> None:
        """Change how often meters are sent to all subscribers."""
        self._dispatcher.feedback.set_meter_rate(rate_hz)

    def clear_scheduled(self) -> None:
        """Drop all bundles that wait for their time."""
        self._dispatcher.scheduler.clear()

    def fail(self, error: OscError) -> None:
        """Answer an error, in its place among the answers."""
        self._answers.fail(error)

    def spend_pattern(self, pattern: str) -> None:
        """Account for the work of a pattern.

        Raises: OscError `limit` when the packet has used up its share.
        """
        self._pattern_characters += len(pattern)
        if self._pattern_characters > MAX_PATTERN_CHARACTERS:
            raise OscError(
                "limit", pattern, f"patterns of a packet have {MAX_PATTERN_CHARACTERS} characters"
            )

    def answer(self, leaf: Leaf, offset: int = 0) -> None:
        """Answer a query with the leaf's one value, or a page of its list."""
        assert leaf.read is not None
        message = leaf.read(self.controller, self._answers.room, offset)
        self._answers.add(leaf.address, message)

    def answer_all(self, address: str, leaves: Sequence[Leaf]) -> None:
        """Answer a query of a container or pattern, in bundles: with all of it, or an error."""
        least = sum(string_size(leaf.address) + _SHORTEST for leaf in leaves)
        if not self._answers.fits(least, len(leaves)):
            # Not even read: a short question must not cause much work.
            self._answers.refuse(address, least)
            return
        room = self._answers.longest - BUNDLE_HEADER - ELEMENT_HEADER
        messages = [leaf.read(self.controller, room, 0) for leaf in leaves if leaf.read]
        self._answers.add_all(address, messages)

    def finish(self) -> None:
        """Send the answers."""
        for number in self._syncs:
            try:
                if self._dispatcher.jobs.sync(number, self._answers):
                    self._answers.add("/nemo/sync", encode("/nemo/synced", "i", number))
            except OscError as error:
                self._answers.fail(error)
        self._answers.flush()
