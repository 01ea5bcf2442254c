"""A model file as untrusted JSON: bounded reading, and a cursor that checks what it hands out.

Nothing here knows a dialect. Whatever is wrong ends in one `ModelError` that names the file, the
key (or line and column) and what was expected; memory and time are bounded by the limits below.
"""

import json
import math
import re
from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from stat import S_ISREG
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from nemod.common.errors import ModelError, did_you_mean

Array = NDArray[np.float32]

MAX_BYTES = 32 * 2**20
"""Largest file that is read; the largest released model seen has a fortieth of it."""
MAX_CONTAINERS = 500_000
"""Most objects and lists in one file: each costs many times its two bytes of text."""
MAX_STRINGS = 2_000_000
"""Most strings in one file; one dialect writes its numbers as strings."""
MAX_DIGITS = 400
"""Longest run of digits; no float64 needs so many, and converting more takes quadratic time."""
MAX_TEXT = 10_000
"""Longest string that is kept as metadata."""
MAX_DEPTH = 32
"""Deepest nesting that is kept as metadata."""

_FLOAT32_MAX = float(np.finfo(np.float32).max)
_DIGITS = re.compile(rb"[0-9]{%d}" % (MAX_DIGITS + 1))
_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,4})?\s*", re.ASCII)


def read_json(path: Path) -> "Node":
    """Return the root of a JSON file.

    Raises: ModelError for anything that is not a JSON document within the limits.
    """

    def fail(reason: str) -> NoReturn:
        raise ModelError(str(path), reason)

    data = _read_bytes(path, fail)
    head = data[:512].lstrip(b"\xef\xbb\xbf \t\r\n")
    if not head:
        fail("the file is empty, expected a JSON document")
    if head.startswith(b"<"):
        fail("this is a web page (HTML or XML), expected JSON; download the raw file instead")
    if head.startswith(b"version https://git-lfs"):
        fail("this is a Git LFS pointer, expected JSON; fetch the file that it stands for")
    if head[:1] not in b'{["-0123456789tfnNI' or b"\0" in data[:4096]:
        fail(f"this is not JSON: it begins with {head[:8]!r}, expected an object '{{'")
    if data.count(b"{") + data.count(b"[") > MAX_CONTAINERS:
        fail(f"more than {MAX_CONTAINERS} objects and lists, no model has so many")
    if data.count(b'"') > 2 * MAX_STRINGS:
        fail(f"more than {MAX_STRINGS} strings, no model has so many")
    if found := _DIGITS.search(data):
        fail(f"{_place(data, found.start())}: a number of more than {MAX_DIGITS} digits")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        fail(f"{_place(data, error.start)}: byte 0x{data[error.start]:02x} is not UTF-8")
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        fail(f"line {error.lineno} column {error.colno}: not JSON: {error.msg}")
    except RecursionError:
        fail("nested too deeply, no model is")
    return Node(str(path), "", value)


def _read_bytes(path: Path, fail: Any) -> bytes:
    try:
        status = path.stat()
        if path.is_dir():
            fail("this is a directory, expected a model file")
        if not S_ISREG(status.st_mode):
            fail("this is not a regular file")
        if status.st_size > MAX_BYTES:
            fail(f"{status.st_size} bytes, a model file has at most {MAX_BYTES}")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        fail("no such file")
    except (OSError, ValueError) as error:
        fail(f"cannot be read: {getattr(error, 'strerror', None) or error}")
    if len(data) > MAX_BYTES:
        fail(f"a model file has at most {MAX_BYTES} bytes")
    return data


def _place(data: bytes, at: int) -> str:
    line = data.count(b"\n", 0, at) + 1
    before = data.rfind(b"\n", 0, at)
    return f"line {line} column {at - before}"


def describe(value: Any) -> str:
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
    """A value of the document with its key; every method checks before it returns."""

    __slots__ = ("file", "key", "value")

    def __init__(self, file: str, key: str, value: Any) -> None:
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

    def mapping(self) -> dict[str, Any]:
        """Return the value as an object."""
        if not isinstance(self.value, dict):
            self.expected("an object")
        return self.value

    def keys(self) -> list[str]:
        """Return the names in an object."""
        return list(self.mapping())

    def has(self, name: str) -> bool:
        """Whether the object has this name, with a value other than null."""
        return self.mapping().get(name) is not None

    def child(self, name: str) -> "Node":
        """Return a member of an object; it must be there."""
        members = self.mapping()
        if name not in members:
            self.fail(f"has no {name!r}{did_you_mean(name, members)}")
        return self._at(name)

    def optional(self, name: str) -> "Node | None":
        """Return a member of an object, or None where it is absent or null."""
        return self._at(name) if self.has(name) else None

    def _at(self, name: str) -> "Node":
        short = name if len(name) <= 60 else name[:57] + "..."
        return Node(self.file, f"{self.key}.{short}" if self.key else short, self.value[name])

    def sequence(self, low: int = 0, high: int = MAX_CONTAINERS) -> list["Node"]:
        """Return the members of a list of `low` to `high` values."""
        if not isinstance(self.value, list):
            self.expected("a list")
        count = len(self.value)
        if not low <= count <= high:
            self.fail(f"a list of {count}, expected {low if low == high else f'{low} to {high}'}")
        return [Node(self.file, f"{self.key}[{i}]", v) for i, v in enumerate(self.value)]

    # Single values

    def number(self, low: float = -_FLOAT32_MAX, high: float = _FLOAT32_MAX) -> float:
        """Return a finite number in a range; numeric text counts."""
        value = _to_float(self.value)
        if value is None:
            self.expected("a number")
        if not low <= value <= high:  # NaN fails both
            self.fail(f"{value:g}, expected a number from {low:g} to {high:g}")
        return value

    def integer(self, low: int, high: int) -> int:
        """Return a whole number in a range; 2.0 and "2" count."""
        value = _to_float(self.value)
        if value is None or not value.is_integer():
            self.expected(f"a whole number from {low} to {high}")
        if not low <= value <= high:
            self.fail(f"{value:.0f}, expected {low if low == high else f'{low} to {high}'}")
        return int(value)

    def flag(self) -> bool:
        """Return a switch: true, false, 1, 0, or one of these as text."""
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

    def text(self) -> str:
        """Return a string."""
        if not isinstance(self.value, str):
            self.expected("text")
        if len(self.value) > MAX_TEXT:
            self.fail(f"a text of {len(self.value)} characters, expected at most {MAX_TEXT}")
        # JSON can spell half a surrogate pair, which nothing after us could encode.
        return self.value.encode("utf-8", "replace").decode("utf-8")

    def choice(self, allowed: Iterable[str]) -> str:
        """Return a word of a set."""
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
        flat: list[Any] = [self.value]
        for depth, size in enumerate(shape):
            for at, member in enumerate(flat):
                if not isinstance(member, list) or len(member) != size:
                    node = Node(self.file, self.key + _index(at, shape[:depth]), member)
                    node.expected(f"a list of {size} (shape {list(shape)})")
            flat = list(chain.from_iterable(flat))
        return self._floats(flat, shape).reshape(shape)

    def vector(self, high: int) -> Array:
        """Return a flat list of at most `high` numbers as float32."""
        if not isinstance(self.value, list):
            self.expected("a list of numbers")
        if len(self.value) > high:
            self.fail(f"a list of {len(self.value)}, expected at most {high}")
        return self._floats(self.value, (len(self.value),))

    def _floats(self, flat: list[Any], shape: tuple[int, ...]) -> Array:
        if not set(map(type, flat)) <= {float}:
            numbers = []
            for at, value in enumerate(flat):
                number = _to_float(value)
                if number is None:
                    Node(self.file, self.key + _index(at, shape), value).expected("a number")
                numbers.append(number)
            flat = numbers
        wide = np.asarray(flat, np.float64)
        bad = ~(np.abs(wide) <= _FLOAT32_MAX)
        if bad.any():
            at = int(np.argmax(bad))
            where = Node(self.file, self.key + _index(at, shape), flat[at])
            where.fail(f"{flat[at]:g}, expected a finite number within float32")
        return wide.astype(np.float32)

    # What is only shown

    def plain(self, depth: int = MAX_DEPTH) -> Any:
        """Return a copy fit to be shown and written again: JSON types, finite, bounded."""
        if isinstance(self.value, dict):
            self._not_deeper(depth)
            return {
                Node(self.file, self.key, name).text(): self._at(name).plain(depth - 1)
                for name in self.value
            }
        if isinstance(self.value, list):
            self._not_deeper(depth)
            return [node.plain(depth - 1) for node in self.sequence()]
        if isinstance(self.value, str):
            return self.text()
        if isinstance(self.value, (int, float)) and not isinstance(self.value, bool):
            self.number(-1e300, 1e300)
        return self.value

    def _not_deeper(self, depth: int) -> None:
        if depth == 0:
            self.fail(f"nested more than {MAX_DEPTH} deep")


def _to_float(value: Any) -> float | None:
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
