"""Sends mutated HTTP requests and WebSocket frames to the server, and looks at what is left."""

import asyncio
import base64
import json
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice

import aiohttp
import structlog.testing

from nemod.common.remembered import Remembered
from nemod.network.limits import TokenBucket
from nemod.web.connections import ConnectionLimits
from nemod.web.query import SocketLimits
from tests.fuzz.packets import KNOBS
from tests.fuzz.requests import RequestMutator
from tests.web.rig import ServedRig, serve_rig

Progress = Callable[[int], object]
"""Called with the number of requests since the last call."""
_AT_ONCE = 8
"""Connections that are open at a time."""
_ANSWER_S = 0.05
"""[s] How long a client waits for more of an answer before it goes away."""


@dataclass
class Sent:
    """What came of it."""

    count: int = 0
    statuses: dict[int, int] = field(default_factory=dict)
    """HTTP statuses that were answered, and how often."""
    longest_check_s: float = 0.0
    """[s] The longest time that a well-formed request took in between."""


def fuzz_requests(count: int, seed: str = "nemod", progress: Progress = id) -> Sent:
    """Send mutated requests. Raises: AssertionError where the server does not get over one."""
    return asyncio.run(_fuzz(RequestMutator(seed).requests(count), b"", progress))


def fuzz_frames(count: int, seed: str = "nemod", progress: Progress = id) -> Sent:
    """Send mutated frames to WebSockets. Raises: as `fuzz_requests`."""
    key = base64.b64encode(bytes(16))
    upgrade = (
        b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + key + b"\r\n\r\n"
    )
    return asyncio.run(_fuzz(RequestMutator(seed).frames(count), upgrade, progress))


async def _fuzz(pieces: Iterator[bytes], before: bytes, progress: Progress) -> Sent:
    sent = Sent()
    limits, sockets = ConnectionLimits(idle_s=2.0), SocketLimits(stuck_s=2.0)
    with structlog.testing.capture_logs() as logged:
        async with (
            serve_rig(knobs=KNOBS, limits=limits, sockets=sockets) as served,
            aiohttp.ClientSession() as http,
        ):
            state = served.rig.settings.positions()
            while batch := list(islice(pieces, _AT_ONCE)):
                await asyncio.gather(*(_send(served, before + piece, sent) for piece in batch))
                sent.count += len(batch)
                progress(len(batch))
                await _check(served, http, sent)
                served.rig.commits.clear()
            if not before:
                # No request changes anything.
                assert served.rig.settings.positions() == state
            await _until_quiet(served)
    assert [entry for entry in logged if entry["log_level"] == "error"] == []
    assert [entry for entry in logged if "exc_info" in entry] == []
    return sent


async def _send(served: ServedRig, data: bytes, sent: Sent) -> None:
    """Send some bytes, and read for a moment."""
    reader, writer = await asyncio.open_connection("127.0.0.1", served.web.port)
    answer = bytearray()
    with suppress(ConnectionError, TimeoutError):
        writer.write(data)
        while chunk := await asyncio.wait_for(reader.read(1 << 20), _ANSWER_S):
            answer += chunk
    writer.transport.abort()
    if answer:
        assert answer.startswith(b"HTTP/")
        status = int(answer[9:12])
        sent.statuses[status] = sent.statuses.get(status, 0) + 1
        assert b"Traceback" not in answer
        assert status != 500


async def _check(served: ServedRig, http: aiohttp.ClientSession, sent: Sent) -> None:
    """Send a well-formed request: it is answered, and every setting is in its range."""
    begin = time.monotonic()
    # Loopback may ask for much, but not for everything that this sends.
    served.web._budgets = Remembered[TokenBucket](1)
    async with asyncio.timeout(10.0), http.get(served.url + "/nemo/gain?VALUE") as answer:
        assert answer.status == 200
        (value,) = json.loads(await answer.read())["VALUE"]
        assert 0.0 <= value <= 1.0
    sent.longest_check_s = max(sent.longest_check_s, time.monotonic() - begin)
    assert all(0.0 <= position <= 1.0 for position in served.rig.settings.positions().values())


async def _until_quiet(served: ServedRig) -> None:
    """Wait until nothing is left of the connections."""
    async with asyncio.timeout(10.0):
        while len(served.web._connections._open) > 1 or served.query._sessions:
            await asyncio.sleep(0.01)
