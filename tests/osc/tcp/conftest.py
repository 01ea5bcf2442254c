"""Clients of the TCP port, with framing written after the specifications, not ours."""

import socket
import struct
import time
from collections.abc import Callable, Iterator

import pytest
from pythonosc import slip

from nemod.osc.connection import ConnectionLimits
from tests.osc.conftest import Served, read, without_slot_forms, write

Answers = list[tuple[str, list[object]]]

QUICK = ConnectionLimits(idle_s=0.4, frame_s=0.4, stuck_s=0.4, jobs_s=2.0)
"""Limits that run out while a test waits."""


def sized(packet: bytes) -> bytes:
    return struct.pack(">i", len(packet)) + packet


class Stream:
    """A TCP connection of a client."""

    def __init__(self, port: int, address: str = "127.0.0.1", *, is_slip: bool = False) -> None:
        self.socket = socket.create_connection((address, port), 5.0)
        self.is_slip = is_slip
        self._data = b""

    def send(self, address: str, *arguments: tuple[str, object]) -> None:
        packet = write(address, *arguments)
        self.socket.sendall(slip.encode(packet) if self.is_slip else sized(packet))

    def packet(self) -> bytes:
        """Return the next packet; empty at the end of the stream."""
        while True:
            packet = self._take()
            if packet:
                return packet
            data = self.socket.recv(65536)
            if not data:
                return b""
            self._data += data

    def _take(self) -> bytes:
        if self.is_slip:
            while b"\xc0" in self._data:
                piece, _, self._data = self._data.partition(b"\xc0")
                if piece:
                    return slip.decode(piece)
            return b""
        if len(self._data) < 4:
            return b""
        (size,) = struct.unpack_from(">i", self._data)
        if len(self._data) < 4 + size:
            return b""
        packet, self._data = self._data[4 : 4 + size], self._data[4 + size :]
        return packet

    def wait(self, address: str, value: object = None) -> Answers:
        """Return everything that arrives until this address does, with this value if given."""
        answers: Answers = []
        while True:
            packet = self.packet()
            assert packet, "the connection has ended"
            answers += read(packet)
            if any(one == address and value in (None, *values) for one, values in answers):
                return answers

    def rest(self) -> Answers:
        """Return everything that arrives until the other side ends the connection."""
        answers: Answers = []
        while packet := self.packet():
            answers += read(packet)
        return answers

    def until_synced(self, number: int = 1) -> Answers:
        """Return everything that arrives before the answer to a sync sent now."""
        self.send("/nemo/sync", ("i", number))
        answers: Answers = []
        while True:
            packet = self.packet()
            assert packet, "the connection has ended"
            for answer in read(packet):
                if answer == ("/nemo/synced", [number]):
                    return without_slot_forms(answers)
                answers.append(answer)

    def ask(self, address: str, *arguments: tuple[str, object]) -> Answers:
        self.send(address, *arguments)
        return self.until_synced()

    def has_ended(self) -> bool:
        """Wait for the other side to end the connection; whether it did so without a byte."""
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def close(self) -> None:
        self.socket.close()


Connect = Callable[..., Stream]


@pytest.fixture
def connect(served: Served) -> Iterator[Connect]:
    """Open connections to the server that `served` runs, or to another port."""
    opened: list[Stream] = []

    def make(port: int = 0, address: str = "127.0.0.1", *, is_slip: bool = False) -> Stream:
        stream = Stream(port or served.server.port, address, is_slip=is_slip)
        opened.append(stream)
        return stream

    yield make
    for stream in opened:
        stream.close()


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 5.0
    while not condition():
        assert time.monotonic() < end, "nothing has happened for 5 s"
        time.sleep(0.01)


def own_address() -> str:
    """Return an address of this machine that is not loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("198.51.100.1", 9))
        except OSError:
            pytest.skip("this machine has no route, hence no address but loopback")
        name: str = probe.getsockname()[0]
        return name


def connect_is_refused(connect: Connect) -> bool:
    stream = connect()
    try:
        stream.ask("/nemo/bass")
    except (AssertionError, OSError):
        return True
    return False
