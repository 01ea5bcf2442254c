"""Who sent a packet, where its answers are sent, and how errors look."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

from nemod.control.events import Source
from nemod.network.access import address_of
from nemod.network.limits import Window
from nemod.osc.encode import MAX_PACKET, encode, string_size
from nemod.osc.errors import OscError
from nemod.osc.limits import ERRORS_PER_S

OSC = Source("osc")
MAX_ADDRESS = 100
"""[bytes] Longest address in an error."""
MAX_TEXT = 300
"""[bytes] Longest text of an error."""


def never_busy() -> bool:
    """Return that packets can be sent: of transports without a send buffer."""
    return False


@dataclass(slots=True, kw_only=True, eq=False)
class Sender:
    """One client: a port of a host, or a connection. `Receiver.sender` makes them."""

    send: Callable[[bytes], None]
    """Sends a packet; never raises, and a packet may be lost."""
    host: str
    """Address without a port: limits per host count by it."""
    is_trusted: bool
    """Whether the address is proven: loopback, or a connection. Answers may then be long."""
    destination: Hashable = field(default_factory=object)
    """Where its packets arrive: a port of a host, or a connection."""
    client: Hashable = field(default_factory=object)
    """Whose own values are not sent back: a host, a port of loopback, or a connection."""
    to_port: Callable[[int], "Sender"] | None = None
    """Returns another port of the same host; None for a connection."""
    gets_echoes: bool = True
    """Whether it is sent changes because it sets values, without a subscription."""
    may_write: bool = False
    """Whether it may delete and upload: loopback, or allowed by the configuration."""
    is_busy: Callable[[], bool] = never_busy
    """Whether the transport's send buffer is full: feedback waits."""
    errors: Window = field(default_factory=lambda: Window(ERRORS_PER_S))
    source: Source = OSC
    """Names the client in events."""

    @property
    def is_local(self) -> bool:
        """Whether it is on this machine: what it is answered does not count."""
        return address_of(self.host).is_loopback

    def error_message(self, error: OscError, now: float, room: float = MAX_PACKET) -> bytes:
        """Return an error of at most `room` bytes to be sent, or nothing.

        Nothing where there is no room, or when the sender got too many errors.
        """
        # The text last: a similar name is looked for among all addresses.
        if room_for_text(error.code, error.address, room) < 0 or not self.errors.allow(now):
            return b""
        return error_message(error.code, error.address, text_of(error), room)


def room_for_text(code: str, address: str, room: float) -> int:
    """Return how many bytes an error's text may have; negative where not even an empty one fits."""
    taken = sum(map(string_size, ("/nemo/error", ",sss", code, cut(address, MAX_ADDRESS))))
    # A string takes one byte more than its text, and a multiple of four.
    return int(min(room - taken, MAX_PACKET)) // 4 * 4 - 1


def error_message(code: str, address: str, text: str, room: float = MAX_PACKET) -> bytes:
    """Return `/nemo/error`, cut to `room` bytes, or nothing where even an empty text is too long.

    Address and text are cut so that it always fits a packet.
    """
    left = room_for_text(code, address, room)
    if left < 0:
        return b""
    text = cut(text, min(left, MAX_TEXT))
    return encode("/nemo/error", "sss", code, cut(address, MAX_ADDRESS), text)


def text_of(error: OscError) -> str:
    """Return the text of an error, with a similar name where one is missing."""
    return error.text + error.hint()


def cut(text: str, size: int) -> str:
    """Return a text of at most `size` bytes."""
    data = text.encode("utf-8", "replace")
    if len(data) <= size:
        return text
    return data[: max(size - 3, 0)].decode("utf-8", "ignore") + "..."[:size]
