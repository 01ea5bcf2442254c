"""OSC over TCP: listens, and limits the number of connections.

Both framings of `framing` are served. Answers and feedback go back on the same connection in its
own framing, until the other side closes it or one of the limits does.
"""

import asyncio
import socket
import time
from collections.abc import Callable

from nemod.network.access import Access, address_of
from nemod.network.sockets import open_sockets
from nemod.osc.connection import Connection, ConnectionLimits
from nemod.osc.receiver import Receiver
from nemod.osc.sender import Sender

MAX_CONNECTIONS = 8
"""Most connections in all; loopback may have all of them."""
MAX_PER_HOST = 4
"""Most connections of one other machine."""
_CHECKS = 10
"""How often the shortest time limit is looked at while it runs."""
_LONGEST_CHECK_S = 1.0
_CLOSE_S = 1.0
"""[s] How long closing waits for connections to end."""


def never(sender: Sender) -> bool:
    """Return that a client has none."""
    return False


class TcpTransport:
    """Accepts connections. Thread: control, inside a running event loop."""

    def __init__(
        self,
        receiver: Receiver,
        access: Access,
        *,
        is_local: bool = False,
        limits: ConnectionLimits | None = None,
        has_jobs: Callable[[Sender], bool] = never,
        has_lease: Callable[[Sender], bool] = never,
        forget: Callable[[Sender], None] = lambda sender: None,
    ) -> None:
        """`is_local`: listen on loopback alone.

        `has_jobs`: whether a background job of this client is under way. `has_lease`: whether it
        gets feedback, and may be silent for longer. `forget` is called when a connection has ended.
        """
        self._receiver = receiver
        self._access = access
        self._is_local = is_local
        self._limits = limits or ConnectionLimits()
        self._has_jobs = has_jobs
        self._has_lease = has_lease
        self._forget = forget
        self._servers: list[asyncio.Server] = []
        self._connections: list[Connection] = []
        self._checker: asyncio.TimerHandle | None = None

    async def open(self, port: int) -> int:
        """Listen, and return the port; port 0 takes a free one.

        Raises: PortError where the port is taken or may not be used.
        """
        sockets = open_sockets(socket.SOCK_STREAM, port, is_local=self._is_local)
        bound: int = sockets[0].getsockname()[1]
        loop = asyncio.get_running_loop()
        for opened in sockets:
            self._servers.append(await loop.create_server(self._connection, sock=opened))
        return bound

    def senders(self) -> list[Sender]:
        """Return the clients that are connected."""
        return [connection.sender for connection in self._connections]

    async def close(self) -> None:
        """Stop listening, and end all connections."""
        for server in self._servers:
            server.close()
        self._servers.clear()
        for connection in tuple(self._connections):
            connection.close()
        end = time.monotonic() + _CLOSE_S
        while self._connections and time.monotonic() < end:
            await asyncio.sleep(_CLOSE_S / 100)
        for connection in tuple(self._connections):
            connection.abort()
        await asyncio.sleep(0)
        if self._checker is not None:
            self._checker.cancel()

    def _connection(self) -> Connection:
        return Connection(
            self._receiver,
            self._limits,
            accept=self._accept,
            ended=self._ended,
            has_jobs=self._has_jobs,
        )

    def _accept(self, connection: Connection, peer: tuple[str, int]) -> bool:
        address = address_of(peer[0])
        if not self._access.allows(address):
            self._receiver.drop("osc.foreign", source=str(address))
            return False
        host = str(address)
        most = MAX_CONNECTIONS if address.is_loopback else MAX_PER_HOST
        if not self._has_room(host, most):
            self._receiver.drop("osc.too_many_connections", source=host)
            return False
        connection.open(address, peer[1])
        self._connections.append(connection)
        if self._checker is None:
            self._check()
        return True

    def _has_room(self, host: str, most: int) -> bool:
        """Return whether one more connection fits; one that only waits for answers makes room."""
        if self._fits(host, most):
            return True
        for connection in [one for one in self._connections if one.is_half_closed]:
            self._connections.remove(connection)
            connection.abort()
        return self._fits(host, most)

    def _fits(self, host: str, most: int) -> bool:
        of_host = sum(one.sender.host == host for one in self._connections)
        return of_host < most and len(self._connections) < MAX_CONNECTIONS

    def _ended(self, connection: Connection) -> None:
        if connection in self._connections:
            self._connections.remove(connection)
        self._receiver.guard(lambda: self._forget(connection.sender))

    def _check(self) -> None:
        """End the connections whose time has run out; runs while there are any."""
        self._checker = None
        now = time.monotonic()
        for connection in tuple(self._connections):
            connection.check(now, self._has_lease(connection.sender))
        if self._connections:
            limits = self._limits
            shortest = min(limits.idle_s, limits.frame_s, limits.stuck_s, limits.jobs_s)
            delay_s = min(shortest / _CHECKS, _LONGEST_CHECK_S)
            self._checker = asyncio.get_running_loop().call_later(delay_s, self._check)
