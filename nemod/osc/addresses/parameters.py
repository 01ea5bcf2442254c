"""Leaves of the parameters: every path as `/nemo/x`, `/nemo/real/x` and `/nemo/text/x`."""

import math
import struct

from nemod.common.units import SILENCE_DB
from nemod.control.controller import Controller
from nemod.osc.addresses.leaf import Action, Leaf, Request, reader
from nemod.osc.addresses.values import LeafKind, to_bool, to_float
from nemod.osc.codec import Value
from nemod.parameters.parameter_set import ParameterSet
from nemod.parameters.table import Parameter, ParameterKind

ROOT = "/nemo/"


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
        read=reader(address, LeafKind.STRING, lambda controller: controller.text(path)),
    )
    if row.kind is ParameterKind.BOOL:
        return [_switch(path, row, aliases), text]
    return [_position(path, row, aliases), _value(path, row, aliases), text]


def _switch(path: str, row: Parameter, aliases: tuple[str, ...]) -> Leaf:
    address = ROOT + path

    def check(controller: Controller, tag: str, value: Value) -> Action:
        return _setter(path, float(to_bool(address, tag, value)), aliases)

    return Leaf(
        address=address,
        kind=LeafKind.BOOL,
        help=row.help,
        range=f"T or F [{'T' if row.default >= 0.5 else 'F'}]",
        read=reader(address, LeafKind.BOOL, lambda controller: controller.position(path) >= 0.5),
        check=check,
        wildcard_settable=True,
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
        read=reader(address, LeafKind.FLOAT, lambda controller: controller.position(path)),
        check=check,
        wildcard_settable=True,
    )


def _value(path: str, row: Parameter, aliases: tuple[str, ...]) -> Leaf:
    address = f"{ROOT}real/{path}"

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
        help=row.label,
        range=f"{low}..{high} [{default:.4g}] {row.curve.name}",
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
