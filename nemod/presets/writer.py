"""Writes a preset as YAML for people: one line per parameter, with the value in its unit beside.

Texts are in double quotes, with escapes for what is not printable, and numbers have a point: any
reader of YAML 1.1 or 1.2 gets back exactly what was written.
"""

from collections.abc import Iterator, Mapping

from nemod.common.yaml_writer import decimal, flow, quoted
from nemod.parameters.table import MODEL_KNOBS, TABLE, knob_number, param
from nemod.presets.preset import MAX_BYTES, Preset, PresetError

VERSION = 1
_HEAD = "# A preset of nemod. Positions are 0 to 1; beside each is what it stands for.\n"
_ORDER = {row.path: place for place, row in enumerate(TABLE)}


def to_text(preset: Preset) -> str:
    """Return the text of a preset's file.

    What this version does not know is left out where the file would become too large with it.

    Raises: PresetError where it is too large anyway.
    """
    for text in ("".join(_lines(preset, with_unknown=True)), "".join(_lines(preset))):
        if len(text.encode()) <= MAX_BYTES:
            return text
    raise PresetError(f"preset {preset.name!r}: its file would be larger than {MAX_BYTES} bytes")


def _lines(preset: Preset, *, with_unknown: bool = False) -> Iterator[str]:
    model = preset.model
    unknown = preset.unknown if with_unknown else {}
    unknown_positions = preset.unknown_positions if with_unknown else {}
    unknown_snapshots = dict(preset.unknown_snapshots) if with_unknown else {}
    yield _HEAD
    yield f"version: {VERSION}\nname: {quoted(preset.name)}\nmodel:\n"
    yield f"  name: {quoted(model.name)}\n  sha256: {quoted(model.sha256)}\n"
    if model.size is not None:
        yield f"  size: {decimal(model.size)}\n"
    cabinet = preset.cabinet
    if cabinet.name:
        yield f"cabinet:\n  name: {quoted(cabinet.name)}\n  sha256: {quoted(cabinet.sha256)}\n"
    has_model = bool(model.name)
    yield from _positions("positions", "", preset.positions, unknown_positions, has_model)
    yield "snapshots:\n" if preset.snapshots or unknown_snapshots else ""
    for number, positions in sorted(preset.snapshots.items()):
        below = unknown_snapshots.pop(str(number), {})
        more = below if isinstance(below, Mapping) else {}
        yield from _positions(str(number), "  ", positions, more, has_model)
    for key, value in unknown_snapshots.items():
        yield f"  {quoted(key)}: {flow(value)}\n"
    for key, value in unknown.items():
        yield f"{quoted(key)}: {flow(value)}\n"


def _positions(
    key: str,
    indent: str,
    positions: Mapping[str, float],
    unknown: Mapping[str, object],
    has_model: bool,
) -> Iterator[str]:
    """Yield a mapping of positions, in the order of the table."""
    yield f"{indent}{key}:\n" if positions or unknown else f"{indent}{key}: {{}}\n"
    for path in sorted(positions, key=_place):
        position = positions[path]
        yield f"{indent}  {path}: {decimal(position)}  # {_comment(path, position, has_model)}\n"
    for path, value in unknown.items():
        yield f"{indent}  {quoted(path)}: {flow(value)}\n"


def _place(path: str) -> int:
    """Return the place of a parameter in the table; a model's further knobs follow it."""
    number = knob_number(path)
    return _ORDER[path] if number is None else len(TABLE) + number


def _comment(path: str, position: float, has_model: bool) -> str:
    """Return what a position stands for; the model's file, and so its knobs, is not at hand."""
    number = knob_number(path)
    if number is not None:
        return f"knob {number} of the model"
    text = param(path).text(position)
    if path not in MODEL_KNOBS or not has_model:
        return text
    return f"knob {MODEL_KNOBS.index(path) + 1} of the model; {text} where it has none"
