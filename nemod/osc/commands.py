"""Performs decoded packets: finds the leaves, checks, acts, answers.

Every message is checked before it acts, so a transaction can check all of its messages first.
After a packet the settings are committed once, if any of them changed.
"""

import time
from collections.abc import Callable, Sequence

from nemod.common.errors import OscError
from nemod.osc.codec import IMMEDIATELY, Bundle, Message, Packet
from nemod.osc.encode import BUNDLE_HEADER, ELEMENT_HEADER, MAX_PACKET, pack
from nemod.osc.host import Answer, Host
from nemod.osc.leaf import Leaf
from nemod.osc.pattern import is_pattern
from nemod.osc.sender import MAX_ADDRESS, Sender, cut, error_message, text_of
from nemod.osc.slow import SlowWork
from nemod.osc.system import TRANSACTION
from nemod.osc.tree import Tree, build_tree
from nemod.osc.values import Kind

SMALL_PACKET = 512
"""[bytes] All that a stranger gets of a large answer, so that a forged source gains little."""
FAR_FUTURE_S = 10.0
"""[s] A time tag further ahead is a sender's wrong clock."""
MAX_PATTERN_CHARACTERS = 1024
"""In the patterns of one packet: a bound on the work of matching."""
_NTP_EPOCH_S = 2_208_988_800
"""[s] From 1900, where time tags begin, to 1970."""

Step = Callable[["_Request"], None]


class Dispatcher:
    """Carries out packets against a host. Thread: control."""

    def __init__(
        self,
        host: Host,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        """`clock` is what limits are measured with, `wall_clock` what time tags are."""
        self.host = host
        self.far_future_count = 0
        """Bundles whose time tag was too far ahead."""
        self._clock = clock
        self._wall_clock = wall_clock
        self._tree = build_tree(host.knob_names)
        self._knob_names = tuple(host.knob_names)
        self.slow_work = SlowWork(host, self.fail)

    @property
    def tree(self) -> Tree:
        """The addresses as they are now; those of the knobs change with the model."""
        names = tuple(self.host.knob_names)
        if names != self._knob_names:
            self._tree, self._knob_names = build_tree(names), names
        return self._tree

    def perform(self, packet: Packet, sender: Sender) -> None:
        """Carry out everything in a packet, commit once, and answer.

        Raises: nothing that a packet could cause; what the host raises is passed on, after the
        commit.
        """
        request = _Request(self, sender)
        try:
            self._element(packet.root, request)
        finally:
            request.finish()

    def is_set(self, message: Message) -> bool:
        """Say whether a message moves knobs and nothing else: only its newest value counts."""
        if len(message.values) != 1:
            return False
        if is_pattern(message.address):
            return True
        tree = self.tree
        leaf = tree.leaves.get(message.address) or tree.short_form(message.address)
        return leaf is not None and leaf.by_pattern and leaf.check is not None

    def fail(self, error: OscError, sender: Sender) -> None:
        """Send an error, unless the sender has had enough of them."""
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
        """Check everything, then do everything; nothing is touched if one message is wrong."""
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
            self.far_future_count += ahead_s > FAR_FUTURE_S

    def _plan(self, message: Message, request: "_Request") -> Step:
        """Return what a message does, checked but not yet done.

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
        if leaf.kind is Kind.LIST:
            return _plan_list(leaf, tags, values)
        if not values and leaf.kind is not Kind.TRIGGER:
            if leaf.read is None:
                raise OscError("writeonly", address, "can be set but not asked")
            return lambda request: request.answer(leaf)
        if leaf.check is None:
            raise OscError("readonly", address, "can be asked but not set")
        if values:
            return leaf.check(self.host, tags[0], values[0])
        return leaf.check(self.host, "I", None)

    def _plan_container(self, message: Message) -> Step:
        leaves = self.tree.container(message.address)
        if not leaves:
            raise self.tree.unknown(message.address)
        if message.values:
            raise OscError("address", message.address, "holds other addresses and takes no value")
        readable = [leaf for leaf in leaves if leaf.read]
        if not readable:
            raise OscError("writeonly", message.address, "has nothing that can be asked")
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
            leaf.check(self.host, tags[0], values[0]) for leaf in targets if leaf.check is not None
        ]
        if not actions:
            raise OscError("readonly", address, "can be asked but not set")

        def act(request: "_Request") -> None:
            for action in actions:
                action(request)

        return act


class _Request:
    """One packet while it is performed; what leaves may do is described in `nemod.osc.leaf`."""

    def __init__(self, dispatcher: Dispatcher, sender: Sender) -> None:
        self.host = dispatcher.host
        self._dispatcher = dispatcher
        self._sender = sender
        self._changed = False
        self._echoes: dict[str, None] = {}
        self._replies: list[bytes] = []
        self._syncs: list[int] = []
        self._pattern_characters = 0
        self._had_large_answer = False

    def set(self, path: str, position: float) -> None:
        settings = self.host.settings
        before = settings.get(path)
        self._changed |= settings.set(path, position) != before

    def echo(self, address: str) -> None:
        self._echoes[address] = None

    def reply(self, message: bytes) -> None:
        self._replies.append(message)

    def slow(self, address: str, work: Callable[[Answer], None]) -> None:
        self._dispatcher.slow_work.begin(address, self._sender, work)

    def load(self, address: str, name: str) -> None:
        self._dispatcher.slow_work.load(address, name, self._sender)

    def wanted_model(self) -> str:
        return self._dispatcher.slow_work.wanted_model()

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
        self.reply(leaf.read(self.host, self._room, offset))

    def answer_all(self, address: str, leaves: Sequence[Leaf]) -> None:
        """Answer a query of a container or pattern, in bundles."""
        self._claim_large_answer(address)
        room = self._room - BUNDLE_HEADER - ELEMENT_HEADER
        messages = [leaf.read(self.host, room, 0) for leaf in leaves if leaf.read]
        if not self._sender.is_trusted:
            messages = _cut_to_one_packet(address, messages)
        self._replies += pack(messages, self._room)

    def finish(self) -> None:
        """Commit if a setting changed, then send what has gathered."""
        if self._changed:
            self.host.commit()
        leaves = self._dispatcher.tree.leaves
        echoed = [leaves[address] for address in self._echoes if address in leaves]
        messages = [leaf.read(self.host, MAX_PACKET, 0) for leaf in echoed if leaf.read]
        for packet in (*messages, *self._replies):
            self._sender.send(packet)
        for number in self._syncs:
            try:
                self._dispatcher.slow_work.sync(number, self._sender)
            except OscError as error:
                self._dispatcher.fail(error, self._sender)

    @property
    def _room(self) -> int:
        return MAX_PACKET if self._sender.is_trusted else SMALL_PACKET

    def _claim_large_answer(self, address: str) -> None:
        if self._had_large_answer and not self._sender.is_trusted:
            raise OscError("limit", address, "one such question in a packet")
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
    """Return as many messages as one small packet holds; if not all fit, it says so itself."""
    if len(pack(messages, SMALL_PACKET)) <= 1:
        return list(messages)
    text = f"cut to one packet of {SMALL_PACKET} bytes; ask for less at a time"
    note = error_message("limit", address, text)
    left = SMALL_PACKET - BUNDLE_HEADER - ELEMENT_HEADER - len(note)
    kept = []
    for message in messages:
        left -= ELEMENT_HEADER + len(message)
        if left < 0:
            break
        kept.append(message)
    return [*kept, note]
