"""A server with a service in memory, and clients of it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import aiohttp

from nemod.network.access import Access
from nemod.network.interfaces import Address
from nemod.web.connections import ConnectionLimits
from nemod.web.guard import Guard
from nemod.web.query import QueryRoute, SocketLimits
from nemod.web.routes import Connection
from nemod.web.server import WebServer


class Answer(NamedTuple):
    status: int
    body: bytes


class Session:
    """Sends back what it receives."""

    def __init__(self, service: "Service", connection: Connection, peer: tuple[str, int]) -> None:
        self.service = service
        self.connection = connection
        self.peer = peer
        self.received: list[bytes | str] = []
        self.has_ended = False

    def receive(self, packet: bytes) -> None:
        self.received.append(packet)
        self.connection.send(packet)

    def receive_text(self, text: str) -> None:
        self.received.append(text)
        self.connection.send_text(text)

    def end(self) -> None:
        self.has_ended = True


@dataclass
class Service:
    """Answers every path with the path, and `/missing` with 404."""

    body: bytes = b""
    """Answer to every path, if it is set."""
    error: Exception | None = None
    asked: list[tuple[str, str]] = field(default_factory=list)
    sessions: list[Session] = field(default_factory=list)

    def answer(self, path: str, query: str) -> Answer:
        self.asked.append((path, query))
        if self.error is not None:
            raise self.error
        if path == "/missing":
            return Answer(404, b"")
        if path == "/nothing":
            return Answer(204, b"")
        return Answer(200, self.body or f'"{path}"'.encode())

    def open_session(self, connection: Connection, address: Address, port: int) -> Session:
        session = Session(self, connection, (str(address), port))
        self.sessions.append(session)
        return session


@dataclass
class Served:
    """A running server and an HTTP client."""

    server: WebServer
    service: Service
    http: aiohttp.ClientSession

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.port}"

    async def get(self, path: str, **options: Any) -> aiohttp.ClientResponse:
        """Return the answer to a GET request, read to its end."""
        async with self.http.get(self.url + path, **options) as response:
            await response.read()
        return response

    async def raw(self, request: bytes, *, timeout_s: float = 5.0) -> bytes:
        """Send bytes, and return everything until the server closes the connection."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.server.port)
        try:
            writer.write(request)
            async with asyncio.timeout(timeout_s):
                return await reader.read()
        except ConnectionResetError:
            return b""
        finally:
            writer.close()


@asynccontextmanager
async def serve(
    *,
    service: Service | None = None,
    allow_hosts: Sequence[str] = (),
    limits: ConnectionLimits | None = None,
    sockets: SocketLimits | None = None,
    access: Access | None = None,
) -> AsyncIterator[Served]:
    """Run a server on loopback."""
    service = service or Service()
    guard = Guard(access or Access(local=True), allow_hosts)
    server = WebServer([QueryRoute(service, guard, sockets)], guard, limits=limits)
    await server.start(0, is_local=True)
    try:
        async with aiohttp.ClientSession() as http:
            yield Served(server, service, http)
    finally:
        await server.close()


Check = Callable[[Served], Awaitable[None]]


def run(check: Check, **options: Any) -> None:
    """Run a check against a server."""

    async def main() -> None:
        async with asyncio.timeout(30.0), serve(**options) as served:
            await check(served)

    asyncio.run(main())


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])
