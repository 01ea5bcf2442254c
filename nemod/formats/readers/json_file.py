"""Reads an untrusted JSON file in bounded memory and time."""

import json
import math
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from stat import S_ISREG
from typing import NamedTuple, NoReturn

from nemod.common.errors import ModelError
from nemod.formats.readers.document import MAX_DIGITS, Node

MAX_BYTES = 32 * 2**20
"""Largest file that is read; the largest released model is 40 times smaller."""
MAX_CONTAINERS = 500_000
"""Most objects and lists in one file; each takes far more memory than its two bytes of text."""
MAX_STRINGS = 2_000_000
"""Most strings in one file; PedalNet's files write their numbers as strings."""
MAX_NESTING = 200
"""Deepest nesting that is read; Python's parser itself ends at about 1,000."""

_DIGITS = re.compile(rb"[0-9]{%d}" % (MAX_DIGITS + 1))
_TOKENS = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[][{}]', re.DOTALL)
_UTF_8_BOM = b"\xef\xbb\xbf"
_UTF_16_BOMS = (b"\xff\xfe", b"\xfe\xff")
_OTHER_CONTENT = (
    (b"<", "this is a web page (HTML or XML), expected JSON; download the raw file instead"),
    (
        b"version https://git-lfs",
        "this is a Git LFS pointer, expected JSON; fetch the file that it stands for",
    ),
    (b"PK", "this is a zip archive, expected JSON; unpack it and use the model file inside"),
    (b"\x1f\x8b", "this is a gzip archive, expected JSON; unpack it first"),
    (b"Rar!", "this is a RAR archive, expected JSON; unpack it first"),
    (b"7z\xbc\xaf", "this is a 7-Zip archive, expected JSON; unpack it first"),
)
"""First bytes of files that are often taken for a model, and what to do about each."""


class Document(NamedTuple):
    """A JSON file, and what had to be replaced in it to be read."""

    root: Node
    faults: tuple[str, ...]


def read_json(path: Path) -> Document:
    """Return a JSON file's content. A byte order mark is allowed.

    What metadata may hold is read leniently: other encodings, control characters, numbers of any
    length (as infinity), nesting of any depth (as null below a limit).

    Raises: ModelError for anything that is not a JSON document within the limits.
    """

    def fail(reason: str) -> NoReturn:
        raise ModelError(str(path), reason)

    data = _read_bytes(path, fail)
    if data.startswith(_UTF_16_BOMS):
        # What PowerShell's redirection and some Windows editors write.
        try:
            data = data.decode("utf-16").encode()
        except UnicodeError:
            fail("begins with a UTF-16 byte order mark, but is not UTF-16")
    head = data[:512].removeprefix(_UTF_8_BOM).lstrip(b" \t\r\n")
    if not head:
        fail("the file is empty, expected a JSON document")
    for start, reason in _OTHER_CONTENT:
        if head.startswith(start):
            fail(reason)
    if head[:1] not in b'{["-0123456789tfnNI' or b"\0" in data[:4096]:
        fail(f"this is not JSON: it begins with {head[:8]!r}, expected an object '{{'")
    if data.count(b"{") + data.count(b"[") > MAX_CONTAINERS:
        fail(f"more than {MAX_CONTAINERS} objects and lists, no model has so many")
    if data.count(b'"') > 2 * MAX_STRINGS:
        fail(f"more than {MAX_STRINGS} strings, no model has so many")
    faults: list[str] = []
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        text = data.decode("utf-8-sig", "replace")
        byte = f"byte 0x{data[error.start]:02x} is not UTF-8"
        faults.append(f"{_place(data, error.start)}: {byte}")
    parse = partial(json.loads, strict=False)
    if _DIGITS.search(data):
        parse = partial(parse, parse_int=_long_number, parse_float=_long_number)
    try:
        try:
            value = parse(text)
        except RecursionError:
            value = parse(_without_deep_values(text))
    except json.JSONDecodeError as error:
        fail(
            faults[0]
            if faults
            else f"line {error.lineno} column {error.colno}: not JSON: {error.msg}"
        )
    except RecursionError:
        fail("nested too deeply, no model is")
    return Document(Node(str(path), "", value), tuple(faults))


def _long_number(digits: str) -> int | float:
    """Return a number of any length in linear time."""
    if len(digits) > MAX_DIGITS:
        whole, point, rest = digits.partition(".")
        if len(whole) > MAX_DIGITS or not point:
            return -math.inf if digits.startswith("-") else math.inf
        fraction, _, exponent = rest.lower().partition("e")
        return float(f"{whole}.{fraction[:MAX_DIGITS]}e{exponent[:MAX_DIGITS] or 0}")
    return int(digits) if digits.lstrip("-").isdigit() else float(digits)


def _without_deep_values(text: str) -> str:
    """Return JSON with null in place of what is nested too deeply."""
    kept: list[str] = []
    depth = begin = 0
    for token in _TOKENS.finditer(text):
        if token[0] in "[{":
            depth += 1
            if depth == MAX_NESTING + 1:
                kept.append(text[begin : token.start()])
        elif token[0] in "]}":
            if depth == MAX_NESTING + 1:
                kept.append("null")
                begin = token.end()
            depth -= 1
    return "".join([*kept, text[begin:]])


def _read_bytes(path: Path, fail: Callable[[str], NoReturn]) -> bytes:
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
