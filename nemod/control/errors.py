"""Errors of the control core: a code, what it is about, and a sentence. Surfaces add addresses."""

from collections.abc import Callable
from enum import StrEnum

from nemod.common.errors import NemodError


class Code(StrEnum):
    """Kinds of errors that a request can end with, the same on every surface."""

    VALUE = "value"
    """Not a number that can be set."""
    UNKNOWN = "unknown"
    """No parameter of that path."""
    NOT_FOUND = "not_found"
    """No model or file of that name."""
    BUSY = "busy"
    """Superseded by a newer request."""
    IO = "io"
    """A file, the disk or a process failed."""
    DENIED = "denied"
    """Not allowed for this source."""
    LIMIT = "limit"
    """Too much at once."""


class ControlError(NemodError):
    """A request to the core that cannot be carried out. Nothing was changed by it."""

    def __init__(
        self, code: Code, subject: str, text: str, hint: Callable[[], str] = lambda: ""
    ) -> None:
        """`subject`: the path or name in question. `text`: what is wrong and what is allowed.

        `hint` returns an addition such as `, did you mean 'x'?`. It is computed on demand, because
        looking for similar names takes long and most errors of a burst are never sent.
        """
        self.code = code
        self.subject = subject
        self.text = text
        self.hint = hint
        super().__init__(f"{subject}: {text}" if subject else text)
