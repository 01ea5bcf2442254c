"""Reads the `--set ADDRESS=VALUE` of `nemod render`."""

import argparse
import math
from typing import NamedTuple

from nemod.builder.build import knob_specs
from nemod.builder.offline import knob_path
from nemod.common.errors import did_you_mean
from nemod.formats.model import Model
from nemod.parameters.parameter import Parameter
from nemod.parameters.parameter_set import SHORT_FORMS, ParameterSet

_WORDS = {"true": 1.0, "on": 1.0, "false": 0.0, "off": 0.0}


class Setting(NamedTuple):
    """One `--set`, before the model's knobs are known."""

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
    return Setting(text, SHORT_FORMS.get(path, path), number, is_real)


def position(given: Setting, model: Model) -> tuple[str, float]:
    """Return canonical path and position (0..1) of a setting.

    Raises: ValueError for a setting that does not exist, and for a value out of its range.
    """
    path = knob_path(model, given.path)
    parameters = ParameterSet(knob_specs(model))
    try:
        row = parameters.row(path)
    except KeyError:
        near = did_you_mean(given.path, parameters.all_paths())
        raise ValueError(f"no setting is named {given.path!r}{near}") from None
    if not given.is_real:
        if not 0.0 <= given.value <= 1.0:
            unit = f" ({_range(row)} with /nemo/real/{path})" if row.unit else ""
            raise ValueError(f"--set {given.text}: allowed are 0 to 1{unit}")
        return parameters.canonical(path), given.value
    if not row.low <= given.value <= row.high:
        raise ValueError(f"--set {given.text}: allowed are {_range(row)}")
    return parameters.canonical(path), row.position(given.value)


def _range(row: Parameter) -> str:
    low = "-inf (silence)" if row.low == -math.inf else f"{row.low:g}"
    return f"{low} to {row.high:g} {row.unit}".rstrip()
