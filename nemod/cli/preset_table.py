"""Prints presets as a table, one of them with all of its values, and both as JSON."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from nemod.chain import MODEL, Chain, Slot, plain_chain
from nemod.cli.model_table import console, say
from nemod.common.errors import ModelError, NotFoundError
from nemod.formats import load_model
from nemod.library import Library
from nemod.library.text import clean
from nemod.parameters.parameter import Parameter
from nemod.parameters.parameter_set import KnobSpec, ParameterSet
from nemod.presets import Preset, PresetEntry

_LONGEST = 1000
"""[characters] Longest cell."""


Libraries = Mapping[str, Library]
"""The libraries of files, by kind of slot."""


def show(
    presets: Sequence[tuple[PresetEntry, Preset]], libraries: Libraries, as_json: bool
) -> None:
    """Print a table of presets, or JSON."""
    if as_json:
        say(json.dumps([_plain(entry, preset, libraries) for entry, preset in presets], indent=2))
        return
    is_whole = not sys.stdout.isatty()
    table = Table(box=None if is_whole else SIMPLE_HEAD, pad_edge=False)
    for title in ("number", "preset", "models", "state", "origin"):
        table.add_column(title, no_wrap=is_whole, overflow="fold")
    for entry, preset in presets:
        models = " + ".join(slot.file for slot in preset.chain.of_kind(MODEL) if slot.file)
        state = _state(preset.chain, libraries)
        _add_row(table, str(entry.number), entry.name, models or "-", state, _origin(entry))
    console().print(table)


def show_one(entry: PresetEntry, preset: Preset, libraries: Libraries, as_json: bool) -> None:
    """Print a preset with the values of its parameters in their units."""
    if as_json:
        say(json.dumps(_plain(entry, preset, libraries), indent=2))
        return
    rows = _rows(libraries[MODEL], preset)
    table = Table(show_header=False, box=None, pad_edge=False)
    for key, value in _facts(entry, preset, libraries):
        _add_row(table, key, value)
    console().print(table)
    values = Table(box=None, pad_edge=False)
    for title in ("parameter", "value", "position", "address"):
        values.add_column(title, no_wrap=True)
    for path, row in rows.items():
        position = preset.positions[path]
        _add_row(values, row.label, row.text(position), f"{position:.4f}", f"/nemo/{path}")
    console().print(Text(), values)


def locate(library: Library, slot: Slot) -> tuple[str, str]:
    """Return the name in the library of a slot's file, empty without one, and its state."""
    if not slot.file:
        return "", "no model" if slot.kind == MODEL else "none"
    try:
        name, _ = library.find(slot.file)
    except NotFoundError:
        name = library.find_by_hash(slot.sha256) if slot.sha256 else ""
        return name, f"found as {name}" if name else "missing"
    if slot.sha256 and library.content_hash(name) != slot.sha256:
        return name, "found, with other content"
    return name, "found"


def _state(chain: Chain, libraries: Libraries) -> str:
    """Return the state of the files of a chain, in few words."""
    states = {
        slot.name: locate(libraries[slot.kind], slot)[1]
        for slot in chain
        if slot.kind in libraries and (slot.file or slot.kind == MODEL)
    }
    first = chain.first(MODEL)
    others = {name: state for name, state in states.items() if state not in ("found", "no model")}
    if first is None or first.name not in states:
        return "; ".join(f"{name}: {state}" for name, state in others.items()) or "found"
    rest = [f"{name}: {state}" for name, state in others.items() if name != first.name]
    return "; ".join([states[first.name], *rest])


def _facts(entry: PresetEntry, preset: Preset, libraries: Libraries) -> Iterable[tuple[str, str]]:
    yield "number", str(entry.number)
    yield "name", entry.name
    yield "origin", _origin(entry)
    for slot in preset.chain:
        if slot.kind in libraries:
            _, state = locate(libraries[slot.kind], slot)
            size = "" if slot.size is None else f", size {slot.size:.2f}"
            yield slot.name, f"{slot.file}: {state}{size}" if slot.file else state
    yield "chain", " ".join(slot.name for slot in preset.chain)
    if preset.snapshots:
        yield "snapshots", ", ".join(map(str, sorted(preset.snapshots)))
    unknown = [*preset.unknown, *preset.unknown_positions, *preset.unknown_snapshots]
    if unknown:
        yield "unknown", ", ".join(unknown)


def _rows(library: Library, preset: Preset) -> dict[str, Parameter]:
    """Return the rows of positions, as they are with the models where they can be read."""
    knobs: dict[str, list[KnobSpec]] = {}
    for slot in preset.chain.of_kind(MODEL):
        found, _ = locate(library, slot)
        if not found:
            continue
        try:
            loaded = load_model(library.find(found)[1])
        except ModelError:
            continue  # `nemod check` says why; the values are shown without the knobs' names
        knobs[slot.name] = [KnobSpec(knob.name, knob.default) for knob in loaded.knobs]
    known = ParameterSet(preset.chain, knobs)
    return {path: known.kept_row(path) for path in preset.positions}


def _origin(entry: PresetEntry) -> str:
    return "factory" if entry.is_factory else "own"


def _plain(entry: PresetEntry, preset: Preset, libraries: Libraries) -> dict[str, object]:
    files = {}
    for slot in preset.chain:
        if slot.kind in libraries:
            found, state = locate(libraries[slot.kind], slot)
            files[slot.name] = {"file": slot.file, "found": found, "state": state}
    return {
        "number": entry.number,
        "name": entry.name,
        "is_factory": entry.is_factory,
        "chain": plain_chain(preset.chain),
        "files": files,
        "positions": dict(preset.positions),
        "snapshots": {number: dict(values) for number, values in preset.snapshots.items()},
    }


def _add_row(table: Table, *cells: str) -> None:
    table.add_row(*(Text(clean(cell, _LONGEST)) for cell in cells))
