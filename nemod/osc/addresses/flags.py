"""Flags of a subscription: which addresses a subscriber is sent."""

from collections.abc import Iterable
from enum import StrEnum

from nemod.osc.errors import OscError


class Flag(StrEnum):
    """A group of addresses; the value is the word in `/nemo/subscribe`."""

    PARAMS = "params"
    """Knobs and switches as positions, names and numbers of the model and the preset."""
    TEXT = "text"
    """Labels of the knobs."""
    REAL = "real"
    """Knobs in their own unit; with `meters` also the levels in dBFS."""
    METERS = "meters"
    TUNER = "tuner"
    STATUS = "status"


Flags = frozenset[Flag]

NO_FLAGS: Flags = frozenset()
PARAMS: Flags = frozenset({Flag.PARAMS})
DEFAULT_FLAGS: Flags = frozenset({Flag.PARAMS, Flag.STATUS})


def parse_flags(address: str, words: Iterable[str]) -> Flags:
    """Return the flags of a subscription, by their words in any case; none means the defaults.

    Raises: OscError `value` for an unknown word.
    """
    flags = set()
    for word in words:
        try:
            flags.add(Flag(word.casefold()))
        except ValueError:
            text = f"unknown flag {word[:40]!r}, allowed are {', '.join(Flag)}"
            raise OscError("value", address, text) from None
    return frozenset(flags) or DEFAULT_FLAGS
