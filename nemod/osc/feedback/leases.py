"""Who is sent changes, and for how long. Thread: control."""

import math
from collections import OrderedDict
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

from nemod.network.access import address_of
from nemod.osc.addresses.flags import DEFAULT_FLAGS, PARAMS, Flags
from nemod.osc.errors import OscError
from nemod.osc.feedback.coverage import Coverage, Coverages
from nemod.osc.sender import Sender

LEASE_S = 60.0
MAX_SUBSCRIBERS = 8
MAX_SUBSCRIBERS_PER_HOST = 4
"""Of them, those of one host; loopback, behind which there are many programs, may have all."""
MAX_IMPLICIT = 32
MAX_IMPLICIT_PER_HOST = 8
IMPLICIT_FLAGS = PARAMS


class Kind(Enum):
    """How a lease came about."""

    EXPLICIT = auto()
    """By `/nemo/subscribe`."""
    IMPLICIT = auto()
    """By setting a value."""
    PERMANENT = auto()
    """By the configuration."""
    LISTENER = auto()
    """By listening to single addresses, over a connection (OSCQuery)."""

    @property
    def is_subscription(self) -> bool:
        """Whether somebody asked for everything that some flags cover."""
        return self in (Kind.EXPLICIT, Kind.PERMANENT)

    @property
    def ends_on_request(self) -> bool:
        """Whether `/nemo/unsubscribe` ends it."""
        return self in (Kind.EXPLICIT, Kind.IMPLICIT)


@dataclass(slots=True, eq=False, kw_only=True)
class Lease:
    """One destination of feedback, and what it has yet to be sent."""

    sender: Sender
    client: Hashable
    """Who asked: whose own unchanged values are not sent back."""
    asker: Hashable = None
    """The port or connection that asked."""
    kind: Kind
    coverage: Coverage
    flags: Flags = IMPLICIT_FLAGS
    addresses: frozenset[str] = frozenset()
    """What a listener listens to."""
    expires_s: float = math.inf
    ready_s: float = -math.inf
    """The earliest time of the next packet."""
    pending: dict[str, None] = field(default_factory=dict)
    """Addresses whose value has changed since it was sent, oldest first."""

    def mark_all(self) -> None:
        """Mark everything that is covered as changed."""
        self.pending = dict(self.coverage.addresses)

    def use(self, coverages: Coverages) -> None:
        """Follow a change of the tree: forget addresses that exist no longer."""
        if self.kind is Kind.LISTENER:
            self.coverage = coverages.of_addresses(self.addresses)
        else:
            self.coverage = coverages.of_flags(self.flags)
        known = self.coverage.addresses
        self.pending = {address: None for address in self.pending if address in known}


class Leases:
    """All leases. A destination has at most one, besides what it listens to."""

    def __init__(self) -> None:
        self._leases: OrderedDict[tuple[bool, Hashable], Lease] = OrderedDict()
        """By (is a listener, destination); the one that was served last is at the end."""
        self._implicit: OrderedDict[Hashable, Lease] = OrderedDict()
        """Those of `_leases`, the least recently used first."""
        self._by_client: dict[Hashable, list[Lease]] = {}

    def __iter__(self) -> Iterator[Lease]:
        """Yield all leases, the one that was served last at the end."""
        return iter(self._leases.values())

    def __len__(self) -> int:
        """Return the number of leases."""
        return len(self._leases)

    def of_client(self, client: Hashable) -> Sequence[Lease]:
        """Return the leases that a client asked for."""
        return self._by_client.get(client, ())

    def of_sender(self, sender: Sender) -> Sequence[Lease]:
        """Return the leases that a client asked for, and the one that sends to itself."""
        theirs = self.of_client(sender.client)
        there = self._leases.get((False, sender.destination))
        return theirs if there is None or there in theirs else [*theirs, there]

    def has_subscription(self, client: Hashable) -> bool:
        """Return whether a client asked for a lease that still runs, or was given one."""
        return any(lease.kind.is_subscription for lease in self.of_client(client))

    def served(self, lease: Lease) -> None:
        """Put a lease behind all others."""
        self._leases.move_to_end(_key(lease))

    def subscribe(
        self, target: Sender, asker: Sender, flags: Flags, coverage: Coverage, now: float
    ) -> Lease:
        """Begin or renew a lease that `asker` asks for. Raises: OscError `limit`."""
        lease = self._leases.get((False, target.destination))
        if lease is None or lease.kind is Kind.IMPLICIT:
            self._check_limits(target)
            for implicit in self._implicit_of(asker.client, target.destination):
                self.remove(implicit)
            lease = Lease(sender=target, client=asker.client, kind=Kind.EXPLICIT, coverage=coverage)
            self._add(lease)
        elif lease.kind is Kind.EXPLICIT and lease.client != asker.client:
            self._change_client(lease, asker.client)
        if lease.kind is Kind.EXPLICIT:
            lease.expires_s = now + LEASE_S
        lease.sender, lease.asker = target, asker.destination
        lease.flags, lease.coverage = flags, coverage
        return lease

    def add_permanent(self, target: Sender, coverage: Coverage) -> Lease:
        """Begin a lease that does not end."""
        lease = Lease(
            sender=target,
            client=target.client,
            kind=Kind.PERMANENT,
            coverage=coverage,
            flags=DEFAULT_FLAGS,
        )
        self._add(lease)
        return lease

    def listener(self, sender: Sender, coverage: Coverage) -> Lease:
        """Return what a connection listens to; it ends with the connection."""
        lease = self._leases.get((True, sender.destination))
        if lease is None:
            lease = Lease(
                sender=sender, client=sender.client, kind=Kind.LISTENER, coverage=coverage
            )
            self._add(lease)
        return lease

    def touch(self, sender: Sender, coverage: Coverage, now: float) -> bool:
        """Begin or renew the lease of a client that sets a value; return whether it is new.

        A client that asked for a lease, or that the configuration names, has what it needs.
        """
        known = self._implicit.get(sender.destination)
        if known is not None:
            self._implicit.move_to_end(sender.destination)
            known.sender, known.expires_s = sender, now + LEASE_S
            return False
        if any(lease.kind is not Kind.IMPLICIT for lease in self.of_client(sender.client)):
            return False
        if (False, sender.destination) in self._leases:
            return False
        self._limit_implicit(sender.host)
        lease = Lease(sender=sender, client=sender.client, kind=Kind.IMPLICIT, coverage=coverage)
        lease.expires_s = now + LEASE_S
        self._implicit[sender.destination] = lease
        self._add(lease)
        return True

    def remove(self, lease: Lease) -> None:
        """End a lease."""
        del self._leases[_key(lease)]
        if lease.kind is Kind.IMPLICIT:
            del self._implicit[lease.sender.destination]
        self._forget_client(lease)

    def remove_expired(self, now: float) -> None:
        """End all leases that were not renewed."""
        for lease in [lease for lease in self if lease.expires_s <= now]:
            self.remove(lease)

    def next_expiry_s(self) -> float:
        """Return when the first lease ends, infinity if none does."""
        return min((lease.expires_s for lease in self), default=math.inf)

    def _add(self, lease: Lease) -> None:
        self._leases[_key(lease)] = lease
        self._by_client.setdefault(lease.client, []).append(lease)

    def _change_client(self, lease: Lease, client: Hashable) -> None:
        self._forget_client(lease)
        lease.client = client
        self._by_client.setdefault(client, []).append(lease)

    def _forget_client(self, lease: Lease) -> None:
        theirs = self._by_client[lease.client]
        theirs.remove(lease)
        if not theirs:
            del self._by_client[lease.client]

    def _implicit_of(self, client: Hashable, destination: Hashable) -> list[Lease]:
        """Return the implicit leases that a subscription replaces."""
        theirs = [lease for lease in self.of_client(client) if lease.kind is Kind.IMPLICIT]
        there = self._implicit.get(destination)
        return theirs if there is None or there in theirs else [*theirs, there]

    def _check_limits(self, target: Sender) -> None:
        explicit = [lease for lease in self if lease.kind is Kind.EXPLICIT]
        if len(explicit) >= MAX_SUBSCRIBERS:
            raise OscError("limit", "/nemo/subscribe", f"there are {MAX_SUBSCRIBERS} subscribers")
        theirs = sum(lease.sender.host == target.host for lease in explicit)
        if theirs >= MAX_SUBSCRIBERS_PER_HOST and not address_of(target.host).is_loopback:
            text = f"{MAX_SUBSCRIBERS_PER_HOST} subscribers of one host are allowed"
            raise OscError("limit", "/nemo/subscribe", text)

    def _limit_implicit(self, host: str) -> None:
        """Make room for one more."""
        theirs = [lease for lease in self._implicit.values() if lease.sender.host == host]
        if len(theirs) >= MAX_IMPLICIT_PER_HOST and not address_of(host).is_loopback:
            self.remove(theirs[0])
        elif len(self._implicit) >= MAX_IMPLICIT:
            self.remove(next(iter(self._implicit.values())))


def _key(lease: Lease) -> tuple[bool, Hashable]:
    return lease.kind is Kind.LISTENER, lease.sender.destination
