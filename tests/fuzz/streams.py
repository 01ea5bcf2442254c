"""Sends seeded TCP streams to a running daemon: refused ones, and valid ones cut anywhere."""

import os
import random
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from pythonosc import slip

from nemod.osc.codec import DecodeError, decode
from nemod.osc.framing import MAX_FRAME
from tests.fuzz.network import DaemonClient, Progress, memory
from tests.fuzz.packets import Mutator, message
from tests.osc.conftest import read

SETS = [message(f"/nemo/{name}", ("f", 0.123)) for name in ("bass", "mid", "gain", "output")]
"""Valid settings that no refused stream may carry out."""
OTHER_PROTOCOLS = (
    b"POST /api/x HTTP/1.1\r\nHost: localhost:9000\r\nContent-Length: 400\r\n\r\n",
    b"GET /?HOST_INFO HTTP/1.1\r\nUpgrade: websocket\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(32),
    b"SSH-2.0-OpenSSH_9.6\r\n",
    b"\0\0\0\0",
    b"\x7f\xff\xff\xfc",
    b"\xff\xff\xff\xfc",
    b"\0\0\0\x05/neh",
)
KEPT_OPEN = 4
"""Unfinished connections that are left open while others come and go."""
BATCH = 25
"""Connections between two questions by UDP whether the daemon still answers."""
ANSWER_S = 10.0


def sized(packet: bytes) -> bytes:
    """Return a packet in the framing of OSC 1.0."""
    return struct.pack(">i", len(packet)) + packet


class StreamMaker:
    """Makes streams; the same seed makes the same ones."""

    def __init__(self, seed: str) -> None:
        self.rng = random.Random(seed)
        self._packets = Mutator(seed).packets(1 << 62)
        self._kinds: tuple[Callable[[], bytes], ...] = (
            self._malformed,
            self._malformed,
            self._broken_framing,
            self._other_protocol,
            self._random_bytes,
            self._partial,
            self._mixed,
        )

    def refused(self) -> bytes:
        """Return a stream of which nothing may be carried out or answered."""
        return self.rng.choice(self._kinds)()

    def pieces(self, stream: bytes) -> Iterator[bytes]:
        """Yield a stream cut anywhere: whole, in a few pieces, or byte by byte at its start."""
        count = self.rng.choice((0, 0, 1, 3, 10))
        edges = sorted(self.rng.randrange(len(stream) + 1) for _ in range(count))
        if self.rng.random() < 0.2:
            edges = sorted({*range(min(24, len(stream))), *edges})
        for start, stop in zip([0, *edges], [*edges, len(stream)], strict=True):
            yield stream[start:stop]

    def frame(self, packet: bytes, is_slip: bool) -> bytes:
        """Return a packet in either framing; SLIP at times with single END bytes."""
        if not is_slip:
            return sized(packet)
        encoded = slip.encode(packet)
        return encoded if self.rng.random() < 0.5 else encoded[:-1]

    def _malformed_packet(self) -> bytes:
        for packet in self._packets:
            # Truncated, so that its frame is valid.
            packet = packet[: MAX_FRAME & ~3]
            packet = packet[: len(packet) & ~3]
            try:
                decode(packet, MAX_FRAME)
            except DecodeError:
                if packet:
                    return packet
        raise AssertionError

    def _malformed(self) -> bytes:
        is_slip = self.rng.random() < 0.5
        count = self.rng.choice((1, 2, 5))
        return b"".join(self.frame(self._malformed_packet(), is_slip) for _ in range(count))

    def _sets(self, is_slip: bool) -> bytes:
        return b"".join(self.frame(packet, is_slip) for packet in SETS)

    def _broken_framing(self) -> bytes:
        before = self.frame(self._malformed_packet(), is_slip=False)
        size = self.rng.choice((0, -1, -4, 2, 6, MAX_FRAME + 4, 0x7FFFFFFC, -(2**31)))
        if self.rng.random() < 0.5:
            return before + struct.pack(">i", size) + self._sets(False)
        bad = self.rng.choice((b"\xdb\x00", b"\xdb", b"\xdb\xdb\xdc", b"a" * (MAX_FRAME + 1)))
        return b"\xc0" + bad + b"\xc0" + self._sets(True)

    def _other_protocol(self) -> bytes:
        return self.rng.choice(OTHER_PROTOCOLS) + self._sets(False) + self._sets(True)

    def _random_bytes(self) -> bytes:
        start = self.rng.choice((b"", b"\xc0", b"\0\0\0\x20"))
        return start + self.rng.randbytes(self.rng.choice((1, 3, 100, 5000)))

    def _partial(self) -> bytes:
        is_slip = self.rng.random() < 0.5
        framed = slip.encode(self.rng.choice(SETS)) if is_slip else sized(self.rng.choice(SETS))
        return framed[: self.rng.randrange(1, len(framed))]

    def _mixed(self) -> bytes:
        if self.rng.random() < 0.5:
            return sized(self._malformed_packet()) + self._sets(True)
        return b"\xc0" + b"".join(sized(packet) + b"\xc0" for packet in SETS)


@dataclass
class Streams:
    """Results of the streams that were sent to a daemon."""

    refused: int = 0
    answered: int = 0
    counted: int = 0
    slowest_s: float = 0.0
    """[s] Longest wait for the answer to a valid stream."""
    memory_before: int = 0
    memory_after: int = 0
    """[kB] Resident memory of the daemon."""
    sockets_before: int = 0
    sockets_after: int = 0
    """TCP sockets that the daemon has open."""


@dataclass
class StreamClient:
    """Opens one connection after the other."""

    port: int
    maker: StreamMaker
    _open: list[socket.socket] = field(default_factory=list)

    def send_refused(self) -> None:
        """Send a refused stream, and end the connection in one of several ways.

        Raises: AssertionError where it is answered.
        """
        connection = self._connect()
        rng = self.maker.rng
        stream = self.maker.refused()
        with suppress(ConnectionError):
            for piece in self.maker.pieces(stream):
                connection.sendall(piece)
            ending = rng.random()
            if ending < 0.2:
                self._open.append(connection)
                if len(self._open) > KEPT_OPEN:
                    self._open.pop(0).close()
                return
            if ending < 0.4:
                abandon(connection)
                return
            with suppress(OSError):  # not connected, where the daemon has ended it already
                connection.shutdown(socket.SHUT_WR)
            answer = connection.recv(65536)
            assert not answer, f"{stream[:200]!r} was answered with {answer[:200]!r}"
        connection.close()

    def send_valid(self) -> float:
        """Send settings and a question, cut anywhere; return how long the answer took [s].

        The parameter has one address, so that nothing is echoed.

        Raises: AssertionError for another answer than the last value.
        """
        rng = self.maker.rng
        is_slip = rng.random() < 0.5
        value = rng.randrange(257) / 256
        packets = [message("/nemo/input", ("f", rng.random())) for _ in range(rng.randrange(4))]
        packets += [message("/nemo/input", ("f", value)), message("/nemo/input")]
        stream = b"".join(slip.encode(one) if is_slip else sized(one) for one in packets)
        connection = self._connect()
        begin = time.monotonic()
        for piece in self.maker.pieces(stream):
            connection.sendall(piece)
        expected = message("/nemo/input", ("f", value))
        framed = slip.encode(expected) if is_slip else sized(expected)
        answer = b""
        while len(answer) < len(framed):
            data = connection.recv(65536)
            assert data, f"the connection ended after {answer!r}"
            answer += data
        took_s = time.monotonic() - begin
        connection.close()
        found = read(slip.decode(answer) if is_slip else answer[4:])
        assert found == [("/nemo/input", [value])], f"{found} instead of {value}"
        return took_s

    def close(self) -> None:
        """Close what was left open."""
        for connection in self._open:
            connection.close()
        self._open.clear()

    def _connect(self) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self.port), ANSWER_S)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection


def abandon(connection: socket.socket) -> None:
    """Reset a connection, as the system of a program that crashed may do."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def streams_against_daemon(
    udp: DaemonClient,
    port: int,
    process: int,
    count: int,
    seed: str = "nemod",
    progress: Progress = id,
) -> Streams:
    """Send `count` streams of which nothing may be carried out, then half as many valid ones.

    Raises: AssertionError where a refused stream changed or was answered anything, or where the
    daemon no longer answers.
    """
    result = Streams()
    client = StreamClient(port, StreamMaker(seed))
    before, bad = udp.state(), udp.count("bad_packets")
    result.sockets_before = sockets(process)
    for number in range(1, count + 1):
        client.send_refused()
        result.refused += 1
        if number % BATCH == 0:
            udp.settle()
            progress(BATCH)
        if number == count // 10:
            # Permanent allocations of the daemon are complete by now.
            result.memory_before = memory(process)
    client.close()
    udp.settle()
    after = udp.state()
    changed = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    assert not changed, f"refused streams changed {sorted(changed)[:10]}"
    result.counted = udp.count("bad_packets") - bad
    for number in range(1, count // 2 + 1):
        result.slowest_s = max(result.slowest_s, client.send_valid())
        result.answered += 1
        if number % BATCH == 0:
            udp.settle()
            progress(BATCH)
    udp.settle()
    result.memory_after = memory(process)
    end = time.monotonic() + ANSWER_S
    while (left := sockets(process)) > result.sockets_before and time.monotonic() < end:
        time.sleep(0.1)
    result.sockets_after = left
    return result


def sockets(process: int) -> int:
    """Return how many TCP sockets a process has open."""
    tables = (Path(f"/proc/net/{name}").read_text().splitlines()[1:] for name in ("tcp", "tcp6"))
    names = {f"socket:[{line.split()[9]}]" for table in tables for line in table}
    count = 0
    for entry in Path(f"/proc/{process}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed since the folder was listed
            count += os.readlink(entry) in names
    return count
