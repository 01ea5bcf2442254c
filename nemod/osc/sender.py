"""Who sent a packet, where its answers are sent, and how errors look."""

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


def never_busy() -> bool:
    """Return that packets can be sent: of transports without a send buffer."""
    return False


@dataclass(slots=True, kw_only=True)
class Sender:
    """One client: a port of a host, or a connection. `Receiver.sender` makes them."""

    send: Callable[[bytes], None]
    """Sends a packet; never raises, and a packet may be lost."""
    host: str
    """Address without a port: limits per host count by it."""
    is_trusted: bool
    """Whether the address is proven: loopback, or a connection. Answers may then be long."""
    may_write: bool = False
    """Whether it may delete and upload: loopback, or allowed by the configuration."""
    is_busy: Callable[[], bool] = never_busy
    """Whether the transport's send buffer is full: feedback waits."""
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
