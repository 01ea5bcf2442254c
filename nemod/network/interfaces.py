"""Lists the addresses of this machine's network interfaces."""

from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface, ip_interface

import ifaddr

Address = IPv4Address | IPv6Address
Interface = IPv4Interface | IPv6Interface


def machine_interfaces() -> list[Interface]:
    """Return every address of this machine with the network that it is attached to.

    Raises: OSError where the system cannot list them at the moment.
    """
    found: list[Interface] = []
    for adapter in ifaddr.get_adapters():
        for ip in adapter.ips:
            text = ip.ip if isinstance(ip.ip, str) else ip.ip[0]
            found.append(ip_interface(f"{text}/{ip.network_prefix}"))
    return found
