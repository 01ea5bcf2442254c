"""Who sent a packet, and how errors are answered."""

from collections.abc import Callable
from dataclasses import dataclass, field

from nemod.control.events import Source
from nemod.osc.encode import encode
from nemod.osc.errors import OscError
from nemod.osc.limits import ERRORS_PER_S, Window

OSC = Source("osc")
MAX_ADDRESS = 100
"""[bytes] Longest address in an error."""
MAX_TEXT = 300
"""[bytes] Longest text of an error."""


@dataclass(slots=True)
class Sender:
    """One client: where answers are sent."""

    send: Callable[[bytes], None]
    is_trusted: bool
    """Whether large answers are sent whole."""
    errors: Window = field(default_factory=lambda: Window(ERRORS_PER_S))
    source: Source = OSC
    """Names the client in events."""

    def error_message(self, error: OscError, now: float) -> bytes:
        """Return an error to be sent, or nothing when there were too many."""
        if not self.errors.allow(now):
            return b""
        return error_message(error.code, error.address, text_of(error))


def error_message(code: str, address: str, text: str) -> bytes:
    """Return `/nemo/error`, its parts cut so that it always fits a packet."""
    return encode("/nemo/error", "sss", code, cut(address, MAX_ADDRESS), cut(text, MAX_TEXT))


def text_of(error: OscError) -> str:
    """Return the text of an error, with a similar name where one is missing."""
    return error.text + error.hint()


def cut(text: str, size: int) -> str:
    """Return a text of at most `size` bytes."""
    data = text.encode("utf-8", "replace")
    return text if len(data) <= size else data[: size - 3].decode("utf-8", "ignore") + "..."
