"""What each kind of leaf accepts: from an argument of any type to a value, or an error.

Every numeric type is accepted (surfaces differ in what they send), but strings are never parsed as
numbers, and NaN and infinity are refused.
"""

import math
from collections.abc import Sequence
from enum import StrEnum

from nemod.common.names import fold
from nemod.osc.codec import Value
from nemod.osc.errors import OscError


class LeafKind(StrEnum):
    """Type of a leaf; the value is the word used in documents."""

    FLOAT = "float"
    INT = "int"
    BOOL = "bool"
    ENUM = "name or index of a choice"
    STRING = "string"
    TRIGGER = "trigger"
    NAME = "name or index"
    LIST = "list"
    ARGUMENTS = "arguments"
    """Takes any number of arguments; is never queried."""


TAGS = {
    LeafKind.FLOAT: "f",
    LeafKind.INT: "i",
    LeafKind.BOOL: "T",
    LeafKind.ENUM: "i",
    LeafKind.STRING: "s",
    LeafKind.TRIGGER: "",
    LeafKind.NAME: "s",
    LeafKind.LIST: "iis",
    LeafKind.ARGUMENTS: "",
}
"""Type tags that a leaf of each kind has."""


def to_float(address: str, tag: str, value: Value) -> float:
    """Return a finite number; `T` is 1, `F` is 0.

    Raises: OscError `type` for another type, `value` for NaN and infinity.
    """
    number = _number(address, tag, value, "a number (f d i h) or T F")
    return float(number)


def to_int(address: str, tag: str, value: Value) -> int:
    """Return a whole number, a float rounded to the nearest (halves upward).

    Raises: OscError `type` or `value`.
    """
    if tag in "TF":
        raise _wrong_type(address, tag, "a whole number (i h, or f d rounded)")
    number = _number(address, tag, value, "a whole number (i h, or f d rounded)")
    return number if isinstance(number, int) else math.floor(number + 0.5)


def to_bool(address: str, tag: str, value: Value) -> bool:
    """Return a switch's state: T, F or a number, which is true from 0.5 on.

    Raises: OscError `type` or `value`.
    """
    return _number(address, tag, value, "T, F or a number") >= 0.5


def to_choice(address: str, tag: str, value: Value, choices: Sequence[str]) -> float:
    """Return the index of a choice, given by its name in any case or by a number.

    A number is returned as it is: it may be out of range or between two choices.

    Raises: OscError `type`, or `value` for an unknown name and for NaN and infinity.
    """
    if tag in ("s", "S") and isinstance(value, str):
        names = [fold(choice) for choice in choices]
        if fold(value) in names:
            return float(names.index(fold(value)))
        text = f"unknown name {value[:40]!r}, allowed are {', '.join(choices)}"
        raise OscError("value", address, text)
    allowed = "a name (s) or an index (i)"
    if tag in "TF":
        raise _wrong_type(address, tag, allowed)
    return float(_number(address, tag, value, allowed))


def to_string(address: str, tag: str, value: Value) -> str:
    """Return a text.

    Raises: OscError `type`.
    """
    if tag in ("s", "S") and isinstance(value, str):
        return value
    raise _wrong_type(address, tag, "a string (s)")


def to_name_or_index(address: str, tag: str, value: Value) -> str | int:
    """Return a name, or an index as a whole number (a float rounded to the nearest).

    Raises: OscError `type` or `value`.
    """
    if tag not in ("s", "S", "i", "h", "f", "d"):
        raise _wrong_type(address, tag, "a name (s) or an index (i)")
    return value if isinstance(value, str) else to_int(address, tag, value)


def to_trigger(address: str, tag: str, value: Value) -> bool:
    """Return whether a trigger fires: on I, N, T or a number from 0.5 on; a button's 0 does not.

    Raises: OscError `type` or `value`.
    """
    if tag in ("I", "N"):
        return True
    return _number(address, tag, value, "nothing, I, N, T or a number") >= 0.5


def _number(address: str, tag: str, value: Value, allowed: str) -> int | float:
    if tag == "T":
        return 1
    if tag == "F":
        return 0
    if tag not in ("f", "d", "i", "h") or not isinstance(value, int | float):
        raise _wrong_type(address, tag, allowed)
    if not math.isfinite(value):
        raise OscError("value", address, f"{value} is not a number that can be set")
    return value


def _wrong_type(address: str, tag: str, allowed: str) -> OscError:
    return OscError("type", address, f"takes {allowed}, not type tag {tag!r}")
