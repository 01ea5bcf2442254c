"""Opens the sockets of a port: one for IPv4 and, where the machine has it, one for IPv6.

They are bound to all interfaces, or with `is_local` to 127.0.0.1 and ::1 alone.
"""

import errno
import socket
from typing import NamedTuple

from nemod.common.errors import NemodError
from nemod.network.port_owner import owner_of

PORT_TRIES = 8
"""Free ports that are tried until one is free for everything that needs it."""
_RECEIVE_QUEUE = 1 << 20
"""[bytes] Receive buffer asked of the system for datagrams."""
_SEND_QUEUE = 1 << 16
"""[bytes] Send buffer asked of the system for a connection: more would only delay what follows."""
_KEEP_ALIVE = {
    "TCP_KEEPIDLE": 20,
    "TCP_KEEPINTVL": 5,
    "TCP_KEEPCNT": 4,
    "TCP_USER_TIMEOUT": 40_000,
}
"""[s, s, count, ms] A phone that has left the network is found out within 40 s, whether or not
something was being sent to it."""
_BACKLOG = 16
"""Connections that wait to be accepted."""


class PortUse(NamedTuple):
    """What a port is for; for errors."""

    name: str
    """`OSC`, `HTTP`."""
    option: str
    """Option of the command line that chooses the port."""


OSC = PortUse("OSC", "--port")
HTTP = PortUse("HTTP", "--http-port")


class PortError(NemodError):
    """A port cannot be opened."""

    def __init__(
        self, port: int, reason: str, protocol: str = "UDP", hint: str = "", use: PortUse = OSC
    ) -> None:
        """`reason` says what is in the way, `hint` what can be done for the main port."""
        self.port = port
        self.reason = reason
        super().__init__(f"{use.name} port {port} ({protocol}): {reason}{hint and ', '}{hint}")


def open_sockets(
    kind: socket.SocketKind, port: int, *, is_local: bool = False, use: PortUse = OSC
) -> list[socket.socket]:
    """Return sockets for datagrams, or listening ones for connections, by `kind`.

    Port 0 takes a free one. Raises: PortError where the port is taken or may not be used.
    """
    addresses = ("127.0.0.1", "::1") if is_local else ("0.0.0.0", "::")
    for attempt in range(PORT_TRIES):
        first = _open(kind, socket.AF_INET, addresses[0], port, use)
        found = first.getsockname()[1]
        try:
            second = _open(kind, socket.AF_INET6, addresses[1], found, use)
        except PortError:
            first.close()
            # A free port for IPv4 may be taken for IPv6: then another one will do.
            if port or attempt == PORT_TRIES - 1:
                raise
        except OSError:
            return [first]
        else:
            return [first, second]
    raise AssertionError


def _open(
    kind: socket.SocketKind, family: socket.AddressFamily, address: str, port: int, use: PortUse
) -> socket.socket:
    """Return a bound socket.

    Raises: PortError where the port is taken or forbidden, OSError where there is no such family.
    """
    opened = socket.socket(family, kind)
    is_stream = kind == socket.SOCK_STREAM
    protocol = "TCP" if is_stream else "UDP"
    try:
        opened.setblocking(False)
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if is_stream:
            # Connections of a daemon that has just ended do not keep the port taken.
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            _prepare_connections(opened)
        else:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_QUEUE)
        opened.bind((address, port))
        if is_stream:
            opened.listen(_BACKLOG)
    except OSError as error:
        opened.close()
        if error.errno == errno.EADDRINUSE:
            owner = owner_of(port, "tcp" if is_stream else "udp")
            by = f" by {owner}" if owner else ""
            hint = f"choose another with {use.option}"
            raise PortError(port, f"is taken{by}", protocol, hint, use) from error
        if error.errno == errno.EACCES:
            hint = "choose one from 1024 on"
            raise PortError(port, "may not be used", protocol, hint, use) from error
        if family == socket.AF_INET:
            raise PortError(port, error.strerror or str(error), protocol, use=use) from error
        raise
    return opened


def _prepare_connections(listening: socket.socket) -> None:
    """Set what every accepted connection takes over."""
    # An answer is not held back until the one before it has been acknowledged.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_QUEUE)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEP_ALIVE.items():
        # Each system has its own choice of these.
        if hasattr(socket, name):
            listening.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
