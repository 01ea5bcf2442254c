"""What one connection, one host and all of them may take, on real sockets."""

import socket
import struct
import time
from collections.abc import Callable
from contextlib import suppress

import pytest

from tests.osc.conftest import MemoryRig, Served, read, write
from tests.osc.tcp.conftest import (
    QUICK,
    Connect,
    connect_is_refused,
    own_address,
    sized,
    wait_until,
)


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
    assert len(rig.commits) > 50
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


def test_a_subscription_over_tcp(served: Served, connect: Connect, rig: MemoryRig) -> None:
    """The dump and all changes arrive on the connection; its end is the end of the lease."""
    for is_slip in (False, True):
        stream, other = connect(is_slip=is_slip), connect()
        stream.send("/nemo/subscribe")
        dump = dict(stream.wait("/nemo/status/uptime"))
        assert {"/nemo/cab/level", "/nemo/status/state"} <= dump.keys()
        other.send("/nemo/cab/level", ("f", 0.25 if is_slip else 0.75))
        expected = ("/nemo/cab/level", [0.25 if is_slip else 0.75])
        assert stream.wait("/nemo/cab/level")[-1] == expected
        stream.close()
        other.close()
    wait_until(lambda: not served.server.feedback.senders())


def test_a_subscriber_may_be_silent(serve: Callable[..., Served], connect: Connect) -> None:
    """Its connection ends with its lease, not after the time for others."""
    served = serve(connection_limits=QUICK)
    stream = connect(served.server.port)
    stream.send("/nemo/subscribe", ("s", "params"))
    time.sleep(1.2)
    served.client().ask("/nemo/mid", ("f", 0.25))
    assert stream.wait("/nemo/mid", 0.25)


def test_connections_from_other_machines_share_what_may_be_sent(
    serve: Callable[..., Served], connect: Connect
) -> None:
    """64 kB in a second, besides eight times the bytes of their questions."""
    own = own_address()
    served = serve(local=False, allow=[own], messages_per_s=10_000)
    streams = [connect(served.server.port, own) for _ in range(4)]
    question = sized(write("/nemo"))
    begin = time.monotonic()
    for stream in streams:
        stream.socket.sendall(question * 50)
    received = 0
    for stream in streams:
        stream.socket.settimeout(0.3)
        with suppress(TimeoutError):
            while data := stream.socket.recv(65536):
                received += len(data)
    took_s = time.monotonic() - begin
    asked = len(question) * 50 * len(streams)
    # An answer has some 5 kB, so that of the 16 kB that may be sent at once most is used.
    assert 8_000 < received < 16_000 + 64_000 * took_s + 8 * asked


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
    while packet := stream.packet():  # what the load has changed
        assert "/nemo/model/current" in dict(read(packet))


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
