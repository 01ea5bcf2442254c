"""What a client is sent of its own values: aliases and what was clipped, never what it knows."""

from itertools import pairwise

import pytest

from nemod.control.events import Source
from nemod.osc.codec import IMMEDIATELY, Bundle, Message, Packet
from nemod.parameters.parameter import Parameter, ParameterKind
from nemod.parameters.table import TABLE
from tests.osc.conftest import Client, Desk, MemoryRig, Peer, size_of

PHONE = "192.168.1.7"


def echoes(
    desk: Desk, peer: Peer, *, with_slot_forms: bool = False
) -> list[tuple[str, list[object]]]:
    """Return what a client is sent until everything has been."""
    desk.timers.advance(0.1)
    return peer.messages(with_slot_forms=with_slot_forms)


def test_a_dragged_fader_does_not_jitter(desk: Desk) -> None:
    """60 values a second to one address: nothing there, at most 50 a second at the other."""
    peer = desk.peer()
    for step in range(600):
        desk.timers.advance(1.0 / 60.0)
        desk.receive(peer, "/nemo/gain", "f", step / 1024.0)
    desk.timers.advance(0.02)
    times = [time_s for time_s, _ in peer.packets]
    assert all(later - earlier >= 0.02 - 1e-9 for earlier, later in pairwise(times))
    assert len(times) <= 501  # 10 s, both ends included
    messages = peer.messages()
    assert {address for address, _ in messages} == {"/nemo/knob/1"}
    assert messages[-1] == ("/nemo/knob/1", [599.0 / 1024.0])


def test_the_values_of_a_burst_are_those_that_were_there(desk: Desk) -> None:
    """Nothing older comes after something newer."""
    peer = desk.peer()
    for step in range(600):
        desk.timers.advance(0.003)
        desk.receive(peer, "/nemo/gain", "f", step / 1024.0)
    values = [value for _, (value,) in echoes(desk, peer)]
    assert values == sorted(values)
    assert values[-1] == 599.0 / 1024.0


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.path)
def test_every_row_is_echoed_to_others_and_not_to_its_sender(row: Parameter, desk: Desk) -> None:
    """In all three forms; what was sent is left out in the form in which it was sent."""
    sender, other = desk.peer(), desk.peer(port=1)
    for peer in (sender, other):
        desk.receive(peer, "/nemo/subscribe", "sss", "params", "real", "text")
        echoes(desk, peer)
    address = f"/nemo/{row.path}"
    given = {
        ParameterKind.BOOL: ("T", True) if row.default < 0.5 else ("F", False),
        ParameterKind.ENUM: ("i", 1),
        ParameterKind.FLOAT: ("f", row.value(0.25) if row.in_unit else 0.25),
    }[row.kind]
    desk.receive(sender, address, *given)
    everything = dict(echoes(desk, other))
    assert address in everything
    assert f"/nemo/text/{row.path}" in everything
    assert (f"/nemo/real/{row.path}" in everything) == (row.kind is ParameterKind.FLOAT)
    assert echoes(desk, sender) == [
        (found, values) for found, values in everything.items() if found != address
    ]


def test_all_addresses_of_a_knob_are_echoed(desk: Desk, rig: MemoryRig) -> None:
    """`gain` is `knob/1`; a name of the model's is a third, and each is below the slot's name."""
    peer = desk.peer()
    desk.receive(peer, "/nemo/knob/1", "f", 0.25)
    assert echoes(desk, peer) == [("/nemo/gain", [0.25])]
    assert rig.settings.get("gain") == 0.25
    rig.use_knobs("Drive", "Tone", "Sag")
    echoes(desk, peer)
    names = ["gain", "knob/1", "knob/Drive"]
    names += [f"model/{name}" for name in names]
    for place, name in enumerate(names):
        value = 0.5 + place / 16.0
        desk.receive(peer, f"/nemo/{name}", "f", value)
        expected = {f"/nemo/{other}": [value] for other in names if other != name}
        assert dict(echoes(desk, peer, with_slot_forms=True)) == expected
    desk.receive(peer, "/nemo/real/gain", "f", 0.125)
    expected = {f"/nemo/{name}": [0.125] for name in names}
    assert dict(echoes(desk, peer, with_slot_forms=True)) == expected
    desk.receive(peer, "/nemo/knob/Sag", "f", 0.75)
    assert echoes(desk, peer) == [("/nemo/knob/3", [0.75])]


@pytest.mark.parametrize(
    ("address", "tags", "given", "echoed"),
    [
        ("/nemo/bass", "f", 1.5, 1.0),
        ("/nemo/bass", "d", -0.1, 0.0),
        ("/nemo/tempo/bpm", "f", 500.0, 300.0),
        ("/nemo/delay/note", "i", 99, 15),
        ("/nemo/delay/note", "f", 2.4, 2),
        ("/nemo/meter/rate", "f", 50.0, 25.0),
        ("/nemo/meter/rate", "i", 0, 1.0),
    ],
)
def test_a_clipped_or_rounded_value_is_echoed(
    address: str, tags: str, given: float, echoed: float, desk: Desk
) -> None:
    """Its sender must show what is in force; also where nothing has changed by it."""
    peer = desk.peer()
    for _ in range(2):
        desk.receive(peer, address, tags, given)
        assert (address, [echoed]) in echoes(desk, peer)


def test_the_limits_of_a_range_are_not_clipped(desk: Desk) -> None:
    """0.95 has no exact float32; sent as the nearest one, it is what was sent."""
    peer = desk.peer()
    desk.receive(peer, "/nemo/subscribe", "s", "real")
    echoes(desk, peer)
    for row in TABLE:
        if row.kind is ParameterKind.FLOAT:
            desk.receive(peer, f"/nemo/real/{row.path}", "f", row.high)
    assert [address for address, _ in echoes(desk, peer)] == [
        "/nemo/real/knob/1",
        "/nemo/real/knob/2",
    ]
    desk.receive(peer, "/nemo/real/level", "f", -70.0)  # below the floor of a fader is silence
    assert ("/nemo/real/level", [-120.0]) in echoes(desk, peer)


def test_a_set_by_a_pattern_is_echoed_as_any_other(desk: Desk) -> None:
    """Its sender knows the values at all addresses that it reached, not those of aliases."""
    peer = desk.peer()
    desk.receive(peer, "/nemo/{bass,mid,gain}", "f", 0.25)
    assert echoes(desk, peer) == [("/nemo/knob/1", [0.25])]


def test_what_somebody_else_set_last_is_sent(desk: Desk) -> None:
    """Also if it comes between two values of the client's own, or just before a packet."""
    peer, other = desk.peer(), desk.peer(port=1)
    desk.receive(peer, "/nemo/bass", "f", 0.25)
    desk.receive(other, "/nemo/bass", "f", 0.75)
    assert echoes(desk, peer) == [("/nemo/bass", [0.75])]
    desk.receive(other, "/nemo/bass", "f", 0.5)
    assert echoes(desk, peer) == [("/nemo/bass", [0.5])]
    assert echoes(desk, other) == []
    for value in (0.1875, 0.3125):
        desk.receive(other, "/nemo/mid", "f", value)
    desk.receive(peer, "/nemo/mid", "f", 0.625)
    # The first value had left at once; the second was overtaken by the client's own.
    assert echoes(desk, peer) == [("/nemo/mid", [0.1875])]
    assert echoes(desk, other) == [("/nemo/mid", [0.625])]


def test_a_host_is_one_client_a_port_of_loopback_is_one_of_many(desk: Desk) -> None:
    """A phone that sends from one port and receives at another is not sent its own values."""
    for host, is_echoed in ((PHONE, False), ("127.0.0.1", True)):
        sender, receiver = desk.peer(host, 50_000), desk.peer(host, 50_001)
        desk.receive(receiver, "/nemo/subscribe", "s", "params")
        echoes(desk, receiver)
        value = 0.25 if is_echoed else 0.75
        desk.receive(sender, "/nemo/bass", "f", value)
        assert echoes(desk, receiver) == ([("/nemo/bass", [value])] if is_echoed else [])


def test_a_lease_with_a_port_belongs_to_who_asked(desk: Desk) -> None:
    """On loopback, too: neither it nor the port itself is sent what it has set."""
    asker, target, other = desk.peer(), desk.peer(port=9001), desk.peer(port=9002)
    asker.sender.to_port = lambda port: target.sender
    desk.receive(asker, "/nemo/subscribe", "is", 9001, "params")
    echoes(desk, target)
    for peer, value, is_echoed in ((asker, 0.25, False), (target, 0.5, False), (other, 0.75, True)):
        desk.receive(peer, "/nemo/bass", "f", value)
        assert echoes(desk, target) == ([("/nemo/bass", [value])] if is_echoed else [])


def test_a_change_from_elsewhere_reaches_everybody(desk: Desk, rig: MemoryRig) -> None:
    """From MIDI, a page or a preset, without a packet."""
    peers = [desk.peer(), desk.peer(PHONE)]
    for peer in peers:
        desk.receive(peer, "/nemo/mid", "f", 0.25)
    desk.timers.advance(1.0)
    for peer in peers:
        peer.messages()
    rig.controller.set("delay/time", 1.0, Source("midi"))
    desk.timers.advance(0.0)
    assert [peer.messages() for peer in peers] == [[("/nemo/delay/time", [1.0])]] * 2


def test_the_answers_to_a_packet_come_before_what_it_changes(desk: Desk) -> None:
    """And everything that it changes comes together."""
    peer = desk.peer()
    messages = (
        Message("/nemo/real/bass", "f", (12.0,)),
        Message("/nemo/real/mid", "f", (-12.0,)),
        Message("/nemo/ping", "", ()),
        Message("/nemo/treble", "", ()),
    )
    packet = Packet(Bundle(IMMEDIATELY, messages), 4, 16 + sum(map(size_of, messages)))
    desk.dispatcher.perform(packet, peer.sender)
    *_, last = peer.packets
    assert peer.messages() == [
        ("/nemo/pong", []),
        ("/nemo/treble", [0.5]),
        ("/nemo/bass", [1.0]),
        ("/nemo/mid", [0.0]),
    ]
    assert last[1].startswith(b"#bundle")


def test_over_a_socket_only_the_alias_comes_back(client: Client) -> None:
    """Of a knob with two addresses, and of one with a single address nothing."""
    for step in range(20):
        client.send("/nemo/gain", ("f", step / 32.0))
        client.send("/nemo/bass", ("f", step / 32.0))
    client.wait_for("/nemo/knob/1", 19.0 / 32.0)
    client.send("/nemo/gain", ("f", 2.0))
    client.wait_for("/nemo/gain", 1.0)
    seen = {address for address, _ in client.until_synced()}
    assert "/nemo/bass" not in seen
