"""An OSC client that uses python-osc and not nemod's codec."""

import socket
import time
from typing import Any

from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder

REPEAT_S = 0.5
"""[s] Time without an answer after which a query is repeated, because UDP may lose it."""


def datagram(address: str, *arguments: Any) -> bytes:
    """Return an OSC message as bytes."""
    builder = OscMessageBuilder(address)
    for argument in arguments:
        builder.add_arg(argument)
    return builder.build().dgram


class OscClient:
    """Sends messages to the daemon from one UDP port and receives its answers there."""

    def __init__(self, port: int) -> None:
        self._to = ("127.0.0.1", port)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))

    def send(self, address: str, *arguments: Any) -> None:
        """Send one message."""
        self.send_raw(datagram(address, *arguments))

    def send_raw(self, data: bytes) -> None:
        """Send a datagram unchanged."""
        self._socket.sendto(data, self._to)

    def receive(self, seconds: float) -> OscMessage | None:
        """Return the next message, or None when none arrives within `seconds`."""
        self._socket.settimeout(max(seconds, 1e-4))
        try:
            data = self._socket.recv(65_536)
        except (TimeoutError, ConnectionRefusedError):
            return None
        return None if data.startswith(b"#bundle") else OscMessage(data)

    def wait(self, *addresses: str, seconds: float = 5.0) -> OscMessage:
        """Return the next message with one of these addresses. Raises: TimeoutError."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            message = self.receive(0.1)
            if message is not None and message.address in addresses:
                return message
        raise TimeoutError(f"no answer on {', '.join(addresses)} within {seconds:g} s")

    def query(self, address: str, seconds: float = 10.0) -> Any:
        """Return the value of an address. Raises: TimeoutError."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.send(address)
            try:
                return self.wait(address, seconds=REPEAT_S).params[0]
            except TimeoutError:
                continue
        raise TimeoutError(f"no answer on {address} within {seconds:g} s")

    def load(self, name: str, seconds: float = 60.0) -> None:
        """Load a model and wait until it plays. Raises: RuntimeError, TimeoutError."""
        self.send("/nemo/model/load", name)
        answer = self.wait("/nemo/done", "/nemo/error", seconds=seconds)
        if answer.address == "/nemo/error":
            raise RuntimeError(f"{name}: {answer.params}")

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()
