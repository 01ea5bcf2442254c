"""Lists the addresses of this machine's network interfaces."""

from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_interface,
)
from typing import NamedTuple

import ifaddr

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


class LocalAddress(NamedTuple):
    """An address of this machine."""

    address: Address
    network: Network
    """The network that it is attached to."""
    interface: int
    """Index of its network interface, as the kernel counts; 0 where it is unknown."""


def local_addresses() -> list[LocalAddress]:
    """Return every address of this machine.

    Raises: OSError where the system cannot list them at the moment.
    """
    found = []
    for adapter in ifaddr.get_adapters():
        for ip in adapter.ips:
            text = ip.ip if isinstance(ip.ip, str) else ip.ip[0]
            interface = ip_interface(f"{text}/{ip.network_prefix}")
            found.append(LocalAddress(interface.ip, interface.network, adapter.index or 0))
    return found
