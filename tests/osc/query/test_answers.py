"""Answers to OSCQuery requests, against the proposal's rules and examples, for every address."""

import json
import math
import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from nemod.control.backends import Status
from nemod.control.controller import Controller
from nemod.osc.addresses.leaf import Leaf, ignore, reader
from nemod.osc.addresses.tree import Tree, build_tree
from nemod.osc.addresses.values import LeafKind
from nemod.osc.query.answers import ATTRIBUTES, Answer, QueryAnswers
from nemod.osc.query.describe import MAX_CHOICES, UNITS
from nemod.parameters.parameter import ParameterKind
from nemod.parameters.table import TABLE
from nemod.presets.preset import Preset
from tests.osc.conftest import Desk, MemoryRig
from tests.osc.query.proposal import EXAMPLE, check_node, check_tree, nodes

LEAVES = list(build_tree().leaves.values())


def _address(leaf: Leaf) -> str:
    return leaf.address


Get = Callable[..., Any]


@pytest.fixture
def query(desk: Desk) -> QueryAnswers:
    return QueryAnswers(desk.dispatcher, name="nemod on stage", osc_port=9000)


@pytest.fixture
def get(query: QueryAnswers) -> Get:
    """Return the JSON that a path and a query are answered with."""

    def get(path: str, attributes: str = "") -> Any:
        answer = query.answer(path, attributes)
        assert answer.status == 200
        return json.loads(answer.body)

    return get


# --- the proposal's examples ---------------------------------------------------------------------


@dataclass
class _Tree:
    """As much of a dispatcher as the answers need."""

    tree: Tree
    controller: Controller


def _example(rig: MemoryRig) -> QueryAnswers:
    """Return the answers for the proposal's example; one leaf has one argument here."""
    foo = Leaf(
        address="/foo",
        kind=LeafKind.FLOAT,
        help=EXAMPLE["CONTENTS"]["foo"]["DESCRIPTION"],
        low=0.0,
        high=100.0,
        read=reader("/foo", LeafKind.FLOAT, lambda controller: 0.5),
    )
    qux = Leaf(
        address="/baz/qux",
        kind=LeafKind.NAME,
        help=EXAMPLE["CONTENTS"]["baz"]["CONTENTS"]["qux"]["DESCRIPTION"],
        choices=lambda controller: list(enumerate(["empty", "half-full", "full"])),
        read=reader("/baz/qux", LeafKind.NAME, lambda controller: "half-full"),
        check=lambda controller, tag, value: ignore,
    )
    tree = _Tree(Tree([foo, qux], {}), rig.controller)
    return QueryAnswers(tree, name="My Special Server", osc_port=9000)  # type: ignore[arg-type]


def _expected(node: dict[str, Any]) -> dict[str, Any]:
    """Return the example without what has two arguments, and without text about containers."""
    kept = dict(node)
    if "CONTENTS" in node:
        del kept["DESCRIPTION"]
        kept["CONTENTS"] = {
            name: _expected(child) for name, child in node["CONTENTS"].items() if name != "bar"
        }
    return kept


def _only_as(node: dict[str, Any], model: dict[str, Any]) -> dict[str, Any]:
    """Return the node without the optional attributes that the model leaves out."""
    kept = {key: value for key, value in node.items() if key in model}
    if "CONTENTS" in kept:
        kept["CONTENTS"] = {
            name: _only_as(child, model["CONTENTS"][name])
            for name, child in node["CONTENTS"].items()
        }
    return kept


def test_the_check_accepts_the_proposals_example() -> None:
    """The rules that the tests check are those of the proposal."""
    check_tree(EXAMPLE)


@pytest.mark.parametrize(
    "wrong",
    [
        {"TYPE": "ff"},
        {"VALUE": ["1"], "TYPE": "f"},
        {"RANGE": []},
        {"RANGE": [{"LOW": 0.0}]},
        {"ACCESS": 2},
        {"TYPE": "i"},
    ],
    ids=str,
)
def test_the_check_refuses_what_breaks_a_rule(wrong: dict[str, Any]) -> None:
    """A check that accepts everything would prove nothing."""
    node = EXAMPLE["CONTENTS"]["foo"] | wrong
    with pytest.raises(AssertionError):
        check_node(node)


def test_the_examples_are_answered_as_the_proposal_says(rig: MemoryRig) -> None:
    """Its requests, one by one."""
    answers = _example(rig)

    def get(path: str, query: str = "") -> Any:
        return json.loads(answers.answer(path, query).body)

    whole = _expected(EXAMPLE)
    assert _only_as(get("/"), whole) == whole
    baz = whole["CONTENTS"]["baz"]
    assert _only_as(get("/baz"), baz) == baz
    assert get("/foo", "VALUE") == {"VALUE": [0.5]}
    assert get("/baz/qux", "RANGE") == {"RANGE": [{"VALS": ["empty", "half-full", "full"]}]}
    assert get("/baz", "TYPE") == {}
    assert answers.answer("/bazzzzz", "TYPE").status == 404
    info = get("/foo", "HOST_INFO")
    assert info["NAME"] == "My Special Server"
    assert info["EXTENSIONS"]["LISTEN"] is info["EXTENSIONS"]["PATH_CHANGED"] is True


# --- the tree of nemod ----------------------------------------------------------------------------


def test_the_whole_tree_follows_the_rules(get: Get, rig: MemoryRig) -> None:
    """Every node, with a model that has knobs too; every leaf of OSC is there once."""
    rig.use_knobs("Drive", "Tone", "Bite")
    tree = get("/")
    check_tree(tree)
    found = [node["FULL_PATH"] for node in nodes(tree) if "CONTENTS" not in node]
    expected = build_tree(rig.controller.parameters).leaves
    # A node is a leaf or a container: what stands below a leaf is found by its path.
    below = {"/nemo/size/auto"}
    assert sorted(found) == sorted(expected.keys() - below)
    assert [get(path)["FULL_PATH"] for path in below] == list(below)
    assert len(found) > len(LEAVES)


@pytest.mark.parametrize("leaf", LEAVES, ids=_address)
def test_every_leaf_is_described(leaf: Leaf, get: Get, desk: Desk) -> None:
    """VALUE is what an OSC query answers, and has the type that TYPE says."""
    node = get(leaf.address)
    check_node(node)
    assert node["DESCRIPTION"] == leaf.help
    assert node["ACCESS"] == (1 if leaf.read else 0) + (2 if leaf.check or leaf.check_all else 0)
    assert len(node["RANGE"]) == len(node["TYPE"])
    if not leaf.read:
        assert node["CRITICAL"] is True
        return
    ((address, values),) = desk.say(leaf.address)
    assert address == leaf.address
    assert [_as_sent(value) for value in node["VALUE"]] == values


def _as_sent(value: object) -> object:
    return struct.unpack(">f", struct.pack(">f", value))[0] if isinstance(value, float) else value


@pytest.mark.parametrize("leaf", LEAVES, ids=_address)
def test_every_attribute_is_answered_alone(leaf: Leaf, get: Get, query: QueryAnswers) -> None:
    """An attribute that a leaf lacks is an empty object, but for the value of what has none."""
    node = get(leaf.address)
    for attribute in ATTRIBUTES:
        if attribute == "VALUE" and not leaf.read:
            assert query.answer(leaf.address, attribute) == Answer(204, b"")
            continue
        expected = {attribute: node[attribute]} if attribute in node else {}
        assert get(leaf.address, attribute) == expected


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.path)
def test_every_row_has_its_range(row: Any, get: Get) -> None:
    """Positions are 0..1, values in the row's unit, switches and enums list what they take."""
    node = get(f"/nemo/{row.path}")
    if row.kind is ParameterKind.BOOL:
        assert (node["TYPE"], node["RANGE"]) == ("T", [{"VALS": [False, True]}])
        return
    if row.kind is ParameterKind.ENUM:
        numbers = list(range(len(row.choices)))
        assert (node["TYPE"], node["RANGE"]) == ("i", [{"VALS": numbers}])
        (overload,) = node["OVERLOADS"]
        assert (overload["TYPE"], overload["RANGE"]) == ("s", [{"VALS": list(row.choices)}])
        return
    low = -120.0 if row.low == -math.inf else row.low
    in_unit = [{"MIN": low, "MAX": row.high}]
    unit = [UNITS[row.unit]] if row.unit else None
    assert node["CLIPMODE"] == ["both"]
    if row.in_unit:
        assert (node["RANGE"], node.get("UNIT")) == (in_unit, unit)
        return
    assert (node["RANGE"], node.get("UNIT")) == ([{"MIN": 0.0, "MAX": 1.0}], None)
    real = get(f"/nemo/real/{row.path}")
    assert (real["RANGE"], real.get("UNIT")) == (in_unit, unit)


def test_values_are_those_of_now(get: Get, rig: MemoryRig, desk: Desk) -> None:
    """A setting shows at once, with the digits that it was sent with."""
    desk.say("/nemo/gain", "f", struct.unpack(">f", struct.pack(">f", 0.3))[0])
    assert get("/nemo/gain", "VALUE") == {"VALUE": [0.3]}
    rig.use_knobs("Drive")
    assert get("/nemo/knob/Drive", "VALUE") == {"VALUE": [0.3]}


def test_models_can_be_chosen_by_name_or_index(get: Get, rig: MemoryRig) -> None:
    """`load` lists the names, as long as they are few enough for a menu."""
    node = get("/nemo/model/load")
    assert (node["TYPE"], node["ACCESS"]) == ("s", 2)
    assert node["RANGE"] == [{"VALS": list(rig.names)}]
    numbers = {"VALS": [0, 1, 2, 3]}
    assert node["OVERLOADS"] == [{"TYPE": "i", "ACCESS": 2, "RANGE": [numbers]}]
    for names in ([f"model {number}" for number in range(MAX_CHOICES + 1)], []):
        rig.names = names
        node = get("/nemo/model/load")
        assert node["RANGE"] == node["OVERLOADS"][0]["RANGE"] == [None]


def test_presets_can_be_chosen_by_name_or_number(get: Get, rig: MemoryRig) -> None:
    """Their numbers are not places in a list: there are gaps."""
    for number, name in ((3, "Clean"), (17, "Lead")):
        rig.presets.save(number, Preset(name=name))
    node = get("/nemo/preset/load")
    assert node["RANGE"] == [{"VALS": ["Clean", "Lead"]}]
    assert node["OVERLOADS"][0]["RANGE"] == [{"VALS": [3, 17]}]
    assert get("/nemo/preset/index", "RANGE") == {"RANGE": [{"MIN": 0, "MAX": 127}]}


def test_json_has_no_nan_and_no_infinity(
    get: Get, rig: MemoryRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A number that JSON cannot hold is null or the nearest that OSC can hold."""
    broken: Status = replace(rig.status(), load=math.nan, load_peak=math.inf)
    monkeypatch.setattr(rig, "status", lambda: broken)
    assert get("/nemo/status/load", "VALUE") == {"VALUE": [None]}
    (peak,) = get("/nemo/status/load_peak", "VALUE")["VALUE"]
    assert peak == pytest.approx(3.4028235e38)
    rig.info = {"esr": math.nan}
    (text,) = get("/nemo/model/info", "VALUE")["VALUE"]
    assert json.loads(text, parse_constant=pytest.fail) == {"esr": None}


@pytest.mark.parametrize(
    ("path", "attributes", "status"),
    [
        ("/", "", 200),
        ("/nemo", "", 200),
        ("/nemo/", "", 200),
        ("/nemo/gain", "VALUE&RANGE", 200),
        ("/nemo/g%61in", "VALUE", 200),
        ("/nemo/gain", "VALUE=", 200),
        ("/nowhere", "HOST_INFO", 200),
        ("/nemo", "VALUE", 204),
        ("/nemo/ping", "VALUE", 204),
        ("/nemo/model/load", "VALUE", 204),
        ("/nemo/gain", "value", 400),
        ("/nemo/gain", "EXTENDED_TYPE", 400),
        ("/nemo/gain", "HTML", 400),
        ("/nemo/gain", "VALUE&NONSENSE", 400),
        ("/nemo/nothing", "", 404),
        ("/nemo/nothing", "NONSENSE", 404),
        ("/nemo/gain/deeper", "", 404),
        ("/nemo/*", "", 404),
        ("/nemo/%ff%fe", "", 404),
        ("/nemo/../nemo/gain", "", 404),
        ("/" + "a" * 5000, "", 404),
        ("*", "", 404),
        ("", "", 404),
    ],
)
def test_statuses(path: str, attributes: str, status: int, query: QueryAnswers) -> None:
    """204: nothing to be read; 400: unknown attribute; 404: no such address."""
    answer = query.answer(path, attributes)
    assert answer.status == status
    assert bool(answer.body) == (status == 200)


def test_several_attributes_come_together(get: Get) -> None:
    """Joined by `&`, as some clients ask."""
    expected = {"VALUE": [0.5], "RANGE": [{"MIN": 0.0, "MAX": 1.0}]}
    assert get("/nemo/gain", "VALUE&RANGE") == expected


def test_host_info_says_where_osc_is_received(get: Get) -> None:
    """No addresses: they are those at which the client reached the server, as the proposal says."""
    info = get("/", "HOST_INFO")
    assert info.keys() == {"NAME", "EXTENSIONS", "OSC_PORT", "OSC_TRANSPORT"}
    assert (info["OSC_PORT"], info["OSC_TRANSPORT"]) == (9000, "UDP")
    assert info["NAME"] == "nemod on stage"
    assert all(value is True for value in info["EXTENSIONS"].values())
    assert "TYPE" not in info["EXTENSIONS"]
