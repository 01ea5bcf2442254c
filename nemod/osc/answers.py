"""The answers to one packet, within what its sender may be sent.

A source address of UDP can be forged, so an answer must not be much longer than its question: else
anybody could aim the daemon at somebody else. A sender whose address is not proven gets at most
`AMPLIFICATION` times the bytes of its packet, in one packet. With a subscription it gets more, out
of what all feedback may take.
"""

import math
from collections.abc import Sequence

from nemod.common.timers import Timers
from nemod.network.limits import TokenBucket
from nemod.osc.encode import BUNDLE_HEADER, ELEMENT_HEADER, MAX_PACKET, bundle, pack
from nemod.osc.errors import OscError
from nemod.osc.sender import Sender

AMPLIFICATION = 8
"""Most bytes that are sent per byte received, to a sender without a subscription."""


class Answers:
    """Collects the answers to a packet, and sends what comes after it (ends of background jobs)."""

    def __init__(
        self, sender: Sender, size: int, timers: Timers, budget: TokenBucket | None = None
    ) -> None:
        """`size` [bytes] of the packet.

        `budget`: bytes for connections from other machines, and for senders with a subscription.
        """
        self.sender = sender
        self._timers = timers
        self._budget = budget
        self._left: float = math.inf if sender.is_local else AMPLIFICATION * size
        """[bytes] What may still be sent without the budget."""
        self._is_one_packet = not sender.is_local and budget is None
        self._is_sent = False
        self._messages: list[bytes] = []
        """Those of the one packet."""
        self._packets: list[bytes] = []

    @property
    def longest(self) -> int:
        """[bytes] The longest packet that may be sent: the longest message, if it is alone."""
        if self._has_budget(MAX_PACKET):
            return MAX_PACKET
        return int(min(self._left, MAX_PACKET))

    @property
    def room(self) -> int:
        """[bytes] The longest message that can be added."""
        if self._is_one_packet:
            return int(min(self._left, MAX_PACKET - self._one_packet_size()) - self._overhead(1))
        return self.longest

    def add(self, address: str, message: bytes) -> None:
        """Add an answer. `address` is what was asked, for the error if there is no room."""
        if not self._add([message], [message]):
            self.refuse(address, len(message))

    def add_all(self, address: str, messages: Sequence[bytes]) -> None:
        """Add the answers to one question, in bundles: all, or an error."""
        if not self._add(messages, pack(messages)):
            self.refuse(address, sum(map(len, messages)))

    def fail(self, error: OscError) -> None:
        """Add an error, in its place among the answers, as far as there is room."""
        message = self._error(error, self._overhead(1) if self._is_one_packet else 0)
        if message:
            self._add([message], [message])

    def fits(self, size: int, count: int) -> bool:
        """Return whether `count` messages of `size` bytes in all may be sent."""
        overhead = self._overhead(count) if self._is_one_packet else 0
        return size + overhead <= self._left or self._has_budget(size)

    def flush(self) -> None:
        """Send what was added; from now on answers are sent one by one."""
        self._is_sent = True
        if len(self._messages) > 1:
            self._packets.append(bundle(self._messages))
        else:
            self._packets += self._messages
        packets, self._packets, self._messages = self._packets, [], []
        for packet in packets:
            self.sender.send(packet)

    def send_later(self, address: str, message: bytes) -> None:
        """Send a message that may come after the other answers, or an error if it is too long."""
        if not self._is_sent:
            self.add(address, message)
        elif self._take(len(message)):
            self.sender.send(message)
        else:
            self.fail_later(self._too_long(address, len(message)))

    def fail_later(self, error: OscError) -> None:
        """Send an error that may come after the other answers, as far as there is room."""
        if not self._is_sent:
            self.fail(error)
            return
        message = self._error(error, 0)
        if message and self._take(len(message)):
            self.sender.send(message)

    def _add(self, messages: Sequence[bytes], packets: Sequence[bytes]) -> bool:
        """Take the room of an answer; return whether it was there."""
        if self._is_one_packet:
            size = sum(map(len, messages)) + self._overhead(len(messages))
            longest = MAX_PACKET - self._one_packet_size()
            if size > longest or not self._take(size):
                return False
            self._messages += messages
            return True
        if not self._take(sum(map(len, packets))):
            return False
        self._packets += packets
        return True

    def refuse(self, address: str, size: int) -> None:
        """Answer that an answer of this size is too long."""
        self.fail(self._too_long(address, size))

    def _error(self, error: OscError, overhead: int) -> bytes:
        room = self._left - overhead
        if self._has_budget(MAX_PACKET):
            room = MAX_PACKET
        return self.sender.error_message(error, self._timers.now_s(), room)

    def _one_packet_size(self) -> int:
        size = sum(map(len, self._messages))
        if len(self._messages) > 1:
            size += BUNDLE_HEADER + ELEMENT_HEADER * len(self._messages)
        return size

    def _overhead(self, count: int) -> int:
        """Return what a bundle adds to `count` more messages of the one packet."""
        before = len(self._messages)
        if before + count <= 1:
            return 0
        if before > 1:
            return ELEMENT_HEADER * count
        return BUNDLE_HEADER + ELEMENT_HEADER * (before + count)

    def _has_budget(self, size: int) -> bool:
        return self._budget is not None and self._budget.has(size, self._timers.now_s())

    def _take(self, size: int) -> bool:
        if size <= self._left:
            self._left -= size
            return True
        return self._budget is not None and self._budget.take(size, self._timers.now_s())

    def _too_long(self, address: str, size: int) -> OscError:
        if self._budget is None:
            text = f"an answer of {size} bytes needs a longer question or /nemo/subscribe"
        else:
            text = f"an answer of {size} bytes exceeds what may be sent to all clients now"
        return OscError("limit", address, text)
