"""Clients that record what the daemon sends them, and a sender that sets knobs at a constant rate.

Nothing here uses nemod's codec. Thread: inside a running event loop, except for `KnobSender`.
"""

import asyncio
import json
import random
import socket
import struct
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import aiohttp

from tests.parts.osc_client import datagram

EVERYTHING = ("params", "text", "real", "meters", "status")
"""Flags of a subscription to all that the daemon sends."""
BYTES_PER_S, BURST = 64_000, 16_000
"""[bytes] Most feedback in any second in all; of them, what may be sent at once."""
RATE_HZ = 50
"""Most values of one address that a client is sent in a second."""
_SO_TIMESTAMPNS = 35
_TIMESTAMP = struct.Struct("@qq")
_SIZE = struct.Struct(">i")


def messages_of(packet: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield address and bytes of each message of a packet."""
    if not packet.startswith(b"#bundle\0"):
        yield packet[: packet.index(b"\0")].decode(), packet
        return
    at = 16
    while at < len(packet):
        (size,) = _SIZE.unpack_from(packet, at)
        yield from messages_of(packet[at + 4 : at + 4 + size])
        at += 4 + size


class Recorder:
    """What one client was sent."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.arrivals: list[tuple[float, int]] = []
        """Time [s] and size [bytes] of each OSC packet."""
        self.counts: Counter[str] = Counter()
        """Messages by address."""
        self.last: dict[str, bytes] = {}
        """The last message by address."""

    def record(self, packet: bytes, at_s: float) -> None:
        """Note a packet."""
        self.arrivals.append((at_s, len(packet)))
        for address, message in messages_of(packet):
            self.counts[address] += 1
            self.last[address] = message


class UdpClient(Recorder):
    """A UDP port that sends messages and records what comes back."""

    def __init__(self, name: str, port: int) -> None:
        """`port`: of the daemon."""
        super().__init__(name)
        self._to = ("127.0.0.1", port)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.setblocking(False)
        # The kernel notes when a packet arrives, however late this process reads it.
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        asyncio.get_running_loop().add_reader(self._socket, self._readable)

    def send(self, address: str, *arguments: Any) -> None:
        """Send one message."""
        self.send_raw(datagram(address, *arguments))

    def send_raw(self, packet: bytes) -> None:
        """Send a packet; it is lost where the system has no room for it."""
        with suppress(OSError):
            self._socket.sendto(packet, self._to)

    def subscribe(self) -> None:
        """Ask for everything for 60 s."""
        self.send("/nemo/subscribe", *EVERYTHING)

    def close(self) -> None:
        """End the subscription and close the socket."""
        self.send("/nemo/unsubscribe")
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()

    def _readable(self) -> None:
        with suppress(BlockingIOError):
            while True:
                packet, notes, _, _ = self._socket.recvmsg(65_536, 64)
                seconds, nanoseconds = _TIMESTAMP.unpack(notes[0][2])
                self.record(packet, seconds + 1e-9 * nanoseconds)


@asynccontextmanager
async def websocket_client(
    name: str, http_port: int, addresses: Iterable[str]
) -> AsyncIterator[Recorder]:
    """Listen to addresses over a WebSocket."""
    recorder = Recorder(name)

    async def read(socket: aiohttp.ClientWebSocketResponse) -> None:
        async for message in socket:
            if message.type is aiohttp.WSMsgType.BINARY:
                recorder.record(message.data, time.time())

    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"http://127.0.0.1:{http_port}") as socket,
    ):
        reading = asyncio.create_task(read(socket))
        for address in addresses:
            await socket.send_str(json.dumps({"COMMAND": "LISTEN", "DATA": address}))
        yield recorder
        await socket.close()
        await reading


class KnobSender(threading.Thread):
    """Sets random knobs at a constant rate."""

    def __init__(
        self, client: UdpClient, knobs: Sequence[str], rate: float, seconds: float, seed: int
    ) -> None:
        """`knobs`: addresses; `rate` in messages per second."""
        super().__init__(daemon=True)
        self._client = client
        self._rate = rate
        self._count = round(rate * seconds)
        rng = random.Random(seed)
        self._packets = [datagram(rng.choice(knobs), rng.random()) for _ in range(1024)]

    def run(self) -> None:
        """Send; what was not sent in time is sent at once."""
        began = time.perf_counter()
        for number in range(self._count):
            ahead = began + number / self._rate - time.perf_counter()
            if ahead > 0.0:
                time.sleep(ahead)
            self._client.send_raw(self._packets[number % len(self._packets)])


def readable_addresses(http_port: int) -> dict[str, str]:
    """Return all addresses that can be read and their type tags, from OSCQuery."""
    with urllib.request.urlopen(f"http://127.0.0.1:{http_port}/", timeout=10.0) as answer:
        tree = json.load(answer)
    return dict(_leaves(tree))


def _leaves(node: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for inner in node.get("CONTENTS", {}).values():
        yield from _leaves(inner)
    if "CONTENTS" not in node and node["ACCESS"] & 1:
        yield node["FULL_PATH"], node["TYPE"]


def knobs_of(addresses: Mapping[str, str]) -> list[str]:
    """Return the addresses of the knobs: floats with a label."""
    labelled = [a.removeprefix("/nemo/text/") for a in addresses if a.startswith("/nemo/text/")]
    return [f"/nemo/{path}" for path in labelled if addresses.get(f"/nemo/{path}") == "f"]


def is_steady(address: str) -> bool:
    """Return whether an address keeps its value while nobody sets anything."""
    path = address.removeprefix("/nemo/").removeprefix("real/")
    return not path.startswith(("meter/in", "meter/out", "meter/clip", "status/"))


def answers(port: int, addresses: Iterable[str], seconds: float = 10.0) -> dict[str, bytes]:
    """Query addresses one after the other; return the answers. Raises: TimeoutError."""
    found: dict[str, bytes] = {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.bind(("127.0.0.1", 0))
        client.settimeout(0.5)
        for address in addresses:
            end = time.monotonic() + seconds
            while address not in found:
                if time.monotonic() > end:
                    raise TimeoutError(f"no answer on {address} within {seconds:g} s")
                client.sendto(datagram(address), ("127.0.0.1", port))
                with suppress(TimeoutError):
                    found.update(messages_of(client.recv(65_536)))
    return found


async def differences(
    port: int, clients: Sequence[Recorder], addresses: Sequence[str], seconds: float = 20.0
) -> list[str]:
    """Return where a client's last value is not the daemon's, after at most `seconds`.

    An address of the list that a client was never sent counts, too. Feedback may still be under way
    at the first look: what is left of it is sent within a second or two.
    """
    end = time.monotonic() + seconds
    while True:
        now = await asyncio.to_thread(answers, port, addresses)
        found = [
            f"{client.name}, {address}: {client.last.get(address)!r} instead of {now[address]!r}"
            for client in clients
            for address in addresses
            if client.last.get(address) != now[address]
        ]
        if not found or time.monotonic() > end:
            return found
        await asyncio.sleep(0.5)


def allowed_bytes(seconds: float) -> float:
    """Return how many bytes of feedback may be sent in all in this time."""
    return BURST + (BYTES_PER_S - BURST) * seconds


def allowed_values(seconds: float) -> float:
    """Return how many values of one address a client may be sent in this time."""
    return RATE_HZ * seconds + 1


def busiest_second(clients: Iterable[Recorder]) -> int:
    """Return the most bytes [bytes] that these clients received in any second."""
    arrivals = sorted(arrival for client in clients for arrival in client.arrivals)
    most = total = begin = 0
    for at_s, size in arrivals:
        total += size
        while arrivals[begin][0] <= at_s - 1.0:
            total -= arrivals[begin][1]
            begin += 1
        most = max(most, total)
    return most
