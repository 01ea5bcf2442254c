"""Carries out decoded packets: finds the leaves, checks, acts, answers.

Every message is checked before it acts, so a transaction can check all of its messages first.
After a packet the settings are committed once, if any of them changed.
"""

import time
from collections.abc import Callable, Sequence

from nemod.common.timers import Timers
from nemod.control.controller import Controller
from nemod.control.errors import ControlError
from nemod.osc.addresses.client import SENT, TRANSACTION
from nemod.osc.addresses.leaf import Action, Leaf, ignore
from nemod.osc.addresses.meter_rate import MeterRate
from nemod.osc.addresses.pattern import is_pattern
from nemod.osc.addresses.tree import AddressSpace, Tree
from nemod.osc.addresses.values import LeafKind
from nemod.osc.answers import Answers
from nemod.osc.codec import Bundle, Message, Packet
from nemod.osc.counters import Counters
from nemod.osc.errors import OscError, with_address
from nemod.osc.feedback.feedback import Feedback
from nemod.osc.jobs import SenderJobs
from nemod.osc.request import PacketRequest
from nemod.osc.scheduler import Scheduler, Work, is_transaction
from nemod.osc.sender import MAX_ADDRESS, Sender, cut, text_of

Step = Callable[[PacketRequest], None]


class Dispatcher:
    """Carries out packets on the control core. Thread: control."""

    def __init__(
        self,
        controller: Controller,
        counters: Counters,
        timers: Timers,
        *,
        more_leaves: Sequence[Leaf] = (),
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        """`more_leaves`: addresses besides nemod's own. `wall_clock`: what time tags refer to."""
        self.controller = controller
        self.counters = counters
        self.timers = timers
        meter_rate = MeterRate()
        self._space = AddressSpace(controller, counters, meter_rate, more_leaves)
        self.feedback = Feedback(controller, self._space, meter_rate, timers)
        self.scheduler = Scheduler(self._perform, counters, timers, wall_clock)
        self.jobs = SenderJobs()

    @property
    def tree(self) -> Tree:
        """The addresses as they are now; those of the knobs change with the model."""
        return self._space.tree

    def perform(self, packet: Packet, sender: Sender) -> None:
        """Carry out what a packet holds, commit once, and answer; keep what is for later.

        Raises: nothing that a packet could cause; errors of the core's backends are passed on,
        after the commit.
        """
        answers = self._answers(packet, sender)
        work = self.scheduler.split(packet.root, answers)
        if work is None:
            answers.flush()
        else:
            self._perform(work)

    def refuse(self, packet: Packet, sender: Sender, error: OscError) -> None:
        """Answer a packet that is not carried out with an error."""
        answers = self._answers(packet, sender)
        answers.fail(error)
        answers.flush()

    def close(self) -> None:
        """Drop all scheduled bundles and send no feedback any more."""
        self.scheduler.clear()
        self.feedback.close()

    def _answers(self, packet: Packet, sender: Sender) -> Answers:
        may_be_long = sender.is_trusted or self.feedback.has_subscription(sender)
        is_counted = may_be_long and not sender.is_local
        budget = self.feedback.budget if is_counted else None
        return Answers(sender, packet.size, self.timers, budget)

    def _perform(self, work: Work) -> None:
        request = PacketRequest(self, work)
        self.feedback.begin_packet()
        try:
            with self.controller.one_commit():
                self._element(work.root, request)
        finally:
            try:
                request.finish()
            finally:
                self.feedback.end_packet()

    def is_set(self, message: Message) -> bool:
        """Return whether a message only sets parameters, so that a newer value replaces it."""
        if len(message.values) != 1:
            return False
        if is_pattern(message.address):
            return True
        tree = self.tree
        leaf = tree.leaves.get(message.address) or tree.short_form(message.address)
        return leaf is not None and leaf.wildcard_settable and leaf.check is not None

    def _element(self, element: Message | Bundle, request: PacketRequest) -> None:
        if isinstance(element, Message):
            try:
                self._plan(element, request)(request)
            except OscError as error:
                request.fail(error)
            except ControlError as error:
                request.fail(with_address(error, element.address))
            return
        before = request.enter(element)
        if is_transaction(element):
            self._transaction(element, request)
        else:
            for inner in element.elements:
                self._element(inner, request)
        request.leave(before)

    def _transaction(self, bundle: Bundle, request: PacketRequest) -> None:
        """Check all messages, then carry them out; nothing changes if one is wrong."""
        first, *rest = bundle.elements
        try:
            assert isinstance(first, Message)
            number = _transaction_number(first)
            steps = []
            for message in _flat(rest):
                try:
                    steps.append((message.address, self._plan(message, request)))
                except OscError as error:
                    where = f"transaction {number}: {cut(error.address, MAX_ADDRESS)}"
                    text = f"{where}: {error.code}: {text_of(error)}"
                    raise OscError("tx", TRANSACTION, text) from None
        except OscError as error:
            request.fail(error)
            return
        for address, step in steps:
            try:
                step(request)
            except OscError as error:
                request.fail(error)
            except ControlError as error:
                request.fail(with_address(error, address))

    def _plan(self, message: Message, request: PacketRequest) -> Step:
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
                return ignore if address in SENT else self._plan_container(message)
            address = leaf.address
            return _echoing(self._plan(Message(address, tags, values), request), address)
        if leaf.check_all is not None:
            action = leaf.check_all(self.controller, tags, values)
            return action if leaf.concerns_client else _touching(action)
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
        if leaf.needs_write_access and not request.may_write:
            text = "only from this machine, or as `osc.allow_write` says"
            raise OscError("denied", address, text)
        tag, value = (tags[0], values[0]) if values else ("I", None)
        action = leaf.check(self.controller, tag, value)
        return action if leaf.concerns_client else _touching(action)

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

    def _plan_pattern(self, message: Message, request: PacketRequest) -> Step:
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

        def act(request: PacketRequest) -> None:
            request.touch()
            for action in actions:
                action(request)

        return act


def _touching(action: Action) -> Step:
    """Return an action of a client that is to see what the action changes."""

    def act(request: PacketRequest) -> None:
        request.touch()
        action(request)

    return act


def _echoing(step: Step, address: str) -> Step:
    """Return a step that sends back what a short form has set, as it was sent elsewhere."""

    def act(request: PacketRequest) -> None:
        step(request)
        request.adjusted(address)

    return act


def _flat(elements: Sequence[Message | Bundle]) -> list[Message]:
    messages: list[Message] = []
    for element in elements:
        if isinstance(element, Message):
            messages.append(element)
        else:
            messages += _flat(element.elements)
    return messages


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
