"""The parameters that exist while a certain model is loaded, by every path that names them."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from nemod.parameters.parameter import Parameter
from nemod.parameters.table import BY_PATH, MAX_KNOBS, MODEL_KNOBS, TABLE, canonical, knob

_RESERVED = frozenset(" #,/?*[]{}")
"""Characters that no part of an OSC address can hold; other surfaces use the same paths."""


class KnobSpec(NamedTuple):
    """A conditioning knob of a model, as its file states it."""

    name: str
    default: float = 0.5
    """Position (0..1) until the knob is set."""


class ParameterSet:
    """The table's rows and the knobs of one model. Immutable.

    Every parameter has one canonical path and may have others: the model's first knob is `gain`,
    `knob/1` and `knob/<its name>`. Where the model has no such knob, `gain` is the drive into it
    and `level` the output level, and `knob/1` and `knob/2` are their other paths.
    """

    def __init__(self, knobs: Iterable[KnobSpec] = ()) -> None:
        """`knobs`: those of the loaded model, in order; what exceeds `MAX_KNOBS` is left out."""
        self.knobs = tuple(knobs)[:MAX_KNOBS]
        self._names = address_safe([spec.name for spec in self.knobs])
        self._rows = {row.path: self._row(row.path) for row in TABLE}
        self._paths: dict[str, tuple[str, ...]] = {path: (path,) for path in self._rows}
        self._all = list(self._rows)
        for number in range(1, max(len(self.knobs), len(MODEL_KNOBS)) + 1):
            name = self._names[number - 1] if number <= len(self.knobs) else ""
            path = canonical(f"knob/{number}")
            self._rows.setdefault(path, self._row(path))
            other = [f"knob/{number}", *([f"knob/{name}"] if name else [])]
            self._paths[path] = tuple(dict.fromkeys([path, *other]))
            self._all += other
        self._canonical = {path: key for key, paths in self._paths.items() for path in paths}

    def __iter__(self) -> Iterator[str]:
        """Yield all canonical paths, the table's rows first."""
        return iter(self._rows)

    def __contains__(self, path: str) -> bool:
        """Whether a path names a parameter."""
        return path in self._canonical

    def canonical(self, path: str) -> str:
        """Return the canonical path of any path. Raises: KeyError."""
        return self._canonical[path]

    def row(self, path: str) -> Parameter:
        """Return the row of any path, as it is with this model. Raises: KeyError."""
        return self._rows[self._canonical[path]]

    def paths(self, path: str) -> tuple[str, ...]:
        """Return all paths of the same parameter, the canonical one first. Raises: KeyError."""
        return self._paths[self._canonical[path]]

    def all_paths(self) -> tuple[str, ...]:
        """Return every path: the table's rows, then the knobs by number and by name."""
        return tuple(self._all)

    def _row(self, path: str) -> Parameter:
        number = MODEL_KNOBS.index(path) + 1 if path in MODEL_KNOBS else 0
        if path.startswith("knob/"):
            number = int(path.removeprefix("knob/"))
        if not 1 <= number <= len(self.knobs):
            return BY_PATH[path]
        spec = self.knobs[number - 1]
        return replace(knob(number, label=spec.name, default=spec.default), path=path)


SHORT_FORMS: dict[str, str] = {row.short_form: row.path for row in TABLE if row.short_form}
"""Paths that set one of the parameters below them: `delay` sets `delay/mix`."""
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
