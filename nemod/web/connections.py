"""Limits the connections of the server: how many there are, from whom, and how long they are idle.

An aiohttp server waits for a request that never comes to its end as long as the client likes. Here
each connection has a time in which something must be answered on it.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

from aiohttp import StreamReader, web
from aiohttp.http import RawRequestMessage

from nemod.network.access import address_of
from nemod.network.interfaces import Address


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """How many connections there may be, and for how long."""

    in_all: int = 32
    per_host: int = 16
    """Of one other machine; loopback may have all."""
    idle_s: float = 15.0
    """[s] Until a request must be complete, from the begin of the connection or the last answer;
    that answer must have been read in this time too."""


class Connections:
    """All connections of the server. Thread: control."""

    def __init__(
        self,
        limits: ConnectionLimits,
        admits: Callable[[Address], bool],
        refused: Callable[[str, Address], None],
    ) -> None:
        """`admits`: whether an address is served. `refused` is called with a reason if not."""
        self.limits = limits
        self._admits = admits
        self._refused = refused
        self._open: dict[asyncio.BaseTransport, LimitedConnection] = {}

    def may_open(self, address: Address) -> bool:
        """Return whether one more connection from this address is served."""
        if not self._admits(address):
            self._refused("foreign", address)
            return False
        limits = self.limits
        of_host = sum(one.address == address for one in self._open.values())
        most = limits.in_all if address.is_loopback else limits.per_host
        if of_host >= most or len(self._open) >= limits.in_all:
            self._refused("too many connections", address)
            return False
        return True

    def add(self, transport: asyncio.BaseTransport, connection: "LimitedConnection") -> None:
        """Count a connection."""
        self._open[transport] = connection

    def remove(self, transport: asyncio.BaseTransport) -> None:
        """Count a connection no longer."""
        self._open.pop(transport, None)

    @contextmanager
    def answering(
        self, transport: asyncio.BaseTransport | None, body: StreamReader
    ) -> Iterator[None]:
        """Suspend the time limit of a connection while a request on it is answered.

        `body` is the request's: reading it raises RequestPayloadError once it is malformed.
        """
        connection = self._open.get(transport) if transport is not None else None
        if connection is not None:
            connection.answer(body)
        try:
            yield
        finally:
            if connection is not None:
                connection.wait()

    def abort(self) -> None:
        """End all connections at once."""
        for connection in list(self._open.values()):
            connection.abort()


class LimitedConnection(asyncio.Protocol):
    """Passes a connection on to aiohttp's protocol, or ends it. Thread: control."""

    def __init__(self, connections: Connections, make: Callable[[], asyncio.Protocol]) -> None:
        """`make` returns the protocol of a connection that is served."""
        self.address: Address
        self._connections = connections
        self._make = make
        self._inner: asyncio.Protocol | None = None
        self._transport: asyncio.Transport
        self._timer: asyncio.TimerHandle | None = None
        self._body: StreamReader | None = None
        """Of the request that is being answered."""

    def answer(self, body: StreamReader) -> None:
        """Let the connection be idle: a request with this body is being answered."""
        self._body = body
        self.suspend()

    def suspend(self) -> None:
        """Let the connection be idle."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def wait(self) -> None:
        """End the connection if no further request is complete in time."""
        self._body = None
        self.suspend()
        if self._inner is not None:
            delay_s = self._connections.limits.idle_s
            self._timer = asyncio.get_running_loop().call_later(delay_s, self.abort)

    def abort(self) -> None:
        """End the connection at once, whatever waits to be sent."""
        self._transport.abort()

    # --- called by asyncio -----------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Serve the client, or end the connection without a byte."""
        self._transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername")
        # There is no peer where the connection has ended before it was accepted.
        if not peer or not self._connections.may_open(address_of(peer[0])):
            self._transport.abort()
            return
        self.address = address_of(peer[0])
        self._connections.add(transport, self)
        self._inner = self._make()
        self._inner.connection_made(transport)
        self.wait()

    def data_received(self, data: bytes) -> None:
        """Pass on what has been received."""
        if self._inner is None:
            return
        self._inner.data_received(data)
        # aiohttp queues the error behind the request, which would wait for its body in vain.
        if self._body is not None and not self._body.is_eof() and _is_malformed(self._inner):
            self._body.set_exception(web.RequestPayloadError("malformed chunk"))

    def eof_received(self) -> bool | None:
        """Pass on that the client sends no more."""
        return self._inner.eof_received() if self._inner is not None else None

    def pause_writing(self) -> None:
        """Pass on that the send buffer is full."""
        if self._inner is not None:
            self._inner.pause_writing()

    def resume_writing(self) -> None:
        """Pass on that the send buffer has room again."""
        if self._inner is not None:
            self._inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """End everything that belongs to the connection."""
        self.suspend()
        if self._inner is not None:
            inner, self._inner = self._inner, None
            self._connections.remove(self._transport)
            inner.connection_lost(exc)


def _is_malformed(protocol: asyncio.Protocol) -> bool:
    """Return whether aiohttp's parser has found an error behind the request that is answered."""
    queued: Sequence[tuple[object, object]] = getattr(protocol, "_messages", ())
    return bool(queued) and not isinstance(queued[-1][0], RawRequestMessage)
