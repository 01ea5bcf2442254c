"""Carries out decoded packets: finds the leaves, checks, acts, answers.

Every message is checked before it acts, so a transaction can check all of its messages first.
After a packet the settings are committed once, if any of them changed.
"""

import time
from collections.abc import Callable, Sequence

from nemod.control.controller import Controller
from nemod.control.errors import ControlError
from nemod.control.jobs import Job
from nemod.osc.addresses.leaf import Leaf
from nemod.osc.addresses.pattern import is_pattern
from nemod.osc.addresses.system import TRANSACTION
from nemod.osc.addresses.tree import Tree, build_tree
from nemod.osc.addresses.values import LeafKind
from nemod.osc.codec import IMMEDIATELY, Bundle, Message, Packet
from nemod.osc.counters import Counters
from nemod.osc.encode import BUNDLE_HEADER, ELEMENT_HEADER, MAX_PACKET, pack
from nemod.osc.errors import OscError, with_address
from nemod.osc.jobs import SenderJobs
from nemod.osc.sender import MAX_ADDRESS, Sender, cut, error_message, text_of

SMALL_PACKET = 512
"""[bytes] Longest answer to a sender on another machine: limits amplification by forged sources."""
FAR_FUTURE_S = 10.0
"""[s] A time tag further ahead means that the sender's clock is wrong."""
MAX_PATTERN_CHARACTERS = 1024
"""Most characters in the patterns of one packet: bounds the work of matching."""
_NTP_EPOCH_S = 2_208_988_800
"""[s] From 1900, where time tags begin, to 1970."""

Step = Callable[["_Request"], None]


class Dispatcher:
    """Carries out packets on the control core. Thread: control."""

    def __init__(
        self,
        controller: Controller,
        counters: Counters | None = None,
        *,
        more_leaves: Sequence[Leaf] = (),
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        """`more_leaves`: addresses besides nemod's own.

        `clock`: for limits. `wall_clock`: for time tags.
        """
        self.controller = controller
        self.counters = counters or Counters()
        self._clock = clock
        self._wall_clock = wall_clock
        self._parameters = controller.parameters
        self._more_leaves = more_leaves
        self._tree = build_tree(self._parameters, self.counters, more_leaves)
        self.jobs = SenderJobs(self.fail)

    @property
    def tree(self) -> Tree:
        """The addresses as they are now; those of the knobs change with the model."""
        parameters = self.controller.parameters
        if parameters is not self._parameters:
            self._parameters = parameters
            self._tree = build_tree(parameters, self.counters, self._more_leaves)
        return self._tree

    def perform(self, packet: Packet, sender: Sender) -> None:
        """Carry out everything in a packet, commit once, and answer.

        Raises: nothing that a packet could cause; errors of the core's backends are passed on,
        after the commit.
        """
        request = _Request(self, sender)
        try:
            with self.controller.one_commit():
                self._element(packet.root, request)
        finally:
            request.finish()

    def is_set(self, message: Message) -> bool:
        """Return whether a message only sets parameters, so that a newer value replaces it."""
        if len(message.values) != 1:
            return False
        if is_pattern(message.address):
            return True
        tree = self.tree
        leaf = tree.leaves.get(message.address) or tree.short_form(message.address)
        return leaf is not None and leaf.wildcard_settable and leaf.check is not None

    def fail(self, error: OscError, sender: Sender) -> None:
        """Send an error, unless the sender got too many of them."""
        message = self.error_message(error, sender)
        if message:
            sender.send(message)

    def error_message(self, error: OscError, sender: Sender) -> bytes:
        """Return an error to be sent, or nothing."""
        return sender.error_message(error, self._clock())

    def _element(self, element: Message | Bundle, request: "_Request") -> None:
        if isinstance(element, Message):
            try:
                self._plan(element, request)(request)
            except OscError as error:
                request.fail(error)
            except ControlError as error:
                request.fail(with_address(error, element.address))
            return
        self._count_far_future(element)
        match element.elements:
            case (Message(address="/nemo/tx") as first, *rest):
                self._transaction(first, rest, request)
            case elements:
                for inner in elements:
                    self._element(inner, request)

    def _transaction(
        self, first: Message, rest: Sequence[Message | Bundle], request: "_Request"
    ) -> None:
        """Check all messages, then carry them out; nothing changes if one is wrong."""
        try:
            number = _transaction_number(first)
            steps = []
            for message in self._flat(rest):
                try:
                    steps.append(self._plan(message, request))
                except OscError as error:
                    where = f"transaction {number}: {cut(error.address, MAX_ADDRESS)}"
                    text = f"{where}: {error.code}: {text_of(error)}"
                    raise OscError("tx", TRANSACTION, text) from None
        except OscError as error:
            request.fail(error)
            return
        for step in steps:
            try:
                step(request)
            except OscError as error:
                request.fail(error)
            except ControlError as error:
                request.fail(with_address(error, first.address))

    def _flat(self, elements: Sequence[Message | Bundle]) -> list[Message]:
        messages = []
        for element in elements:
            if isinstance(element, Message):
                messages.append(element)
            else:
                self._count_far_future(element)
                messages += self._flat(element.elements)
        return messages

    def _count_far_future(self, bundle: Bundle) -> None:
        if bundle.time_tag != IMMEDIATELY:
            ahead_s = bundle.time_tag / 2**32 - _NTP_EPOCH_S - self._wall_clock()
            self.counters.far_future += ahead_s > FAR_FUTURE_S

    def _plan(self, message: Message, request: "_Request") -> Step:
        """Return the action of a message, checked but not yet carried out.

        Raises: OscError.
        """
        address, tags, values = message
        tree = self.tree
        if is_pattern(address):
            return self._plan_pattern(message, request)
        leaf = tree.leaves.get(address)
        if leaf is None:
            leaf = tree.short_form(address) if len(values) == 1 else None
            if leaf is None:
                return self._plan_container(message)
            address = leaf.address
        if len(values) > 1:
            raise OscError("args", address, f"takes one argument, not {len(values)}")
        if leaf.kind is LeafKind.LIST:
            return _plan_list(leaf, tags, values)
        if not values and leaf.needs_value and leaf.kind is not LeafKind.TRIGGER:
            if leaf.read is None:
                raise OscError("writeonly", address, "can be set but not queried")
            return lambda request: request.answer(leaf)
        if leaf.check is None:
            raise OscError("readonly", address, "can be queried but not set")
        if values:
            return leaf.check(self.controller, tags[0], values[0])
        return leaf.check(self.controller, "I", None)

    def _plan_container(self, message: Message) -> Step:
        leaves = self.tree.container(message.address)
        if not leaves:
            raise self.tree.unknown(message.address)
        if message.values:
            raise OscError(
                "address", message.address, "contains other addresses and takes no value"
            )
        readable = [leaf for leaf in leaves if leaf.read]
        if not readable:
            raise OscError("writeonly", message.address, "has nothing that can be queried")
        return lambda request: request.answer_all(message.address, readable)

    def _plan_pattern(self, message: Message, request: "_Request") -> Step:
        address, tags, values = message
        request.spend_pattern(address)
        targets = self.tree.match(address)
        if len(values) > 1:
            raise OscError("args", address, f"takes one argument, not {len(values)}")
        if not values:
            readable = [leaf for leaf in targets if leaf.read]
            return lambda request: request.answer_all(address, readable)
        actions = [
            leaf.check(self.controller, tags[0], values[0])
            for leaf in targets
            if leaf.check is not None
        ]
        if not actions:
            raise OscError("readonly", address, "can be queried but not set")

        def act(request: "_Request") -> None:
            for action in actions:
                action(request)

        return act


class _Request:
    """One packet while it is carried out; for what leaves may do see `addresses.leaf`."""

    def __init__(self, dispatcher: Dispatcher, sender: Sender) -> None:
        self.controller = dispatcher.controller
        self.source = sender.source
        self.may_write = sender.may_write
        self._dispatcher = dispatcher
        self._sender = sender
        self._echoes: dict[str, None] = {}
        self._replies: list[bytes] = []
        self._syncs: list[int] = []
        self._pattern_characters = 0
        self._had_large_answer = False

    def echo(self, address: str) -> None:
        self._echoes[address] = None

    def reply(self, message: bytes) -> None:
        self._replies.append(message)

    def job(self, address: str, start: Callable[[], Job]) -> None:
        self._dispatcher.jobs.start(address, self._sender, start)

    def sync(self, number: int) -> None:
        self._syncs.append(number)

    def fail(self, error: OscError) -> None:
        """Answer an error, in its place among the answers."""
        message = self._dispatcher.error_message(error, self._sender)
        if message:
            self.reply(message)

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
        if leaf.is_large:
            self._claim_large_answer(leaf.address)
        self.reply(leaf.read(self.controller, self._room, offset))

    def answer_all(self, address: str, leaves: Sequence[Leaf]) -> None:
        """Answer a query of a container or pattern, in bundles."""
        self._claim_large_answer(address)
        room = self._room - BUNDLE_HEADER - ELEMENT_HEADER
        messages = [leaf.read(self.controller, room, 0) for leaf in leaves if leaf.read]
        if not self._sender.is_trusted:
            messages = _cut_to_one_packet(address, messages)
        self._replies += pack(messages, self._room)

    def finish(self) -> None:
        """Send the echoes and the answers."""
        leaves = self._dispatcher.tree.leaves
        echoed = [leaves[address] for address in self._echoes if address in leaves]
        messages = [leaf.read(self.controller, MAX_PACKET, 0) for leaf in echoed if leaf.read]
        for packet in (*messages, *self._replies):
            self._sender.send(packet)
        for number in self._syncs:
            try:
                self._dispatcher.jobs.sync(number, self._sender)
            except OscError as error:
                self._dispatcher.fail(error, self._sender)

    @property
    def _room(self) -> int:
        return MAX_PACKET if self._sender.is_trusted else SMALL_PACKET

    def _claim_large_answer(self, address: str) -> None:
        if self._had_large_answer and not self._sender.is_trusted:
            raise OscError("limit", address, "one query of this kind per packet")
        self._had_large_answer = True


def _plan_list(leaf: Leaf, tags: str, values: Sequence[object]) -> Step:
    offset = 0
    if values:
        if tags not in ("i", "h") or not isinstance(values[0], int):
            raise OscError("type", leaf.address, "takes the offset of the first name (i)")
        offset = values[0]
    return lambda request: request.answer(leaf, offset)


def _transaction_number(message: Message) -> int:
    if message.tags not in ("i", "h") or not isinstance(message.values[0], int):
        raise OscError("tx", TRANSACTION, "takes the number of the transaction (i)")
    return message.values[0]


def _cut_to_one_packet(address: str, messages: Sequence[bytes]) -> list[bytes]:
    """Return as many messages as one small packet holds; an error follows if not all fit."""
    if len(pack(messages, SMALL_PACKET)) <= 1:
        return list(messages)
    text = f"cut to one packet of {SMALL_PACKET} bytes; query less at a time"
    note = error_message("limit", address, text)
    left = SMALL_PACKET - BUNDLE_HEADER - ELEMENT_HEADER - len(note)
    kept = []
    for message in messages:
        left -= ELEMENT_HEADER + len(message)
        if left < 0:
            break
        kept.append(message)
    return [*kept, note]
