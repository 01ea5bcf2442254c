"""The route of OSCQuery: JSON over HTTP, and WebSockets on the same path."""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass
from http import HTTPStatus

from aiohttp import WSCloseCode, WSMsgType, web

from nemod.network.access import address_of
from nemod.network.interfaces import Address
from nemod.network.limits import TokenBucket
from nemod.web.guard import Guard
from nemod.web.routes import QueryService
from nemod.web.websocket import STUCK_S, Outbox

MAX_FRAME = 65_536
"""[bytes] Longest frame that is taken."""
_FRAMES_AT_ONCE = 16
"""Most frames taken before other tasks of the event loop run."""
_CLOSE_S = 1.0
"""[s] How long closing waits for the clients."""


@dataclass(frozen=True, slots=True)
class SocketLimits:
    """How many WebSockets there may be, and what each may do."""

    in_all: int = 8
    per_host: int = 4
    """Of one other machine; loopback may have all."""
    heartbeat_s: float = 15.0
    """[s] A client that sends nothing is pinged, and cut off without an answer in half the time."""
    stuck_s: float = STUCK_S
    """[s] In which a client must read something while frames wait for it."""
    frames_per_s: float = 1_000.0
    loopback_frames_per_s: float = 10_000.0
    """Faster clients are read from more slowly; what the frames hold has limits of its own."""


class QueryRoute:
    """Hands requests and WebSockets to an OSCQuery service. Thread: control."""

    prefix = "/"
    methods = frozenset({"GET", "HEAD"})

    def __init__(
        self, service: QueryService, guard: Guard, limits: SocketLimits | None = None
    ) -> None:
        """`guard` checks the origin of a WebSocket."""
        self._service = service
        self._guard = guard
        self._limits = limits or SocketLimits()
        self._sockets: dict[web.WebSocketResponse, Address] = {}

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer with JSON, or open a WebSocket."""
        if "websocket" in request.headers.get("Upgrade", "").lower():
            return await self._upgrade(request)
        path, _, query = request.raw_path.partition("#")[0].partition("?")
        answer = self._service.answer(path, query)
        return web.Response(
            status=answer.status,
            body=answer.body or None,
            content_type="application/json" if answer.body else None,
        )

    async def close(self) -> None:
        """Close all WebSockets."""
        closing = [
            asyncio.create_task(socket.close(code=WSCloseCode.GOING_AWAY))
            for socket in self._sockets
        ]
        if closing:
            await asyncio.wait(closing, timeout=_CLOSE_S)

    async def _upgrade(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.method != "GET" or request.raw_path.partition("?")[0] != self.prefix:
            return web.Response(status=HTTPStatus.NOT_FOUND)
        if not self._guard.is_origin(request.headers.getall("Origin", []), request.host):
            return web.Response(status=HTTPStatus.FORBIDDEN)
        peer = request.transport and request.transport.get_extra_info("peername")
        if not peer:
            raise ConnectionResetError
        address = address_of(peer[0])
        if not self._has_room(address):
            return web.Response(
                status=HTTPStatus.SERVICE_UNAVAILABLE, headers={"Retry-After": "10"}
            )
        socket = web.WebSocketResponse(
            heartbeat=self._limits.heartbeat_s,
            timeout=_CLOSE_S,
            max_msg_size=MAX_FRAME,
            compress=False,
            writer_limit=MAX_FRAME // 4,
        )
        self._sockets[socket] = address
        try:
            await socket.prepare(request)
            await self._serve(socket, request, address, peer[1])
        finally:
            del self._sockets[socket]
        return socket

    def _has_room(self, address: Address) -> bool:
        most = self._limits.in_all if address.is_loopback else self._limits.per_host
        of_host = Counter(self._sockets.values())[address]
        return of_host < most and len(self._sockets) < self._limits.in_all

    async def _serve(
        self, socket: web.WebSocketResponse, request: web.BaseRequest, address: Address, port: int
    ) -> None:
        """Pass frames on in both directions until one side ends."""
        outbox = Outbox(socket, self._limits.stuck_s)
        session = self._service.open_session(outbox, address, port)
        limits = self._limits
        rate = limits.loopback_frames_per_s if address.is_loopback else limits.frames_per_s
        sending = asyncio.create_task(_send(outbox, request))
        try:
            budget = TokenBucket(rate, time.monotonic(), rate)
            count = 0
            async for message in socket:
                match message.type:
                    case WSMsgType.BINARY:
                        session.receive(message.data)
                    case WSMsgType.TEXT:
                        session.receive_text(message.data)
                    case _:
                        break
                now = time.monotonic()
                budget.spend(1.0, now)
                count += 1
                wait_s = budget.wait_s(0, now)
                if wait_s > 0.0 or count % _FRAMES_AT_ONCE == 0:
                    await asyncio.sleep(wait_s)
        finally:
            session.end()
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)


async def _send(outbox: Outbox, request: web.BaseRequest) -> None:
    """Send frames; end the connection of a client that does not read."""
    try:
        await outbox.run()
    except (TimeoutError, ConnectionError):
        if request.transport is not None:
            request.transport.abort()
