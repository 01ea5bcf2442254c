"""Knob positions and numbers on the command line."""

import argparse

from nemod.common.errors import ConfigError


def positions(text: str, option: str = "--knobs") -> dict[str, float]:
    """Return `tone=0.35,sustain=0.7` by name.

    Raises: ConfigError that names the part which is no position.
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
            raise ConfigError("command line", [f"{problem}, as tone=0.35,sustain=0.7"])
        if name in found:
            raise ConfigError("command line", [f"{option}: {name!r} stands there twice"])
        found[name] = position
    return found


def listed(text: str, option: str = "--grid") -> tuple[float, ...]:
    """Return positions `0,0.35,0.7,1`.

    Raises: ConfigError.
    """
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError:
        values = ()
    if not values or not all(0.0 <= value <= 1.0 for value in values):
        problem = f"{option} {text!r}: positions from 0 to 1 are expected, as 0,0.35,0.7,1"
        raise ConfigError("command line", [problem])
    return values


def number(text: str, low: float, high: float, expected: str, *, whole: bool = False) -> float:
    """Return a number within `low` and `high`; `expected` says in words what is allowed.

    Raises: argparse.ArgumentTypeError.
    """
    try:
        value = int(text) if whole else float(text)
    except ValueError:
        value = low - 1.0
    if not low <= value <= high:
        raise argparse.ArgumentTypeError(f"{text!r}: {expected} is expected")
    return value
