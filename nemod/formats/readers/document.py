"""`Node`: a value of an untrusted JSON document, which is checked before it is returned.

Nothing here depends on a dialect. Every fault raises one `ModelError` with the file, the key and
what was expected.
"""

import json
import math
import re
from collections.abc import Iterable
from itertools import chain
from typing import NoReturn, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nemod.common.errors import ModelError, did_you_mean

Array = NDArray[np.float32]
Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

MAX_DIGITS = 400
"""Longest run of digits that is converted, which takes quadratic time; no float64 needs more."""
MAX_MEMBERS = 4_000_000
"""Most members of a list for which there is no lower limit."""
MAX_TEXT = 10_000
"""[characters] Longest string that is read."""

_FLOAT32_MAX = float(np.finfo(np.float32).max)
_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,4})?\s*", re.ASCII)


def describe(value: Json) -> str:
    """Return what a JSON value is, in a few words, for an error message."""
    if isinstance(value, dict):
        return f"an object of {len(value)}"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if value is None:
        return "null"
    if isinstance(value, str):
        text = json.dumps(value if len(value) <= 40 else value[:37] + "...")
        return f"the text {text}"
    return (
        json.dumps(value) if not isinstance(value, int) or abs(value) < 10**20 else "a huge number"
    )


class Node:
    """A value of the document with its key; every method checks before it returns.

    Raises: ModelError, from every method that returns a value.
    """

    __slots__ = ("file", "key", "value")

    def __init__(self, file: str, key: str, value: Json) -> None:
        """`key` is the path inside the document, as `state_dict.rec.weight_ih_l0[3]`."""
        self.file = file
        self.key = key
        self.value = value

    def fail(self, reason: str) -> NoReturn:
        """Raise ModelError: `reason` is about this key."""
        raise ModelError(self.file, f"{self.key}: {reason}" if self.key else reason)

    def expected(self, what: str) -> NoReturn:
        """Raise ModelError: something else was expected here."""
        self.fail(f"{describe(self.value)}, expected {what}")

    # Objects and lists

    def mapping(self) -> dict[str, Json]:
        """Return the value as an object."""
        if not isinstance(self.value, dict):
            self.expected("an object")
        return self.value

    def keys(self) -> list[str]:
        """Return the names in an object."""
        return list(self.mapping())

    def has(self, name: str) -> bool:
        """Return whether the object has this name, with a value other than null."""
        return self.mapping().get(name) is not None

    def child(self, name: str) -> "Node":
        """Return a member of an object; it must be there."""
        members = self.mapping()
        if name not in members:
            self.fail(f"has no {name!r}{did_you_mean(name, members)}")
        short = name if len(name) <= 60 else name[:57] + "..."
        return Node(self.file, f"{self.key}.{short}" if self.key else short, members[name])

    def optional(self, name: str) -> "Node | None":
        """Return a member of an object, or None where it is absent or null."""
        return self.child(name) if self.has(name) else None

    def sequence(self, low: int = 0, high: int = MAX_MEMBERS) -> list["Node"]:
        """Return the members of a list of `low` to `high` values."""
        if not isinstance(self.value, list):
            self.expected("a list")
        count = len(self.value)
        if not low <= count <= high:
            self.fail(f"a list of {count}, expected {low if low == high else f'{low} to {high}'}")
        return [Node(self.file, f"{self.key}[{i}]", v) for i, v in enumerate(self.value)]

    # Single values

    def number(self, low: float = -_FLOAT32_MAX, high: float = _FLOAT32_MAX) -> float:
        """Return a finite number in a range; a number written as text is allowed."""
        value = _to_float(self.value)
        if value is None:
            self.expected("a number")
        if not low <= value <= high:  # NaN fails both
            self.fail(f"{value:g}, expected a number from {low:g} to {high:g}")
        return value

    def integer(self, low: int, high: int) -> int:
        """Return a whole number in a range; 2.0 and "2" are allowed."""
        value = _to_float(self.value)
        if value is None or not value.is_integer():
            self.expected(f"a whole number from {low} to {high}")
        if not low <= value <= high:
            self.fail(f"{value:.0f}, expected {low if low == high else f'{low} to {high}'}")
        return int(value)

    def flag(self) -> bool:
        """Return true or false: as a JSON value, as 1 or 0, or one of these as text."""
        value = self.value.strip().lower() if isinstance(self.value, str) else self.value
        for word, meaning in (("true", True), ("false", False)):
            if value == word:
                return meaning
        if isinstance(value, bool):
            return value
        number = _to_float(value)
        if number not in (0.0, 1.0):
            self.expected("true or false (1 or 0)")
        return number == 1.0

    def text(self, most: int = MAX_TEXT) -> str:
        """Return a string of at most `most` characters."""
        if not isinstance(self.value, str):
            self.expected("text")
        if len(self.value) > most:
            self.fail(f"a text of {len(self.value)} characters, expected at most {most}")
        # JSON can hold half a surrogate pair, which cannot be encoded afterwards.
        return self.value.encode("utf-8", "replace").decode("utf-8")

    def choice(self, allowed: Iterable[str]) -> str:
        """Return one of the allowed words."""
        words = list(allowed)
        value = self.text()
        if value not in words:
            self.fail(
                f"{describe(value)}, expected {' or '.join(words)}{did_you_mean(value, words)}"
            )
        return value

    # Numbers in bulk

    def array(self, *shape: int) -> Array:
        """Return nested lists of numbers as float32 of exactly this shape."""
        flat: list[Json] = [self.value]
        for depth, size in enumerate(shape):
            inner: list[list[Json]] = []
            for at, member in enumerate(flat):
                if not isinstance(member, list) or len(member) != size:
                    node = Node(self.file, self.key + _index(at, shape[:depth]), member)
                    node.expected(f"a list of {size} (shape {list(shape)})")
                inner.append(member)
            flat = list(chain.from_iterable(inner))
        return self._floats(flat, shape).reshape(shape)

    def vector(self, high: int) -> Array:
        """Return a flat list of at most `high` numbers as float32."""
        if not isinstance(self.value, list):
            self.expected("a list of numbers")
        if len(self.value) > high:
            self.fail(f"a list of {len(self.value)}, expected at most {high}")
        return self._floats(self.value, (len(self.value),))

    def _floats(self, flat: list[Json], shape: tuple[int, ...]) -> Array:
        if set(map(type, flat)) <= {float}:
            wide = np.asarray(flat, np.float64)
        else:
            numbers = []
            for at, value in enumerate(flat):
                number = _to_float(value)
                if number is None:
                    Node(self.file, self.key + _index(at, shape), value).expected("a number")
                numbers.append(number)
            wide = np.asarray(numbers, np.float64)
        bad = ~(np.abs(wide) <= _FLOAT32_MAX)
        if bad.any():
            at = int(np.argmax(bad))
            where = Node(self.file, self.key + _index(at, shape), None)
            where.fail(f"{wide[at]:g}, expected a finite number within float32")
        return wide.astype(np.float32)


def _to_float(value: Json) -> float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        return float(value) if len(value) <= MAX_DIGITS and _NUMBER.fullmatch(value) else None
    if isinstance(value, (int, float)):
        try:
            return float(value)
        except OverflowError:
            return math.inf if value > 0 else -math.inf
    return None


def _index(at: int, shape: tuple[int, ...]) -> str:
    """Return `[2][0]` for a place in a flattened array of this shape."""
    places: list[int] = []
    for size in reversed(shape):
        at, place = divmod(at, max(size, 1))
        places.append(place)
    return "".join(f"[{place}]" for place in reversed(places))
