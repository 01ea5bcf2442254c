"""What a source of messages is."""

import os
from collections.abc import Callable, Sequence
from typing import Protocol

from nemod.common.errors import NemodError
from nemod.midi.binding import Binding
from nemod.midi.messages import Message, Port

RETRY_S = 2.0
"""[s] Between two looks for devices that do not report that they are connected."""

SEQUENCER = "/dev/snd/seq"
"""The device of the ALSA sequencer."""
SEQUENCER_REMEDY = "load the kernel's module snd-seq, and be in the group audio"

Send = Callable[[Message], None]
"""Sends a message to a controller; one that it cannot take now is dropped."""


class SourceError(NemodError):
    """A source that cannot be used, with what to do about it."""


def check_sequencer() -> None:
    """Raise SourceError where the sequencer cannot be opened.

    The library would print a line of its own; and where there is none it need not be imported.
    """
    try:
        os.close(os.open(SEQUENCER, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC))
    except OSError as error:
        what = f"{SEQUENCER} cannot be opened ({error.strerror})"
        raise SourceError(f"{what}; {SEQUENCER_REMEDY}") from None


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
