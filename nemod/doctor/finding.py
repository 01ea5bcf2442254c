"""What a check returns."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How much a finding matters."""

    OK = "ok"
    ADVICE = "advice"
    """Works, and could be more reliable."""
    PROBLEM = "problem"
    """Causes dropouts or silence."""
    UNKNOWN = "unknown"
    """Could not be looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One result of a check."""

    check: str
    """Name of the check; programs may rely on it."""
    level: Level
    text: str
    remedy: str = ""
    """What to do; empty where there is nothing to do."""


def ok(check: str, text: str) -> Finding:
    """Return that all is well."""
    return Finding(check=check, level=Level.OK, text=text)


def advice(check: str, text: str, remedy: str) -> Finding:
    """Return what could be more reliable."""
    return Finding(check=check, level=Level.ADVICE, text=text, remedy=remedy)


def problem(check: str, text: str, remedy: str) -> Finding:
    """Return a cause of dropouts or silence."""
    return Finding(check=check, level=Level.PROBLEM, text=text, remedy=remedy)


def unknown(check: str, text: str) -> Finding:
    """Return what could not be looked at."""
    return Finding(check=check, level=Level.UNKNOWN, text=text)
