"""Limits of the HTTP server: connections, time, and what a host may ask for."""

import asyncio
from ipaddress import ip_address

import pytest
from aiohttp import web

from nemod.network.access import Access
from nemod.web.connections import ConnectionLimits, _is_malformed
from nemod.web.server import ANSWER_BURST, LOOPBACK_FACTOR
from tests.web.conftest import Served, Service, run, status_of


def test_other_hosts_are_cut_off_before_a_byte() -> None:
    """A source that OSC does not serve gets nothing, not even an answer."""

    class Nobody(Access):
        def allows(self, address: object) -> bool:
            return False

    async def check(served: Served) -> None:
        assert await served.raw(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n") == b""
        assert served.server.refused == 1

    run(check, access=Nobody(local=True))


def test_connections_are_limited() -> None:
    """The ones beyond the limit are cut off; when one ends, another is served."""

    async def check(served: Served) -> None:
        open_ = [await asyncio.open_connection("127.0.0.1", served.server.port) for _ in range(3)]
        await asyncio.sleep(0.05)
        request = b"GET /a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        assert await served.raw(request) == b""
        open_[0][1].close()
        await asyncio.sleep(0.05)
        assert status_of(await served.raw(request)) == 200
        for _, writer in open_[1:]:
            writer.close()

    run(check, limits=ConnectionLimits(in_all=3, per_host=2))


def test_other_machines_have_fewer_connections() -> None:
    """So that one of them cannot take all."""

    async def check(served: Served) -> None:
        connections = served.server._connections
        elsewhere, other = ip_address("192.168.1.7"), ip_address("192.168.1.8")

        class Open:
            address = elsewhere

        served.server._guard.admits = lambda address: True  # type: ignore[method-assign]
        connections._admits = lambda address: True
        for _ in range(2):
            assert connections.may_open(elsewhere)
            connections.add(asyncio.Transport(), Open())  # type: ignore[arg-type]
        assert not connections.may_open(elsewhere)
        assert connections.may_open(other)
        connections._open.clear()

    run(check, limits=ConnectionLimits(in_all=3, per_host=2))


@pytest.mark.parametrize(
    "begin",
    [b"", b"GET / HTTP/1.1\r\nHost: localhost\r\n", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"],
    ids=["nothing", "half a request", "an answered request"],
)
def test_idle_connections_are_ended(begin: bytes) -> None:
    """Also one on which a request arrives byte by byte."""

    async def check(served: Served) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.server.port)
        writer.write(begin)

        async def drip() -> None:
            while True:
                writer.write(b"X")
                await asyncio.sleep(0.05)

        dripping = asyncio.create_task(drip()) if begin and not begin.endswith(b"\n\r\n") else None
        start = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(5.0):
                await reader.read()
        except ConnectionResetError:
            pass
        assert asyncio.get_running_loop().time() - start < 2.0
        if dripping:
            dripping.cancel()
        writer.close()

    run(check, limits=ConnectionLimits(idle_s=0.3))


def test_an_answer_that_is_not_read_ends_the_connection() -> None:
    """It would be kept in memory for as long as the client likes."""
    big = Service(body=b'"' + b"a" * 4_000_000 + b'"')

    async def check(served: Served) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", served.server.port, limit=16)
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(b"GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n")
        async with asyncio.timeout(5.0):
            while not served.server._connections._open:
                await asyncio.sleep(0.01)
            while served.server._connections._open:
                await asyncio.sleep(0.01)
        writer.close()

    run(check, service=big, limits=ConnectionLimits(idle_s=0.3))


def test_a_host_that_asks_too_much_has_to_wait() -> None:
    """429 with the time to wait; another request is answered when it is over."""
    size = 600_000
    big = Service(body=b'"' + b"a" * (size - 2) + b'"')

    async def check(served: Served) -> None:
        most = int(LOOPBACK_FACTOR * ANSWER_BURST)
        statuses = [(await served.get("/a")).status for _ in range(most // size + 4)]
        first_refused = statuses.index(429)
        assert set(statuses[:first_refused]) == {200}
        assert first_refused >= most // size
        answer = await served.get("/a")
        assert (answer.status, answer.headers["Retry-After"]) == (429, "1")
        assert answer.headers["Connection"] == "close"
        await asyncio.sleep(1.1)
        assert (await served.get("/a")).status == 200

    run(check, service=big)


def test_pipelined_requests_cost_as_much_as_others() -> None:
    """20,000 of them in one go end with the first that is refused."""

    async def check(served: Served) -> None:
        request = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
        answer = await served.raw(request * 20_000, timeout_s=20.0)
        assert len(served.service.asked) < 2 * LOOPBACK_FACTOR * ANSWER_BURST / 1024
        assert answer.count(b"HTTP/1.1 429") <= 1

    run(check)


def test_aiohttp_queues_the_error_of_a_body_where_it_is_looked_for() -> None:
    """In an attribute that is not part of its interface: another version may have another."""

    async def answer(_request: web.BaseRequest) -> web.Response:
        return web.Response()

    async def check() -> None:
        protocol = web.Server(answer)()
        protocol.connection_made(asyncio.Transport())
        assert hasattr(protocol, "_messages")
        protocol.data_received(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        assert not _is_malformed(protocol)
        protocol.data_received(b"zz\r\n")
        assert _is_malformed(protocol)

    asyncio.run(check())
