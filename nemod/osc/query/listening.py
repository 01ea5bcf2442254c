"""A client on a WebSocket: the commands of the OSCQuery proposal as text, OSC packets as binary.

What it listens to is a listener of the feedback: at most 50 values a second of each address, the
last one always, within the bytes that all feedback may take.
"""

import json
from collections.abc import Callable
from typing import Protocol

from nemod.network.connection import Connection
from nemod.osc.dispatcher import Dispatcher
from nemod.osc.query.frames import messages_of
from nemod.osc.receiver import Receiver
from nemod.osc.sender import Sender

MAX_COMMAND = 4_096
"""[characters] Longest command."""
MAX_PACKET = 65_536
"""[bytes] Longest packet that is taken, as over TCP."""


class Listeners(Protocol):
    """Who is sent the changes of single addresses."""

    def listen(self, sender: Sender, addresses: frozenset[str]) -> None:
        """Send these addresses now, as far as they are new, and then their changes."""
        ...

    def forget(self, sender: Sender) -> None:
        """Send nothing more: the connection has ended."""
        ...


class ListeningSession:
    """One client. Thread: control. Nothing that its client sends makes it raise."""

    def __init__(
        self,
        connection: Connection,
        make_sender: Callable[[Callable[[bytes], None]], Sender],
        dispatcher: Dispatcher,
        receiver: Receiver,
        listeners: Listeners,
        ended: "Callable[[ListeningSession], None]",
    ) -> None:
        """`make_sender`: how packets are sent -> the client. `ended` is called by `end`."""
        self._connection = connection
        self._dispatcher = dispatcher
        self._receiver = receiver
        self._listeners = listeners
        self._ended = ended
        self._sender = make_sender(self._send)
        self._addresses: frozenset[str] = frozenset()

    def receive(self, packet: bytes) -> None:
        """Carry out an OSC packet of the client."""
        self._receiver.receive(packet, self._sender, limit=MAX_PACKET)

    def receive_text(self, text: str) -> None:
        """Carry out a command: `{"COMMAND": "LISTEN", "DATA": "/nemo/gain"}`."""
        self._receiver.guard(lambda: self._command(text))

    def end(self) -> None:
        """Forget the client; its connection has ended."""
        self._receiver.guard(lambda: self._listeners.forget(self._sender))
        self._ended(self)

    def path_changed(self, path: str) -> None:
        """Notify the client that this part of the tree has to be read again."""
        self._connection.send_text(json.dumps({"COMMAND": "PATH_CHANGED", "DATA": path}))

    def _command(self, text: str) -> None:
        match _parse(text):
            # An address that cannot be read has nothing to be listened to; clients do not look.
            case ("LISTEN", str(address)) if address in self._dispatcher.tree.leaves:
                self._listen(self._addresses | {address})
            case ("IGNORE", str(address)):
                self._listen(self._addresses - {address})
            case ("LISTEN", str()):
                pass
            case _:
                client = self._sender.source.client
                self._receiver.drop("osc.malformed", source=client, reason="unknown command")

    def _listen(self, addresses: frozenset[str]) -> None:
        if addresses != self._addresses:
            self._addresses = addresses
            self._listeners.listen(self._sender, addresses)

    def _send(self, packet: bytes) -> None:
        """Send each message in a frame of its own: some clients (Chataigne) accept no bundles."""
        for message in messages_of(packet):
            self._connection.send(message)


def _parse(text: str) -> tuple[object, object]:
    """Return COMMAND and DATA of a command; None for what is missing or malformed."""
    if len(text) > MAX_COMMAND:
        return None, None
    try:
        command = json.loads(text)
    except (ValueError, RecursionError):
        return None, None
    if not isinstance(command, dict):
        return None, None
    return command.get("COMMAND"), command.get("DATA")
