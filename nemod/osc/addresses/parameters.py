"""Leaves of the parameters: every path as `/nemo/x`, `/nemo/real/x` and `/nemo/text/x`.

A switch and an enum have no `/nemo/real/x`: they are not positions to begin with.
"""

import math
import struct

from nemod.common.units import SILENCE_DB
from nemod.control.controller import Controller
from nemod.osc.addresses.flags import PARAMS, Flag, Flags
from nemod.osc.addresses.leaf import Action, Leaf, Request, reader
from nemod.osc.addresses.values import LeafKind, to_bool, to_choice, to_float
from nemod.osc.codec import Value
from nemod.parameters.parameter import Parameter, ParameterKind
from nemod.parameters.parameter_set import ParameterSet

ROOT = "/nemo/"
TEXT: Flags = frozenset({Flag.TEXT})
REAL: Flags = frozenset({Flag.REAL})


def parameter_leaves(parameters: ParameterSet) -> list[Leaf]:
    """Return the leaves of all parameters, by each of their paths."""
    leaves: list[Leaf] = []
    for path in parameters.all_paths():
        leaves += _leaves(path, parameters.row(path))
    return leaves


def _leaves(path: str, row: Parameter) -> list[Leaf]:
    match row.kind:
        case ParameterKind.BOOL:
            return [_switch(path, row), _text(path, row)]
        case ParameterKind.ENUM:
            return [_choice(path, row), _text(path, row)]
    main = _value(ROOT + path, path, row, PARAMS) if row.in_unit else _position(path, row)
    return [main, _value(f"{ROOT}real/{path}", path, row, REAL), _text(path, row)]


def _text(path: str, row: Parameter) -> Leaf:
    address = f"{ROOT}text/{path}"
    return Leaf(
        address=address,
        kind=LeafKind.STRING,
        help=row.label,
        read=reader(address, LeafKind.STRING, lambda controller: controller.text(path)),
        path=path,
        flags=TEXT,
    )


def _switch(path: str, row: Parameter) -> Leaf:
    address = ROOT + path

    def check(controller: Controller, tag: str, value: Value) -> Action:
        # A number is not rounded here: every number from 0.5 on means the same, T.
        return _setter(path, float(to_bool(address, tag, value)), address, is_exact=True)

    return Leaf(
        address=address,
        kind=LeafKind.BOOL,
        help=row.help,
        range=f"T or F [{'T' if row.default >= 0.5 else 'F'}]",
        default=row.default >= 0.5,
        read=reader(address, LeafKind.BOOL, lambda controller: controller.position(path) >= 0.5),
        check=check,
        wildcard_settable=True,
        path=path,
        flags=PARAMS,
    )


def _choice(path: str, row: Parameter) -> Leaf:
    address = ROOT + path

    def check(controller: Controller, tag: str, value: Value) -> Action:
        given = to_choice(address, tag, value, row.choices)
        # Halves are rounded upward, as those of every whole number.
        index = math.floor(min(max(given, 0.0), row.high) + 0.5)
        return _setter(path, row.position(index), address, is_exact=index == given)

    choices = ", ".join(f"{index} `{name}`" for index, name in enumerate(row.choices))
    return Leaf(
        address=address,
        kind=LeafKind.ENUM,
        help=row.help,
        range=f"{choices} [{row.index(row.default)}]",
        choices=lambda controller: list(enumerate(row.choices)),
        default=row.index(row.default),
        read=reader(
            address, LeafKind.ENUM, lambda controller: row.index(controller.position(path))
        ),
        check=check,
        path=path,
        flags=PARAMS,
    )


def _position(path: str, row: Parameter) -> Leaf:
    address = ROOT + path

    def check(controller: Controller, tag: str, value: Value) -> Action:
        given = to_float(address, tag, value)
        return _setter(path, given, address, is_exact=row.clipped(given) == given)

    return Leaf(
        address=address,
        kind=LeafKind.FLOAT,
        help=row.help,
        range=f"0..1 [{row.default:.3g}]",
        low=0.0,
        high=1.0,
        default=row.default,
        read=reader(address, LeafKind.FLOAT, lambda controller: controller.position(path)),
        check=check,
        wildcard_settable=True,
        path=path,
        flags=PARAMS,
    )


def _value(address: str, path: str, row: Parameter, flags: Flags) -> Leaf:
    """Return a leaf that takes and shows the parameter in its unit."""

    def check(controller: Controller, tag: str, value: Value) -> Action:
        given = to_float(address, tag, value)
        position = row.position(min(max(given, row.low), row.high))
        return _setter(path, position, address, is_exact=_is_same(_shown(row, position), given))

    low = "silence" if row.low == -math.inf else f"{row.low:g}"
    high = f"{row.high:g} {row.unit}".rstrip()
    curve = "" if row.in_unit else f" {row.curve.name}"
    return Leaf(
        address=address,
        kind=LeafKind.FLOAT,
        help=row.help if row.in_unit else row.label,
        range=f"{low}..{high} [{_shown(row, row.default):.4g}]{curve}",
        low=max(row.low, SILENCE_DB),
        high=row.high,
        default=_shown(row, row.default),
        unit=row.unit,
        read=reader(
            address, LeafKind.FLOAT, lambda controller: _shown(row, controller.position(path))
        ),
        check=check,
        wildcard_settable=True,
        path=path,
        flags=flags,
    )


def _shown(row: Parameter, position: float) -> float:
    """Return the value at a position as it is answered: finite, and never -0.0."""
    return max(row.value(position), SILENCE_DB) + 0.0


def _is_same(shown: float, given: float) -> bool:
    """Return whether two values are the same to a client, whose floats have 32 bits.

    A limit such as 0.95 has no exact float32, and a curve there and back rounds the last digits.
    """
    return math.isclose(_float32(shown), _float32(given), rel_tol=2.0**-22, abs_tol=2.0**-22)


def _setter(path: str, position: float, address: str, *, is_exact: bool) -> Action:
    """Return an action that sets a parameter. `is_exact`: to what was sent to the address."""

    def act(request: Request) -> None:
        request.controller.set(path, position, request.source)
        if is_exact:
            request.unchanged(address)
        else:
            request.adjusted(address)

    return act


def _float32(value: float) -> float:
    try:
        rounded: float = struct.unpack(">f", struct.pack(">f", value))[0]
    except OverflowError:
        return math.inf
    return rounded
