"""The HTTP server: listens, checks every request, and hands it to the route that answers it.

Every request passes the guard first. No request can make the daemon fail, print a traceback or
open a file by its path: there are only the routes that the server was given.
"""

import asyncio
import logging
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from http import HTTPStatus

import structlog
from aiohttp import HttpVersion10, HttpVersion11, web

from nemod.common.remembered import Remembered
from nemod.network.access import address_of
from nemod.network.interfaces import Address
from nemod.network.limits import TokenBucket
from nemod.network.rare_warnings import RareWarnings
from nemod.network.sockets import HTTP, open_sockets
from nemod.web.connections import ConnectionLimits, Connections, LimitedConnection
from nemod.web.guard import Guard
from nemod.web.routes import Route

ANSWER_RATE = 64_000.0
"""[bytes/s] Of answers to one other machine."""
ANSWER_BURST = 512_000.0
"""[bytes] It may ask for at once: the whole tree several times, or each address on its own."""
LOOPBACK_FACTOR = 10.0
"""How much more this machine itself may ask for."""
REQUEST_COST = 1_024
"""[bytes] Least cost of a request, however short its answer."""
_MAX_HOSTS = 256
"""Most hosts whose budgets are remembered."""
_MAX_LINE = 4_096
"""[bytes] Longest request line, and thus path and query."""
_MAX_FIELD = 8_190
"""[bytes] Longest header field. Cookies of other servers on this machine come along."""
_SHUTDOWN_S = 1.0
"""[s] How long closing waits for answers under way."""
_HEADERS = {
    "Server": "nemod",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class WebServer:
    """Serves routes over HTTP. Thread: control, inside a running event loop."""

    def __init__(
        self,
        routes: Sequence[Route],
        guard: Guard,
        *,
        limits: ConnectionLimits | None = None,
    ) -> None:
        """Of several routes the one with the longest prefix answers."""
        self.port = 0
        self.refused = 0
        """Connections and requests that were not served, since the start."""
        self._routes = sorted(routes, key=lambda route: -len(route.prefix))
        self._guard = guard
        self._budgets = Remembered[TokenBucket](_MAX_HOSTS)
        self._connections = Connections(
            limits or ConnectionLimits(), guard.admits, self._refuse_connection
        )
        self._http: web.Server | None = None
        self._listeners: list[asyncio.Server] = []
        self._warnings = RareWarnings(structlog.get_logger("nemod.web"), time.monotonic)

    async def start(self, port: int, *, is_local: bool = False) -> None:
        """Listen; from now on `port` is the port that is used. Port 0 takes a free one.

        `is_local`: on loopback alone. Raises: PortError where the port is taken or may not be
        used.
        """
        sockets = open_sockets(socket.SOCK_STREAM, port, is_local=is_local, use=HTTP)
        self.port = sockets[0].getsockname()[1]
        self._http = http = web.Server(
            self._handle,
            access_log=None,
            logger=_silent_logger(),
            keepalive_timeout=self._connections.limits.idle_s,
            lingering_time=0.0,
            max_line_size=_MAX_LINE,
            max_field_size=_MAX_FIELD,
            auto_decompress=False,
        )
        loop = asyncio.get_running_loop()

        def connection() -> LimitedConnection:
            return LimitedConnection(self._connections, http)

        for opened in sockets:
            self._listeners.append(await loop.create_server(connection, sock=opened))

    async def close(self) -> None:
        """Stop listening, and end all WebSockets and connections."""
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()
        for route in self._routes:
            await route.close()
        if self._http is not None:
            self._http.pre_shutdown()  # ends the connections that are idle
            await asyncio.sleep(0)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._http.shutdown(_SHUTDOWN_S), 2.0 * _SHUTDOWN_S)
        self._connections.abort()
        # Transports report the end to their protocols in the next turn of the loop.
        await asyncio.sleep(0)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        with self._connections.answering(request.transport, request.content):
            try:
                response = await self._answer(request)
            except web.HTTPException as error:
                response = web.Response(status=error.status)
                response.force_close()
            except ConnectionError:
                raise
            except Exception as error:
                self._warn("http.failed", path=request.raw_path[:100], exc_info=error)
                response = web.Response(status=HTTPStatus.INTERNAL_SERVER_ERROR)
                response.force_close()
        if not response.prepared:
            for name, value in _HEADERS.items():
                response.headers.setdefault(name, value)
        return response

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        if not self._guard.is_host(request.headers.getall("Host", [])):
            return self._refuse(request, HTTPStatus.MISDIRECTED_REQUEST)
        if request.version not in (HttpVersion10, HttpVersion11):
            return self._refuse(request, HTTPStatus.HTTP_VERSION_NOT_SUPPORTED)
        path = request.raw_path.partition("?")[0]
        if not path.startswith("/"):
            return self._refuse(request, HTTPStatus.BAD_REQUEST)
        route = next((one for one in self._routes if path.startswith(one.prefix)), None)
        if route is None:
            return self._refuse(request, HTTPStatus.NOT_FOUND)
        if request.method not in route.methods:
            allowed = {"Allow": ", ".join(sorted(route.methods))}
            return self._refuse(request, HTTPStatus.METHOD_NOT_ALLOWED, allowed)
        address = _address(request)
        budget = self._budgets.get(address, lambda: _budget(address, time.monotonic()))
        wait_s = budget.wait_s(0, time.monotonic())
        if wait_s > 0.0:
            seconds = {"Retry-After": str(int(wait_s) + 1)}
            return self._refuse(request, HTTPStatus.TOO_MANY_REQUESTS, seconds)
        response = await route.handle(request)
        budget.spend(max(response.content_length or 0, REQUEST_COST), time.monotonic())
        return response

    def _refuse(
        self, request: web.BaseRequest, status: HTTPStatus, headers: dict[str, str] | None = None
    ) -> web.Response:
        """Return an answer without content that ends the connection."""
        self.refused += 1
        self._warn("http.refused", status=status.value, source=str(_address(request)))
        response = web.Response(status=status, headers=headers)
        response.force_close()
        return response

    def _refuse_connection(self, reason: str, address: Address) -> None:
        self.refused += 1
        self._warn("http.refused", reason=reason, source=str(address))

    def _warn(self, event: str, **fields: object) -> None:
        self._warnings.warn(event, refused=self.refused, **fields)


def _budget(address: Address, now: float) -> TokenBucket:
    factor = LOOPBACK_FACTOR if address.is_loopback else 1.0
    return TokenBucket(factor * ANSWER_RATE, now, factor * ANSWER_BURST)


def _address(request: web.BaseRequest) -> Address:
    """Return the client's address. Raises: ConnectionResetError once it is disconnected."""
    peer = request.transport and request.transport.get_extra_info("peername")
    if not peer:
        raise ConnectionResetError
    return address_of(peer[0])


def _silent_logger() -> logging.Logger:
    """Return a logger for aiohttp, which reports mistakes of clients as errors with tracebacks."""
    logger = logging.Logger("nemod.web.aiohttp")
    logger.addHandler(logging.NullHandler())
    return logger
