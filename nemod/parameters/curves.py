"""Curves: how a knob's position (0..1) becomes a value in the knob's unit, and back."""

import math
from collections.abc import Callable
from typing import NamedTuple


class Curve(NamedTuple):
    """A mapping from position to value and its inverse; both clip to the range."""

    name: str
    to_value: Callable[[float, float, float], float]
    """(position, low, high) -> value"""
    to_position: Callable[[float, float, float], float]
    """(value, low, high) -> position"""


def clip(value: float, low: float, high: float) -> float:
    """Return the value limited to `low`..`high`."""
    return min(max(value, low), high)


LINEAR = Curve(
    "linear",
    lambda x, low, high: low + (high - low) * clip(x, 0.0, 1.0),
    lambda value, low, high: (clip(value, low, high) - low) / (high - low),
)
LOGARITHMIC = Curve(
    "logarithmic",
    lambda x, low, high: low * (high / low) ** clip(x, 0.0, 1.0),
    lambda value, low, high: math.log(clip(value, low, high) / low) / math.log(high / low),
)

FADER_UNITY = 0.75
"""Position of 0 dB on a level fader."""
FADER_FLOOR_DB = -60.0
"""[dB] Level just above the bottom of a fader; the bottom itself is silence."""


def _fader_to_value(x: float, low: float, high: float) -> float:
    x = clip(x, 0.0, 1.0)
    if x == 0.0:
        return low
    if x <= FADER_UNITY:
        return FADER_FLOOR_DB * (1.0 - x / FADER_UNITY)
    return high * (x - FADER_UNITY) / (1.0 - FADER_UNITY)


def _fader_to_position(value: float, low: float, high: float) -> float:
    # Between the floor and silence there is no position: what is below the floor is silence.
    if value < FADER_FLOOR_DB or value == low:
        return 0.0
    if value <= 0.0:
        return FADER_UNITY * (1.0 - value / FADER_FLOOR_DB)
    return clip(FADER_UNITY + (1.0 - FADER_UNITY) * value / high, 0.0, 1.0)


FADER = Curve("fader", _fader_to_value, _fader_to_position)
