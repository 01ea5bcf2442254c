"""A WebSocket, as what is served over it sees it."""

from typing import Protocol


class Connection(Protocol):
    """The WebSocket of a client. Nothing here raises or waits."""

    def send(self, packet: bytes) -> None:
        """Send a binary frame; it is lost where the client does not read."""
        ...

    def send_text(self, text: str) -> None:
        """Send a text frame; it is lost where the client does not read."""
        ...

    def is_busy(self) -> bool:
        """Return whether so much waits to be sent that more should wait with its source."""
        ...
