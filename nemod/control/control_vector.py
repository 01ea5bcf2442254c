"""From positions to the controls that the audio process takes, in the order of a rig's layout."""

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nemod.parameters.notes import note_hz, note_ms
from nemod.parameters.parameter import Parameter
from nemod.parameters.parameter_set import ParameterSet
from nemod.parameters.slot_paths import in_table, slot_path
from nemod.parameters.table import canonical, knob_number, param

TEMPO = "tempo/bpm"
TUNER, TUNER_MUTE = "tuner/enable", "tuner/mute"
MUTE = "mute"
DEFAULT_KNOB = 0.5
"""Position of a model's knob that neither a client nor the model's file states."""
_CACHED = 16


class _Control(NamedTuple):
    """How one control of a layout is found."""

    key: str
    """Path under which its position is kept."""
    row: Parameter
    default: float
    """Its position where none is kept."""
    sync: "tuple[_Control, _Control] | None" = None
    """The switch and the note value that replace this time or rate by one of the tempo."""


def control_vector(
    parameters: ParameterSet, positions: Mapping[str, float], layout: tuple[str, ...]
) -> NDArray[np.float32]:
    """Return the controls [len(layout)] of these paths.

    `positions`: those that were set, by canonical path; all others have their defaults, for the
    knobs of a model those of its file. In a layout `gain` and `level` are the drive and the output
    level, `knob/1` and `knob/2` the model's knobs; `model2/gain` and `model2/knob/1` alike.

    Raises: KeyError for a path that the chain does not have.
    """

    def position(of: _Control) -> float:
        return positions.get(of.key, of.default)

    is_tuning_silently = all(
        positions.get(path, param(path).default) >= 0.5 for path in (TUNER, TUNER_MUTE)
    )
    controls = []
    for each in _plan(parameters, layout):
        if each.sync is not None and position(each.sync[0]) >= 0.5:
            bpm = param(TEMPO).value(positions.get(TEMPO, param(TEMPO).default))
            note = each.sync[1]
            synced = note_hz if each.row.unit == "Hz" else note_ms
            controls.append(synced(note.row.text(position(note)), bpm, each.row.high))
        elif each.key == MUTE and is_tuning_silently:
            controls.append(1.0)
        else:
            controls.append(each.row.control(position(each)))
    return np.array(controls, np.float32)


@lru_cache(maxsize=_CACHED)
def _plan(parameters: ParameterSet, layout: tuple[str, ...]) -> tuple[_Control, ...]:
    return tuple(_control(parameters, path) for path in layout)


def _control(parameters: ParameterSet, path: str) -> _Control:
    chain = parameters.chain
    slot, table_path = in_table(chain, path)
    number = knob_number(table_path)
    kept = canonical(table_path)
    row = param(table_path)
    default = row.default
    if number is not None:
        specs = parameters.knobs.get(slot, ())
        default = specs[number - 1].default if number <= len(specs) else DEFAULT_KNOB
    key = slot_path(chain, slot, kept) if slot else kept
    if row.synced_by is None:
        return _Control(key, row, default)
    switch, note = (_control(parameters, slot_path(chain, slot, each)) for each in row.synced_by)
    return _Control(key, row, default, (switch, note))
