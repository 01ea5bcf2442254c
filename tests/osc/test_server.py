"""The server over real sockets: python-osc and liblo as clients, and malformed packets."""

import shutil
import socket
import struct
import subprocess
import time
from collections.abc import Callable

import pytest
import structlog.testing
from pythonosc.osc_message_builder import OscMessageBuilder
from pythonosc.udp_client import SimpleUDPClient

from nemod.control.errors import Code, ControlError
from nemod.network.sockets import PortError
from nemod.osc.server import OscServer
from tests.osc.conftest import Client, MemoryRig, Served, read, write

BUNDLE = b"#bundle\0\0\0\0\0\0\0\0\1"


def element(content: bytes) -> bytes:
    return struct.pack(">i", len(content)) + content


HOSTILE = {
    "bundle element of size -4": BUNDLE + struct.pack(">i", -4),
    "truncated float": b"/nemo/gain\0\0,f\0\0\x3f\x00\0",
    "string and float with data for neither": b"/nemo/gain\0\0,Sf\0abc",
    "bad UTF-8": b"/nemo/model/load\0\0\0\0,s\0\0\xff\xff\xff\0",
    "900 nested bundles": (BUNDLE + struct.pack(">i", 16)) * 900 + BUNDLE,
    "nothing": b"",
    "longer than 8 KiB": b"/nemo/gain\0\0,b\0\0" + struct.pack(">i", 9000) + bytes(9000),
}


@pytest.mark.parametrize("packet", HOSTILE.values(), ids=HOSTILE.keys())
def test_malformed_packets_are_counted_and_not_answered(
    packet: bytes, client: Client, rig: MemoryRig
) -> None:
    """Nothing changes, nothing comes back, and the next packet is served."""
    client.send_bytes(packet)
    assert client.until_synced() == []
    assert client.value("/nemo/status/bad_packets") == 1
    assert rig.commits == []


def test_a_pattern_of_44_stars_is_answered(client: Client) -> None:
    """The address that hangs other servers is an error like any that matches nothing."""
    ((address, values),) = client.ask("/nemo/" + "*a" * 18 + "*b")
    assert (address, values[0]) == ("/nemo/error", "address")


def test_a_bundle_for_later_does_not_delay_others(
    served: Served, client: Client, rig: MemoryRig
) -> None:
    """It is carried out when it is due, and what another client sends meanwhile at once."""
    ahead = int((time.time() + 2_208_988_800 + 1.0) * 2**32)
    begin = time.monotonic()
    client.send_bytes(
        b"#bundle\0" + struct.pack(">Q", ahead) + element(write("/nemo/gain", ("f", 0.25)))
    )
    other = served.client()
    other.send("/nemo/bass", ("f", 0.75))
    assert other.value("/nemo/bass") == 0.75
    if time.monotonic() < begin + 0.9:  # a machine that is that slow proves nothing
        assert other.value("/nemo/gain") == 0.5
    while other.value("/nemo/gain") != 0.25:
        assert time.monotonic() < begin + 60.0
        time.sleep(0.01)
    assert time.monotonic() >= begin + 0.9
    assert served.server.counters.far_future == 0


def test_answers_go_to_the_port_that_asked(served: Served) -> None:
    """Two clients at one address get their own answers only."""
    first, second = served.client(), served.client()
    first.send("/nemo/gain")
    second.send("/nemo/level")
    assert first.until_synced() == [("/nemo/gain", [0.5])]
    assert second.until_synced() == [("/nemo/level", [0.75])]


def test_loopback_has_both_families(serve: Callable[..., Served]) -> None:
    """`localhost` may be either, so both are there on one port."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    for local in (True, False):
        served = serve(local=local)
        for address in ("127.0.0.1", "::1"):
            assert served.client(address).value("/nemo/gain") == 0.5


def test_a_taken_port_is_named_with_its_owner(served: Served, rig: MemoryRig) -> None:
    """The error says which port, and on Linux which process has it."""
    with pytest.raises(PortError, match=rf"OSC port {served.server.port} \(UDP\): is taken"):
        Served(rig, OscServer(rig.controller, served.server.port, local=True))


def test_bye_is_sent_to_recent_clients(served: Served) -> None:
    """Once to each port that sent something; not to one that never did."""
    first, second, silent = served.client(), served.client(), served.client()
    silent.socket.bind(("127.0.0.1", 0))
    for client in (first, second):
        assert client.value("/nemo/gain") == 0.5
    served.close()
    for client in (first, second):
        assert read(client.packet()) == [("/nemo/bye", [])]
    for client in (first, second, silent):
        client.socket.settimeout(0.05)
        with pytest.raises(TimeoutError):
            client.packet()


def test_a_background_job_is_answered_when_it_ends(
    served: Served, client: Client, rig: MemoryRig
) -> None:
    """Loading returns at once; other traffic goes on until the model is there."""
    rig.is_slow = True
    client.send("/nemo/model/load", ("s", "FUZZ"))
    other = served.client()
    assert other.value("/nemo/model/current") == "Amp Clean"
    served.call(rig.finish_load)
    assert read(client.packet()) == [("/nemo/done", ["/nemo/model/load", "fuzz"])]
    assert other.value("/nemo/model/current") == "fuzz"


def test_a_job_that_ends_after_the_server_is_ignored(
    served: Served, client: Client, rig: MemoryRig
) -> None:
    """Nothing is sent, and nothing is raised."""
    rig.is_slow = True
    client.send("/nemo/model/load", ("s", "fuzz"))
    client.send("/nemo/gain")
    assert read(client.packet()) == [("/nemo/gain", [0.5])]
    served.close()
    rig.finish_load()


def test_an_internal_error_does_not_end_the_server(
    served: Served,
    client: Client,
    rig: MemoryRig,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is logged once and counted, and what was set is still committed."""

    def fail(*_arguments: object, **_more: object) -> None:
        raise RuntimeError("no room")

    monkeypatch.setattr(rig, "load", fail)
    with structlog.testing.capture_logs() as logs:
        for value in (0.1, 0.2):
            client.send_bytes(
                BUNDLE
                + element(write("/nemo/bass", ("f", value)))
                + element(write("/nemo/model/load", ("i", 1)))
            )
        text = "internal error, see the log"
        assert client.until_synced() == [("/nemo/error", ["io", "/nemo/model/load", text])] * 2
    assert [entry["event"] for entry in logs] == ["osc.failed"]
    assert client.value("/nemo/bass") == pytest.approx(0.2)
    assert [round(snapshot["bass"], 6) for snapshot in rig.commits] == [0.1, 0.2]
    assert served.server.counters.dropped == 2


def test_a_synchronous_refusal_is_answered(
    client: Client, rig: MemoryRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job that cannot start is answered at once, and nothing waits for it."""

    def refuse(*_arguments: object) -> None:
        raise ControlError(Code.IO, "fuzz", "unreadable")

    monkeypatch.setattr(rig.controller.models, "load", refuse)
    ((address, values),) = client.ask("/nemo/model/load", ("i", 2))
    assert (address, values) == ("/nemo/error", ["io", "/nemo/model/load", "unreadable"])
    monkeypatch.undo()
    client.ask("/nemo/model/next")
    assert rig.model_name == "Amp Lead"


def test_the_last_value_over_the_limit_is_applied(
    serve: Callable[..., Served], rig: MemoryRig
) -> None:
    """What else was sent over the limit is dropped and counted."""
    served = serve(loopback_messages_per_s=100)
    client = served.client()
    for step in range(600):
        client.send("/nemo/bass", ("f", step / 1000))
        client.send("/nemo/toggle/mute", ("i", 0))
        # The system's queue is finite; what is lost there is lost before the limit.
        time.sleep(0.0005)
    deadline = time.monotonic() + 5.0
    while rig.settings.get("bass") != pytest.approx(0.599) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert rig.settings.get("bass") == pytest.approx(0.599)
    assert served.server.counters.dropped > 0


def test_foreign_packets_are_dropped_and_counted(
    serve: Callable[..., Served], rig: MemoryRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A source outside of the private networks is not answered, unless `allow` names it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("198.51.100.1", 9))
        except OSError:
            pytest.skip("this machine has no route, hence no address but loopback")
        own = probe.getsockname()[0]
    open_to_own = serve(local=False, allow=[own])
    named = open_to_own.client(own)
    assert named.value("/nemo/gain") == 0.5
    assert open_to_own.server.counters.dropped == 0
    monkeypatch.setattr("nemod.network.access.PRIVATE", ())
    closed = serve(local=False)
    foreign = closed.client(own)
    foreign.send("/nemo/gain")
    foreign.socket.settimeout(0.2)
    with pytest.raises(TimeoutError):
        foreign.packet()
    assert closed.server.counters.dropped == 1


@pytest.mark.liblo
def test_oscsend_sets_what_python_osc_asks(serve: Callable[..., Served], rig: MemoryRig) -> None:
    """The command line tool of liblo sends to the daemon under the name localhost."""
    tool = shutil.which("oscsend")
    if tool is None:
        pytest.skip("oscsend absent: install liblo-tools")
    served = serve(local=False)
    subprocess.run(
        [tool, "localhost", str(served.server.port), "/nemo/gain", "f", "0.7"],
        check=True,
        timeout=10,
    )
    client = served.client()
    assert client.value("/nemo/gain") == pytest.approx(0.7)
    for arguments in (["/nemo/bass", "d", "0.2"], ["/nemo/mute", "T"], ["/nemo/mid", "h", "1"]):
        subprocess.run(
            [tool, "localhost", str(served.server.port), *arguments], check=True, timeout=10
        )
    client.until_synced()
    standing = [rig.settings.get(path) for path in ("bass", "mute", "mid")]
    assert standing == [0.2, 1.0, 1.0]


def test_python_osc_client_as_it_is(served: Served) -> None:
    """Its own client class sets and queries."""
    client = SimpleUDPClient("127.0.0.1", served.server.port, timeout=5.0)
    try:
        client.send_message("/nemo/cab/level", 0.25)
        client.send(OscMessageBuilder("/nemo/cab/level").build())
        assert read(client.receive()) == [("/nemo/cab/level", [0.25])]
    finally:
        client.close()
