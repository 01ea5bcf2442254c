"""Frames to one WebSocket: queued, bounded, and sent as fast as its client reads."""

import asyncio
from collections import deque

from aiohttp import web

BUSY_SIZE = 16_384
"""[bytes] Waiting frames from which on the connection counts as busy."""
MAX_SIZE = 65_536
"""[bytes] Waiting frames beyond which more are dropped."""
STUCK_S = 10.0
"""[s] In which a client must read something while frames wait for it."""


class Outbox:
    """The frames that wait to be sent on one WebSocket. Thread: control."""

    def __init__(self, socket: web.WebSocketResponse, stuck_s: float = STUCK_S) -> None:
        """`socket` has been prepared."""
        self._socket = socket
        self._stuck_s = stuck_s
        self._frames: deque[bytes | str] = deque()
        self._size = 0
        self._has_frames = asyncio.Event()

    def send(self, packet: bytes) -> None:
        """Send a binary frame; it is lost where the client does not read."""
        self._put(packet, len(packet))

    def send_text(self, text: str) -> None:
        """Send a text frame; it is lost where the client does not read."""
        self._put(text, len(text.encode()))

    def is_busy(self) -> bool:
        """Return whether so much waits to be sent that more should wait with its source."""
        return self._size >= BUSY_SIZE

    async def run(self) -> None:
        """Send what is queued until it is cancelled.

        Raises: TimeoutError where the client reads nothing, ConnectionError where it disconnects.
        """
        while True:
            await self._has_frames.wait()
            while self._frames:
                frame = self._frames.popleft()
                async with asyncio.timeout(self._stuck_s):
                    await self._send(frame)
                self._size -= _size(frame)
            self._has_frames.clear()

    async def _send(self, frame: bytes | str) -> None:
        if isinstance(frame, str):
            await self._socket.send_str(frame)
        else:
            await self._socket.send_bytes(frame)

    def _put(self, frame: bytes | str, size: int) -> None:
        if self._socket.closed or self._size + size > MAX_SIZE:
            return
        self._frames.append(frame)
        self._size += size
        self._has_frames.set()


def _size(frame: bytes | str) -> int:
    return len(frame.encode() if isinstance(frame, str) else frame)
