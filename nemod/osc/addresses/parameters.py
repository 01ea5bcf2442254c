"""Leaves of the parameters: every path as `/nemo/x` and `/nemo/text/x`, knobs as `/nemo/real/x`.

A knob is a position (0..1) in a range of values, and `real` is its value. Switches, enums and what
surfaces show in its own unit (`Parameter.in_unit`) have one form only.
"""

import math
import struct

from nemod.common.units import SILENCE_DB
from nemod.control.controller import Controller
from nemod.osc.addresses.leaf import Action, Leaf, Request, reader
from nemod.osc.addresses.values import LeafKind, to_bool, to_float, to_name_or_index
from nemod.osc.codec import Value
from nemod.osc.errors import OscError
from nemod.parameters.parameter_set import ParameterSet
from nemod.parameters.table import Parameter, ParameterKind

ROOT = "/nemo/"
POSITION, VALUE, TEXT = "position", "value", "text"
"""Tags of the forms of a parameter."""


def parameter_leaves(parameters: ParameterSet) -> list[Leaf]:
    """Return the leaves of all parameters, by each of their paths."""
    leaves = []
    for path in parameters.all_paths():
        row, paths = parameters.row(path), parameters.paths(path)
        aliases = tuple(ROOT + other for other in paths) if len(paths) > 1 else ()
        leaves += _leaves(path, row, aliases)
    return leaves


def _leaves(path: str, row: Parameter, aliases: tuple[str, ...]) -> list[Leaf]:
    address = f"{ROOT}text/{path}"
    text = Leaf(
        address=address,
        kind=LeafKind.STRING,
        help=row.label,
        tags=(TEXT,),
        read=reader(address, LeafKind.STRING, lambda controller: controller.text(path)),
    )
    if row.kind is ParameterKind.BOOL:
        return [_switch(path, row, aliases), text]
    if row.kind is ParameterKind.ENUM:
        return [_enum(path, row, aliases), text]
    if row.in_unit:
        return [_value(ROOT + path, path, row, row.help, aliases), text]
    real = f"{ROOT}real/{path}"
    return [_position(path, row, aliases), _value(real, path, row, row.label, aliases), text]


def _switch(path: str, row: Parameter, aliases: tuple[str, ...]) -> Leaf:
    address = ROOT + path

    def check(controller: Controller, tag: str, value: Value) -> Action:
        return _setter(path, float(to_bool(address, tag, value)), aliases)

    return Leaf(
        address=address,
        kind=LeafKind.BOOL,
        help=row.help,
        range=f"T or F [{'T' if row.default >= 0.5 else 'F'}]",
        tags=(VALUE,),
        read=reader(address, LeafKind.BOOL, lambda controller: controller.position(path) >= 0.5),
        check=check,
        wildcard_settable=True,
    )


def _enum(path: str, row: Parameter, aliases: tuple[str, ...]) -> Leaf:
    address = ROOT + path
    indices = {choice.casefold(): index for index, choice in enumerate(row.choices)}

    def check(controller: Controller, tag: str, value: Value) -> Action:
        given = to_name_or_index(address, tag, value)
        if isinstance(given, str):
            if given.casefold() not in indices:
                allowed = ", ".join(row.choices)
                raise OscError("not_found", address, f"{given[:40]!r} is not one of {allowed}")
            given = indices[given.casefold()]
        limited = min(max(given, 0), len(row.choices) - 1)
        clipped = (address,) if limited != given else ()
        return _setter(path, row.position(limited), (*clipped, *aliases))

    return Leaf(
        address=address,
        kind=LeafKind.NAME,
        help=row.help,
        range=f"{', '.join(row.choices)} [{row.text(row.default)}]",
        choices=lambda controller: list(enumerate(row.choices)),
        tags=(VALUE,),
        read=reader(address, LeafKind.NAME, lambda controller: controller.text(path)),
        check=check,
    )


def _position(path: str, row: Parameter, aliases: tuple[str, ...]) -> Leaf:
    address = ROOT + path

    def check(controller: Controller, tag: str, value: Value) -> Action:
        given = to_float(address, tag, value)
        clipped = (address,) if row.clipped(given) != given else ()
        return _setter(path, given, (*clipped, *aliases))

    return Leaf(
        address=address,
        kind=LeafKind.FLOAT,
        help=row.help,
        range=f"0..1 [{row.default:.3g}]",
        low=0.0,
        high=1.0,
        tags=(POSITION,),
        read=reader(address, LeafKind.FLOAT, lambda controller: controller.position(path)),
        check=check,
        wildcard_settable=True,
    )


def _value(address: str, path: str, row: Parameter, text: str, aliases: tuple[str, ...]) -> Leaf:
    def check(controller: Controller, tag: str, value: Value) -> Action:
        given = to_float(address, tag, value)
        limited = min(max(given, row.low), row.high)
        # A limit such as 0.95 has no exact float32: its nearest float32 is within the range.
        is_clipped = limited != given and _float32(limited) != _float32(given)
        clipped = (address,) if is_clipped else ()
        return _setter(path, row.position(limited), (*clipped, *aliases))

    def read_value(controller: Controller) -> float:
        # Adding zero turns -0.0 into 0.0.
        return max(controller.value(path), SILENCE_DB) + 0.0

    low = "silence" if row.low == -math.inf else f"{row.low:g}"
    high = f"{row.high:g} {row.unit}".rstrip()
    default = row.value(row.default) + 0.0
    return Leaf(
        address=address,
        kind=LeafKind.FLOAT,
        help=text,
        range=f"{low}..{high} [{default:.4g}] {row.curve.name}",
        low=max(row.low, SILENCE_DB),
        high=row.high,
        unit=row.unit,
        tags=(VALUE,),
        read=reader(address, LeafKind.FLOAT, read_value),
        check=check,
        wildcard_settable=True,
    )


def _setter(path: str, position: float, echoes: tuple[str, ...]) -> Action:
    def act(request: Request) -> None:
        request.controller.set(path, position, request.source)
        for address in echoes:
            request.echo(address)

    return act


def _float32(value: float) -> float:
    try:
        rounded: float = struct.unpack(">f", struct.pack(">f", value))[0]
    except OverflowError:
        return value
    return rounded
