"""Who is sent changes, and for how long."""

import socket
import struct
import time
from collections.abc import Callable, Sequence

import pytest

from nemod.osc.feedback.leases import MAX_SUBSCRIBERS
from nemod.osc.server import OscServer
from tests.osc.conftest import Client, Desk, MemoryRig, Peer, Served, read, write

SUBSCRIBED = ("/nemo/subscribed", [60])
PHONE = "192.168.1.7"


def subscribe(desk: Desk, peer: Peer, *flags: str, port: int | None = None) -> None:
    """Subscribe and take what comes first."""
    arguments: Sequence[object] = flags if port is None else (port, *flags)
    tags = "s" * len(flags) if port is None else "i" + "s" * len(flags)
    desk.receive(peer, "/nemo/subscribe", tags, *arguments)
    desk.timers.advance(1.5)
    for each in (peer, *peer.others.values()):
        each.messages()


def changes(desk: Desk, rig: MemoryRig, *peers: Peer) -> list[bool]:
    """Change a knob from elsewhere; return which peers were sent it."""
    rig.settings.set("bass", 1.0 - rig.settings.get("bass") / 2.0)
    desk.timers.advance(0.02)
    received = [peer.messages() for peer in peers]
    value = pytest.approx(rig.settings.get("bass"))
    return [("/nemo/bass", [value]) in messages for messages in received]


@pytest.mark.parametrize(
    ("flags", "covered"),
    [
        ((), {"/nemo/gain", "/nemo/model/current", "/nemo/preset/dirty", "/nemo/status/load"}),
        (("params",), {"/nemo/gain", "/nemo/mute", "/nemo/delay/note", "/nemo/meter/rate"}),
        (("TEXT",), {"/nemo/text/gain", "/nemo/text/delay/note"}),
        (("real",), {"/nemo/real/gain", "/nemo/real/tempo/bpm"}),
        (("meters",), {"/nemo/meter/in", "/nemo/meter/out", "/nemo/meter/clip"}),
        (("meters", "real"), {"/nemo/meter/in", "/nemo/real/meter/in", "/nemo/real/gain"}),
        (("status",), {"/nemo/status/state", "/nemo/status/uptime"}),
        (("tuner",), set()),
    ],
)
def test_a_full_dump_of_what_the_flags_cover_comes_first(
    flags: tuple[str, ...], covered: set[str], desk: Desk
) -> None:
    """After the answer, in bundles of at most 1,200 bytes, each address once, with its value."""
    peer = desk.peer()
    desk.receive(peer, "/nemo/subscribe", "s" * len(flags), *flags)
    assert all(len(packet) <= 1200 for _, packet in peer.packets)
    first, *dump = peer.messages(with_slot_forms=True)
    assert first == SUBSCRIBED
    found = [address for address, _ in dump]
    assert len(found) == len(set(found))
    assert covered <= set(found)
    wanted = {"params", "status"} if not flags else {flag.lower() for flag in flags}
    leaves = desk.dispatcher.tree.leaves
    assert set(found) == {
        leaf.address for leaf in leaves.values() if leaf.flags and leaf.flags <= wanted
    }
    for address, values in dump:
        assert desk.say(address) == [(address, values)]


def test_flags_cover_what_they_say(desk: Desk) -> None:
    """Every knob, switch and choice is in three groups or two, and each address in one at most."""
    for leaf in desk.dispatcher.tree.leaves.values():
        if leaf.path:
            group = leaf.address.split("/")[2]
            assert leaf.flags == {group if group in ("real", "text") else "params"}
        if leaf.address.startswith("/nemo/status/"):
            assert leaf.flags == {"status"}


def test_a_subscription_ends_after_60_seconds_without_any_traffic(
    desk: Desk, rig: MemoryRig
) -> None:
    """It is renewed by another one, and nothing has to arrive for its end."""
    peer = desk.peer()
    subscribe(desk, peer, "params")
    desk.timers.advance(40.0)
    subscribe(desk, peer, "params")
    desk.timers.advance(58.0)
    assert changes(desk, rig, peer) == [True]
    desk.timers.advance(1.0)
    assert changes(desk, rig, peer) == [False]
    assert desk.timers.waiting() == []


def test_a_new_subscription_changes_the_flags(desk: Desk, rig: MemoryRig) -> None:
    """The last one decides, and the dump is that of the new flags."""
    peer = desk.peer()
    subscribe(desk, peer, "params")
    desk.receive(peer, "/nemo/subscribe", "s", "text")
    desk.timers.advance(0.02)
    assert {address.split("/")[2] for address, _ in peer.messages()} == {"subscribed", "text"}
    rig.settings.set("bass", 1.0)
    desk.timers.advance(0.02)
    assert peer.messages() == [("/nemo/text/bass", ["+12.0 dB"])]


def test_another_port_is_sent_what_it_did_not_ask_for(desk: Desk, rig: MemoryRig) -> None:
    """The answer goes to who asked; host and port of the lease are those of the message."""
    peer = desk.peer(PHONE)
    desk.receive(peer, "/nemo/subscribe", "is", 9001, "params")
    assert peer.messages() == [SUBSCRIBED]
    assert "/nemo/gain" in dict(peer.other(9001).messages())
    desk.timers.advance(0.02)
    assert changes(desk, rig, peer, peer.other(9001)) == [False, True]


def test_a_script_that_asks_from_changing_ports_has_one_subscription(
    desk: Desk, rig: MemoryRig
) -> None:
    """`oscsend` has another port every time: what counts is where the changes are sent."""
    target = desk.peer(port=9001)
    for port in range(40_000, 40_020):
        desk.receive(
            desk.peer(port=port, to_port=lambda _: target.sender), "/nemo/subscribe", "i", 9001
        )
    desk.timers.advance(1.0)
    target.messages()
    assert changes(desk, rig, target) == [True]


def test_the_ninth_subscriber_gets_limit(desk: Desk, rig: MemoryRig) -> None:
    """Until one of the eight has left; who is in may still renew."""
    peers = [desk.peer(port=port) for port in range(50_000, 50_009)]
    for peer in peers:
        desk.receive(peer, "/nemo/subscribe")
    desk.timers.advance(2.0)
    *eight, ninth = [peer.messages()[0] for peer in peers]
    assert eight == [SUBSCRIBED] * 8
    assert (ninth[0], *ninth[1][:2]) == ("/nemo/error", "limit", "/nemo/subscribe")
    subscribe(desk, peers[0])
    desk.receive(peers[0], "/nemo/unsubscribe")
    subscribe(desk, peers[8])
    assert changes(desk, rig, *peers) == [False, *[True] * 8]


def test_one_host_has_at_most_four_of_them(desk: Desk) -> None:
    """So that two phones cannot keep everybody else out."""
    peers = [desk.peer(PHONE, port) for port in range(50_000, 50_005)]
    for peer in peers:
        desk.receive(peer, "/nemo/subscribe", "s", "tuner")
    assert [peer.messages()[0][0] for peer in peers] == [
        *["/nemo/subscribed"] * 4,
        "/nemo/error",
    ]


def test_unsubscribe_ends_what_its_sender_began(desk: Desk, rig: MemoryRig) -> None:
    """At every port that it named, or at one; of another sender's it ends what goes to itself."""
    peer, target, other = desk.peer(), desk.peer(port=9001), desk.peer(port=9002)
    ports = {9001: target, 9002: other}
    peer.sender.to_port = lambda port: ports[port].sender
    for port in ports:
        subscribe(desk, peer, port=port)
    desk.receive(peer, "/nemo/unsubscribe", "i", 9001)
    desk.timers.advance(0.02)
    assert changes(desk, rig, target, other) == [False, True]
    desk.receive(peer, "/nemo/unsubscribe")
    assert changes(desk, rig, target, other) == [False, False]
    subscribe(desk, peer, port=9001)
    desk.receive(target, "/nemo/unsubscribe")
    assert changes(desk, rig, target, other) == [False, False]
    desk.receive(peer, "/nemo/unsubscribe")
    assert peer.messages() == []


def test_refresh_sends_everything_again(desk: Desk) -> None:
    """To a subscriber; to another client it is an error."""
    peer = desk.peer()
    subscribe(desk, peer, "params")
    desk.receive(peer, "/nemo/refresh")
    again = dict(peer.messages())
    assert set(again) >= {"/nemo/gain", "/nemo/mute", "/nemo/model/current"}
    other = desk.peer(port=1)
    desk.receive(other, "/nemo/gain", "f", 0.25)
    desk.timers.advance(0.02)
    other.messages()
    desk.receive(other, "/nemo/refresh")
    ((address, values),) = other.messages()
    assert (address, values[0]) == ("/nemo/error", "not_found")


def test_a_connection_is_answered_on_itself(desk: Desk) -> None:
    """It has no other ports; its lease ends with it."""
    connection = desk.peer(to_port=None)
    desk.receive(connection, "/nemo/subscribe", "i", 9001)
    ((address, values),) = connection.messages()
    assert (address, values[0]) == ("/nemo/error", "value")
    subscribe(desk, connection)
    desk.dispatcher.feedback.forget(connection.sender)
    desk.timers.advance(100.0)
    assert connection.messages() == []
    assert desk.timers.waiting() == []


# Without asking


def test_a_client_that_sets_is_sent_changes_for_60_seconds(desk: Desk, rig: MemoryRig) -> None:
    """Without a dump, and renewed by each set; one that only queries is sent nothing."""
    peer, silent = desk.peer(), desk.peer(port=1)
    desk.receive(silent, "/nemo/gain")
    silent.messages()
    desk.receive(peer, "/nemo/mid", "f", 0.25)
    assert peer.messages() == []
    desk.timers.advance(40.0)
    desk.receive(peer, "/nemo/mid", "f", 0.75)
    desk.timers.advance(59.0)
    assert changes(desk, rig, peer, silent) == [True, False]
    desk.timers.advance(1.1)
    assert changes(desk, rig, peer, silent) == [False, False]


@pytest.mark.parametrize("address", ["/nemo/toggle/mute", "/nemo/model/next", "/nemo/meter/rate"])
def test_whatever_changes_the_rig_counts_as_a_set(address: str, desk: Desk, rig: MemoryRig) -> None:
    """A page with buttons alone follows, too."""
    peer = desk.peer()
    desk.receive(peer, address, "f", 1.0)
    desk.timers.advance(0.1)
    peer.messages()
    assert changes(desk, rig, peer) == [True]


@pytest.mark.parametrize("address", ["/nemo/ping", "/nemo/unsubscribe", "/nemo/clear_sched"])
def test_what_is_about_the_connection_does_not(address: str, desk: Desk, rig: MemoryRig) -> None:
    """A ping is no reason to send anything."""
    peer = desk.peer()
    desk.receive(peer, address)
    peer.messages()
    assert changes(desk, rig, peer) == [False]


def test_the_32nd_to_set_replaces_who_did_not_set_for_longest(desk: Desk, rig: MemoryRig) -> None:
    """There are at most 32 that did not ask."""
    peers = [desk.peer(port=port) for port in range(50_000, 50_033)]
    for peer in peers[:32]:
        desk.receive(peer, "/nemo/mid", "f", 0.25)
    desk.receive(peers[0], "/nemo/mid", "f", 0.5)
    desk.receive(peers[32], "/nemo/mid", "f", 0.75)
    desk.timers.advance(1.0)
    assert changes(desk, rig, *peers) == [True, False, *[True] * 31]


def test_one_host_has_at_most_eight_of_these(desk: Desk, rig: MemoryRig) -> None:
    """A client with a new port for every message does not drive out the others."""
    other = desk.peer("192.168.1.8")
    desk.receive(other, "/nemo/mid", "f", 0.25)
    peers = [desk.peer(PHONE, port) for port in range(50_000, 50_040)]
    for peer in peers:
        desk.receive(peer, "/nemo/mid", "f", 0.75)
    desk.timers.advance(1.0)
    assert changes(desk, rig, other, *peers) == [True, *[False] * 32, *[True] * 8]


def test_who_has_asked_is_not_sent_everything_twice(desk: Desk, rig: MemoryRig) -> None:
    """A phone that sends from one port and receives at another is one client."""
    peer = desk.peer(PHONE)
    desk.receive(peer, "/nemo/mid", "f", 0.25)
    subscribe(desk, peer, port=9001)
    desk.receive(peer, "/nemo/mid", "f", 0.75)
    desk.timers.advance(0.1)
    assert changes(desk, rig, peer, peer.other(9001)) == [False, True]


# Over sockets


def test_two_sockets_see_what_each_other_sets(served: Served) -> None:
    """One subscribes, one only sets; both end with the other's value."""
    first, second = served.client(), served.client()
    first.send("/nemo/subscribe", ("s", "params"))
    first.wait_for("/nemo/subscribed", 60)
    second.send("/nemo/bass", ("f", 0.25))
    first.wait_for("/nemo/bass", 0.25)
    first.send("/nemo/bass", ("f", 0.75))
    second.wait_for("/nemo/bass", 0.75)


def test_an_explicit_port_over_sockets(served: Served, client: Client) -> None:
    """Everything goes to the other socket, and `/nemo/bye` to both."""
    other = served.client()
    other.socket.bind(("127.0.0.1", 0))
    port = other.socket.getsockname()[1]
    client.send("/nemo/subscribe", ("i", port), ("s", "params"))
    client.wait_for("/nemo/subscribed", 60)
    other.wait_for("/nemo/gain", 0.5)
    served.close()
    client.wait_for("/nemo/bye")
    other.wait_for("/nemo/bye")


def test_a_tcp_connection_subscribes_until_it_ends(served: Served, rig: MemoryRig) -> None:
    """It is sent the dump and the changes on itself; afterwards there is room for others."""

    def framed(packet: bytes) -> bytes:
        return struct.pack(">i", len(packet)) + packet

    for _ in range(MAX_SUBSCRIBERS + 2):
        with (
            socket.create_connection(("127.0.0.1", served.server.port), timeout=5.0) as connection,
            connection.makefile("rb") as stream,
        ):
            connection.sendall(framed(write("/nemo/subscribe", ("s", "params"))))
            value = 1.0 - rig.settings.get("bass") / 2.0
            waited_for = [("/nemo/gain", [0.5]), ("/nemo/bass", [value])]
            connection.sendall(framed(write("/nemo/real/bass", ("f", 24.0 * value - 12.0))))
            while waited_for:
                (size,) = struct.unpack(">i", stream.read(4))
                messages = read(stream.read(size))
                waited_for = [message for message in waited_for if message not in messages]
        end = time.monotonic() + 5.0
        while served.server.feedback.senders() and time.monotonic() < end:
            time.sleep(0.01)
        assert served.server.feedback.senders() == []


def test_a_configured_target_is_sent_everything_without_asking(
    serve: Callable[..., Served], rig: MemoryRig
) -> None:
    """From the start on, without a lease that ends."""
    listener = Client(socket.AF_INET, ("127.0.0.1", 9))
    try:
        listener.socket.bind(("127.0.0.1", 0))
        served = serve(targets=[("127.0.0.1", listener.socket.getsockname()[1])])
        listener.wait_for("/nemo/gain", 0.5)
        served.call(lambda: rig.settings.set("bass", 0.75) and None)
        listener.wait_for("/nemo/bass", 0.75)
    finally:
        listener.close()


def test_two_servers_that_are_each_others_targets_come_to_rest(
    serve: Callable[..., Served], rig: MemoryRig
) -> None:
    """What one sends the other sets, and sends back what it has not got from there: nothing."""
    first, other_rig = serve(), MemoryRig()
    second = Served(
        other_rig,
        OscServer(other_rig.controller, 0, local=True, targets=[("127.0.0.1", first.server.port)]),
    )
    try:
        client = first.client()
        client.send("/nemo/subscribe", ("i", second.server.port))
        client.wait_for("/nemo/subscribed", 60)
        end = time.monotonic() + 5.0
        while other_rig.settings.get("gain") != 0.25 and time.monotonic() < end:
            # Again, because what the second one sends at its start may arrive after it.
            first.call(lambda: rig.settings.set("gain", 0.25) and None)
            time.sleep(0.05)
        assert other_rig.settings.get("gain") == 0.25
        loads: list[object] = []
        for each, served in ((rig, first), (other_rig, second)):
            served.call(lambda each=each: setattr(each, "load", lambda *args: loads.append(args)))
        time.sleep(0.3)
        assert loads == []
    finally:
        second.close()
