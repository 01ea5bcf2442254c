"""What a route is, and what the OSCQuery service has to offer."""

from typing import Protocol

from aiohttp import web

from nemod.network.connection import Connection
from nemod.network.interfaces import Address


class Route(Protocol):
    """Answers the requests below a path."""

    @property
    def prefix(self) -> str:
        """The path; of several routes the one with the longest prefix answers."""
        ...

    @property
    def methods(self) -> frozenset[str]:
        """HTTP methods that are answered; the others get 405."""
        ...

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request that has been checked. The server strips the body of a HEAD."""
        ...

    async def close(self) -> None:
        """End what is still open; the server is about to stop."""
        ...


class Answer(Protocol):
    """The answer of a service."""

    @property
    def status(self) -> int:
        """HTTP status."""
        ...

    @property
    def body(self) -> bytes:
        """JSON, or nothing."""
        ...


class Session(Protocol):
    """One client of a service, connected by a WebSocket. Nothing here raises."""

    def receive(self, packet: bytes) -> None:
        """Take a binary frame."""
        ...

    def receive_text(self, text: str) -> None:
        """Take a text frame."""
        ...

    def end(self) -> None:
        """Forget the client; the connection has ended."""
        ...


class QueryService(Protocol):
    """An OSCQuery server without sockets. Thread: control."""

    def answer(self, path: str, query: str) -> Answer:
        """Return the answer to a GET request; path and query as they were sent."""
        ...

    def open_session(self, connection: Connection, address: Address, port: int) -> Session:
        """Begin to serve a WebSocket whose client has this address."""
        ...
