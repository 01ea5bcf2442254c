"""`/nemo/cab/...`: as the models' addresses, with none besides."""

import json

import pytest

from tests.osc.conftest import Desk, MemoryRig

CAB = "/nemo/cab/"
Answer = list[tuple[str, list[object]]]


def value(desk: Desk, word: str) -> object:
    ((address, (found,)),) = desk.say(CAB + word)
    assert address == CAB + word
    return found


def test_load_current_index_and_count(desk: Desk, rig: MemoryRig) -> None:
    """By name, by index, and what they answer."""
    assert [value(desk, word) for word in ("current", "index", "count")] == ["", -1, 3]
    assert desk.say(CAB + "load", "s", "4x12") == [("/nemo/done", [CAB + "load", "4x12"])]
    assert [value(desk, word) for word in ("current", "index")] == ["4x12", 2]
    assert value(desk, "enable") is True
    assert desk.say(CAB + "load", "i", 0) == [("/nemo/done", [CAB + "load", "1x12"])]
    assert json.loads(str(value(desk, "info"))) == {"name": "1x12"}
    assert desk.say(CAB + "list") == [(CAB + "list", [3, 0, "1x12", "2x12 open", "4x12"])]
    assert desk.say(CAB + "list", "i", 2) == [(CAB + "list", [3, 2, "4x12"])]


def test_the_index_can_be_set_and_removes_the_cabinet_at_minus_one(
    desk: Desk, rig: MemoryRig
) -> None:
    """A client that sends back what it receives loads nothing."""
    assert desk.say(CAB + "index", "i", -1) == [("/nemo/done", [CAB + "index", ""])]
    assert desk.say(CAB + "index", "f", 1.2) == [("/nemo/done", [CAB + "index", "2x12 open"])]
    assert desk.say(CAB + "index", "i", 1) == [("/nemo/done", [CAB + "index", "2x12 open"])]
    assert rig.cabinet_name == "2x12 open"
    assert desk.say(CAB + "index", "i", -1) == [("/nemo/done", [CAB + "index", ""])]
    assert rig.cabinet_name == ""


@pytest.mark.parametrize(
    ("word", "tags", "given", "code"),
    [
        ("load", "s", "8x10", "not_found"),
        ("load", "s", "../../etc/passwd", "not_found"),
        ("load", "i", 3, "not_found"),
        ("load", "i", -2, "not_found"),
        ("load", "T", True, "type"),
        ("load", "f", float("nan"), "value"),
        ("index", "s", "4x12", "type"),
        ("current", "s", "4x12", "readonly"),
        ("level", "s", "loud", "type"),
    ],
)
def test_errors(desk: Desk, rig: MemoryRig, word: str, tags: str, given: object, code: str) -> None:
    """To the sender, with the code of the contract; nothing changes."""
    ((address, (found, at, _text)),) = desk.say(CAB + word, tags, given)
    assert (address, found, at) == ("/nemo/error", code, CAB + word)
    assert rig.cabinet_name == ""


def test_next_and_previous(desk: Desk, rig: MemoryRig) -> None:
    """Buttons; 0 is their release. An empty library says so."""
    assert desk.say(CAB + "next", "f", 1.0) == [("/nemo/done", [CAB + "next", "1x12"])]
    assert desk.say(CAB + "next", "f", 0.0) == []
    assert desk.say(CAB + "prev") == [("/nemo/done", [CAB + "prev", "4x12"])]
    rig.cabinets.names = ()
    ((_, (code, _, text)),) = desk.say(CAB + "next")
    assert (code, text) == ("not_found", "the library has no cabinets")


def test_problems_are_json(desk: Desk, rig: MemoryRig) -> None:
    """By name."""
    rig.cabinets.unplayable = {"1x12": "is silent"}
    assert json.loads(str(value(desk, "problems"))) == {"1x12": "is silent"}


def test_subscribers_get_another_cabinet(desk: Desk) -> None:
    """Whoever loaded it."""
    peer = desk.peer(port=50_001)
    desk.receive(peer, "/nemo/subscribe", "s", "params")
    dump = dict(peer.messages())
    assert (dump[CAB + "current"], dump[CAB + "index"], dump[CAB + "count"]) == ([""], [-1], [3])
    desk.say(CAB + "load", "s", "4x12")
    desk.timers.advance(0.1)
    changed = dict(peer.messages())
    assert (changed[CAB + "current"], changed[CAB + "index"]) == (["4x12"], [2])
    assert changed[CAB + "enable"] == [True]
