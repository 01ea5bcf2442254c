"""What a source of messages is."""

from collections.abc import Callable, Sequence
from typing import Protocol

from nemod.common.errors import NemodError
from nemod.midi.binding import Binding
from nemod.midi.messages import Message, Port

RETRY_S = 2.0
"""[s] Between two looks for devices that do not report that they are connected."""

Send = Callable[[Message], None]
"""Sends a message to a controller; one that it cannot take now is dropped."""


class SourceError(NemodError):
    """A source that cannot be used, with what to do about it."""


class Receiver(Protocol):
    """What sources deliver to. Thread: control."""

    def connected(self, port: Port, send: Send | None) -> None:
        """Called when a controller can be heard; `send` is None for one that takes no messages."""
        ...

    def disconnected(self, port: Port) -> None:
        """Called when a controller can be heard no longer."""
        ...

    def received(self, batch: Sequence[tuple[Port, Message]]) -> None:
        """Called with messages that have arrived together, in order."""
        ...


class Source(Protocol):
    """A source. Thread: control, inside a running event loop."""

    def use(self, bindings: Sequence[Binding], inputs: Sequence[str]) -> None:
        """Open what these bindings name, and close what they do not; called after each change.

        `inputs`: names of further input devices.
        """
        ...

    def close(self) -> None:
        """Close everything."""
        ...
