"""A parameter: what a row of the table says, and its three values.

*Position* is what surfaces send, 0..1. *Value* is the same in the row's own unit (dB, ms, s),
reached as `/nemo/real/<path>`. *Control* is what an effect gets: the value, except that gains
arrive as amplitude ratios (so that silence is 0) and switches as 0 or 1.
"""

import math
from dataclasses import dataclass
from enum import StrEnum

from nemod.common.units import db_to_amplitude
from nemod.parameters.curves import LINEAR, Curve

SMOOTH_S = 0.02
"""[s] Time constant of a knob whose row does not say otherwise: fast enough to feel immediate,
slow enough not to click."""


class ParameterKind(StrEnum):
    """Type of a row's value."""

    FLOAT = "float"
    BOOL = "bool"
    ENUM = "enum"
    """One of `Parameter.choices`; its value is the index."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One row of the table.

    Positions of a switch are 0.0 (off) and 1.0 (on); those of `n` choices are multiples of 1/(n-1).
    """

    path: str
    """Address below `/nemo/`, and the name by which an effect asks for it."""
    label: str
    help: str
    kind: ParameterKind = ParameterKind.FLOAT
    unit: str = ""
    low: float = 0.0
    """[unit] Value at position 0."""
    high: float = 1.0
    """[unit] Value at position 1."""
    default: float = 0.5
    """Position until it is set."""
    curve: Curve = LINEAR
    smooth_s: float = SMOOTH_S
    """[s] Time constant of the smoothing; 0 where the effect smooths by itself."""
    is_gain: bool = False
    """The effect gets an amplitude ratio instead of dB."""
    short_form: str = ""
    """Path that stands for this row when it is given a number: `delay` for `delay/mix`."""
    has_toggle: bool = False
    """Whether a trigger below `toggle` flips it; see `nemod.parameters.parameter_set.TOGGLES`."""
    choices: tuple[str, ...] = ()
    """Labels of an enum, in order."""
    in_unit: bool = False
    """Surfaces send and show the value itself, not a position: it is a count or a time."""
    synced_by: tuple[str, str] | None = None
    """Paths of a switch and a note value that replace this time [ms] or rate [Hz] by one of the
    tempo."""
    is_effect_control: bool = True
    """Whether an effect has it as a control; others are for the control core alone."""
    is_in_session: bool = True
    """Whether the next start restores it."""
    is_in_preset: bool = True
    """Whether it belongs to the sound; what belongs to the room or the instrument does not."""

    def value(self, position: float) -> float:
        """Return the value in the row's unit."""
        return self.curve.to_value(position, self.low, self.high)

    def position(self, value: float) -> float:
        """Return the position (0..1) of a value in the row's unit, clipped to the range."""
        return self.curve.to_position(value, self.low, self.high)

    def control(self, position: float) -> float:
        """Return what the effect gets for this position."""
        value = self.value(position)
        return db_to_amplitude(value) if self.is_gain else value

    def text(self, position: float) -> str:
        """Return the label that a display shows, as `+3.5 dB`."""
        if self.kind is ParameterKind.BOOL:
            return "on" if position >= 0.5 else "off"
        if self.kind is ParameterKind.ENUM:
            return self.choices[self.index(position)]
        value = self.value(position)
        if value == -math.inf:
            return f"-inf {self.unit}"
        if self.unit == "dB":
            return f"{round(value, 1) + 0.0:+.1f} dB"  # plus zero: never "-0.0"
        if not self.unit:
            return f"{value:.2f}"
        digits = 0 if abs(value) >= 100.0 else 1 if abs(value) >= 10.0 else 2
        return f"{value:.{digits}f} {self.unit}"

    def index(self, position: float) -> int:
        """Return the index of the choice at a position."""
        return round(self.value(position))

    def clipped(self, position: float) -> float:
        """Return the nearest position that this row can have; a switch is on from 0.5."""
        limited = min(max(float(position), 0.0), 1.0)
        if self.kind is ParameterKind.BOOL:
            return float(limited >= 0.5)
        if self.kind is ParameterKind.ENUM:
            return self.position(self.index(limited))
        return limited
