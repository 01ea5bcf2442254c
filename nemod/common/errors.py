"""The errors that nemod raises on purpose, one class per boundary.

A message says what was given, where, what is allowed and, where one is similar, which value was
probably meant. The parts are attributes, so that a log line or an OSC reply needs no parsing.
"""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches


class NemodError(Exception):
    """Base class of all errors for the user; a program that one ends prints its text."""


class ConfigError(NemodError):
    """All problems of a configuration, so that they can be fixed at once."""

    def __init__(self, source: str, problems: Sequence[str]) -> None:
        """`source` is the file or `command line`; each of `problems` is a sentence."""
        self.source = source
        self.problems = tuple(problems)
        super().__init__("\n".join(f"{source}: {problem}" for problem in self.problems))


class ModelError(NemodError):
    """A model file that cannot be played."""

    slot = ""
    """The slot of a chain that holds it, where it is known."""

    def __init__(self, path: str, reason: str) -> None:
        """`path` is the file, `reason` names the key (or line and column) and what is allowed."""
        self.path = path
        self.reason = reason
        super().__init__(f"{path}: {reason}")


class CabinetError(NemodError):
    """A sound file that is no impulse response of a cabinet."""

    slot = ""
    """The slot of a chain that holds it, where it is known."""

    def __init__(self, path: str, reason: str) -> None:
        """`path` is the file, `reason` says what was found and what is expected."""
        self.path = path
        self.reason = reason
        super().__init__(f"{path}: {reason}")


class NotFoundError(NemodError):
    """A name that is not in the library."""


class QuotaError(NemodError):
    """A file for which there is no room."""


class AudioError(NemodError):
    """An audio device or sound file that cannot be used, or has failed."""


def did_you_mean(given: str, allowed: Iterable[str]) -> str:
    """Return `, did you mean 'x'?` for the most similar allowed word, or an empty text."""
    near = get_close_matches(given, list(allowed), n=1, cutoff=0.6)
    return f", did you mean {near[0]!r}?" if near else ""
