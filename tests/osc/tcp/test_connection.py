"""One TCP connection on a transport in memory: what is read when, what is sent, when it ends."""

import asyncio
import struct
import time
from collections.abc import Callable, Coroutine
from typing import Any

from nemod.network.access import address_of
from nemod.osc.connection import Connection, ConnectionLimits
from nemod.osc.server import OscServer
from tests.osc.conftest import MemoryRig, read, write

HasJobs = Callable[[object], bool]
LIMITS = ConnectionLimits(send_buffer=100)
BASS = write("/nemo/bass", ("f", 0.25))


def sized(packet: bytes) -> bytes:
    return struct.pack(">i", len(packet)) + packet


class Wire(asyncio.Transport):
    """A transport without a network: keeps what is written, and sends when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.unsent = 0
        self.is_reading = True
        self.state = "open"

    def get_extra_info(self, name: str, default: object = None) -> object:
        return ("127.0.0.1", 5000) if name == "peername" else default

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        assert high == LIMITS.send_buffer

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def write(self, data: Any) -> None:
        assert self.state == "open"
        self.written += data
        self.unsent += len(data)

    def is_closing(self) -> bool:
        return self.state != "open"

    def pause_reading(self) -> None:
        self.is_reading = False

    def resume_reading(self) -> None:
        self.is_reading = True

    def close(self) -> None:
        self.state = "closed"

    def abort(self) -> None:
        self.state = "aborted"


class Line:
    """A connection with its wire."""

    def __init__(self, rig: MemoryRig, has_jobs: HasJobs = lambda _: False) -> None:
        self.server = OscServer(rig.controller, 0, local=True)
        self.wire = Wire()
        self.connection = Connection(
            self.server.receiver,
            LIMITS,
            accept=self._accept,
            ended=lambda connection: None,
            has_jobs=has_jobs,
        )
        self.connection.connection_made(self.wire)
        self.made_s = time.monotonic()

    def _accept(self, connection: Connection, peer: tuple[str, int]) -> bool:
        connection.open(address_of(peer[0]), peer[1])
        return True

    def receive(self, data: bytes) -> None:
        """Deliver bytes, in pieces of the buffer that the connection offers."""
        while data:
            buffer = self.connection.get_buffer(-1)
            piece, data = data[: len(buffer)], data[len(buffer) :]
            buffer[: len(piece)] = piece
            self.connection.buffer_updated(len(piece))

    def check(self, after_s: float, has_lease: bool = False) -> str:
        """Let this time have passed since the beginning, and return what became of the wire."""
        self.connection.check(self.made_s + after_s, has_lease)
        return self.wire.state


def in_loop(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


def test_answers_beyond_the_send_buffer_are_dropped(rig: MemoryRig) -> None:
    """What is unsent stays below the limit and one answer; feedback waits."""

    async def run() -> None:
        line = Line(rig)
        sender = line.connection.sender
        for _ in range(50):
            line.receive(sized(write("/nemo/bass")))
            await asyncio.sleep(0)
        answer = sized(write("/nemo/bass", ("f", 0.5)))
        assert LIMITS.send_buffer < line.wire.unsent <= LIMITS.send_buffer + len(answer)
        assert sender.is_busy()
        line.receive(sized(BASS))
        assert rig.settings.get("bass") == 0.25
        line.wire.unsent = 0
        assert not sender.is_busy()
        line.wire.written = b""
        line.receive(sized(write("/nemo/bass")))
        assert read(line.wire.written[4:]) == [("/nemo/bass", [0.25])]

    in_loop(run())


def test_nothing_is_read_while_frames_wait(rig: MemoryRig) -> None:
    """Other tasks run between portions of frames, and the queue does not grow meanwhile."""

    async def run() -> None:
        line = Line(rig)
        line.receive(sized(BASS) * 100)
        assert not line.wire.is_reading
        assert len(rig.commits) <= 16
        turns = 0
        while not line.wire.is_reading:
            await asyncio.sleep(0)
            turns += 1
        assert 5 <= turns <= 20
        assert rig.settings.get("bass") == 0.25

    in_loop(run())


def test_a_client_that_floods_is_read_more_slowly(rig: MemoryRig) -> None:
    """After 256 packets that had to be dropped there is a pause, however many are there."""

    async def run() -> None:
        line = Line(rig)
        line.receive(sized(b"nemo") * 1000)
        begin = time.monotonic()
        while not line.wire.is_reading:
            await asyncio.sleep(0)
        # 1000 are three pauses of 20 ms and a rest.
        assert time.monotonic() - begin > 0.055
        assert line.server.counters.dropped == 1000

    in_loop(run())


def test_a_frame_has_its_time_as_a_whole(rig: MemoryRig) -> None:
    """Bytes that trickle in do not prolong it; a completed frame begins anew."""

    async def run() -> None:
        line = Line(rig)
        line.receive(sized(BASS)[:6])
        assert line.check(9.9) == "open"
        line.receive(sized(BASS)[6:])
        assert line.check(11.0) == "open"
        line.receive(sized(BASS)[:6])
        line.receive(sized(BASS)[6:10])
        assert line.check(11.0) == "aborted"
        assert line.server.counters.dropped == 1

    in_loop(run())


def test_an_idle_connection_ends_after_ten_minutes_without_a_lease(rig: MemoryRig) -> None:
    """A subscriber may be silent for as long as its lease lasts."""

    async def run() -> None:
        line = Line(rig)
        assert line.check(599.0) == "open"
        assert line.check(601.0, has_lease=True) == "open"
        assert line.check(601.0) == "closed"
        assert line.server.counters.dropped == 0

    in_loop(run())


def test_a_client_that_does_not_read_ends_after_ten_seconds(rig: MemoryRig) -> None:
    """Counted from when the buffer became full, unless it has emptied since."""

    async def run() -> None:
        line = Line(rig)
        line.connection.pause_writing()
        assert line.check(9.9) == "open"
        line.connection.resume_writing()
        assert line.check(20.0) == "open"
        line.connection.pause_writing()
        assert line.check(11.0) == "aborted"

    in_loop(run())


def test_the_end_waits_for_jobs_and_then_for_what_is_unsent(rig: MemoryRig) -> None:
    """But neither for ever: 30 s and 10 s."""

    async def run() -> None:
        jobs = [True]
        line = Line(rig, lambda sender: jobs[0])
        line.connection.eof_received()
        assert line.check(1.0) == "open"
        jobs.clear()
        jobs.append(False)
        assert line.check(2.0) == "closed"
        assert line.check(9.9) == "closed"
        assert line.check(11.0) == "aborted"
        line = Line(rig, lambda sender: True)
        line.connection.eof_received()
        assert line.check(29.0) == "open"
        assert line.check(31.0) == "closed"

    in_loop(run())
