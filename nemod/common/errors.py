"""Every error that nemod raises on purpose, one class per boundary.

A message says what was given, where, what is allowed and, where one is near, what was probably
meant. The parts stay attributes, so a log line or an OSC reply needs no parsing.
"""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches


class NemodError(Exception):
    """Root of all errors that are meant for the user; the program ends with its text."""


class ConfigError(NemodError):
    """Everything that is wrong with a configuration, gathered so that one look mends it all."""

    def __init__(self, source: str, problems: Sequence[str]) -> None:
        """`source` is the file or `command line`; `problems` one sentence each."""
        self.source = source
        self.problems = tuple(problems)
        super().__init__("\n".join(f"{source}: {problem}" for problem in self.problems))


class ModelError(NemodError):
    """A model file that cannot be played."""

    def __init__(self, path: str, reason: str) -> None:
        """`path` is the file, `reason` names the key (or line and column) and what is allowed."""
        self.path = path
        self.reason = reason
        super().__init__(f"{path}: {reason}")


class NotFoundError(NemodError):
    """A name that is not in the library."""


class AudioError(NemodError):
    """An audio device, or what reaches it, that cannot be had or has failed."""


def did_you_mean(given: str, allowed: Iterable[str]) -> str:
    """Return `, did you mean 'x'?` for the nearest allowed word, or nothing."""
    near = get_close_matches(given, list(allowed), n=1, cutoff=0.6)
    return f", did you mean {near[0]!r}?" if near else ""
