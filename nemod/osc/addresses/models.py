"""Leaves of the model library: `/nemo/model/...`."""

import json
import math
from collections.abc import Callable, Mapping

from nemod.control.controller import Controller
from nemod.osc.addresses.flags import PARAMS
from nemod.osc.addresses.leaf import Action, Leaf, Reader, Request, reader, trigger
from nemod.osc.addresses.loading import step, unless_current
from nemod.osc.addresses.pages import page
from nemod.osc.addresses.values import LeafKind, to_float, to_int, to_name_or_index
from nemod.osc.codec import Value
from nemod.osc.encode import encode, string_size
from nemod.osc.errors import errors_at

MODEL = "/nemo/model/"
SIZE = "/nemo/size"
_SHORT_TEXT = 80
"""[characters] To what a long text in a model's description is cut where it must fit a packet."""


def model_leaves() -> list[Leaf]:
    """Return the leaves below `/nemo/model`."""
    return [
        Leaf(
            address=MODEL + "load",
            kind=LeafKind.NAME,
            help="Load a model, by name (any case) or by index; background job.",
            choices=lambda controller: list(enumerate(controller.model_names)),
            check=lambda controller, tag, value: _load(MODEL + "load", controller, tag, value),
        ),
        Leaf(
            address=MODEL + "current",
            kind=LeafKind.STRING,
            help="Name of the current model.",
            read=reader(
                MODEL + "current", LeafKind.STRING, lambda controller: controller.model_name
            ),
            flags=PARAMS,
        ),
        Leaf(
            address=MODEL + "index",
            kind=LeafKind.INT,
            help="Index of the current model in the list, -1 for none; set it to load another.",
            range="from 0",
            low=0,
            read=reader(MODEL + "index", LeafKind.INT, lambda controller: controller.model_index),
            check=lambda controller, tag, value: _set_index(
                MODEL + "index", controller, tag, value
            ),
            flags=PARAMS,
        ),
        Leaf(
            address=MODEL + "count",
            kind=LeafKind.INT,
            help="Number of models.",
            low=0,
            read=reader(
                MODEL + "count", LeafKind.INT, lambda controller: len(controller.model_names)
            ),
            flags=PARAMS,
        ),
        _step("next", 1, "Load the next model of the list; after the last comes the first."),
        _step("prev", -1, "Load the previous model; before the first comes the last."),
        _rescan(),
        Leaf(
            address=MODEL + "list",
            kind=LeafKind.LIST,
            help="Total, offset, and as many names as fit; continue at offset + names received.",
            range="query with an offset, or none",
            read=_page,
        ),
        Leaf(
            address=MODEL + "info",
            kind=LeafKind.STRING,
            help="Description of the current model, as JSON.",
            read=_json(MODEL + "info", lambda rig, size: json_that_fits(rig.model_info(), size)),
        ),
        Leaf(
            address=MODEL + "problems",
            kind=LeafKind.STRING,
            help="Models that are known not to play, and why, as JSON by name; "
            "`next` and `prev` skip them.",
            read=_json(
                MODEL + "problems", lambda rig, size: problems_that_fit(rig.model_problems(), size)
            ),
        ),
        _size(),
    ]


def _size() -> Leaf:
    def check(controller: Controller, tag: str, value: Value) -> Action:
        given = to_float(SIZE, tag, value)

        def act(request: Request) -> None:
            if request.controller.size.set(given, request.source) == given:
                request.unchanged(SIZE)
            else:
                request.adjusted(SIZE)

        return act

    return Leaf(
        address=SIZE,
        kind=LeafKind.FLOAT,
        help="Size of a model that has several: a smaller one takes less time. The model is built "
        "again, so it is heard a moment later.",
        range="0..1 [1]",
        low=0.0,
        high=1.0,
        read=reader(SIZE, LeafKind.FLOAT, lambda controller: controller.size.value),
        check=check,
        flags=PARAMS,
    )


def _load(address: str, controller: Controller, tag: str, value: Value) -> Action:
    return _load_known(address, controller, to_name_or_index(address, tag, value))


def _set_index(address: str, controller: Controller, tag: str, value: Value) -> Action:
    index = to_int(address, tag, value)

    def current(rig: Controller) -> str | None:
        is_current = index == rig.model_index and rig.requested_model == rig.model_name
        return rig.model_name if is_current else None

    return unless_current(address, _load_known(address, controller, index), current)


def _load_known(address: str, controller: Controller, given: str | int) -> Action:
    with errors_at(address):
        name = controller.find_model(given)
    return lambda request: request.job(
        address, lambda: request.controller.load_model(name, request.source)
    )


def _step(word: str, by: int, text: str) -> Leaf:
    return step(
        MODEL + word,
        text,
        lambda rig, source: rig.step_model(by, source),
        listed=lambda rig: rig.model_names,
        if_empty="the library has no models",
    )


def _rescan() -> Leaf:
    address = MODEL + "rescan"
    return trigger(
        address,
        "List the library's folders, and read the presets, again; background job.",
        lambda request: request.job(address, lambda: request.controller.rescan(request.source)),
    )


def _page(controller: Controller, room: int, offset: int) -> bytes:
    return page(MODEL + "list", room, offset, [(name,) for name in controller.model_names])


def _json(address: str, text: Callable[[Controller, int], str]) -> Reader:
    """Return a reader of a text that `text` fits into a number of bytes."""

    def read(controller: Controller, room: int, offset: int) -> bytes:
        left = room - string_size(address) - string_size(",s")
        return encode(address, "s", text(controller, left))

    return read


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
