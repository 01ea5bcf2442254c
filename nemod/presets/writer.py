"""Writes a preset as YAML for people: one line per parameter, with the value in its unit beside.

Texts are in double quotes, with escapes for what is not printable, and numbers have a point: any
reader of YAML 1.1 or 1.2 gets back exactly what was written.
"""

from collections.abc import Iterator, Mapping

from nemod.chain import MODEL, Chain, plain_chain
from nemod.chain.writer import KIND, Entry
from nemod.common.yaml_writer import decimal, flow, quoted
from nemod.parameters.parameter_set import ParameterSet
from nemod.parameters.slot_paths import kind_of
from nemod.parameters.table import MODEL_KNOBS, knob_number
from nemod.presets.preset import MAX_BYTES, Preset, PresetError

VERSION = 2
_WORDS = frozenset(("y", "n", "yes", "no", "on", "off", "true", "false", "null"))
"""Words that YAML 1.1 takes for other values than text."""
_HEAD = "# A preset of nemod. Positions are 0 to 1; beside each is what it stands for.\n"


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
    unknown = preset.unknown if with_unknown else {}
    unknown_positions = preset.unknown_positions if with_unknown else {}
    unknown_snapshots = dict(preset.unknown_snapshots) if with_unknown else {}
    yield _HEAD
    yield f"version: {VERSION}\nname: {quoted(preset.name)}\n"
    yield from _chain(preset.chain)
    parameters = ParameterSet(preset.chain)
    yield from _positions("positions", "", preset.positions, unknown_positions, parameters)
    yield "snapshots:\n" if preset.snapshots or unknown_snapshots else ""
    for number, positions in sorted(preset.snapshots.items()):
        below = unknown_snapshots.pop(str(number), {})
        more = below if isinstance(below, Mapping) else {}
        yield from _positions(str(number), "  ", positions, more, parameters)
    for key, value in unknown_snapshots.items():
        yield f"  {quoted(key)}: {flow(value)}\n"
    for key, value in unknown.items():
        yield f"{quoted(key)}: {flow(value)}\n"


def _chain(chain: Chain) -> Iterator[str]:
    """Yield the slots in order, in the form that `nemod.chain.reader` reads."""
    yield "chain:\n" if chain.places else "chain: []\n"
    for entry in plain_chain(chain):
        yield from _slot(entry, "  ")


def _slot(entry: Entry, indent: str) -> Iterator[str]:
    if isinstance(entry, str):
        yield f"{indent}- {_key(entry)}\n"
        return
    ((name, content),) = entry.items()
    yield f"{indent}- {_key(name)}:\n"
    below = indent + "    "
    for key, value in content.items():
        if isinstance(value, list):  # a branch
            yield f"{below}{key}:\n" if value else f"{below}{key}: []\n"
            for slot in value:
                yield from _slot(slot, below + "  ")
        elif isinstance(value, int | float):
            yield f"{below}{key}: {decimal(value)}\n"
        else:
            yield f"{below}{key}: {value if key == KIND else quoted(str(value))}\n"


def _key(name: str) -> str:
    """Return the name of a slot; in quotes where YAML takes it for something else."""
    return quoted(name) if name in _WORDS else name


def _positions(
    key: str,
    indent: str,
    positions: Mapping[str, float],
    unknown: Mapping[str, object],
    parameters: ParameterSet,
) -> Iterator[str]:
    """Yield a mapping of positions, in the order of the parameters."""
    order = {path: place for place, path in enumerate(parameters)}
    unknown = {path: value for path, value in unknown.items() if path not in positions}
    yield f"{indent}{key}:\n" if positions or unknown else f"{indent}{key}: {{}}\n"
    for path in sorted(positions, key=lambda path: _place(path, order, parameters)):
        position = positions[path]
        yield f"{indent}  {path}: {decimal(position)}  # {_comment(path, position, parameters)}\n"
    for path, value in unknown.items():
        yield f"{indent}  {quoted(path)}: {flow(value)}\n"


def _place(path: str, order: Mapping[str, int], parameters: ParameterSet) -> tuple[int, str, int]:
    """Return the place of a parameter; the further knobs of models follow all others."""
    if path in order:
        return order[path], "", 0
    place = parameters.place(path)
    return len(order), place.slot, knob_number(place.table_path) or 0


def _comment(path: str, position: float, parameters: ParameterSet) -> str:
    """Return what a position stands for; a model's file, and so its knobs, is not at hand."""
    slot, table_path = parameters.place(path)
    number = knob_number(table_path)
    if number is not None:
        return f"knob {number} of the model"
    text = parameters.kept_row(path).text(position)
    if kind_of(table_path) != MODEL or not parameters.chain[slot].file:
        return text
    return f"knob {MODEL_KNOBS.index(table_path) + 1} of the model; {text} where it has none"
