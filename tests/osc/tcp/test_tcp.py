"""OSC over TCP on real sockets: python-osc, liblo and raw bytes as clients."""

import asyncio
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable

import pytest
from pythonosc import slip
from pythonosc.osc_message_builder import OscMessageBuilder
from pythonosc.osc_tcp_server import MODE_1_0, MODE_1_1
from pythonosc.tcp_client import SimpleTCPClient

from nemod.network.sockets import PortError, open_sockets
from nemod.osc.server import OscServer
from tests.osc.conftest import MemoryRig, Served, read, without_slot_forms, write
from tests.osc.tcp.conftest import Connect, sized, wait_until


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


def test_accepted_connections_are_prepared() -> None:
    """Small packets go out at once, and a phone that has disappeared is noticed."""

    async def run() -> None:
        made: list[asyncio.Transport] = []

        class Keep(asyncio.Protocol):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                made.append(transport)  # type: ignore[arg-type]

        (listening, *more) = open_sockets(socket.SOCK_STREAM, 0, is_local=True)
        server = await asyncio.get_running_loop().create_server(Keep, sock=listening)
        with socket.create_connection(listening.getsockname()):
            while not made:
                await asyncio.sleep(0.001)
            accepted = made[0].get_extra_info("socket")
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 20
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 40_000
            # The system doubles what is asked for.
            assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) == 2 << 16
            made[0].abort()
        server.close()
        for other in more:
            other.close()

    asyncio.run(run())


def test_a_taken_port_is_named(rig: MemoryRig) -> None:
    """The error says which protocol it is about, and the UDP port is free again."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        owner = rf"is taken by .* \(process {os.getpid()}\), choose another with --port"
        with pytest.raises(PortError, match=rf"OSC port {port} \(TCP\): {owner}"):
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


# --- clients of others -------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [MODE_1_0, MODE_1_1])
def test_python_osc_client_as_it_is(served: Served, mode: str) -> None:
    """Its own client class sets and asks in either mode without any help."""
    port = served.server.port
    with SimpleTCPClient("127.0.0.1", port, mode=mode, timeout=5.0) as client:
        client.send_message("/nemo/treble", 0.25)
        client.send(OscMessageBuilder("/nemo/treble").build())
        # In mode 1.1 its last packet still holds an END.
        messages: list[tuple[str, list[object]]] = []
        while ("/nemo/treble", [0.25]) not in messages:
            packets = [packet for packet in client.receive() if packet]
            assert packets, "no answer in time"
            messages += [message for packet in packets for message in read(packet)]
        assert without_slot_forms(messages) == [("/nemo/treble", [0.25])]


def test_pyliblo_over_tcp(served: Served, connect: Connect, rig: MemoryRig) -> None:
    """Liblo in a program: many packets on one connection, a bundle among them."""
    liblo = pytest.importorskip("pyliblo3", reason="pyliblo3 has no wheel here")
    target = liblo.Address(f"osc.tcp://127.0.0.1:{served.server.port}/")
    for step in range(1, 101):
        liblo.send(target, "/nemo/bass", ("f", step / 128))
    gain, mid = liblo.Message("/nemo/gain", ("f", 0.25)), liblo.Message("/nemo/mid", ("f", 0.75))
    liblo.send(target, liblo.Bundle(gain, mid))
    wait_until(lambda: rig.settings.get("mid") == 0.75)
    assert [rig.settings.get(path) for path in ("bass", "gain")] == [100 / 128, 0.25]
    assert served.server.counters.dropped == 0


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
