"""Events other than set knobs: models, presets, status, meters."""

from itertools import pairwise

import pytest

from nemod.control.events import (
    DAEMON,
    CabinetChanged,
    Event,
    LibraryChanged,
    Meters,
    MidiLearned,
    MidiLearning,
    MidiListChanged,
    ModelChanged,
    PresetChanged,
    PresetListChanged,
    QualityChanged,
    SizeChanged,
    StateChanged,
    TunerReading,
)
from nemod.osc.addresses.tree import build_tree
from nemod.osc.feedback.sources import KINDS, addresses_of
from nemod.parameters.parameter_set import ParameterSet
from tests.chains import BOARD
from tests.osc.conftest import Desk, MemoryRig, Peer


def subscribed(desk: Desk, *flags: str, port: int = 50_000) -> Peer:
    """Return a subscriber that has been sent its dump."""
    peer = desk.peer(port=port)
    desk.receive(peer, "/nemo/subscribe", "s" * len(flags), *flags)
    desk.timers.advance(0.5)
    peer.packets.clear()
    return peer


@pytest.mark.parametrize(
    ("event", "addresses"),
    [
        (ModelChanged("fuzz", DAEMON), ["model/current", "model/index", "size", "chain/slots"]),
        (SizeChanged(0.5, DAEMON), ["size", "chain/slots"]),
        (LibraryChanged(4), ["model/count", "model/index", "cab/count", "cab/index"]),
        (CabinetChanged("4x12", DAEMON), ["cab/current", "cab/index", "chain/slots"]),
        (PresetListChanged(1), ["preset/count"]),
        (
            PresetChanged(1, "Solo", False, DAEMON),
            ["preset/current", "preset/index", "preset/dirty"],
        ),
        (TunerReading("E2", 1.0, 82.0), []),
        (StateChanged("no_device", "unplugged"), ["status/state"]),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Event) else "",
)
def test_an_event_is_what_its_addresses_answer_now(
    event: Event, addresses: list[str], desk: Desk, rig: MemoryRig
) -> None:
    """At once, to those whose flags cover it."""
    peer, other = subscribed(desk), subscribed(desk, "meters", port=1)
    rig.events.publish(event)
    desk.timers.advance(0.0)
    expected = [desk.say(f"/nemo/{address}")[0] for address in addresses]
    assert [(peer.messages(), other.messages())] == [(expected, [])]


def test_all_addresses_of_events_can_be_read() -> None:
    """Long ones, such as lists, belong to no flag: who listens to them is sent them."""
    leaves = build_tree(ParameterSet(BOARD.without_files)).leaves
    events: list[Event] = [
        ModelChanged("fuzz", DAEMON, "pedal"),
        ModelChanged("fuzz", DAEMON, "model2"),
        CabinetChanged("", DAEMON),
        SizeChanged(0.5, DAEMON, "model2"),
        QualityChanged("reverb"),
        LibraryChanged(3),
        PresetChanged(1, "", False, DAEMON),
        PresetListChanged(1),
        StateChanged("", ""),
        TunerReading("", 0.0, 0.0),
        MidiLearning("", DAEMON),
        MidiListChanged(0, 0),
    ]
    for event in events:
        addresses = addresses_of(event, BOARD)
        assert addresses
        # Only a library has problems.
        known = [
            address for address in addresses if not address.endswith(("/problems", "/model/size"))
        ]
        assert all(leaves[address].read for address in known)
    assert {type(event) for event in events} | {MidiLearned} == set(KINDS)
    first = addresses_of(events[0], BOARD)
    assert {"/nemo/model/current", "/nemo/pedal/current", "/nemo/size"} <= set(first)
    assert not {"/nemo/model/current", "/nemo/size"} & set(addresses_of(events[1], BOARD))


def test_knobs_of_another_model_are_sent_in_full(desk: Desk, rig: MemoryRig) -> None:
    """They mean something else now; those of the old model are not sent any more."""
    rig.use_knobs("Drive", "Tone", "Sag")
    peer = subscribed(desk, "params", "text")
    rig.settings.set("knob/3", 0.25)
    rig.settings.set("bass", 0.25)
    rig.use_knobs("Fuzz")
    rig.events.publish(ModelChanged("fuzz", DAEMON))
    desk.timers.advance(0.02)
    found = dict(peer.messages())
    knobs = ["gain", "level", "knob/1", "knob/2", "knob/Fuzz"]
    assert set(found) == {
        *(f"/nemo/{path}" for path in knobs),
        *(f"/nemo/text/{path}" for path in knobs),
        *("/nemo/bass", "/nemo/text/bass", "/nemo/model/current", "/nemo/model/index"),
        *("/nemo/size", "/nemo/chain/slots"),
    }
    assert found["/nemo/text/gain"] == ["0.50"]
    rig.settings.set("gain", 0.75)
    desk.timers.advance(0.02)
    assert dict(peer.messages())["/nemo/knob/Fuzz"] == [0.75]


def test_status_is_sent_when_it_changes_once_a_second_at_most(desk: Desk, rig: MemoryRig) -> None:
    """Only what has changed; without a subscriber nothing is looked at."""
    peer = subscribed(desk, "status")
    desk.timers.advance(5.0)
    assert peer.messages() == []
    for late in range(100):
        rig.late = late
        desk.timers.advance(0.1)
    times = [time_s for time_s, _ in peer.packets]
    assert len(times) in (9, 10)
    assert min(b - a for a, b in pairwise(times)) >= 0.999
    messages = peer.messages()
    assert {address for address, _ in messages} == {"/nemo/status/late"}
    desk.timers.advance(1.0)
    assert (messages + peer.messages())[-1] == ("/nemo/status/late", [99])
    desk.timers.advance(60.0)
    assert desk.timers.waiting() == []


def test_a_state_that_was_sent_is_not_sent_again(desk: Desk, rig: MemoryRig) -> None:
    """The look at the status finds nothing new."""
    peer = subscribed(desk, "status")
    rig.state = "no_device"
    rig.events.publish(StateChanged("no_device", "unplugged"))
    desk.timers.advance(3.0)
    assert peer.messages() == [("/nemo/status/state", ["no_device"])]


@pytest.mark.parametrize(
    ("rate_hz", "sent_hz"), [(1.0, 1.0), (10.0, 10.0), (25.0, 25.0), (99.0, 25.0)]
)
def test_meters_are_sent_at_their_rate(
    rate_hz: float, sent_hz: float, desk: Desk, rig: MemoryRig
) -> None:
    """However often there are new ones, and only to those that want them."""
    peer, other = subscribed(desk, "meters"), subscribed(desk, "params", port=1)
    desk.receive(other, "/nemo/meter/rate", "f", rate_hz)
    desk.timers.advance(0.1)
    assert peer.messages() == []
    for step in range(1000):
        rig.levels = Meters(-60.0 + step / 100.0, -60.0, 0)
        rig.events.publish(rig.levels)
        desk.timers.advance(0.01)
    assert abs(len(peer.packets) - 10.0 * sent_hz) <= 1.0
    desk.timers.advance(1.0)
    assert {address for address, _ in other.messages()} <= {"/nemo/meter/rate"}
    messages = peer.messages()
    assert {address for address, _ in messages} == {
        "/nemo/meter/in",
        "/nemo/meter/out",
        "/nemo/meter/clip",
    }
    # (-50.01 + 60) / 60
    assert dict(messages)["/nemo/meter/in"] == [pytest.approx(9.99 / 60.0)]


def test_meters_in_dbfs_need_both_flags(desk: Desk, rig: MemoryRig) -> None:
    """`real` alone is about knobs."""
    both, real = subscribed(desk, "meters", "real"), subscribed(desk, "real", port=1)
    rig.events.publish(rig.levels)
    desk.timers.advance(0.2)
    assert ("/nemo/real/meter/in", [-15.0]) in both.messages()
    assert real.messages() == []


def test_who_listens_to_an_address_is_sent_that_address(desk: Desk, rig: MemoryRig) -> None:
    """Its value now and its changes, and no other; also one that appears with another model."""
    peer = desk.peer(gets_echoes=False)
    addresses = frozenset({"/nemo/bass", "/nemo/knob/Sag", "/nemo/meter/in"})
    desk.dispatcher.feedback.listen(peer.sender, addresses - {"/nemo/meter/in"})
    desk.timers.advance(0.1)
    assert peer.messages() == [("/nemo/bass", [0.5])]
    desk.dispatcher.feedback.listen(peer.sender, addresses)
    desk.timers.advance(0.1)
    assert peer.messages() == [("/nemo/meter/in", [0.75])]
    rig.settings.set("bass", 0.25)
    rig.settings.set("mid", 0.25)
    rig.events.publish(rig.levels)
    desk.timers.advance(0.2)
    assert sorted(peer.messages()) == [("/nemo/bass", [0.25]), ("/nemo/meter/in", [0.75])]
    rig.use_knobs("Drive", "Tone", "Sag")
    rig.events.publish(ModelChanged("fuzz", DAEMON))
    desk.timers.advance(0.1)
    assert peer.messages() == [("/nemo/knob/Sag", [0.5])]
    desk.receive(peer, "/nemo/bass", "f", 0.75)
    desk.receive(peer, "/nemo/knob/3", "f", 0.75)
    desk.timers.advance(0.1)
    assert peer.messages() == [("/nemo/knob/Sag", [0.75])]
    desk.dispatcher.feedback.forget(peer.sender)
    rig.settings.set("bass", 0.5)
    desk.timers.advance(0.1)
    assert peer.messages() == []
