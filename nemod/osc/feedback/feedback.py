"""Events in, packets out: marks what has changed for every client, and sends it in time.

An event marks addresses; values are read only when a packet is made. So the last value is always
sent, intermediate ones are left out, and a mark costs next to nothing. Thread: control.
"""

import math
from collections import deque
from collections.abc import Callable, Iterable

from nemod.common.timers import Timer, Timers
from nemod.control.controller import Controller
from nemod.control.events import ChainChanged, Changed, Meters, Subscription
from nemod.osc.addresses.flags import DEFAULT_FLAGS, Flag, Flags
from nemod.osc.addresses.meter_rate import MeterRate
from nemod.osc.addresses.system import METER_RATE
from nemod.osc.addresses.tree import AddressSpace, Tree
from nemod.osc.encode import BUNDLE_HEADER, ELEMENT_HEADER, MAX_PACKET, bundle
from nemod.osc.errors import OscError
from nemod.osc.feedback.coverage import Addresses, Coverage, Coverages
from nemod.osc.feedback.leases import IMPLICIT_FLAGS, Lease, Leases
from nemod.osc.feedback.pacing import INTERVAL_S, Pace, feedback_budget
from nemod.osc.feedback.sources import (
    KINDS,
    STATUS,
    STATUS_INTERVAL_S,
    StatusWatch,
    addresses_of,
)
from nemod.osc.sender import Sender


class Feedback:
    """Sends clients what changes."""

    def __init__(
        self, controller: Controller, space: AddressSpace, meter_rate: MeterRate, timers: Timers
    ) -> None:
        self.budget = feedback_budget(timers.now_s())
        """Bytes that may be sent; long answers to subscribers take from it, too."""
        self._controller = controller
        self._space = space
        self._meter_rate = meter_rate
        self._timers = timers
        self._leases = Leases()
        self._coverages = Coverages(space.tree, controller.parameters)
        self._status = StatusWatch(controller)
        self._status_pace = Pace()
        self._meter_pace = Pace()
        self._has_new_meters = False
        self._has_events = False
        self._is_in_packet = False
        self._blocked_until_s = -math.inf
        """Until then there are not enough bytes for a packet."""
        self._due_s = math.inf
        """When the next packet may be sent, as far as is known."""
        self._timer: Timer | None = None
        self._timer_s = math.inf
        """When the timer runs out."""
        self._events = controller.subscribe(wake=self._wake, kinds=(Changed, ChainChanged, *KINDS))
        self._meter_events: Subscription | None = None
        """Only while somebody is sent meters: they come 50 times a second."""

    # --- clients ---------------------------------------------------------------------------------

    def subscribe(self, sender: Sender, port: int | None, flags: Flags) -> None:
        """Send everything that the flags cover now, and every change for 60 s.

        `port`: another port of the sender's host. Raises: OscError.
        """
        self._drain()
        target = sender
        if port is not None:
            if sender.to_port is None:
                text = "a connection is answered on itself, leave the port out"
                raise OscError("value", "/nemo/subscribe", text)
            target = sender.to_port(port)
        coverage = self._coverages.of_flags(flags)
        lease = self._leases.subscribe(target, sender, flags, coverage, self._timers.now_s())
        self._mark_all(lease)

    def unsubscribe(self, sender: Sender, port: int | None) -> None:
        """End what a sender asked for, or only what is sent to this port of its host."""
        target = sender
        if port is not None and sender.to_port is not None:
            target = sender.to_port(port)
        for lease in tuple(self._leases.of_sender(target)):
            is_there = lease.sender.destination == target.destination
            is_asker = port is None and lease.asker == sender.destination
            if lease.kind.ends_on_request and (is_there or is_asker):
                self._leases.remove(lease)

    def refresh(self, sender: Sender) -> None:
        """Send a subscriber everything again. Raises: OscError `not_found`."""
        leases = [lease for lease in self._leases.of_sender(sender) if lease.kind.is_subscription]
        if not leases:
            text = "no subscription, send /nemo/subscribe first"
            raise OscError("not_found", "/nemo/refresh", text)
        for lease in leases:
            self._mark_all(lease)

    def has_subscription(self, sender: Sender) -> bool:
        """Return whether a sender has a subscription that has not ended."""
        return self._leases.has_subscription(sender.client)

    def has_lease(self, sender: Sender) -> bool:
        """Return whether a sender is sent anything."""
        return bool(self._leases.of_sender(sender))

    def touch(self, sender: Sender) -> None:
        """Send the changes of the next 60 s to a client that sets a value, without asking."""
        if sender.gets_echoes:
            if not self._leases:
                self._drain()
            coverage = self._coverages.of_flags(IMPLICIT_FLAGS)
            if self._leases.touch(sender, coverage, self._timers.now_s()):
                self._due(self._leases.next_expiry_s())

    def unchanged(self, sender: Sender, address: str) -> None:
        """Do not send an address back to a client that has just set it to what it now is."""
        self._drain()
        for lease in self._leases.of_sender(sender):
            lease.pending.pop(address, None)

    def adjusted(self, sender: Sender, address: str) -> None:
        """Send an address back to a client that set it to a value that was clipped or rounded."""
        self._drain()
        for lease in self._leases.of_sender(sender):
            lease.pending[address] = None
            self._due(lease.ready_s)

    def add_permanent(self, target: Sender) -> None:
        """Send every change, beginning with everything as it is now; does not end."""
        self._drain()
        coverage = self._coverages.of_flags(DEFAULT_FLAGS)
        self._mark_all(self._leases.add_permanent(target, coverage))
        self._arm(self._timers.now_s())

    def listen(self, sender: Sender, addresses: frozenset[str]) -> None:
        """Send these addresses now, as far as they are new, and then their changes.

        Nothing else is sent, and it ends with the connection. Addresses that do not exist (yet) are
        remembered: the tree changes with the model.
        """
        self._drain()
        lease = self._leases.listener(sender, self._coverages.of_addresses(frozenset()))
        known, lease.addresses = lease.addresses, addresses
        lease.use(self._coverages)
        new = (address for address in lease.coverage.addresses if address not in known)
        lease.pending.update(dict.fromkeys(new))
        self._due(lease.ready_s)
        self._arm(self._due_s)

    def forget(self, sender: Sender) -> None:
        """End everything that is sent over a connection that has ended."""
        for lease in tuple(self._leases.of_client(sender.client)):
            if lease.sender.destination == sender.destination:
                self._leases.remove(lease)

    def set_meter_rate(self, rate_hz: float) -> None:
        """Change how often meters are sent; clipped to the range."""
        self._meter_rate.set(rate_hz)
        self._mark_addresses((METER_RATE,))

    def senders(self) -> list[Sender]:
        """Return everybody who is sent something."""
        return [lease.sender for lease in self._leases]

    def close(self) -> None:
        """Send nothing more."""
        self._events.close()
        self._follow_meters(is_wanted=False)
        self._leases = Leases()
        if self._timer is not None:
            self._timer.cancel()

    # --- what has changed ------------------------------------------------------------------------

    def begin_packet(self) -> None:
        """Hold feedback back while a packet is carried out: it comes after its answers."""
        self._is_in_packet = True

    def end_packet(self) -> None:
        """Send what may be sent now."""
        self._is_in_packet = False
        self._drain()
        now = self._timers.now_s()
        if self._due_s <= now:
            self._run(now)
        else:
            self._arm(self._due_s)

    def _wake(self) -> None:
        """Note that an event waits."""
        self._has_events = True
        if self._leases and not self._is_in_packet:
            self._arm(self._timers.now_s())

    def _on_meters(self) -> None:
        self._has_new_meters = True
        if not self._is_in_packet:
            self._arm(self._meter_pace.next_s)

    def _follow_meters(self, *, is_wanted: bool) -> None:
        """Listen to the meters as long as somebody is sent them."""
        if is_wanted and self._meter_events is None:
            self._meter_events = self._controller.subscribe(wake=self._on_meters, kinds=(Meters,))
        elif not is_wanted and self._meter_events is not None:
            self._meter_events.close()
            self._meter_events = None

    def _drain(self) -> None:
        """Mark what the events since the last call have changed."""
        tree = self._follow_tree()
        if not self._has_events:
            return
        self._has_events = False
        for event in self._events.take():
            if isinstance(event, Changed):
                self._mark_parameter(event.path)
            elif isinstance(event, ChainChanged):
                for lease in self._leases:
                    self._mark_all(lease)
            elif addresses := addresses_of(event, self._controller.chain):
                self._status.changed(tree, (a for a in addresses if a.startswith(STATUS)))
                self._mark_addresses(addresses)

    def _follow_tree(self) -> Tree:
        """Return the tree as it is now, the one that all leases use from now on."""
        tree = self._space.tree
        if tree is not self._coverages.tree:
            self._coverages = Coverages(tree, self._controller.parameters)
            for lease in self._leases:
                lease.use(self._coverages)
            self._mark(lambda coverage: coverage.knobs)
        return tree

    def _mark(self, addresses_of: Callable[[Coverage], Addresses]) -> None:
        due_s = self._due_s
        for lease in self._leases:
            addresses = addresses_of(lease.coverage)
            if addresses:
                lease.pending.update(addresses)
                due_s = min(due_s, lease.ready_s)
        self._due(due_s)

    def _mark_parameter(self, path: str) -> None:
        self._mark(lambda coverage: coverage.of_parameter(path))

    def _mark_addresses(self, addresses: Iterable[str]) -> None:
        self._mark(lambda coverage: coverage.among(addresses))

    def _mark_all(self, lease: Lease) -> None:
        lease.mark_all()
        self._due(lease.ready_s)

    def _due(self, time_s: float) -> None:
        self._due_s = min(self._due_s, max(time_s, self._blocked_until_s))

    # --- sending ---------------------------------------------------------------------------------

    def _run(self, now: float) -> None:
        """Do everything whose time has come, and set the timer for the rest."""
        try:
            self._drain()
            self._due_s = math.inf
            self._leases.remove_expired(now)
            self._mark_meters(now)
            self._mark_status(now)
            self._send(now)
        finally:
            self._set_due()
            self._arm(self._due_s)

    def _mark_meters(self, now: float) -> None:
        if self._has_new_meters and self._meter_pace.is_due(now, 1.0 / self._meter_rate.hz):
            self._has_new_meters = False
            self._mark(lambda coverage: coverage.meters)

    def _mark_status(self, now: float) -> None:
        if not any(lease.coverage.status for lease in self._leases):
            return
        if self._status_pace.is_due(now, STATUS_INTERVAL_S):
            everything = self._coverages.of_flags(frozenset({Flag.STATUS})).addresses
            self._mark_addresses(self._status.changed(self._coverages.tree, everything))

    def _send(self, now: float) -> None:
        """Send each client that is ready a packet in turn, as long as there are bytes."""
        messages: dict[str, bytes] = {}
        queue = deque(lease for lease in self._leases if lease.pending and lease.ready_s <= now)
        while queue:
            if not self.budget.has(MAX_PACKET, now):
                # A little longer than needed: rounding would have it wait in vain.
                self._blocked_until_s = now + self.budget.wait_s(MAX_PACKET, now) + 0.001
                return
            lease = queue.popleft()
            lease.ready_s = now + INTERVAL_S
            if lease.sender.is_busy():
                continue
            packet = self._packet(lease, messages)
            if packet:
                self.budget.take(len(packet), now)
                self._leases.served(lease)
                lease.sender.send(packet)
            if lease.pending:
                queue.append(lease)

    def _packet(self, lease: Lease, messages: dict[str, bytes]) -> bytes:
        """Return a packet of what has changed, and mark it as sent.

        `messages`: those that were read already, by address.
        """
        size = BUNDLE_HEADER
        chosen: list[bytes] = []
        while lease.pending:
            address = next(iter(lease.pending))
            if address not in messages:
                messages[address] = self._read(address)
            message = messages[address]
            size += ELEMENT_HEADER + len(message)
            if size > MAX_PACKET and chosen:
                break
            del lease.pending[address]
            if message:
                chosen.append(message)
        return chosen[0] if len(chosen) == 1 else bundle(chosen) if chosen else b""

    def _read(self, address: str) -> bytes:
        """Return the message with the value that an address has now, or nothing."""
        leaf = self._coverages.tree.leaves.get(address)
        if leaf is None or leaf.read is None:
            return b""
        message = leaf.read(self._controller, MAX_PACKET, 0)
        return message if len(message) <= MAX_PACKET else b""

    def _set_due(self) -> None:
        """Find when the next thing is due."""
        times = [lease.ready_s for lease in self._leases if lease.pending]
        if times:
            self._due(min(times))
        self._due(self._leases.next_expiry_s())
        has_meters = any(lease.coverage.meters for lease in self._leases)
        self._follow_meters(is_wanted=has_meters)
        if self._has_new_meters and has_meters:
            self._due(self._meter_pace.next_s)
        if any(lease.coverage.status for lease in self._leases):
            self._due(self._status_pace.next_s)

    def _arm(self, time_s: float) -> None:
        """Let the timer run out at this time, or before it."""
        if time_s >= self._timer_s:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_s = time_s
        self._timer = self._timers.later(max(time_s - self._timers.now_s(), 0.0), self._elapsed)

    def _elapsed(self) -> None:
        # A timer may run out a rounding error before its time: nothing would be due yet.
        now = max(self._timers.now_s(), self._timer_s)
        self._timer, self._timer_s = None, math.inf
        self._run(now)
