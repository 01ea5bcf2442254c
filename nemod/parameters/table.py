"""The table of parameters: one row per knob, read by everything that has to do with knobs.

OSC checks and conversion, queries, the audio plane's settings record and the reference page are
made from `TABLE`. Adding a knob is adding a row here and using its path in an effect.

A knob has three values. *Position* is what surfaces send, 0..1. *Real* is the value in the row's
own unit (dB, ms, s), reached as `/nemo/real/<path>`. *Control* is what an effect gets: the real
value, except that gains arrive as amplitude ratios (so that silence is 0) and switches as 0 or 1.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from nemod.common.units import db_to_amplitude

SMOOTH_S = 0.02
"""[s] Time constant of a knob whose row does not say otherwise: quick to the ear, never a click."""

MAX_KNOBS = 64
"""Conditioning knobs that one model may have; keeps a settings record below `PIPE_BUF`."""


class Curve(NamedTuple):
    """How a position becomes a real value, and back; both ways clip to the range."""

    name: str
    to_real: Callable[[float, float, float], float]
    """(position, low, high) -> real"""
    to_position: Callable[[float, float, float], float]
    """(real, low, high) -> position"""


def _clip(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)


LINEAR = Curve(
    "linear",
    lambda x, low, high: low + (high - low) * _clip(x, 0.0, 1.0),
    lambda real, low, high: (_clip(real, low, high) - low) / (high - low),
)
LOGARITHMIC = Curve(
    "logarithmic",
    lambda x, low, high: low * (high / low) ** _clip(x, 0.0, 1.0),
    lambda real, low, high: math.log(_clip(real, low, high) / low) / math.log(high / low),
)

FADER_UNITY = 0.75
"""Position of 0 dB on a level fader."""
FADER_FLOOR_DB = -60.0
"""[dB] Level just above the bottom of a fader; the bottom itself is silence."""


def _fader_to_real(x: float, low: float, high: float) -> float:
    x = _clip(x, 0.0, 1.0)
    if x == 0.0:
        return low
    if x <= FADER_UNITY:
        return FADER_FLOOR_DB * (1.0 - x / FADER_UNITY)
    return high * (x - FADER_UNITY) / (1.0 - FADER_UNITY)


def _fader_to_position(real: float, low: float, high: float) -> float:
    # Below the floor there is nothing between the last step and silence; the middle decides.
    if real < FADER_FLOOR_DB or real == low:
        return 0.0
    if real <= 0.0:
        return FADER_UNITY * (1.0 - real / FADER_FLOOR_DB)
    return _clip(FADER_UNITY + (1.0 - FADER_UNITY) * real / high, 0.0, 1.0)


FADER = Curve("fader", _fader_to_real, _fader_to_position)


class Kind(StrEnum):
    """What a row's value is."""

    FLOAT = "float"
    BOOL = "bool"


@dataclass(frozen=True, slots=True, kw_only=True)
class Param:
    """One row of the table. Positions of a switch are 0.0 (off) and 1.0 (on)."""

    path: str
    """Address below `/nemo/`, and the name by which an effect asks for it."""
    label: str
    help: str
    kind: Kind = Kind.FLOAT
    unit: str = ""
    low: float = 0.0
    """[unit] Real value at position 0."""
    high: float = 1.0
    """[unit] Real value at position 1."""
    default: float = 0.5
    """Position at the first start."""
    curve: Curve = LINEAR
    smooth_s: float = SMOOTH_S
    """[s] Time constant with which the control follows; 0 where the effect moves by itself."""
    is_gain: bool = False
    """The effect gets an amplitude ratio instead of dB."""

    def real(self, position: float) -> float:
        """Return the value in the row's unit."""
        return self.curve.to_real(position, self.low, self.high)

    def position(self, real: float) -> float:
        """Return the position (0..1) of a value in the row's unit, clipped to the range."""
        return self.curve.to_position(real, self.low, self.high)

    def control(self, position: float) -> float:
        """Return what the effect gets for this position."""
        real = self.real(position)
        return db_to_amplitude(real) if self.is_gain else real

    def text(self, position: float) -> str:
        """Return the label that a display shows, as `+3.5 dB`."""
        if self.kind is Kind.BOOL:
            return "on" if position >= 0.5 else "off"
        real = self.real(position)
        if real == -math.inf:
            return f"-inf {self.unit}"
        if self.unit == "dB":
            return f"{round(real, 1) + 0.0:+.1f} dB"  # plus zero: never "-0.0"
        if not self.unit:
            return f"{real:.2f}"
        digits = 0 if abs(real) >= 100.0 else 1 if abs(real) >= 10.0 else 2
        return f"{real:.{digits}f} {self.unit}"


def _gain(path: str, label: str, text: str, span_db: float) -> Param:
    return Param(
        path=path, label=label, help=text, unit="dB", low=-span_db, high=span_db, is_gain=True
    )


def _switch(path: str, label: str, text: str, smooth_s: float) -> Param:
    return Param(path=path, label=label, help=text, kind=Kind.BOOL, default=0.0, smooth_s=smooth_s)


def _mix(path: str, label: str, text: str) -> Param:
    return Param(path=path, label=label, help=text, default=0.0)


TABLE: tuple[Param, ...] = (
    _gain("input", "Input", "Trim before everything else.", 24.0),
    _gain(
        "gain",
        "Gain",
        "The model's first knob where it has one, else the drive into the model.",
        24.0,
    ),
    Param(
        path="level",
        label="Level",
        help="The model's second knob where it has one, else the output level; 0 is silence.",
        unit="dB",
        low=-math.inf,
        high=12.0,
        default=FADER_UNITY,
        curve=FADER,
        is_gain=True,
    ),
    Param(path="bass", label="Bass", help="Low shelf.", unit="dB", low=-12.0, high=12.0),
    Param(path="mid", label="Mid", help="Peaking band.", unit="dB", low=-12.0, high=12.0),
    Param(path="treble", label="Treble", help="High shelf.", unit="dB", low=-12.0, high=12.0),
    _mix("delay/mix", "Delay mix", "How much of the echoes is heard; 0 leaves the sound alone."),
    Param(
        path="delay/time",
        label="Delay time",
        help="Time between echoes.",
        unit="ms",
        low=1.0,
        high=2000.0,
        curve=LOGARITHMIC,
        default=LOGARITHMIC.to_position(350.0, 1.0, 2000.0),
        # The delay crossfades from one time to the next; a glide would bend the pitch.
        smooth_s=0.0,
    ),
    Param(
        path="delay/feedback",
        label="Delay feedback",
        help="How much of each echo is repeated.",
        low=0.0,
        high=0.95,
        default=0.35 / 0.95,
    ),
    _mix("reverb/mix", "Reverb mix", "How much of the room is heard; 0 leaves the sound alone."),
    Param(
        path="reverb/size",
        label="Reverb decay",
        help="Time in which the room's sound falls by 60 dB.",
        unit="s",
        low=0.2,
        high=10.0,
        curve=LOGARITHMIC,
        default=LOGARITHMIC.to_position(1.5, 0.2, 10.0),
    ),
    Param(
        path="reverb/damping",
        label="Reverb damping",
        help="How much sooner the treble of the room dies than its bass.",
    ),
    Param(
        path="reverb/predelay",
        label="Reverb pre-delay",
        help="Time before the room answers.",
        unit="ms",
        high=200.0,
        default=10.0 / 200.0,
        smooth_s=0.0,
    ),
    _gain("output", "Output", "Trim after everything but the limiter.", 24.0),
    _switch("bypass", "Bypass", "The guitar goes past the whole chain.", 0.01),
    _switch("mute", "Mute", "Silence.", 0.01),
)

BY_PATH: dict[str, Param] = {param.path: param for param in TABLE}


def knob(number: int, label: str = "", default: float = 0.5) -> Param:
    """Return the row of a model's conditioning knob; numbers count from 1."""
    return Param(
        path=f"knob/{number}",
        label=label or f"Knob {number}",
        help="A conditioning knob of the current model.",
        default=default,
    )


def param(path: str) -> Param:
    """Return the row of a path, those of `knob/<number>` included.

    Raises: KeyError for a path that is not in the table.
    """
    number = knob_number(path)
    return BY_PATH[path] if number is None else knob(number)


def knob_number(path: str) -> int | None:
    """Return the number in `knob/<number>`, or None for another path.

    Raises: KeyError for a number that no knob has, or that is not written as numbers are.
    """
    if not path.startswith("knob/"):
        return None
    digits = path.removeprefix("knob/")
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= len(str(MAX_KNOBS))):
        raise KeyError(path)
    number = int(digits)
    if not 1 <= number <= MAX_KNOBS or str(number) != digits:
        raise KeyError(path)
    return number
