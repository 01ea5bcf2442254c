"""Access by source address: this machine, attached private networks, and configured networks.

A phone on the same Wi-Fi works out of the box; nobody beyond the router does, even where the
machine has a public address.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from ipaddress import IPv6Address, ip_address, ip_network

from nemod.common.errors import ConfigError
from nemod.network.interfaces import Address, Network, local_addresses

PRIVATE: tuple[Network, ...] = tuple(
    ip_network(text)
    for text in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "169.254.0.0/16",
        "fc00::/7",
        "fe80::/10",
    )
)
"""RFC 1918, link-local and unique local addresses."""
REFRESH_S = 5.0
"""[s] How often the list of attached networks is refreshed."""
_MAX_REMEMBERED = 1024


def parse_networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Return networks from texts as `10.1.0.0/16`, or a single address.

    Raises: ConfigError that names every text that is neither.
    """
    networks: list[Network] = []
    problems = []
    for text in texts:
        try:
            networks.append(ip_network(text.strip(), strict=False))
        except ValueError:
            problems.append(
                f"{text!r} is not a network; give an address or a range, as 192.168.7.0/24"
            )
    if problems:
        raise ConfigError("allow", problems)
    return tuple(networks)


def address_of(text: str) -> Address:
    """Return the address of a socket's peer: no scope, and IPv4 also where it came as IPv6."""
    address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped
    return address


def attached_networks() -> list[Network]:
    """Return the networks of all of the machine's addresses."""
    return [local.network for local in local_addresses()]


class Access:
    """Decides by source address. Thread: control."""

    def __init__(
        self,
        *,
        local: bool = False,
        allow: Sequence[str] = (),
        attached: Callable[[], Iterable[Network]] = attached_networks,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`local` leaves loopback only; `allow` adds networks by name.

        Raises: ConfigError for a text that is not a network.
        """
        self._local = local
        self._allowed = parse_networks(allow)
        self._attached = attached
        self._clock = clock
        self._private: list[Network] = []
        self._refreshed_s = -REFRESH_S
        self._decisions: dict[Address, bool] = {}

    def allows(self, address: Address) -> bool:
        """Return whether packets from this address are served."""
        if address.is_loopback:
            return True
        if self._local:
            return False
        now = self._clock()
        if now - self._refreshed_s >= REFRESH_S:
            self._refresh(now)
        known = self._decisions.get(address)
        if known is None:
            if len(self._decisions) >= _MAX_REMEMBERED:
                self._decisions.clear()
            known = self._decisions[address] = self._decide(address)
        return known

    def _decide(self, address: Address) -> bool:
        if any(address in network for network in self._allowed):
            return True
        return any(address in network for network in PRIVATE) and any(
            address in network for network in self._private
        )

    def _refresh(self, now: float) -> None:
        self._refreshed_s = now
        self._decisions.clear()
        try:
            self._private = list(self._attached())
        except OSError:
            # Out of a kernel resource: the previous list still applies.
            return
