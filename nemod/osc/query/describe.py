"""Nodes of the address tree as JSON, with the attributes of the OSCQuery proposal.

`DEFAULT_VALUE` is not in the proposal; ossia score and libossia have it.

Everything is read from the leaves: types and values from the messages with which they answer
queries, so that HTTP and OSC always agree.
"""

import math
import struct
from collections.abc import Mapping, Sequence
from contextlib import suppress
from enum import IntFlag

from nemod.control.controller import Controller
from nemod.osc.addresses.leaf import Leaf
from nemod.osc.addresses.tree import Node
from nemod.osc.addresses.values import TAGS, LeafKind
from nemod.osc.codec import Message, Value, decode
from nemod.osc.encode import MAX_PACKET

Json = str | int | float | bool | None | Sequence["Json"] | Mapping[str, "Json"]

UNITS = {
    "dB": "gain.db",
    "ms": "time.ms",
    "s": "time.second",
    "Hz": "time.hz",
    "BPM": "time.bpm",
}
"""Units of leaves and their names in the proposal."""
MAX_CHOICES = 256
"""Most names that a range lists; of more, a client asks for the list itself."""
_NUMBERS = "ifhd"


class Access(IntFlag):
    """What can be done with the value of a node."""

    NONE = 0
    READ = 1
    WRITE = 2


def access(node: Node) -> Access:
    """Return whether a node's value can be queried and set; a container has none."""
    leaf = node.leaf
    if leaf is None:
        return Access.NONE
    return (Access.READ if leaf.read else Access.NONE) | (
        Access.WRITE if leaf.check or leaf.check_all else Access.NONE
    )


def describe(node: Node, path: str, controller: Controller) -> dict[str, Json]:
    """Return all attributes of a node; those of a container include everything below it."""
    about: dict[str, Json] = {"FULL_PATH": path, "ACCESS": int(access(node))}
    if node.leaf is not None:
        return about | _describe_leaf(node.leaf, controller)
    prefix = path.rstrip("/")
    about["CONTENTS"] = {
        name: describe(child, f"{prefix}/{name}", controller)
        for name, child in node.children.items()
    }
    return about


def _describe_leaf(leaf: Leaf, controller: Controller) -> dict[str, Json]:
    about: dict[str, Json] = {"DESCRIPTION": leaf.help}
    tags = leaf.type_tags or TAGS[leaf.kind] or "I"
    if leaf.read is not None:
        tags, values = _query(leaf, controller)
        about["VALUE"] = [_plain(value) for value in values]
    choices = leaf.choices(controller) if leaf.choices else ()
    about["TYPE"] = "T" if tags == "F" else tags
    about["RANGE"] = [_range(leaf, tag, choices) for tag in tags]
    if leaf.check is not None and any(tag in _NUMBERS for tag in tags):
        about["CLIPMODE"] = [_clip_mode(leaf)] * len(tags)
    if leaf.default is not None:
        about["DEFAULT_VALUE"] = [_plain(leaf.default)]
    if leaf.unit:
        about["UNIT"] = [UNITS[leaf.unit]] * len(tags)
    if leaf.check is not None and leaf.kind in (LeafKind.NAME, LeafKind.ENUM):
        other = "i" if tags == "s" else "s"
        about["OVERLOADS"] = [
            {"TYPE": other, "ACCESS": int(Access.WRITE), "RANGE": [_range(leaf, other, choices)]}
        ]
    if leaf.read is None:
        # No value shows whether the message has arrived.
        about["CRITICAL"] = True
    if leaf.flags:
        # Those of a subscription that includes it.
        about["TAGS"] = sorted(leaf.flags)
    return about


def _query(leaf: Leaf, controller: Controller) -> tuple[str, tuple[Value, ...]]:
    """Return type tags and values of the leaf's answer to a query."""
    assert leaf.read is not None
    message = decode(leaf.read(controller, MAX_PACKET, 0)).root
    assert isinstance(message, Message)
    return message.tags, message.values


def _range(leaf: Leaf, tag: str, choices: Sequence[tuple[int, str]]) -> Json:
    """Return the range of one argument; None where it has none."""
    if tag in "TF":
        return {"VALS": [False, True]}
    if choices and len(choices) <= MAX_CHOICES:
        return {"VALS": [name if tag == "s" else number for number, name in choices]}
    if tag not in _NUMBERS or leaf.kind is LeafKind.LIST:
        return None
    as_number = float if tag in "fd" else int
    limits = {"MIN": leaf.low, "MAX": leaf.high}
    return {key: as_number(limit) for key, limit in limits.items() if limit is not None} or None


def _clip_mode(leaf: Leaf) -> str:
    if leaf.kind is not LeafKind.FLOAT:
        return "none"
    return {(True, True): "both", (True, False): "low", (False, True): "high"}.get(
        (leaf.low is not None, leaf.high is not None), "none"
    )


def _plain(value: Value) -> Json:
    """Return the value as JSON: no NaN, no infinity, floats with the digits that they have."""
    if isinstance(value, float):
        return _shortest(value) if math.isfinite(value) else None
    if isinstance(value, bytes | tuple):
        return None
    return value


def _shortest(value: float) -> float:
    """Return the number with the fewest digits that is the same as a 32-bit float."""
    wanted = struct.pack(">f", value)
    for digits in range(6, 9):
        short = float(f"{value:.{digits}g}")
        with suppress(OverflowError):
            if struct.pack(">f", short) == wanted:
                return short
    return float(f"{value:.9g}")
