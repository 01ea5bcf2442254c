"""Prints presets as a table, one of them with all of its values, and both as JSON."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from nemod.cli.model_table import console, say
from nemod.common.errors import ModelError, NotFoundError
from nemod.formats import load_model
from nemod.library import Library
from nemod.library.text import clean
from nemod.parameters.parameter import Parameter
from nemod.parameters.parameter_set import KnobSpec, ParameterSet
from nemod.parameters.table import param
from nemod.presets import ModelReference, Preset, PresetEntry

_LONGEST = 1000
"""[characters] Longest cell."""


def show(presets: Sequence[tuple[PresetEntry, Preset]], library: Library, as_json: bool) -> None:
    """Print a table of presets, or JSON."""
    if as_json:
        say(json.dumps([_plain(entry, preset, library) for entry, preset in presets], indent=2))
        return
    is_whole = not sys.stdout.isatty()
    table = Table(box=None if is_whole else SIMPLE_HEAD, pad_edge=False)
    for title in ("number", "preset", "model", "state", "origin"):
        table.add_column(title, no_wrap=is_whole, overflow="fold")
    for entry, preset in presets:
        _, state = locate(library, preset.model)
        _add_row(
            table, str(entry.number), entry.name, preset.model.name or "-", state, _origin(entry)
        )
    console().print(table)


def show_one(entry: PresetEntry, preset: Preset, library: Library, as_json: bool) -> None:
    """Print a preset with the values of its parameters in their units."""
    if as_json:
        say(json.dumps(_plain(entry, preset, library), indent=2))
        return
    found, state = locate(library, preset.model)
    rows = _rows(library, found, preset.positions)
    table = Table(show_header=False, box=None, pad_edge=False)
    for key, value in _facts(entry, preset, state):
        _add_row(table, key, value)
    console().print(table)
    values = Table(box=None, pad_edge=False)
    for title in ("parameter", "value", "position", "address"):
        values.add_column(title, no_wrap=True)
    for path, row in rows.items():
        position = preset.positions[path]
        _add_row(values, row.label, row.text(position), f"{position:.4f}", f"/nemo/{path}")
    console().print(Text(), values)


def locate(library: Library, model: ModelReference) -> tuple[str, str]:
    """Return the name in the library of a preset's model, empty without one, and its state."""
    if not model.name:
        return "", "no model"
    try:
        name, _ = library.find(model.name)
    except NotFoundError:
        name = library.find_by_hash(model.sha256) if model.sha256 else ""
        return name, f"found as {name}" if name else "missing"
    if model.sha256 and library.content_hash(name) != model.sha256:
        return name, "found, with other content"
    return name, "found"


def _facts(entry: PresetEntry, preset: Preset, state: str) -> Iterable[tuple[str, str]]:
    yield "number", str(entry.number)
    yield "name", entry.name
    yield "origin", _origin(entry)
    yield "model", f"{preset.model.name}: {state}" if preset.model.name else state
    yield "cabinet", preset.cabinet.name or "none"
    if preset.model.sha256:
        yield "sha256", preset.model.sha256
    if preset.model.size is not None:
        yield "size", f"{preset.model.size:.2f}"
    if preset.snapshots:
        yield "snapshots", ", ".join(map(str, sorted(preset.snapshots)))
    unknown = [*preset.unknown, *preset.unknown_positions, *preset.unknown_snapshots]
    if unknown:
        yield "unknown", ", ".join(unknown)


def _rows(library: Library, model: str, positions: Mapping[str, float]) -> dict[str, Parameter]:
    """Return the rows of positions, as they are with the model where it can be read."""
    knobs: list[KnobSpec] = []
    if model:
        try:
            loaded = load_model(library.find(model)[1])
            knobs = [KnobSpec(knob.name, knob.default) for knob in loaded.knobs]
        except ModelError:
            pass  # `nemod check` says why; the values are shown without the knobs' names
    known = ParameterSet(knobs)
    return {path: known.row(path) if path in known else param(path) for path in positions}


def _origin(entry: PresetEntry) -> str:
    return "factory" if entry.is_factory else "own"


def _plain(entry: PresetEntry, preset: Preset, library: Library) -> dict[str, object]:
    found, state = locate(library, preset.model)
    return {
        "number": entry.number,
        "name": entry.name,
        "is_factory": entry.is_factory,
        "model": preset.model.name,
        "sha256": preset.model.sha256,
        "size": preset.model.size,
        "cabinet": preset.cabinet.name,
        "cabinet_sha256": preset.cabinet.sha256,
        "found": found,
        "state": state,
        "positions": dict(preset.positions),
        "snapshots": {number: dict(values) for number, values in preset.snapshots.items()},
    }


def _add_row(table: Table, *cells: str) -> None:
    table.add_row(*(Text(clean(cell, _LONGEST)) for cell in cells))
