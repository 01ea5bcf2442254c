"""Decides whether an HTTP request's `Host` names this machine; protects from DNS rebinding.

A page from anywhere can point its own DNS name at this machine's address and then read answers
as if they were its own. The browser sends that name as `Host`, so only names and addresses of the
machine, and those of the configuration, are accepted.
"""

import re
import time
from collections.abc import Callable, Iterable, Sequence
from ipaddress import IPv6Address, ip_address

from nemod.common.errors import ConfigError
from nemod.network.access import REFRESH_S, address_of
from nemod.network.interfaces import Address, local_addresses
from nemod.network.names import host_label, host_name

_PORT = re.compile(r":(\d{0,5})\Z", re.ASCII)
_NAME = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*\Z")
_MAX_NAME = 253


def parse_host(value: str) -> str | Address | None:
    """Return the address or the lower-case name of a `Host` value, None where it is malformed.

    The port, the brackets of an IPv6 address and the dot at the end of a name are left out.
    """
    port = _PORT.search(value)
    if port and int(port[1] or 0) > 65535:
        return None
    host = value[: port.start()] if port else value
    if host.startswith("[") and host.endswith("]"):
        try:
            address = address_of(host[1:-1])
        except ValueError:
            return None
        # A bracketed IPv4 address is malformed, a mapped one in IPv6 spelling is not.
        return address if ":" in host else None
    try:
        address = ip_address(host)
    except ValueError:
        name = host.lower().removesuffix(".")
        return name if len(name) <= _MAX_NAME and _NAME.match(name) else None
    return None if isinstance(address, IPv6Address) else address


def machine_addresses() -> list[Address]:
    """Return the addresses of all interfaces of this machine."""
    return [local.address for local in local_addresses()]


def machine_names() -> list[str]:
    """Return the names of this machine, in its own network and by mDNS."""
    name = host_name().lower()
    return [name, f"{name}.local", f"{host_label(name)}.local"]


class LocalHosts:
    """Knows the names and addresses by which HTTP clients may address this machine.

    Thread: control.
    """

    def __init__(
        self,
        allow_hosts: Sequence[str] = (),
        *,
        names: Callable[[], Iterable[str]] = machine_names,
        addresses: Callable[[], Iterable[Address]] = machine_addresses,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`allow_hosts` adds names and addresses; an IPv6 address stands in brackets.

        Where the host name by multicast DNS may differ from the machine's, `names` adds it.

        Raises: ConfigError that names every entry that is neither, or has a port.
        """
        self._allowed = _parse_allowed(allow_hosts)
        self._read_names = names
        self._read_addresses = addresses
        self._clock = clock
        self._names: frozenset[str] = frozenset()
        self._addresses: frozenset[Address] = frozenset()
        self._refreshed_s = -REFRESH_S

    def is_local(self, host: str) -> bool:
        """Return whether the value of a `Host` header, with or without port, is accepted."""
        parsed = parse_host(host)
        if parsed is None:
            return False
        if parsed == "localhost" or parsed in self._allowed:
            return True
        if not isinstance(parsed, str) and parsed.is_loopback:
            return True
        self._refresh()
        return parsed in (self._names if isinstance(parsed, str) else self._addresses)

    def _refresh(self) -> None:
        now = self._clock()
        if now - self._refreshed_s < REFRESH_S:
            return
        self._refreshed_s = now
        try:
            names, addresses = frozenset(self._read_names()), frozenset(self._read_addresses())
        except OSError:
            # Out of a kernel resource: the previous lists still apply.
            return
        self._names = frozenset(name.lower().removesuffix(".") for name in names)
        self._addresses = addresses


def _parse_allowed(texts: Iterable[str]) -> frozenset[str | Address]:
    allowed: set[str | Address] = set()
    problems = []
    for text in texts:
        host = parse_host(text.strip())
        if host is None or _PORT.search(text):
            problems.append(
                f"{text!r} is not a host; give a name or an address without a port, "
                "as rig.example.org, 192.168.7.4 or [fd00::4]"
            )
        else:
            allowed.add(host)
    if problems:
        raise ConfigError("allow_hosts", problems)
    return frozenset(allowed)
