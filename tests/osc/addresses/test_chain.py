"""The chain over OSC, and the addresses of all of its slots."""

import json

import pytest

from nemod.chain import KINDS, plain_chain
from nemod.control.events import SESSION
from nemod.osc.addresses.flags import PARAMS
from nemod.osc.addresses.parameters import ROOT
from nemod.parameters.parameter import ParameterKind
from nemod.parameters.parameter_set import KnobSpec
from tests.chains import BOARD
from tests.osc.conftest import Desk, MemoryRig

ORDER = ["gate", "pedal", "split", "model2", "cab", "eq", "delay", "echo", "reverb"]


@pytest.fixture
def board(rig: MemoryRig) -> MemoryRig:
    """A rig with two models, a split and two delays; its models have knobs."""
    rig.use_chain(*plain_chain(BOARD))
    rig.settings.use_knobs(
        {
            "pedal": [KnobSpec("drive"), KnobSpec("level"), KnobSpec("tone")],
            "model2": [KnobSpec("gain", 0.2)],
        }
    )
    return rig


def order(desk: Desk) -> list[object]:
    ((_, names),) = desk.say("/nemo/chain/order")
    return names


def test_the_chain_is_answered_by_names_and_as_json(board: MemoryRig, desk: Desk) -> None:
    """In the form in which it is set; what a slot can hold, and which chains have a name, too."""
    assert order(desk) == ORDER
    ((_, (text,)),) = desk.say("/nemo/chain/slots")
    assert json.loads(str(text)) == plain_chain(BOARD)
    assert desk.say("/nemo/chain/list") == [("/nemo/chain/list", [1, 0, "default"])]
    ((_, (kinds,)),) = desk.say("/nemo/chain/kinds")
    assert list(json.loads(str(kinds))) == list(KINDS)
    assert desk.say("/nemo/chain/set", "s", "default") == [
        ("/nemo/done", ["/nemo/chain/set", "gate comp model cab eq delay reverb"])
    ]
    assert desk.say("/nemo/chain/set", "s", str(text))[0][0] == "/nemo/done"
    assert order(desk) == ORDER


def test_every_control_of_every_slot_is_set_and_read(board: MemoryRig, desk: Desk) -> None:
    """By every path, in its three forms."""
    parameters = board.settings.parameters
    assert {"echo/mix", "model2/gain", "model2/knob/1", "pedal/knob/tone", "split/mix"} <= set(
        parameters.all_paths()
    )
    for path in parameters.all_paths():
        row, address = parameters.row(path), ROOT + path
        if row.in_unit:
            tags, value = "f", row.value(0.25)
        elif row.kind is ParameterKind.FLOAT:
            tags, value = "f", 0.25
        elif row.kind is ParameterKind.ENUM:
            tags, value = "i", 1
        else:
            tags, value = ("F", False) if row.default >= 0.5 else ("T", True)
        position = row.position(1) if tags == "i" else 0.25 if tags == "f" else float(tags == "T")
        assert desk.say(address, tags, value) == []
        assert board.settings.get(path) == pytest.approx(position), path
        ((found, (answer,)),) = desk.say(address)
        assert found == address
        assert answer == pytest.approx(value)
        for form in ("text", "real") if row.kind is ParameterKind.FLOAT else ("text",):
            assert desk.say(f"/nemo/{form}/{path}")[0][0] == f"/nemo/{form}/{path}"
        board.settings.recall({}, SESSION)


def test_two_slots_of_a_kind_have_controls_of_their_own(board: MemoryRig, desk: Desk) -> None:
    """And a number sent to a delay's name is its mix, whichever it is."""
    desk.say("/nemo/delay", "f", 0.25)
    desk.say("/nemo/echo", "f", 0.75)
    assert [board.settings.get(path) for path in ("delay/mix", "echo/mix")] == [0.25, 0.75]
    desk.say("/nemo/model2/gain", "f", 0.125)
    assert [board.settings.get(path) for path in ("gain", "model2/knob/1")] == [0.5, 0.125]


def test_files_are_loaded_into_every_slot(board: MemoryRig, desk: Desk) -> None:
    """The first model has the short address and that of its slot."""
    for address, name in (("pedal", "fuzz"), ("model", "fuzz"), ("model2", "Amp Lead")):
        assert desk.say(f"/nemo/{address}/current") == [(f"/nemo/{address}/current", [name])]
    done = ("/nemo/done", ["/nemo/model2/next", "fuzz"])
    assert desk.say("/nemo/model2/next", "I", None) == [done]
    assert desk.say("/nemo/model2/index") == [("/nemo/model2/index", [2])]
    assert desk.say("/nemo/model/current") == [("/nemo/model/current", ["fuzz"])]
    desk.say("/nemo/pedal/load", "s", "amp clean")
    assert desk.say("/nemo/model/index") == [("/nemo/model/index", [0])]
    desk.say("/nemo/model2/load", "s", "")
    assert desk.say("/nemo/model2/current") == [("/nemo/model2/current", ["clean"])]
    desk.say("/nemo/model2/size", "f", 0.25)
    assert board.playing.chain["model2"].size == 0.25
    assert desk.say("/nemo/size") == [("/nemo/size", [1.0])]
    ((_, (text,)),) = desk.say("/nemo/model2/info")
    assert json.loads(str(text)) == board.info


def test_slots_are_added_moved_replaced_and_removed(rig: MemoryRig, desk: Desk) -> None:
    """Settings stay with their slots; the addresses are there at once."""
    desk.say("/nemo/gain", "f", 0.3)
    desk.say("/nemo/delay/mix", "f", 0.6)
    pedal = json.dumps({"kind": "model", "file": "FUZZ"})
    answer = desk.say("/nemo/chain/add", "sss", "pedal", "comp", pedal)
    assert answer == [("/nemo/done", ["/nemo/chain/add", "pedal"])]
    assert order(desk) == ["gate", "comp", "pedal", "model2", "cab", "eq", "delay", "reverb"]
    names = [rig.playing.file(slot).name for slot in ("pedal", "model2")]
    assert names == ["fuzz", "Amp Clean"]
    assert [rig.settings.get(path) for path in ("gain", "model2/gain")] == [0.5, 0.3]
    assert desk.say("/nemo/model2/gain") == [("/nemo/model2/gain", [pytest.approx(0.3)])]
    assert desk.say("/nemo/chain/add", "ss", "delay2", "reverb")[0][0] == "/nemo/done"
    answer = desk.say("/nemo/chain/move", "ss", "delay", "delay2")
    assert answer == [("/nemo/done", ["/nemo/chain/move", "delay3"])]
    assert order(desk)[-3:] == ["reverb", "delay2", "delay3"]
    assert [rig.settings.get(path) for path in ("delay/mix", "delay3/mix")] == [0.0, 0.6]
    assert desk.say("/nemo/chain/replace", "ss", "delay2", '{"eq2": {}}')[0][0] == "/nemo/done"
    assert desk.say("/nemo/chain/replace", "sss", "delay3", "d", '{"kind": "delay"}') == [
        ("/nemo/done", ["/nemo/chain/replace", "d"])
    ]
    assert order(desk)[-2:] == ["eq2", "d"]
    assert desk.say("/nemo/chain/remove", "s", "d")[0][0] == "/nemo/done"
    assert desk.say("/nemo/delay/mix")[0][1][0] == "address"
    assert desk.say("/nemo/chain/add", "si", "delay", 0)[0][0] == "/nemo/done"
    assert order(desk)[0] == "delay"
    assert rig.settings.get("delay/mix") == 0.0


@pytest.mark.parametrize(
    ("address", "tags", "values", "code", "says"),
    [
        ("set", "s", ("nope",), "not_found", "no chain is named 'nope'; there are default"),
        ("set", "s", ('[{"modl": {}}]',), "value", "slot 'modl': its kind is missing"),
        ("set", "s", ("[",), "value", "not JSON"),
        ("set", "s", ('[{"model": {"file": "gone"}}]',), "not_found", "slot 'model': no model"),
        ("set", "s", ('[{"cab": {"file": "../x"}}]',), "not_found", "slot 'cab': no cabinet"),
        ("set", "i", (1,), "type", "takes a string"),
        ("add", "", (), "args", "takes 1 to 3 arguments"),
        ("add", "s", ("dely",), "value", "slot 'dely': its kind is missing"),
        ("add", "s", ("delay",), "value", "slot 'delay' occurs twice"),
        ("add", "ss", ("delay2", "nope"), "value", "no slot is named 'nope'"),
        ("add", "sss", ("m", "", '{"kind": "model", "file": "gone"}'), "not_found", "slot 'm'"),
        ("add", "sss", ("m", "", "{"), "value", "not JSON"),
        ("remove", "s", ("dely",), "value", "no slot is named 'dely'"),
        ("remove", "i", (1,), "type", "takes a string"),
        ("move", "s", ("eq",), "args", "takes 2 arguments"),
        ("move", "sT", ("eq", True), "type", "whole number"),
        ("replace", "ss", ("eq", "model"), "value", "slot 'model' occurs twice"),
    ],
)
def test_what_cannot_be_is_an_error_that_names_the_slot(
    address: str,
    tags: str,
    values: tuple[object, ...],
    code: str,
    says: str,
    rig: MemoryRig,
    desk: Desk,
) -> None:
    """And the chain plays on as it was."""
    before = rig.playing
    ((found, (given, about, text)),) = desk.say(f"/nemo/chain/{address}", tags, *values)
    assert (found, given, about) == ("/nemo/error", code, f"/nemo/chain/{address}")
    assert says in str(text)
    assert rig.playing == before


def test_a_stranger_may_change_the_chain(rig: MemoryRig, stranger: Desk) -> None:
    """As he may load a preset: a phone adds a delay. Files are named, never sent."""
    assert stranger.say("/nemo/chain/add", "s", "delay2")[0][0] == "/nemo/done"
    assert "delay2" in rig.playing.chain


def test_all_slots_fit_a_packet_whatever_their_files_are_called(
    rig: MemoryRig, desk: Desk, stranger: Desk
) -> None:
    """Long names are shortened, so that no slot is missing."""
    rig.names = [f"{number} " + "long name " * 60 for number in range(4)]
    slots = [
        {f"m{number}": {"kind": "model", "file": name}} for number, name in enumerate(rig.names)
    ]
    rig.use_chain(*slots, *({f"abcdefghijklm{number}": {"kind": "eq"}} for number in range(12)))
    ((_, (text,)),) = desk.say("/nemo/chain/slots")
    assert len(str(text)) < 1200
    shown = json.loads(str(text))
    assert len(shown) == 16
    assert shown[1]["m1"]["file"].startswith("1 long name")


def test_subscribers_are_sent_a_new_chain_whole(rig: MemoryRig, desk: Desk) -> None:
    """Addresses that are new, the order, and values that are those of other slots now."""
    peer = desk.peer()
    desk.receive(peer, "/nemo/subscribe", "s", "params")
    desk.timers.advance(0.5)
    peer.packets.clear()
    rig.settings.set("delay/mix", 0.5)
    desk.say("/nemo/chain/add", "si", "echo", 0)  # no kind
    assert order(desk)[0] == "gate"
    desk.say("/nemo/chain/add", "sis", "echo", 0, '{"kind": "delay"}')
    desk.timers.advance(0.5)
    found = dict(peer.messages(with_slot_forms=True))
    assert found["/nemo/chain/order"][:2] == ["echo", "gate"]
    assert (found["/nemo/delay/mix"], found["/nemo/delay2/mix"]) == ([0.0], [0.5])
    assert found["/nemo/echo/mix"] == [0.0]
    wanted = {leaf.address for leaf in desk.dispatcher.tree.leaves.values() if leaf.flags == PARAMS}
    assert set(found) == wanted
