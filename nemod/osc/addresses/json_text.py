"""Leaves that answer a JSON text, cut where it does not fit a packet."""

import json
import math
from collections.abc import Callable, Mapping

from nemod.control.controller import Controller
from nemod.osc.addresses.flags import NO_FLAGS, Flags
from nemod.osc.addresses.leaf import Leaf
from nemod.osc.addresses.values import LeafKind
from nemod.osc.encode import encode, string_size

_SHORT_TEXT = 80
"""[characters] To what a long text in a description is cut where it must fit a packet."""


def json_leaf(
    address: str, help: str, text: Callable[[Controller, int], str], flags: Flags = NO_FLAGS
) -> Leaf:
    """Return a leaf that answers a text, which `text` fits into a number of bytes."""

    def read(controller: Controller, room: int, offset: int) -> bytes:
        left = room - string_size(address) - string_size(",s")
        return encode(address, "s", text(controller, left))

    return Leaf(address=address, kind=LeafKind.STRING, help=help, read=read, flags=flags)


def problems_that_fit(problems: Mapping[str, str], size: int) -> str:
    """Return as many problems as JSON as take at most `size` bytes as an OSC string.

    Where they do not all fit, long reasons are shortened; if that is not enough, the last problems
    are left out, and `"cut": true` marks that.
    """
    text = json.dumps(dict(problems))
    if string_size(text) <= size:
        return text
    # An entry takes as many bytes with its separator as alone in its braces; OSC ends a string with
    # up to four.
    left = size - len(json.dumps({"cut": True})) - 4
    fields: dict[str, object] = {}
    for name, reason in problems.items():
        entry: dict[str, object] = {name: reason}
        _shorten(entry, name)
        left -= len(json.dumps(entry))
        if left < 0:
            return json.dumps({**fields, "cut": True})
        fields |= entry
    return json.dumps(fields)


def json_that_fits(info: Mapping[str, object], size: int) -> str:
    """Return the mapping as JSON that takes at most `size` bytes as an OSC string.

    Long texts are shortened, the longest first, and then left out; `"cut": true` marks that.
    """
    fields = {str(key): _plain(value) for key, value in info.items()}
    text = json.dumps(fields)
    if string_size(text) <= size:
        return text
    for reduce in (_shorten, _drop):
        lengths = {key: len(json.dumps(value)) for key, value in fields.items()}
        for key in sorted(lengths, key=lambda key: -lengths[key]):
            reduce(fields, key)
            text = json.dumps({**fields, "cut": True})
            if string_size(text) <= size:
                return text
    return "{}"


def _shorten(fields: dict[str, object], key: str) -> None:
    value = fields[key]
    if isinstance(value, str) and len(value) > _SHORT_TEXT:
        fields[key] = value[: _SHORT_TEXT - 3] + "..."


def _drop(fields: dict[str, object], key: str) -> None:
    del fields[key]


def _plain(value: object) -> object:
    """Return the value as JSON types: NaN and infinity become null."""
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, str | int | bool | None) else str(value)
