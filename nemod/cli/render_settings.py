"""Reads the `--set ADDRESS=VALUE` of `nemod render`."""

import argparse
import math
from typing import NamedTuple

from nemod.builder.offline import known_path
from nemod.parameters.parameter import Parameter
from nemod.parameters.parameter_set import ParameterSet

_WORDS = {"true": 1.0, "on": 1.0, "false": 0.0, "off": 0.0}


class Setting(NamedTuple):
    """One `--set`, before the chain and the knobs of its models are known."""

    text: str
    """As it was given."""
    path: str
    value: float
    is_real: bool
    """Whether the value is in the knob's own unit instead of 0..1."""


def setting(text: str) -> Setting:
    """Return what `ADDRESS=VALUE` says; `/nemo/real/...` takes the knob's own unit.

    Raises: argparse.ArgumentTypeError that says what is allowed.
    """
    address, equals, value = text.partition("=")
    path = address.strip().removeprefix("/nemo/").strip("/")
    is_real = path.startswith("real/")
    path = path.removeprefix("real/")
    word = value.strip().lower()
    try:
        number = _WORDS[word] if word in _WORDS else float(word)
    except ValueError:
        number = math.nan
    # The bottom of a level fader is minus infinity, in dB.
    if not equals or not (math.isfinite(number) or (is_real and number == -math.inf)):
        raise argparse.ArgumentTypeError(
            f"{text!r}: ADDRESS=VALUE with a number is expected, as /nemo/gain=0.7"
        )
    return Setting(text, path, number, is_real)


def position(given: Setting, parameters: ParameterSet) -> tuple[str, float]:
    """Return canonical path and position (0..1) of a setting.

    Raises: ValueError for a setting that does not exist, and for a value out of its range.
    """
    path = known_path(parameters, parameters.short_forms.get(given.path, given.path))
    row = parameters.row(path)
    if not given.is_real:
        if not 0.0 <= given.value <= 1.0:
            unit = f" ({_range(row)} with /nemo/real/{given.path})" if row.unit else ""
            raise ValueError(f"--set {given.text}: allowed are 0 to 1{unit}")
        return path, given.value
    if not row.low <= given.value <= row.high:
        raise ValueError(f"--set {given.text}: allowed are {_range(row)}")
    return path, row.position(given.value)


def _range(row: Parameter) -> str:
    low = "-inf (silence)" if row.low == -math.inf else f"{row.low:g}"
    return f"{low} to {row.high:g} {row.unit}".rstrip()
