"""Parses knob positions and numbers of the command line."""

import argparse

from nemod.common.errors import ConfigError


def positions(text: str, option: str = "--knobs") -> dict[str, float]:
    """Return the positions of `tone=0.35,sustain=0.7` by name.

    Raises: ConfigError that names the invalid part.
    """
    found: dict[str, float] = {}
    for part in text.split(","):
        name, equals, value = (word.strip() for word in part.partition("="))
        try:
            position = float(value)
        except ValueError:
            position = -1.0
        if not name or not equals or not 0.0 <= position <= 1.0:
            problem = f"{option} {part.strip()!r}: NAME=POSITION from 0 to 1 is expected"
            raise ConfigError("command line", [f"{problem}, such as tone=0.35,sustain=0.7"])
        if name in found:
            raise ConfigError("command line", [f"{option}: {name!r} is given twice"])
        found[name] = position
    return found


def listed(text: str, option: str = "--grid") -> tuple[float, ...]:
    """Return the positions of `0,0.35,0.7,1`.

    Raises: ConfigError for a position outside 0..1.
    """
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError:
        values = ()
    if not values or not all(0.0 <= value <= 1.0 for value in values):
        problem = f"{option} {text!r}: positions from 0 to 1 are expected, such as 0,0.35,0.7,1"
        raise ConfigError("command line", [problem])
    return values


def number(text: str, low: float, high: float, expected: str, *, whole: bool = False) -> float:
    """Return a number from `low` to `high`; `expected` describes the allowed values.

    Raises: argparse.ArgumentTypeError.
    """
    try:
        value = int(text) if whole else float(text)
    except ValueError:
        value = low - 1.0
    if not low <= value <= high:
        raise argparse.ArgumentTypeError(f"{text!r}: {expected} is expected")
    return value
