"""Opens the listening sockets of a port: for IPv4 and, where the machine has it, for IPv6."""

import errno
import socket

from nemod.common.errors import NemodError
from nemod.network.port_owner import owner_of

_BACKLOG = 16
"""Connections that wait to be accepted."""
_PORT_TRIES = 8
"""Free ports that are tried until one is free for IPv4 and IPv6 alike."""


class WebPortError(NemodError):
    """The HTTP port cannot be opened."""

    def __init__(self, port: int, reason: str) -> None:
        """`reason` says what is in the way."""
        self.port = port
        self.reason = reason
        super().__init__(f"HTTP port {port} (TCP): {reason}")


def open_sockets(port: int, *, is_local: bool = False) -> list[socket.socket]:
    """Return listening sockets on all interfaces, or with `is_local` on loopback alone.

    Port 0 takes a free one. Raises: WebPortError where the port is taken or may not be used.
    """
    addresses = ("127.0.0.1", "::1") if is_local else ("0.0.0.0", "::")
    for attempt in range(_PORT_TRIES):
        first = _open(socket.AF_INET, addresses[0], port)
        found = first.getsockname()[1]
        try:
            second = _open(socket.AF_INET6, addresses[1], found)
        except WebPortError:
            first.close()
            # A free port for IPv4 may be taken for IPv6: then another one will do.
            if port or attempt == _PORT_TRIES - 1:
                raise
        except OSError:
            return [first]
        else:
            return [first, second]
    raise AssertionError


def _open(family: socket.AddressFamily, address: str, port: int) -> socket.socket:
    """Return a listening socket.

    Raises: WebPortError where the port is taken or forbidden, OSError without such a family.
    """
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        opened.setblocking(False)
        # Connections of a daemon that has just ended do not keep the port taken.
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        opened.bind((address, port))
        opened.listen(_BACKLOG)
    except OSError as error:
        opened.close()
        if error.errno == errno.EADDRINUSE:
            owner = owner_of(port, "tcp")
            by = f" by {owner}" if owner else ""
            raise WebPortError(port, f"is taken{by}, choose another with --http-port") from error
        if error.errno == errno.EACCES:
            raise WebPortError(port, "may not be used, choose one from 1024 on") from error
        if family == socket.AF_INET:
            raise WebPortError(port, error.strerror or str(error)) from error
        raise
    return opened
