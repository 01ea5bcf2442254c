"""Rate limiting of one host's packets.

As long as its bucket has tokens, a packet is carried out on arrival. Beyond that, a message that
moves a knob is kept, the newest per address, and carried out when the bucket has refilled; all
others, and bundles for later, are dropped and counted.
"""

from nemod.common.timers import Timers
from nemod.network.limits import Window
from nemod.osc.codec import IMMEDIATELY, Bundle, Message, Packet
from nemod.osc.dispatcher import Dispatcher
from nemod.osc.encode import string_size
from nemod.osc.errors import OscError
from nemod.osc.limits import message_bucket
from nemod.osc.scheduler import first_address, is_transaction
from nemod.osc.sender import Sender

MAX_KEPT = 256
"""Most addresses for which one host's newest values are kept."""


class Traffic:
    """One host's packets. Thread: control."""

    def __init__(self, dispatcher: Dispatcher, rate: float, timers: Timers) -> None:
        """`rate` is in messages per second."""
        self._dispatcher = dispatcher
        self._rate = rate
        self._timers = timers
        self._bucket = message_bucket(rate, timers.now_s())
        self._complaints = Window(1)
        self._kept: dict[str, tuple[Message, Sender]] = {}
        self._is_waiting = False

    def receive(self, packet: Packet, sender: Sender) -> int:
        """Carry out a packet now, or keep what can wait; return the number of dropped messages."""
        now = self._timers.now_s()
        self._perform_kept(now)
        if not self._kept and self._bucket.take(max(packet.message_count, 1), now):
            self._dispatcher.perform(packet, sender)
            return 0
        lost = self._keep(packet.root, sender)
        if lost and self._complaints.allow(now):
            text = f"more than {self._rate:g} messages a second; {lost} of these were dropped"
            error = OscError("rate", first_address(packet.root), text)
            self._dispatcher.refuse(packet, sender, error)
        self._wait(now)
        return lost

    def _keep(self, element: Message | Bundle, sender: Sender) -> int:
        if isinstance(element, Bundle):
            if is_transaction(element) or self._dispatcher.scheduler.is_ahead(element):
                return _count(element)
            return sum(self._keep(inner, sender) for inner in element.elements)
        # Removed first: where two patterns overlap, the order of arrival decides.
        known = self._kept.pop(element.address, None)
        if not self._dispatcher.is_set(element) or (known is None and len(self._kept) >= MAX_KEPT):
            if known:
                self._kept[element.address] = known
            return 1
        self._kept[element.address] = element, sender
        return 0

    def _perform_kept(self, now: float) -> None:
        if not self._kept or not self._bucket.take(len(self._kept), now):
            return
        kept, self._kept = self._kept, {}
        by_sender: dict[int, tuple[Sender, list[Message]]] = {}
        for message, sender in kept.values():
            by_sender.setdefault(id(sender), (sender, []))[1].append(message)
        for sender, messages in by_sender.values():
            size = sum(string_size(message.address) + 4 for message in messages)
            packet = Packet(Bundle(IMMEDIATELY, tuple(messages)), len(messages), size)
            self._dispatcher.perform(packet, sender)

    def _wait(self, now: float) -> None:
        if self._kept and not self._is_waiting:
            self._is_waiting = True
            # A little longer than needed, or rounding would have it wait twice.
            self._timers.later(self._bucket.wait_s(len(self._kept), now) + 0.001, self._wake)

    def _wake(self) -> None:
        self._is_waiting = False
        now = self._timers.now_s()
        try:
            self._perform_kept(now)
        finally:
            self._wait(now)


def _count(element: Message | Bundle) -> int:
    if isinstance(element, Message):
        return 1
    return sum(_count(inner) for inner in element.elements)
