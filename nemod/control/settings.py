"""Where all knobs stand: the one place that holds their positions, on the control plane."""

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from nemod.parameters.table import TABLE, Kind, knob_number, param

GAIN_KNOBS = ("gain", "level")
"""The model's first and second knob have these addresses too: one parameter, two addresses."""


def canonical(path: str) -> str:
    """Return the path under which a position is kept: `knob/1` is `gain`, `knob/2` is `level`.

    Raises: KeyError for a knob whose number no model can have.
    """
    number = knob_number(path)
    return path if number is None or number > len(GAIN_KNOBS) else GAIN_KNOBS[number - 1]


class Settings:
    """Positions (0..1) of all knobs by path. Thread: control."""

    def __init__(self, positions: Mapping[str, float] | None = None) -> None:
        """Start from the table's defaults, changed by `positions`."""
        self._positions = {row.path: row.default for row in TABLE}
        for path, position in (positions or {}).items():
            self.set(path, position)

    def get(self, path: str) -> float:
        """Return the position of a knob.

        Raises: KeyError for a path that is not in the table.
        """
        path = canonical(path)
        if path not in self._positions:
            return param(path).default
        return self._positions[path]

    def set(self, path: str, position: float) -> float:
        """Move a knob and return where it stands now: the position clipped to 0..1.

        A switch is on from 0.5 on. `position` must be finite. Raises: KeyError for a path that is
        not in the table.
        """
        path = canonical(path)
        row = param(path)
        clipped = min(max(float(position), 0.0), 1.0)
        if row.kind is Kind.BOOL:
            clipped = float(clipped >= 0.5)
        self._positions[path] = clipped
        return clipped

    def positions(self) -> dict[str, float]:
        """Return a copy of all positions that were ever set or have a row, by path."""
        return dict(self._positions)

    def vector(self, layout: Iterable[str]) -> NDArray[np.float32]:
        """Return the controls [len(layout)] of these paths, as the audio plane takes them."""
        return np.array([param(path).control(self.get(path)) for path in layout], np.float32)
