"""Who sent a packet, and what errors look like to them."""

from collections.abc import Callable
from dataclasses import dataclass, field

from nemod.common.errors import OscError
from nemod.osc.encode import encode
from nemod.osc.leaf import UnknownError
from nemod.osc.limits import ERRORS_PER_S, Window

MAX_ADDRESS = 100
"""[bytes] What an error repeats of an address."""
MAX_TEXT = 300
"""[bytes] The longest that an error has to say."""


@dataclass(slots=True)
class Sender:
    """Where answers go."""

    send: Callable[[bytes], None]
    is_trusted: bool
    """Whether large answers go there whole."""
    errors: Window = field(default_factory=lambda: Window(ERRORS_PER_S))

    def error_message(self, error: OscError, now: float) -> bytes:
        """Return an error to be sent, or nothing when there were enough of them."""
        if not self.errors.allow(now):
            return b""
        return error_message(error.code, error.address, text_of(error))


def error_message(code: str, address: str, text: str) -> bytes:
    """Return `/nemo/error`, its parts cut so that it always fits a packet."""
    return encode("/nemo/error", "sss", code, cut(address, MAX_ADDRESS), cut(text, MAX_TEXT))


def text_of(error: OscError) -> str:
    """Return what an error says, with the nearest name where one is missing."""
    return error.text + error.hint() if isinstance(error, UnknownError) else error.text


def cut(text: str, size: int) -> str:
    """Return a text of at most `size` bytes."""
    data = text.encode("utf-8", "replace")
    return text if len(data) <= size else data[: size - 3].decode("utf-8", "ignore") + "..."
