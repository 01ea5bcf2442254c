"""WebSockets: frames in both directions, who may open them, and clients that do not read."""

import asyncio
import base64
import os
import struct
from collections.abc import Callable
from contextlib import suppress
from ipaddress import ip_address
from typing import Any

import aiohttp
import pytest
import structlog.testing

from nemod.web.connections import ConnectionLimits
from nemod.web.query import MAX_FRAME, QueryRoute, SocketLimits
from nemod.web.websocket import BUSY_SIZE, MAX_SIZE
from tests.web.conftest import Served, run


async def until(condition: Callable[[], object], timeout_s: float = 5.0) -> None:
    """Wait until a condition holds."""
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.01)


async def handshake(
    served: Served, *headers: str
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open a WebSocket on a raw connection; return it after the server's answer was read."""
    reader, writer = await asyncio.open_connection("127.0.0.1", served.server.port)
    key = base64.b64encode(os.urandom(16)).decode()
    lines = [
        "GET / HTTP/1.1",
        "Host: localhost",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {key}",
        *headers,
    ]
    writer.write("\r\n".join([*lines, "", ""]).encode())
    answer = await reader.readuntil(b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 101 ")
    return reader, writer


async def until_ended(reader: asyncio.StreamReader) -> None:
    """Read until the server ends the connection."""
    async with asyncio.timeout(5.0):
        with suppress(ConnectionResetError):
            await reader.read()


def frame(opcode: int, content: bytes, *, is_last: bool = True) -> bytes:
    """Return a masked frame of a client."""
    head = bytes([0x80 * is_last | opcode])
    if len(content) < 126:
        head += bytes([0x80 | len(content)])
    elif len(content) < 65536:
        head += bytes([0x80 | 126]) + struct.pack(">H", len(content))
    else:
        head += bytes([0x80 | 127]) + struct.pack(">Q", len(content))
    return head + bytes(4) + content  # a mask of zeros


def test_frames_go_both_ways() -> None:
    """Text and binary, and the session ends with the connection."""

    async def check(served: Served) -> None:
        async with served.http.ws_connect(served.url) as socket:
            await socket.send_bytes(b"\0\1")
            await socket.send_str("ü")
            assert await socket.receive_bytes() == b"\0\1"
            assert await socket.receive_str() == "ü"
            (session,) = served.service.sessions
            assert session.peer[0] == "127.0.0.1"
            assert not session.has_ended
        await until(lambda: session.has_ended)

    run(check)


def test_a_connection_that_breaks_ends_the_session() -> None:
    """Without a close frame."""

    async def check(served: Served) -> None:
        _, writer = await handshake(served)
        writer.transport.abort()
        await until(lambda: served.service.sessions and served.service.sessions[0].has_ended)

    run(check)


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (None, 101),
        ("same", 101),
        ("http://rig.example", 101),
        ("http://evil.example", 403),
        ("http://localhost:1", 403),
        ("null", 403),
    ],
)
def test_pages_of_other_origins_may_not_connect(origin: str | None, status: int) -> None:
    """A browser says where a page is from; clients that are no browsers do not."""

    async def check(served: Served) -> None:
        headers = {} if origin is None else {"Origin": served.url if origin == "same" else origin}
        if status == 101:
            await (await served.http.ws_connect(served.url, headers=headers)).close()
            return
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await served.http.ws_connect(served.url, headers=headers)
        assert caught.value.status == status
        assert served.service.sessions == []

    run(check, allow_hosts=["rig.example"])


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/", {"Host": "evil.example"}, 421),
        ("/nemo", {}, 404),
    ],
)
def test_other_upgrades_are_refused(path: str, headers: dict[str, str], status: int) -> None:
    """A wrong host, a path that has none."""

    async def check(served: Served) -> None:
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await served.http.ws_connect(served.url + path, headers=headers)
        assert caught.value.status == status
        # The connection is none of those that count.
        async with served.http.ws_connect(served.url):
            pass

    run(check)


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize("version", ["13", "6"])
def test_an_upgrade_without_a_key_or_of_an_old_version_is_refused(
    method: str, version: str
) -> None:
    """And one with another method."""

    async def check(served: Served) -> None:
        key = "" if version == "13" else "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
        answer = await served.raw(
            f"{method} / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n{key}"
            f"Upgrade: websocket\r\nSec-WebSocket-Version: {version}\r\n\r\n".encode()
        )
        assert answer.split(b" ")[1] in (b"400", b"404", b"405")
        assert served.service.sessions == []

    run(check, limits=ConnectionLimits(idle_s=0.3))


def test_there_are_eight_at_most() -> None:
    """The ninth gets 503, until another one ends."""

    async def check(served: Served) -> None:
        sockets = [await served.http.ws_connect(served.url) for _ in range(8)]
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await served.http.ws_connect(served.url)
        assert caught.value.status == 503
        assert caught.value.headers
        assert caught.value.headers["Retry-After"] == "10"
        await sockets[0].close()
        await until(lambda: served.service.sessions[0].has_ended)
        async with served.http.ws_connect(served.url):
            pass
        for socket in sockets:
            await socket.close()

    run(check)


def test_another_machine_has_four_at_most() -> None:
    """So that one of them cannot take all; loopback, where many programs are, may."""
    route = QueryRoute(None, None)  # type: ignore[arg-type]
    loopback, one, other = map(ip_address, ("127.0.0.1", "192.168.1.7", "192.168.1.8"))
    for _ in range(4):
        assert route._has_room(one)
        route._sockets[object()] = one  # type: ignore[index]
    assert not route._has_room(one)
    assert route._has_room(other)
    for _ in range(4):
        assert route._has_room(loopback)
        route._sockets[object()] = loopback  # type: ignore[index]
    assert not route._has_room(loopback)
    assert not route._has_room(other)


def test_a_frame_has_64_kib_at_most() -> None:
    """One byte more closes the connection with the code for that."""

    async def check(served: Served) -> None:
        async with served.http.ws_connect(served.url) as socket:
            await socket.send_bytes(bytes(MAX_FRAME - 1))
            assert len(await socket.receive_bytes()) == MAX_FRAME - 1
        async with served.http.ws_connect(served.url) as socket:
            await socket.send_bytes(bytes(MAX_FRAME + 1))
            message = await socket.receive()
            assert message.type is aiohttp.WSMsgType.CLOSE
            assert message.data == aiohttp.WSCloseCode.MESSAGE_TOO_BIG
        assert [len(one.received) for one in served.service.sessions] == [1, 0]

    run(check)


MALFORMED = {
    "an unmasked frame": b"\x82\x01a",
    "an unknown opcode": frame(0x3, b"a"),
    "a reserved bit": b"\xc2\x81\0\0\0\0a",
    "a continuation of nothing": frame(0x0, b"a"),
    "a long ping": frame(0x9, bytes(126)),
    "a ping in pieces": frame(0x9, b"", is_last=False),
    "no UTF-8": frame(0x1, b"\xff\xfe"),
    "a close code that is none": frame(0x8, b"\0\1"),
    "2**63 bytes": b"\x82\xff" + b"\xff" * 8 + bytes(4),
    "a new message within another": frame(0x2, b"a", is_last=False) + frame(0x2, b"b"),
}


@pytest.mark.parametrize("frames", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed_frames_end_the_connection(frames: bytes) -> None:
    """Nothing of them reaches the session as a whole frame; no traceback; others are served."""

    async def check(served: Served) -> None:
        with structlog.testing.capture_logs() as logged:
            reader, writer = await handshake(served)
            writer.write(frames + frame(0x8, struct.pack(">H", 1000)))
            await until_ended(reader)
            writer.close()
            await until(lambda: served.service.sessions[0].has_ended)
        assert not [entry for entry in logged if entry["log_level"] == "error"]
        async with served.http.ws_connect(served.url) as socket:
            await socket.send_str("a")
            assert await socket.receive_str() == "a"

    run(check)


def test_a_frame_in_pieces_is_one_message_of_limited_size() -> None:
    """Also where each piece is small."""

    async def check(served: Served) -> None:
        reader, writer = await handshake(served)
        writer.write(frame(0x2, b"ab", is_last=False) + frame(0x0, b"cd"))
        await until(lambda: served.service.sessions[0].received == [b"abcd"])
        writer.write(frame(0x2, bytes(1000), is_last=False))
        for _ in range(100):
            writer.write(frame(0x0, bytes(1000), is_last=False))
        await until_ended(reader)
        assert served.service.sessions[0].received == [b"abcd"]
        writer.close()

    run(check)


def test_a_client_that_is_silent_is_pinged_and_cut_off() -> None:
    """One that answers pings stays, one that does not answer is closed."""

    async def check(served: Served) -> None:
        async with served.http.ws_connect(served.url) as alive:
            reader, writer = await handshake(served)
            reading = asyncio.create_task(alive.receive())  # answers the pings
            await until_ended(reader)
            await until(lambda: served.service.sessions[1].has_ended)
            await asyncio.sleep(1.0)
            assert not served.service.sessions[0].has_ended
            served.service.sessions[0].connection.send_text("still there")
            assert (await reading).data == "still there"
            writer.close()

    run(check, sockets=SocketLimits(heartbeat_s=0.6))


def test_a_client_that_does_not_read_is_busy_and_then_cut_off() -> None:
    """What waits for it is bounded; other clients are served meanwhile."""

    async def check(served: Served) -> None:
        reader, writer = await handshake(served)
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        (session,) = served.service.sessions
        assert not session.connection.is_busy()
        for _ in range(100):
            for _ in range(100):
                session.connection.send(bytes(1000))
            await asyncio.sleep(0.005)
        assert session.connection.is_busy()
        outbox: Any = session.connection
        assert BUSY_SIZE <= outbox._size <= MAX_SIZE
        async with served.http.ws_connect(served.url) as other:
            await other.send_str("a")
            assert await other.receive_str() == "a"
        await until(lambda: session.has_ended)
        writer.close()
        del reader

    run(check, sockets=SocketLimits(stuck_s=0.5))


def test_frames_beyond_the_rate_are_read_later() -> None:
    """None is lost: the client's own system keeps them."""

    async def check(served: Served) -> None:
        async with served.http.ws_connect(served.url) as socket:
            start = asyncio.get_running_loop().time()
            for number in range(300):
                await socket.send_str(str(number))
            assert [await socket.receive_str() for _ in range(300)] == [*map(str, range(300))]
            # 200 at once, the others at 200 a second.
            assert asyncio.get_running_loop().time() - start > 0.4

    run(check, sockets=SocketLimits(loopback_frames_per_s=200.0))


def test_a_flood_of_frames_does_not_delay_other_clients() -> None:
    """Other clients are answered between them."""

    async def check(served: Served) -> None:
        _, writer = await handshake(served)
        writer.write(frame(0x2, b"") * 100_000)
        flooding = asyncio.create_task(writer.drain())
        for _ in range(20):
            start = asyncio.get_running_loop().time()
            assert (await served.get("/a")).status == 200
            assert asyncio.get_running_loop().time() - start < 1.0
        flooding.cancel()
        writer.transport.abort()

    run(check)
