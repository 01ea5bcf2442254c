"""Prints models or cabinets of a library as a table, as a list of facts, and as JSON."""

import json
import sys
from collections.abc import Callable, Iterable, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from nemod.common.names import fold
from nemod.library import MODELS, Entry, Kind
from nemod.library.entry import FAILED
from nemod.library.text import clean

_WHOLE = 1_000_000
"""[characters] Width of the output to a file or a pipe: nothing is cut there."""


def say(text: str) -> None:
    """Print a result; a path may hold characters that no terminal accepts."""
    print(text.encode("utf-8", "backslashreplace").decode())  # noqa: T201


def warn(text: str) -> None:
    """Print an error or a warning."""
    print(text.encode("utf-8", "backslashreplace").decode(), file=sys.stderr)  # noqa: T201


def searched(entry: Entry) -> str:
    """Return the text in which a search looks, folded for comparison."""
    facts = entry.facts
    parts = (entry.name, facts.gear, facts.author, *entry.tags, facts.architecture, facts.dialect)
    return fold("\n".join(parts))


def show(
    kind: Kind,
    entries: Sequence[Entry],
    as_json: bool,
    places: dict[str, int] | None = None,
) -> None:
    """Print a table of a library, or JSON; `places` are the indices in the whole list."""
    at = places or {entry.name: place for place, entry in enumerate(entries)}
    if as_json:
        say(json.dumps([{"index": at[one.name], **one.plain()} for one in entries], indent=2))
        return
    is_whole = not sys.stdout.isatty()
    table = Table(box=None if is_whole else SIMPLE_HEAD, pad_edge=False)
    columns = _columns(kind)
    if not is_whole:
        columns = [row for row in columns if row[0] in _NARROW]
    for title, _ in columns:
        table.add_column(
            title,
            no_wrap=is_whole or title == "index",
            overflow="fold",
            min_width=None if is_whole else _NARROW[title],
        )
    longest = 5000 if is_whole else _SHORT
    for entry in entries:
        cells = [str(at[entry.name]), *(text_of(entry) for title, text_of in columns[1:])]
        table.add_row(*(Text(clean(cell, longest)) for cell in cells))
    console().print(table)


def _note(entry: Entry) -> str:
    """Return what a user should know about a model: refused, unplayable, failed, duplicate."""
    notes = []
    if entry.facts.error:
        notes.append(f"refused: {entry.facts.error}")
    elif not entry.is_read:
        notes.append("not read yet")
    if entry.unplayable:
        notes.append(f"cannot be played: {entry.unplayable}")
    if entry.probe == FAILED:
        notes.append(f"the probe failed: {entry.probe_reason}")
    if entry.same_as:
        notes.append(f"duplicate: same as {', '.join(entry.same_as)}")
    return "; ".join(notes)


def _rate(entry: Entry) -> str:
    if not entry.facts.sample_rate:
        return ""
    stated = "" if entry.facts.rate_stated else " (assumed)"
    return f"{entry.facts.sample_rate} Hz{stated}"


def _esr(entry: Entry) -> str:
    return "" if entry.facts.esr is None else f"{entry.facts.esr:.4g}"


_COLUMNS: list[tuple[str, Callable[[Entry], str]]] = [
    ("index", lambda entry: ""),
    ("model", lambda entry: entry.name),
    ("architecture", lambda entry: entry.facts.architecture),
    ("dialect", lambda entry: entry.facts.dialect),
    ("parameters", lambda entry: str(entry.facts.parameters or "")),
    ("rate", _rate),
    ("knobs", lambda entry: ", ".join(entry.facts.knobs)),
    ("gear", lambda entry: entry.facts.gear),
    ("author", lambda entry: entry.facts.author),
    ("licence", lambda entry: entry.facts.licence),
    ("ESR", _esr),
    ("probe", lambda entry: entry.probe if entry.facts.architecture else ""),
    ("tags", lambda entry: ", ".join(entry.tags)),
    ("note", _note),
    ("file", lambda entry: str(entry.path)),
]
_CABINET_COLUMNS: list[tuple[str, Callable[[Entry], str]]] = [
    ("index", lambda entry: ""),
    ("cabinet", lambda entry: entry.name),
    ("length", lambda entry: entry.facts.architecture),
    ("rate", _rate),
    ("tags", lambda entry: ", ".join(entry.tags)),
    ("note", _note),
    ("file", lambda entry: str(entry.path)),
]
_NARROW = {
    "index": 1,
    "model": 14,
    "cabinet": 14,
    "length": 8,
    "architecture": 12,
    "rate": 8,
    "knobs": 5,
    "tags": 4,
    "note": 18,
}
"""Columns that fit on a terminal, and the minimum width of each [characters]."""
_SHORT = 80
"""[characters] Longest cell on a terminal; `info` prints everything."""


def _columns(kind: Kind) -> list[tuple[str, Callable[[Entry], str]]]:
    return _COLUMNS if kind is MODELS else _CABINET_COLUMNS


def show_one(kind: Kind, entry: Entry, as_json: bool) -> None:
    """Print everything that is known about a model or a cabinet."""
    if as_json:
        say(json.dumps(entry.plain(), indent=2))
        return
    table = Table(show_header=False, box=None, pad_edge=False)
    for key, value in _facts(kind, entry):
        table.add_row(Text(key), Text(clean(value, 2000)))
    console().print(table)


def _facts(kind: Kind, entry: Entry) -> Iterable[tuple[str, str]]:
    yield "name", entry.name
    for title, text_of in _columns(kind)[2:]:
        if text := text_of(entry):
            yield title, text
    if entry.probe_error is not None:
        yield "probe error", f"{entry.probe_error:.1e}"
    for title, text in (("verified", entry.verified_at), ("scanned", entry.scanned_at)):
        if text:
            yield title, text
    yield "size", f"{entry.size_bytes} bytes"
    if entry.facts.sha256:
        yield "sha256", entry.facts.sha256
    shown = {"author", "licence", "license", "esr", "gear"}
    for key, value in json.loads(entry.facts.metadata).items():
        if key not in shown:
            text = value if isinstance(value, str) else json.dumps(value)
            yield f"in the file: {clean(key, 60)}", text


def console() -> Console:
    """Return the console for results; to a file or a pipe nothing is cut."""
    return Console(highlight=False) if sys.stdout.isatty() else Console(width=_WHOLE)
