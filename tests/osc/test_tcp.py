"""OSC over TCP on real sockets: python-osc, liblo and raw bytes as clients."""

import shutil
import socket
import struct
import subprocess
import time
from collections.abc import Callable, Iterator

import pytest
from pythonosc import slip
from pythonosc.osc_message_builder import OscMessageBuilder
from pythonosc.osc_tcp_server import MODE_1_0, MODE_1_1
from pythonosc.tcp_client import SimpleTCPClient

from nemod.osc.connection import ConnectionLimits
from nemod.osc.errors import PortError
from nemod.osc.server import OscServer
from tests.osc.conftest import MemoryRig, Served, read, write

Answers = list[tuple[str, list[object]]]

QUICK = ConnectionLimits(idle_s=0.4, frame_s=0.4, stuck_s=0.4, jobs_s=2.0)
"""Limits that run out while a test waits."""


def sized(packet: bytes) -> bytes:
    return struct.pack(">i", len(packet)) + packet


class Stream:
    """A TCP connection with framing written after the specifications, not ours."""

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

    def until_synced(self, number: int = 1) -> Answers:
        """Return everything that arrives before the answer to a sync sent now."""
        self.send("/nemo/sync", ("i", number))
        answers: Answers = []
        while True:
            packet = self.packet()
            assert packet, "the connection has ended"
            for answer in read(packet):
                if answer == ("/nemo/synced", [number]):
                    return answers
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


@pytest.mark.parametrize("is_slip", [False, True], ids=["length", "SLIP"])
def test_sets_and_queries_in_both_framings(connect: Connect, rig: MemoryRig, is_slip: bool) -> None:
    """Answers come back on the same connection, framed as the questions were."""
    stream = connect(is_slip=is_slip)
    assert stream.ask("/nemo/bass", ("f", 0.25)) == []
    assert stream.ask("/nemo/bass") == [("/nemo/bass", [0.25])]
    assert rig.settings.get("bass") == 0.25
    ((address, values),) = stream.ask("/nemo/nowhere")
    assert (address, values[0]) == ("/nemo/error", "address")


def test_one_byte_at_a_time(connect: Connect) -> None:
    """TCP promises nothing about the pieces in which a packet arrives."""
    for is_slip in (False, True):
        stream = connect(is_slip=is_slip)
        packet = write("/nemo/mid", ("f", 0.75))
        for byte in slip.encode(packet) if is_slip else sized(packet):
            stream.socket.sendall(bytes([byte]))
            time.sleep(0.001)
        assert stream.ask("/nemo/mid") == [("/nemo/mid", [0.75])]


def test_a_frame_may_be_longer_than_a_datagram(connect: Connect, served: Served) -> None:
    """A blob of 60 KiB is understood, and refused for what it is; one over 64 KiB is cut off."""
    stream = connect()
    ((address, values),) = stream.ask("/nemo/gain", ("b", bytes(60 * 1024)))
    assert (address, values[0]) == ("/nemo/error", "type")
    assert served.server.counters.dropped == 0
    stream.send("/nemo/gain", ("b", bytes(65 * 1024)))
    assert stream.has_ended()
    assert served.server.counters.dropped == 1


def test_large_answers_are_whole(connect: Connect) -> None:
    """The address of a connection is proven, so a query of everything is answered in full."""
    answers = dict(connect().ask("/nemo"))
    assert {"/nemo/gain", "/nemo/status/state", "/nemo/text/reverb/mix"} <= answers.keys()


@pytest.mark.parametrize(
    "request_line",
    [
        b"POST / HTTP/1.1\r\nHost: 127.0.0.1:9000\r\nContent-Length: 28\r\n\r\n",
        b"GET /?HOST_INFO HTTP/1.1\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
    ids=["POST", "GET", "OPTIONS", "TLS"],
)
def test_a_browser_is_cut_off(
    connect: Connect, served: Served, rig: MemoryRig, request_line: bytes
) -> None:
    """Its first bytes are no valid length: nothing in its body is carried out or answered."""
    stream = connect()
    stream.socket.sendall(request_line + sized(write("/nemo/bass", ("f", 0.9))))
    assert stream.has_ended()
    assert rig.commits == []
    assert served.server.counters.dropped == 1


def test_a_malformed_packet_does_not_end_the_stream(connect: Connect, served: Served) -> None:
    """Its frame is intact, so what follows can be trusted."""
    for is_slip in (False, True):
        stream = connect(is_slip=is_slip)
        stream.send("/nemo/mid", ("f", 0.5))
        bad = b"nemo"
        stream.socket.sendall(slip.encode(bad) if is_slip else sized(bad))
        assert stream.ask("/nemo/mid") == [("/nemo/mid", [0.5])]
    assert served.server.counters.dropped == 2


def test_udp_and_tcp_are_one_port_in_both_families(
    serve: Callable[..., Served], connect: Connect
) -> None:
    """`localhost` may be either; a change over one transport is seen over the other."""
    for local in (True, False):
        served = serve(local=local)
        addresses = ["127.0.0.1", *(["::1"] if has_ipv6() else [])]
        for step, address in enumerate(addresses, 1):
            stream = connect(served.server.port, address)
            stream.ask("/nemo/bass", ("f", step / 4))
            assert served.client(address).value("/nemo/bass") == step / 4


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def test_a_taken_port_is_named(rig: MemoryRig) -> None:
    """The error says which protocol it is about, and the UDP port is free again."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(PortError, match=rf"OSC port {port} \(TCP\): is taken"):
            Served(rig, OscServer(rig.controller, port, local=True))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", port))


def test_a_daemon_can_start_again_at_once(serve: Callable[..., Served], connect: Connect) -> None:
    """Connections of the one before, which the system remembers for a minute, are no obstacle."""
    first = serve()
    stream = connect(first.server.port)
    stream.ask("/nemo/gain")
    first.close()
    assert read(stream.packet()) == [("/nemo/bye", [])]
    assert stream.packet() == b""
    again = Served(first.rig, OscServer(first.rig.controller, first.server.port, local=True))
    again.close()


def test_connections_are_limited(connect: Connect, served: Served) -> None:
    """The ninth is closed without a byte; when one of the others has ended there is room."""
    streams = [connect() for _ in range(8)]
    for stream in streams:
        assert stream.ask("/nemo/bass") == [("/nemo/bass", [0.5])]
    assert connect().has_ended()
    assert served.server.counters.dropped == 1
    assert served.client().value("/nemo/bass") == 0.5
    streams[3].close()
    wait_until(lambda: not connect_is_refused(connect))
    assert streams[0].ask("/nemo/bass") == [("/nemo/bass", [0.5])]


def connect_is_refused(connect: Connect) -> bool:
    stream = connect()
    try:
        stream.ask("/nemo/bass")
    except (AssertionError, OSError):
        return True
    return False


def test_another_machine_has_fewer_connections(
    serve: Callable[..., Served], connect: Connect
) -> None:
    """Four of the eight: one phone cannot keep the others out."""
    own = own_address()
    served = serve(local=False, allow=[own])
    streams = [connect(served.server.port, own) for _ in range(4)]
    for stream in streams:
        assert stream.ask("/nemo/bass") == [("/nemo/bass", [0.5])]
    assert connect(served.server.port, own).has_ended()
    assert connect(served.server.port).ask("/nemo/bass") == [("/nemo/bass", [0.5])]


def own_address() -> str:
    """Return an address of this machine that is not loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("198.51.100.1", 9))
        except OSError:
            pytest.skip("this machine has no route, hence no address but loopback")
        name: str = probe.getsockname()[0]
        return name


def test_a_foreign_host_is_closed_without_a_byte(
    serve: Callable[..., Served], connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As its datagrams are dropped: counted, and not even an error comes back."""
    monkeypatch.setattr("nemod.network.access.PRIVATE", ())
    own = own_address()
    served = serve(local=False)
    stream = connect(served.server.port, own)
    assert stream.has_ended()
    assert served.server.counters.dropped == 1


def test_local_does_not_listen_elsewhere(served: Served) -> None:
    """With `local` the port is closed to the network, not merely refused."""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((own_address(), served.server.port), 5.0)


# --- times -----------------------------------------------------------------------------------


def test_an_idle_connection_ends(serve: Callable[..., Served], connect: Connect) -> None:
    """Unless bytes arrive now and then, or it has a lease on feedback."""
    served = serve(connection_limits=QUICK)
    idle, talking = connect(served.server.port), connect(served.server.port)
    end = time.monotonic() + 1.2
    while time.monotonic() < end:
        assert talking.ask("/nemo/bass") == [("/nemo/bass", [0.5])]
        time.sleep(0.1)
    idle.socket.settimeout(0.01)
    assert idle.has_ended()
    assert served.server.counters.dropped == 0


def test_a_frame_that_is_never_completed_ends_the_connection(
    serve: Callable[..., Served], connect: Connect
) -> None:
    """However many bytes trickle in: the whole frame has its time, not each byte."""
    served = serve(connection_limits=QUICK)
    for is_slip in (False, True):
        stream = connect(served.server.port)
        stream.socket.sendall(b"\xc0" if is_slip else sized(b"/nemo" * 400)[:4])
        begin = time.monotonic()
        try:
            while time.monotonic() - begin < 5.0:
                stream.socket.sendall(b"/")
                time.sleep(0.02)
        except (BrokenPipeError, ConnectionResetError):
            pass
        assert 0.3 < time.monotonic() - begin < 3.0
    assert served.server.counters.dropped == 2


def test_a_client_that_does_not_read_is_cut_off(
    serve: Callable[..., Served], connect: Connect, rig: MemoryRig
) -> None:
    """Its answers are dropped meanwhile, its settings are not, and others notice nothing."""
    served = serve(connection_limits=QUICK, loopback_messages_per_s=1e6)
    stream, other = connect(served.server.port), connect(served.server.port)
    stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    question = sized(write("/nemo"))
    with pytest.raises((BrokenPipeError, ConnectionResetError)):  # noqa: PT012
        for step in range(100_000):
            stream.socket.sendall(sized(write("/nemo/bass", ("f", step % 100 / 100))) + question)
            if step % 100 == 0:
                assert other.ask("/nemo/mid") == [("/nemo/mid", [0.5])]
    assert len(rig.commits) > 100
    assert other.ask("/nemo/mid") == [("/nemo/mid", [0.5])]


def test_a_half_closed_connection_gets_its_answers(connect: Connect, rig: MemoryRig) -> None:
    """`nc -N` sends, ends its side, and waits for what comes back."""
    stream = connect()
    stream.send("/nemo/bass")
    stream.send("/nemo/mid")
    stream.socket.shutdown(socket.SHUT_WR)
    assert read(stream.packet()) == [("/nemo/bass", [0.5])]
    assert read(stream.packet()) == [("/nemo/mid", [0.5])]
    assert stream.packet() == b""


def test_a_half_closed_connection_waits_for_its_jobs(
    served: Served, connect: Connect, rig: MemoryRig
) -> None:
    """The end of a load comes seconds later, on the side that is still open."""
    rig.is_slow = True
    stream = connect()
    stream.send("/nemo/model/load", ("s", "fuzz"))
    stream.socket.shutdown(socket.SHUT_WR)
    wait_until(lambda: bool(rig.loads))
    time.sleep(0.1)
    served.call(rig.finish_load)
    assert read(stream.packet()) == [("/nemo/done", ["/nemo/model/load", "fuzz"])]
    assert stream.packet() == b""


def test_half_closed_connections_make_room(
    served: Served, connect: Connect, rig: MemoryRig
) -> None:
    """A script that loads models over a new connection each time is not locked out by its jobs."""
    rig.is_slow = True
    client = served.client()
    for _ in range(20):
        before = list(rig.loads)
        stream = connect()
        stream.send("/nemo/model/load", ("s", "fuzz"))
        stream.socket.shutdown(socket.SHUT_WR)
        wait_until(lambda before=before: rig.loads != before)
        # What follows in the stream is its end, which is seen before another client is answered.
        client.until_synced()
        client.until_synced()
    assert served.server.counters.dropped == 0
    wait_until(lambda: not connect_is_refused(connect))
    served.call(rig.finish_load)


def test_an_answer_after_the_end_is_dropped(
    served: Served, connect: Connect, rig: MemoryRig
) -> None:
    """A job that ends when its connection is gone disturbs nobody."""
    rig.is_slow = True
    stream = connect()
    stream.send("/nemo/model/load", ("s", "fuzz"))
    wait_until(lambda: bool(rig.loads))
    stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    stream.close()
    time.sleep(0.1)
    served.call(rig.finish_load)
    assert connect().ask("/nemo/model/current") == [("/nemo/model/current", ["fuzz"])]
    assert served.server.counters.dropped == 0


# --- limits ----------------------------------------------------------------------------------


def test_udp_and_tcp_share_the_rate_of_a_host(
    serve: Callable[..., Served], connect: Connect
) -> None:
    """Opening a connection does not buy more messages."""
    served = serve(loopback_messages_per_s=300)
    stream, client = connect(served.server.port), served.client()
    for _ in range(299):
        stream.send("/nemo/toggle/mute", ("i", 0))
    assert stream.until_synced() == []
    for _ in range(100):
        client.send("/nemo/toggle/mute", ("i", 0))
    wait_until(lambda: served.server.counters.dropped > 50)


def test_a_storm_ends_at_its_last_value(
    serve: Callable[..., Served], connect: Connect, rig: MemoryRig
) -> None:
    """Over the rate the newest value of an address is kept, as over UDP."""
    served = serve(loopback_messages_per_s=300)
    stream = connect(served.server.port)
    for step in range(3000):
        stream.send("/nemo/bass", ("f", step / 4000))
        stream.send("/nemo/toggle/mute", ("i", 0))
    wait_until(lambda: rig.settings.get("bass") == pytest.approx(2999 / 4000))
    assert served.server.counters.dropped > 2000


# --- clients of others -------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [MODE_1_0, MODE_1_1])
def test_python_osc_client_as_it_is(served: Served, mode: str) -> None:
    """Its own client class sets and asks in either mode without any help."""
    port = served.server.port
    with SimpleTCPClient("127.0.0.1", port, mode=mode, timeout=5.0) as client:
        client.send_message("/nemo/treble", 0.25)
        client.send(OscMessageBuilder("/nemo/treble").build())
        # In mode 1.1 its last packet still holds an END.
        packets = [packet for packet in client.receive() if packet]
        assert read(packets[0]) == [("/nemo/treble", [0.25])]


@pytest.mark.liblo
def test_oscsend_over_tcp(serve: Callable[..., Served], rig: MemoryRig) -> None:
    """The command line tool of liblo speaks OSC 1.0 framing; each call is a connection."""
    tool = shutil.which("oscsend")
    if tool is None:
        pytest.skip("oscsend absent: install liblo-tools")
    served = serve(local=False)
    target = f"osc.tcp://localhost:{served.server.port}/"
    for step in range(1, 21):
        subprocess.run([tool, target, "/nemo/bass", "f", str(step / 20)], check=True, timeout=10)
        wait_until(lambda step=step: rig.settings.get("bass") == pytest.approx(step / 20))
    assert served.server.counters.dropped == 0
