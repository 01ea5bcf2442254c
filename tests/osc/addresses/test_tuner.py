"""The tuner over OSC: its switches, its reference and what it shows."""

import pytest

from nemod.control.events import NO_READING, TunerReading
from nemod.osc.addresses.flags import Flag
from nemod.osc.addresses.tree import build_tree
from tests.osc.conftest import Desk, MemoryRig, Peer

READING = TunerReading("E2", -3.5, 82.25)


def test_the_readings_answer_and_are_read_only(desk: Desk, rig: MemoryRig) -> None:
    """A note, cents and Hz; empty and 0 when nothing is heard."""
    addresses = [f"/nemo/tuner/{name}" for name in ("note", "cents", "hz")]
    assert [desk.say(address)[0][1] for address in addresses] == [[""], [0.0], [0.0]]
    rig.tuned = READING
    assert [desk.say(address)[0][1] for address in addresses] == [["E2"], [-3.5], [82.25]]
    for address in addresses:
        ((answer, (code, *_)),) = desk.say(address, "f", 1.0)
        assert (answer, code) == ("/nemo/error", "readonly")


def test_the_toggle_has_the_word_tuner(desk: Desk, rig: MemoryRig) -> None:
    """`/nemo/toggle/tuner` flips `tuner/enable`, on press alone."""
    for argument, state in ((1.0, 1.0), (0.0, 1.0), (1.0, 0.0)):
        desk.say("/nemo/toggle/tuner", "f", argument)
        assert rig.settings.get("tuner/enable") == state
    assert "/nemo/toggle/tuner/enable" not in build_tree().leaves


def test_the_reference_is_in_hz(desk: Desk, rig: MemoryRig) -> None:
    """Clipped to 400..480."""
    assert desk.say("/nemo/tuner/ref") == [("/nemo/tuner/ref", [440.0])]
    desk.say("/nemo/tuner/ref", "f", 432.0)
    assert rig.controller.value("tuner/ref") == pytest.approx(432.0)
    desk.say("/nemo/tuner/ref", "i", 500)
    assert rig.controller.value("tuner/ref") == pytest.approx(480.0)


def test_subscribers_with_the_flag_get_the_readings(desk: Desk, rig: MemoryRig) -> None:
    """Others do not; the switches are parameters as all others."""
    leaves = build_tree().leaves
    assert leaves["/nemo/tuner/note"].flags == {Flag.TUNER}
    assert leaves["/nemo/tuner/enable"].flags == {Flag.PARAMS}
    peer, other = desk.peer(port=50_000), desk.peer(port=50_001)
    desk.receive(peer, "/nemo/subscribe", "s", "tuner")
    desk.receive(other, "/nemo/subscribe", "ss", "params", "status")
    desk.timers.advance(0.5)
    for one in (peer, other):
        one.packets.clear()
    rig.tuned = READING
    rig.events.publish(READING)
    desk.timers.advance(0.1)
    assert peer.messages() == [
        ("/nemo/tuner/note", ["E2"]),
        ("/nemo/tuner/cents", [-3.5]),
        ("/nemo/tuner/hz", [82.25]),
    ]
    assert other.messages() == []


def test_readings_are_sent_at_most_twenty_times_a_second(desk: Desk, rig: MemoryRig) -> None:
    """As they are published; the last one always."""
    peer: Peer = desk.peer(port=50_000)
    desk.receive(peer, "/nemo/subscribe", "s", "tuner")
    desk.timers.advance(0.5)
    peer.packets.clear()
    for number in range(20):
        rig.tuned = TunerReading("E2", float(number), 82.0)
        rig.events.publish(rig.tuned)
        desk.timers.advance(0.05)
    rig.tuned = NO_READING
    rig.events.publish(rig.tuned)
    desk.timers.advance(0.05)
    notes = [values for address, values in peer.messages() if address == "/nemo/tuner/note"]
    assert len(notes) == 21
    assert notes[-1] == [""]
