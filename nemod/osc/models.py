"""Leaves of the model library: `/nemo/model/...`."""

import json
import math
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence

from nemod.common.errors import OscError
from nemod.library.names import fold, natural_key
from nemod.osc.codec import Value
from nemod.osc.encode import encode, string_size
from nemod.osc.host import Host
from nemod.osc.leaf import Action, Leaf, Reader, Request, UnknownError, nothing, reader
from nemod.osc.values import Kind, to_int, to_string, to_trigger

MODEL = "/nemo/model/"
_CANDIDATES = 32
"""Names on either side among which a mistyped one is looked for."""
_SHORT_TEXT = 80
"""[characters] What is left of a long text in a model's description that must fit a packet."""


def model_leaves() -> list[Leaf]:
    """Return the leaves below `/nemo/model`."""
    return [
        Leaf(
            address=MODEL + "load",
            kind=Kind.NAME,
            help="Play a model, by name (any case) or by index; slow work.",
            check=lambda host, tag, value: _load(MODEL + "load", host, tag, value),
        ),
        Leaf(
            address=MODEL + "current",
            kind=Kind.STRING,
            help="Name of the model that plays.",
            read=reader(MODEL + "current", Kind.STRING, lambda host: host.model_name),
        ),
        Leaf(
            address=MODEL + "index",
            kind=Kind.INT,
            help="Its place in the list, -1 for none; set it to play another.",
            range="from 0",
            read=reader(MODEL + "index", Kind.INT, _index),
            check=lambda host, tag, value: _load_index(MODEL + "index", host, tag, value),
        ),
        Leaf(
            address=MODEL + "count",
            kind=Kind.INT,
            help="How many models there are.",
            read=reader(MODEL + "count", Kind.INT, lambda host: len(host.model_names)),
        ),
        _step("next", 1, "Play the next model of the list; after the last comes the first."),
        _step("prev", -1, "Play the model before; before the first comes the last."),
        _rescan(),
        Leaf(
            address=MODEL + "list",
            kind=Kind.LIST,
            help="Total, offset, and as many names as fit; ask on from offset + names received.",
            range="query with an offset, or none",
            read=_page,
            is_large=True,
        ),
        Leaf(
            address=MODEL + "info",
            kind=Kind.STRING,
            help="What is known of the model that plays, as JSON.",
            read=_info(MODEL + "info"),
            is_large=True,
        ),
    ]


def find_name(address: str, names: Sequence[str], given: str) -> str:
    """Return the model's name as the library spells it.

    Raises: OscError `not_found`, also for whatever has a path separator.
    """
    if "/" not in given and "\\" not in given:
        if given in names:
            return given
        folded = fold(given)
        for name in names:
            if fold(name) == folded:
                return name
    raise UnknownError(
        "not_found",
        address,
        f"no model named {given[:120]!r} among {len(names)}",
        given,
        lambda: _near(names, given),
    )


def _near(names: Sequence[str], given: str) -> Iterable[str]:
    """Return the names around the place where this one would stand, and those that hold it."""
    folded = fold(given)
    place = bisect_left(names, natural_key(given), key=natural_key)
    around = list(names[max(place - _CANDIDATES, 0) : place + _CANDIDATES])
    return around + [name for name in names if folded in fold(name)][:_CANDIDATES]


def _named_by_index(address: str, names: Sequence[str], index: int) -> str:
    if not 0 <= index < len(names):
        known = f"there are {len(names)}, counted from 0" if names else "there are none"
        raise OscError("not_found", address, f"no model number {index}, {known}")
    return names[index]


def _load(address: str, host: Host, tag: str, value: Value) -> Action:
    if tag not in ("s", "S", "i", "h", "f", "d"):
        raise OscError("type", address, f"takes a name (s) or an index (i), not type tag {tag!r}")
    if isinstance(value, str):
        name = find_name(address, host.model_names, to_string(address, tag, value))
        return lambda request: request.load(address, name)
    return _load_index(address, host, tag, value)


def _load_index(address: str, host: Host, tag: str, value: Value) -> Action:
    name = _named_by_index(address, host.model_names, to_int(address, tag, value))
    return lambda request: request.load(address, name)


def _index(host: Host) -> int:
    names = host.model_names
    return names.index(host.model_name) if host.model_name in names else -1


def _step(word: str, by: int, text: str) -> Leaf:
    address = MODEL + word

    def check(host: Host, tag: str, value: Value) -> Action:
        if not to_trigger(address, tag, value):
            return nothing
        if not host.model_names:
            raise OscError("not_found", address, "the library has no models")

        def act(request: Request) -> None:
            # From the model asked for last, so that two quick presses go two models on.
            names = request.host.model_names
            start = request.wanted_model()
            place = names.index(start) if start in names else (-1 if by > 0 else 0)
            request.load(address, names[(place + by) % len(names)])

        return act

    return Leaf(address=address, kind=Kind.TRIGGER, help=text, check=check)


def _rescan() -> Leaf:
    address = MODEL + "rescan"

    def check(host: Host, tag: str, value: Value) -> Action:
        if not to_trigger(address, tag, value):
            return nothing
        return lambda request: request.slow(address, request.host.rescan)

    return Leaf(
        address=address,
        kind=Kind.TRIGGER,
        help="Look for models in the library's folders again; slow work.",
        check=check,
    )


def _page(host: Host, room: int, offset: int) -> bytes:
    address = MODEL + "list"
    names = host.model_names
    offset = min(max(offset, 0), len(names))
    left = room - string_size(address) - 8
    tags = "ii"
    page: list[str] = []
    for name in names[offset:]:
        left -= string_size(name)
        if left < string_size("," + tags + "s"):
            break
        page.append(name)
        tags += "s"
    if not page and offset < len(names) and room >= _SHORT_TEXT * 2:
        # A name that fits no packet is cut, or nobody could ever ask on past it.
        page, tags = [_cut(names[offset], room - _SHORT_TEXT)], "iis"
    return encode(address, tags, len(names), offset, *page)


def _cut(text: str, size: int) -> str:
    return text.encode("utf-8", "replace")[:size].decode("utf-8", "ignore")


def _info(address: str) -> Reader:
    def read(host: Host, room: int, offset: int) -> bytes:
        left = room - string_size(address) - string_size(",s")
        return encode(address, "s", json_that_fits(host.model_info(), left))

    return read


def json_that_fits(info: Mapping[str, object], size: int) -> str:
    """Return the mapping as JSON that takes at most `size` bytes as an OSC string.

    What is too long is shortened, longest first, and then left out; `"cut": true` says so.
    """
    fields = {str(key): _plain(value) for key, value in info.items()}
    text = json.dumps(fields)
    if string_size(text) <= size:
        return text
    for cure in (_shorten, _drop):
        lengths = {key: len(json.dumps(value)) for key, value in fields.items()}
        for key in sorted(lengths, key=lambda key: -lengths[key]):
            cure(fields, key)
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
    """Return the value with nothing in it that JSON lacks: NaN and infinity become null."""
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, str | int | bool | None) else str(value)
