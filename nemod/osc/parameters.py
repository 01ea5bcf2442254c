"""Leaves of the knobs: every row of the table as `/nemo/x`, `/nemo/real/x` and `/nemo/text/x`."""

import math
import struct
from collections.abc import Sequence

from nemod.common.units import SILENCE_DB
from nemod.control.settings import GAIN_KNOBS, canonical
from nemod.osc.codec import Value
from nemod.osc.host import Host
from nemod.osc.leaf import Action, Leaf, Request, reader
from nemod.osc.pattern import SPECIAL
from nemod.osc.values import Kind, to_bool, to_float
from nemod.parameters import table
from nemod.parameters.table import MAX_KNOBS, Param

ROOT = "/nemo/"
_UNSAFE = SPECIAL | frozenset(" #,/")


def parameter_leaves(knob_names: Sequence[str]) -> list[Leaf]:
    """Return the leaves of all knobs, those of the model with these names included.

    A knob of the model has its number for an address, and its name where that can be one. The
    first two are `gain` and `level` as well; without a model's knob, those two keep the table's
    meaning, and `knob/1` and `knob/2` follow them.
    """
    knob_names = knob_names[:MAX_KNOBS]
    names = safe_names(knob_names)
    leaves = []
    for row in table.TABLE:
        path = row.path
        if path in GAIN_KNOBS:
            number = GAIN_KNOBS.index(path) + 1
            leaves += _leaves(path, path, _row(number, knob_names), _aliases(number, names))
        else:
            leaves += _leaves(path, path, row, ())
    for number in range(1, max(len(names), len(GAIN_KNOBS)) + 1):
        row = _row(number, knob_names)
        aliases = _aliases(number, names)
        addresses = [f"knob/{number}"]
        if number <= len(names) and names[number - 1]:
            addresses.append(f"knob/{names[number - 1]}")
        for address in addresses:
            leaves += _leaves(address, canonical(f"knob/{number}"), row, aliases)
    return leaves


def safe_names(knob_names: Sequence[str]) -> list[str]:
    """Return the knobs' names as parts of an address; what an address cannot hold becomes `_`.

    A name that is empty, a number or taken by an earlier knob gives nothing: its number remains.
    """
    safe: list[str] = []
    for name in knob_names:
        part = "".join("_" if c in _UNSAFE or not c.isprintable() else c for c in name.strip())
        safe.append("" if part.isdecimal() or part in safe else part)
    return safe


def _row(number: int, knob_names: Sequence[str]) -> Param:
    if number <= len(knob_names):
        return table.knob(number, label=knob_names[number - 1])
    return table.BY_PATH[GAIN_KNOBS[number - 1]]


def _aliases(number: int, names: Sequence[str]) -> tuple[str, ...]:
    paths = [f"knob/{number}"]
    if number <= len(GAIN_KNOBS):
        paths.insert(0, GAIN_KNOBS[number - 1])
    if number <= len(names) and names[number - 1]:
        paths.append(f"knob/{names[number - 1]}")
    return tuple(ROOT + path for path in paths) if len(paths) > 1 else ()


def _leaves(address: str, path: str, row: Param, aliases: tuple[str, ...]) -> list[Leaf]:
    text = Leaf(
        address=f"{ROOT}text/{address}",
        kind=Kind.STRING,
        help=row.label,
        read=reader(
            f"{ROOT}text/{address}",
            Kind.STRING,
            lambda host: row.text(host.settings.get(path)),
        ),
    )
    if row.kind is table.Kind.BOOL:
        return [_switch(ROOT + address, path, row, aliases), text]
    return [
        _position(ROOT + address, path, row, aliases),
        _real(f"{ROOT}real/{address}", path, row, aliases),
        text,
    ]


def _switch(address: str, path: str, row: Param, aliases: tuple[str, ...]) -> Leaf:
    def check(host: Host, tag: str, value: Value) -> Action:
        position = float(to_bool(address, tag, value))

        def act(request: Request) -> None:
            request.set(path, position)
            for alias in aliases:
                request.echo(alias)

        return act

    return Leaf(
        address=address,
        kind=Kind.BOOL,
        help=row.help,
        range=f"T or F [{'T' if row.default >= 0.5 else 'F'}]",
        read=reader(address, Kind.BOOL, lambda host: host.settings.get(path) >= 0.5),
        check=check,
        by_pattern=True,
    )


def _position(address: str, path: str, row: Param, aliases: tuple[str, ...]) -> Leaf:
    def check(host: Host, tag: str, value: Value) -> Action:
        given = to_float(address, tag, value)
        position = min(max(given, 0.0), 1.0)
        return _setter(address, path, position, position != given, aliases)

    return Leaf(
        address=address,
        kind=Kind.FLOAT,
        help=row.help,
        range=f"0..1 [{row.default:.3g}]",
        read=reader(address, Kind.FLOAT, lambda host: host.settings.get(path)),
        check=check,
        by_pattern=True,
    )


def _real(address: str, path: str, row: Param, aliases: tuple[str, ...]) -> Leaf:
    def check(host: Host, tag: str, value: Value) -> Action:
        given = to_float(address, tag, value)
        real = min(max(given, row.low), row.high)
        # A limit such as 0.95 has no exact float32: the nearest one is still inside.
        is_clipped = real != given and _float32(real) != _float32(given)
        return _setter(address, path, row.position(real), is_clipped, aliases)

    def real_now(host: Host) -> float:
        # Adding zero takes the sign from a zero that has one.
        return max(row.real(host.settings.get(path)), SILENCE_DB) + 0.0

    low = "silence" if row.low == -math.inf else f"{row.low:g}"
    high = f"{row.high:g} {row.unit}".rstrip()
    default = row.real(row.default) + 0.0
    return Leaf(
        address=address,
        kind=Kind.FLOAT,
        help=row.label,
        range=f"{low}..{high} [{default:.4g}] {row.curve.name}",
        read=reader(address, Kind.FLOAT, real_now),
        check=check,
        by_pattern=True,
    )


def _setter(
    address: str, path: str, position: float, is_clipped: bool, aliases: tuple[str, ...]
) -> Action:
    def act(request: Request) -> None:
        request.set(path, position)
        if is_clipped:
            request.echo(address)
        for alias in aliases:
            request.echo(alias)

    return act


def _float32(value: float) -> float:
    try:
        rounded: float = struct.unpack(">f", struct.pack(">f", value))[0]
    except OverflowError:
        return value
    return rounded
