"""The rules of the OSCQuery proposal as a check, and its own examples.

https://github.com/Vidvox/OSCQueryProposal: "Required Attributes", "Optional Attributes", "Other
notes on attributes" and "OSCQuery Examples".
"""

import math
from collections.abc import Iterator
from typing import Any

KEYS = {
    "FULL_PATH": str,
    "CONTENTS": dict,
    "TYPE": str,
    "ACCESS": int,
    "VALUE": list,
    "RANGE": list,
    "DESCRIPTION": str,
    "TAGS": list,
    "EXTENDED_TYPE": list,
    "UNIT": list,
    "CRITICAL": bool,
    "CLIPMODE": list,
    "OVERLOADS": list,
    "DEFAULT_VALUE": list,
}
PER_ARGUMENT = ("VALUE", "RANGE", "UNIT", "CLIPMODE", "EXTENDED_TYPE", "DEFAULT_VALUE")
_JSON = {
    **dict.fromkeys("iht", int),
    **dict.fromkeys("fd", (int, float)),
    **dict.fromkeys("sSc", str),
    **dict.fromkeys("TF", bool),
    "r": str,
}
_CLIP_MODES = {"none", "low", "high", "both"}
UNITS = {"gain.db", "time.ms", "time.second", "time.hz", "time.bpm", "distance.m"}
"""Those of the proposal's list that occur here."""


def nodes(tree: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a node and all nodes below it."""
    yield tree
    for child in tree.get("CONTENTS", {}).values():
        yield from nodes(child)


def check_tree(tree: dict[str, Any]) -> None:
    """Raises: AssertionError where a node breaks a rule of the proposal."""
    for node in nodes(tree):
        check_node(node)
        for name, child in node.get("CONTENTS", {}).items():
            assert child["FULL_PATH"] == f"{node['FULL_PATH'].rstrip('/')}/{name}"


def check_node(node: dict[str, Any]) -> None:
    """Raises: AssertionError where one node breaks a rule."""
    for key, value in node.items():
        assert isinstance(value, KEYS[key]), key
    assert isinstance(node["FULL_PATH"], str)
    if "CONTENTS" in node:
        assert node.get("ACCESS", 0) == 0
        assert not {"TYPE", "VALUE", "RANGE"} & node.keys()
        return
    assert node["ACCESS"] in (1, 2, 3)
    assert ("VALUE" in node) == bool(node["ACCESS"] & 1)
    check_arguments(node)


def check_arguments(node: dict[str, Any]) -> None:
    """Raises: AssertionError where values, ranges, ... do not match the type tags."""
    tags = node["TYPE"]
    for key in PER_ARGUMENT:
        if key in node:
            assert len(node[key]) == len(tags), key
    for tag, value in zip(tags, node.get("VALUE", []), strict=False):
        _check_value(tag, value)
    for tag, limits in zip(tags, node.get("RANGE", []), strict=False):
        if limits is None:
            continue
        assert limits.keys() <= {"MIN", "MAX", "VALS"}
        assert limits
        for limit in (limits.get("MIN"), limits.get("MAX"), *limits.get("VALS", [])):
            if limit is not None:
                _check_value(tag, limit)
    assert {mode for mode in node.get("CLIPMODE", []) if mode} <= _CLIP_MODES
    assert {unit for unit in node.get("UNIT", []) if unit} <= UNITS
    assert all(isinstance(tag, str) for tag in node.get("TAGS", []))
    for overload in node.get("OVERLOADS", []):
        assert "CONTENTS" not in overload
        assert overload["TYPE"] != tags
        check_arguments(overload)


def _check_value(tag: str, value: object) -> None:
    if tag not in _JSON:
        assert value is None
        return
    assert isinstance(value, _JSON[tag]), (tag, value)
    assert not isinstance(value, bool) or tag in "TF"
    assert not isinstance(value, float) or math.isfinite(value)


EXAMPLE: dict[str, Any] = {
    "DESCRIPTION": "root node",
    "FULL_PATH": "/",
    "ACCESS": 0,
    "CONTENTS": {
        "foo": {
            "DESCRIPTION": "demonstrates a read-only OSC node- single float value ranged 0-100",
            "FULL_PATH": "/foo",
            "ACCESS": 1,
            "TYPE": "f",
            "VALUE": [0.5],
            "RANGE": [{"MIN": 0.0, "MAX": 100.0}],
        },
        "bar": {
            "DESCRIPTION": "demonstrates a read/write OSC node- two ints with different ranges",
            "FULL_PATH": "/bar",
            "ACCESS": 3,
            "TYPE": "ii",
            "VALUE": [4, 51],
            "RANGE": [{"MIN": 0, "MAX": 50}, {"MIN": 51, "MAX": 100}],
        },
        "baz": {
            "DESCRIPTION": "simple container node, with one method- qux",
            "FULL_PATH": "/baz",
            "ACCESS": 0,
            "CONTENTS": {
                "qux": {
                    "DESCRIPTION": "read/write OSC node- accepts one of several string-type inputs",
                    "FULL_PATH": "/baz/qux",
                    "ACCESS": 3,
                    "TYPE": "s",
                    "VALUE": ["half-full"],
                    "RANGE": [{"VALS": ["empty", "half-full", "full"]}],
                }
            },
        },
    },
}
"""The proposal's first example: the answer to `GET /`."""
