"""The parameters that exist with a chain and its models, by every path that names them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from nemod.chain import DEFAULT_CHAIN, Chain, Slot
from nemod.parameters.parameter import Parameter
from nemod.parameters.slot_paths import control_of, kind_of, slot_path
from nemod.parameters.table import (
    BY_PATH,
    FURTHER_TABLE,
    MAX_KNOBS,
    MODEL_KNOBS,
    TABLE,
    canonical,
    knob,
    knob_number,
    param,
)

_RESERVED = frozenset(" #,/?*[]{}")
"""Characters that no part of an OSC address can hold; other surfaces use the same paths."""
_MODEL = "model"
_KNOB = "knob/"


class KnobSpec(NamedTuple):
    """A conditioning knob of a model, as its file states it."""

    name: str
    default: float = 0.5
    """Position (0..1) until the knob is set."""


Knobs = Mapping[str, Sequence[KnobSpec]]
"""The conditioning knobs of models, by slot."""


class Place(NamedTuple):
    """Where a parameter belongs to."""

    slot: str
    """Name of the slot; empty for what belongs to none, such as `input`."""
    table_path: str
    """Its path in the table: `delay/mix` for the mix of every delay."""


class ParameterSet:
    """The table's rows for every slot of a chain, and the knobs of its models. Immutable.

    Every parameter has one canonical path and may have others: the first model's first knob is
    `gain`, `knob/1`, `knob/<its name>`, and the same below the slot's name. Where that model has no
    such knob, `gain` is the drive into it and `level` the output level, and `knob/1` and `knob/2`
    are their other paths. A further model has the same below the name of its slot.
    """

    def __init__(self, chain: Chain = DEFAULT_CHAIN, knobs: Knobs | None = None) -> None:
        """`knobs`: those of the loaded models; what exceeds `MAX_KNOBS` is left out."""
        self.chain = chain
        self.knobs: dict[str, tuple[KnobSpec, ...]] = {
            slot.name: tuple((knobs or {}).get(slot.name, ()))[:MAX_KNOBS]
            for slot in chain.of_kind(_MODEL)
        }
        self._hash = hash((chain, tuple(self.knobs.items())))
        self.short_forms: dict[str, str] = {}
        """Paths that set one of the parameters below them: `delay2` sets `delay2/mix`."""
        self._rows: dict[str, Parameter] = {}
        self._paths: dict[str, tuple[str, ...]] = {}
        self._places: dict[str, Place] = {}
        self._all: list[str] = []
        slots = tuple(chain)
        first = {slot.kind: slot for slot in reversed(slots)}
        self._first = {slot.name for slot in first.values()}
        for row in (*TABLE, *FURTHER_TABLE):
            kind = kind_of(row.path)
            if not kind:
                self._add(row.path, Place("", row.path), row, ())
            elif kind in first and row.path not in MODEL_KNOBS:
                self._add_control(first[kind], row.path, row)
            elif kind in first:
                self._add_knob(first[kind], MODEL_KNOBS.index(row.path) + 1)
        if _MODEL in first:
            self._add_further_knobs(first[_MODEL])
        for slot in slots:
            if slot.name not in self._first:
                self._add_slot(slot)
        rows = dict.fromkeys(self._rows)
        others = (path for paths in self._paths.values() for path in paths if path not in rows)
        self._all = [*rows, *sorted(others, key=lambda path: not path.startswith(_KNOB))]
        self._canonical = {path: key for key, paths in self._paths.items() for path in paths}

    # --- making it -------------------------------------------------------------------------------

    def _path(self, slot: str, table_path: str) -> str:
        """Return the canonical path of a slot's control, as `slot_path` does."""
        return table_path if slot in self._first else f"{slot}/{control_of(table_path)}"

    def _add_slot(self, slot: Slot) -> None:
        """Add the controls of a slot that is not the first of its kind."""
        for row in (*TABLE, *FURTHER_TABLE):
            if kind_of(row.path) != slot.kind:
                continue
            if row.path in MODEL_KNOBS:
                self._add_knob(slot, MODEL_KNOBS.index(row.path) + 1)
            else:
                self._add_control(slot, row.path, row)
        if slot.kind == _MODEL:
            self._add_further_knobs(slot)

    def _add_control(self, slot: Slot, table_path: str, row: Parameter) -> None:
        path = self._path(slot.name, table_path)
        alias = f"{slot.name}/{control_of(table_path)}"
        if path != table_path:
            row = self._renamed(slot, row)
        if row.short_form:
            self.short_forms[row.short_form] = path
            self.short_forms[slot.name] = path
        self._add(path, Place(slot.name, table_path), row, (alias,))

    def _renamed(self, slot: Slot, row: Parameter) -> Parameter:
        """Return a row of the table as it is in a slot that is not the first of its kind."""
        synced_by = row.synced_by
        if synced_by is not None:
            switch, note = (self._path(slot.name, path) for path in synced_by)
            synced_by = switch, note
        return replace(
            row,
            label=f"{row.label} ({slot.name})",
            synced_by=synced_by,
            short_form=slot.name if row.short_form else "",
        )

    def _add_further_knobs(self, slot: Slot) -> None:
        for number in range(len(MODEL_KNOBS) + 1, len(self.knobs[slot.name]) + 1):
            self._add_knob(slot, number)

    def _add_knob(self, slot: Slot, number: int) -> None:
        """Add a model's knob, or what takes its place where the model does not have it."""
        specs = self.knobs[slot.name]
        table_path = canonical(f"{_KNOB}{number}")
        path = self._path(slot.name, table_path)
        names = [f"{_KNOB}{number}"]
        if number <= len(specs):
            name = address_safe([spec.name for spec in specs])[number - 1]
            names += [f"{_KNOB}{name}"] if name else []
            row = knob(number, label=specs[number - 1].name, default=specs[number - 1].default)
        else:
            row = BY_PATH[table_path]
        if path != table_path:
            row = replace(row, label=f"{row.label} ({slot.name})")
        own = [f"{slot.name}/{name}" for name in (control_of(table_path), table_path, *names)]
        is_first = path == table_path
        self._add(path, Place(slot.name, table_path), row, (*(names if is_first else ()), *own))

    def _add(self, path: str, place: Place, row: Parameter, others: Iterable[str]) -> None:
        self._rows[path] = row if row.path == path else replace(row, path=path)
        self._paths[path] = tuple(dict.fromkeys((path, *others)))
        self._places[path] = place

    # --- reading it ------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[str]:
        """Yield all canonical paths, those of the table first."""
        return iter(self._rows)

    def __eq__(self, other: object) -> bool:
        """Whether another set has the same parameters."""
        if not isinstance(other, ParameterSet):
            return NotImplemented
        return (self.chain, self.knobs) == (other.chain, other.knobs)

    def __hash__(self) -> int:
        """Return a number that equal sets share."""
        return self._hash

    def __contains__(self, path: str) -> bool:
        """Whether a path names a parameter."""
        return path in self._canonical

    def canonical(self, path: str) -> str:
        """Return the canonical path of any path. Raises: KeyError."""
        return self._canonical[path]

    def row(self, path: str) -> Parameter:
        """Return the row of any path, as it is with these models. Raises: KeyError."""
        return self._rows[self._canonical[path]]

    def paths(self, path: str) -> tuple[str, ...]:
        """Return all paths of the same parameter, the canonical one first. Raises: KeyError."""
        return self._paths[self._canonical[path]]

    def all_paths(self) -> tuple[str, ...]:
        """Return every path: the canonical ones, the knobs by number and name, then all others."""
        return tuple(self._all)

    # --- what is kept of it ----------------------------------------------------------------------

    def key(self, path: str) -> str:
        """Return the path under which a position is kept, also of a knob that a model lacks.

        Raises: KeyError for a path that is unknown with any model.
        """
        known = self._canonical.get(path)
        return self._unlisted_knob(path)[0] if known is None else known

    def kept_row(self, key: str) -> Parameter:
        """Return the row of a path that `key` has returned. Raises: KeyError for others."""
        row = self._rows.get(key)
        return param(self._unlisted_knob(key)[1].table_path) if row is None else row

    def place(self, key: str) -> Place:
        """Return where a path belongs to that `key` has returned. Raises: KeyError for others."""
        place = self._places.get(key)
        return self._unlisted_knob(key)[1] if place is None else place

    def _unlisted_knob(self, path: str) -> tuple[str, Place]:
        """Return the key and the place of a knob that no model has now. Raises: KeyError."""
        head, _, digits = path.partition(_KNOB)
        slot = self.chain.first(_MODEL) if not head else None
        if head.endswith("/") and head[:-1] in self.knobs:
            slot = self.chain[head[:-1]]
        if slot is None or knob_number(_KNOB + digits) is None:
            raise KeyError(path)
        place = Place(slot.name, canonical(_KNOB + digits))
        return self._path(*place), place


def is_in_preset(path: str) -> bool:
    """Return whether a canonical path belongs to the sound; the controls of all slots do."""
    row = BY_PATH.get(path)
    return row is None or row.is_in_preset


def moved_positions(
    positions: Mapping[str, float],
    before: ParameterSet,
    after: Chain,
    renamed: Mapping[str, str] | None = None,
) -> dict[str, float]:
    """Return positions by canonical path of one chain as those of another: they stay with slots.

    `renamed`: new names of slots by their names before. The positions of slots that are gone, or
    are of another kind now, are left out.
    """
    if after.without_files == before.chain.without_files and not renamed:
        return dict(positions)
    moved: dict[str, float] = {}
    for path, position in positions.items():
        slot, table_path = before.place(path)
        name = (renamed or {}).get(slot, slot)
        if not slot:
            moved[path] = position
        elif name in after and after[name].kind == before.chain[slot].kind:
            moved[slot_path(after, name, table_path)] = position
    return moved


SHORT_FORMS: dict[str, str] = {row.short_form: row.path for row in TABLE if row.short_form}
"""The short forms of the default chain."""
TOGGLES: dict[str, str] = {
    row.path.removesuffix("/enable"): row.path for row in TABLE if row.has_toggle
}
"""Switches that are flipped by `toggle/<word>`, by that word: `tuner` flips `tuner/enable`."""


def address_safe(names: Sequence[str]) -> list[str]:
    """Return the knobs' names as parts of a path; what a path cannot hold becomes `_`.

    A name that is empty, a number or the same as an earlier one becomes "": its number remains.
    """
    safe: list[str] = []
    for name in names:
        part = "".join("_" if c in _RESERVED or not c.isprintable() else c for c in name.strip())
        safe.append("" if part.isdecimal() or part in safe else part)
    return safe
