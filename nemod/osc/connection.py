"""One TCP connection: frames in, answers and feedback out, and what its client may not do."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from nemod.network.interfaces import Address
from nemod.osc.framing import MAX_FRAME, FrameReader, Framing, frame
from nemod.osc.receiver import Receiver
from nemod.osc.sender import Sender

_PIECE = 16_384
"""[bytes] Most that is read at once; nothing more is read until the frames in it are done."""
_FRAMES_AT_ONCE = 16
"""Most frames carried out before other tasks of the event loop run."""
_DROPS_PER_PAUSE = 256
_PAUSE_S = 0.02
"""[s] How long a client is not read from after each `_DROPS_PER_PAUSE` packets or messages that had
to be dropped: bounds the work that it causes. Its queue in the system then fills up, not ours."""


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """What one connection may take."""

    idle_s: float = 600.0
    """[s] Without a byte, unless it has a lease."""
    frame_s: float = 10.0
    """[s] From the first byte of a frame to its last."""
    stuck_s: float = 10.0
    """[s] With a full send buffer, or with unsent answers after the end."""
    jobs_s: float = 30.0
    """[s] For the answers of background jobs after the client has ended its side."""
    send_buffer: int = 1 << 16
    """[bytes] Above it answers are dropped and feedback waits; besides what the system holds."""


class Connection(asyncio.BufferedProtocol):
    """One client of the TCP port. Thread: control."""

    sender: Sender
    """Where answers are sent; set by `open`."""

    def __init__(
        self,
        receiver: Receiver,
        limits: ConnectionLimits,
        *,
        accept: "Callable[[Connection, tuple[str, int]], bool]",
        ended: "Callable[[Connection], None]",
        has_jobs: Callable[[Sender], bool],
    ) -> None:
        """`accept`: whether a new connection from this address is served; it then calls `open`.

        `ended` is called once for every connection that was accepted.
        """
        self._receiver = receiver
        self._limits = limits
        self._accept = accept
        self._ended = ended
        self._has_jobs = has_jobs
        self._transport: asyncio.Transport | None = None
        self._is_open = False
        self._piece = bytearray(_PIECE)
        self._reader = FrameReader(MAX_FRAME)
        self._frames: deque[bytes] = deque()
        self._drops = 0
        """Dropped since the last pause."""
        self._heard_s = time.monotonic()
        self._frame_s: float | None = None
        """When the frame began that is not complete."""
        self._stuck_s: float | None = None
        """When the send buffer became full."""
        self._eof_s: float | None = None
        """When the client ended its side."""
        self._closed_s: float | None = None
        """When `close` was called."""

    def open(self, address: Address, port: int) -> None:
        """Begin to serve the client."""
        self._is_open = True
        self.sender = self._receiver.sender(
            self._send, address, port, is_connected=True, is_busy=lambda: self._is_full
        )

    @property
    def is_half_closed(self) -> bool:
        """Whether the client has ended its side, and only waits for answers."""
        return self._eof_s is not None

    def close(self) -> None:
        """End the connection when the answers in the send buffer have been sent."""
        if self._transport is not None and self._closed_s is None:
            self._closed_s = time.monotonic()
            self._transport.close()

    def abort(self) -> None:
        """End the connection at once."""
        self._frames.clear()
        if self._transport is not None:
            self._transport.abort()

    def check(self, now: float, has_lease: bool) -> None:
        """End the connection where a time has run out."""
        limits = self._limits
        if self._closed_s is not None:
            if now - self._closed_s > limits.stuck_s:
                self.abort()
        elif self._stuck_s is not None and now - self._stuck_s > limits.stuck_s:
            self._cut_off("its client does not read")
        elif self._frame_s is not None and now - self._frame_s > limits.frame_s:
            self._cut_off("a frame was not completed")
        elif self._eof_s is not None:
            if now - self._eof_s > limits.jobs_s or not self._has_jobs(self.sender):
                self.close()
        elif now - self._heard_s > limits.idle_s and not has_lease:
            self.close()

    # --- called by asyncio -----------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Serve the client, or end the connection without a byte."""
        self._transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername")
        # There is no peer where the connection has ended before it was accepted.
        if not peer or not self._accept(self, (peer[0], peer[1])):
            self.abort()
            return
        self._transport.set_write_buffer_limits(high=self._limits.send_buffer)

    def get_buffer(self, sizehint: int) -> bytearray:
        """Return where the next bytes are put."""
        return self._piece

    def buffer_updated(self, nbytes: int) -> None:
        """Receive the bytes that have been put into the buffer."""
        if not self._is_open:
            return
        now = self._heard_s = time.monotonic()
        frames = self._reader.feed(bytes(self._piece[:nbytes]))
        if not self._reader.has_partial_frame:
            self._frame_s = None
        elif frames or self._frame_s is None:
            self._frame_s = now
        self._frames += frames
        self._work()

    def eof_received(self) -> bool:
        """Keep the connection for the answers of background jobs, if there are any."""
        self._eof_s = time.monotonic()
        self._frame_s = None
        if self._is_open:
            if self._reader.has_partial_frame:
                self._drop("the connection ended within a frame")
            if not self._has_jobs(self.sender):
                self.close()
        return True

    def pause_writing(self) -> None:
        """Remember since when the send buffer is full."""
        self._stuck_s = time.monotonic()

    def resume_writing(self) -> None:
        """Note that the send buffer has room again."""
        self._stuck_s = None

    def connection_lost(self, exc: Exception | None) -> None:
        """End everything that belongs to the connection."""
        self._frames.clear()
        if self._is_open:
            self._is_open = False
            self._ended(self)

    # --- frames ----------------------------------------------------------------------------------

    def _work(self) -> None:
        """Carry out some frames; nothing is read until there are none left."""
        transport = self._transport
        assert transport is not None
        counters = self._receiver.counters
        dropped = counters.dropped
        for _ in range(min(_FRAMES_AT_ONCE, len(self._frames))):
            self._receiver.receive(self._frames.popleft(), self.sender, limit=MAX_FRAME)
            if transport.is_closing():
                return
        loop = asyncio.get_running_loop()
        self._drops += counters.dropped - dropped
        if self._drops >= _DROPS_PER_PAUSE:
            self._drops = 0
            transport.pause_reading()
            loop.call_later(_PAUSE_S, self._resume)
        elif self._frames:
            transport.pause_reading()
            loop.call_soon(self._resume)
        elif self._reader.error:
            self._cut_off(self._reader.error)
        else:
            transport.resume_reading()

    def _resume(self) -> None:
        if self._is_open and self._transport is not None and not self._transport.is_closing():
            self._work()

    def _cut_off(self, reason: str) -> None:
        self._drop(reason)
        self.abort()

    def _drop(self, reason: str) -> None:
        self._receiver.drop("osc.cut_off", source=self.sender.source.client, reason=reason)

    # --- answers ---------------------------------------------------------------------------------

    @property
    def _is_full(self) -> bool:
        transport = self._transport
        return transport is not None and (
            transport.get_write_buffer_size() > self._limits.send_buffer
        )

    def _send(self, packet: bytes) -> None:
        transport = self._transport
        if transport is None or transport.is_closing() or self._is_full:
            return
        transport.write(frame(packet, self._reader.framing or Framing.LENGTH))
