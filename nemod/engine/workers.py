"""The control plane's handles on its two child processes: the audio plane and the foundry.

Both are started as fresh interpreters (what multiprocessing calls `spawn`, without its resource
tracker), and both end by themselves when the control plane is gone: they see their socket close.
"""

import asyncio
import fcntl
import os
import socket
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nemod import xla
from nemod.engine.link import (
    FRAME_HEAD_BYTES,
    MAX_FRAME_BYTES,
    REPORT_BYTES,
    Built,
    DeviceRequest,
    Order,
    PlaneArguments,
    Play,
    Refused,
    Report,
    Stop,
    decode_reports,
    encode_frame,
    encode_settings,
    frame_length,
    write_whole,
)

TAPE_PIPE_BYTES = 1 << 20
"""[bytes] Room for seconds of sound, so that a slow disk costs no sample."""


class _Child:
    """A child process with a framed socket to it. Thread: control (asyncio)."""

    def __init__(self) -> None:
        self.process: asyncio.subprocess.Process | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._reader: asyncio.StreamReader | None = None

    async def _start(
        self, module: str, argument: Callable[[int], str], theirs: Iterable[int] = ()
    ) -> None:
        ours, link = socket.socketpair()
        passed = (link.fileno(), *theirs)
        self.process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            module,
            argument(link.fileno()),
            pass_fds=passed,
            stdin=asyncio.subprocess.DEVNULL,
            env={**os.environ, **xla.ENVIRONMENT},
            # A Ctrl-C at the terminal is for the control plane, which stops its children in order.
            start_new_session=True,
        )
        link.close()
        for fd in theirs:
            os.close(fd)
        self._reader, self._writer = await asyncio.open_connection(sock=ours)

    async def _send(self, value: object) -> None:
        if self._writer is None:
            raise ConnectionError("the process is not running")
        self._writer.write(encode_frame(value))
        await self._writer.drain()

    async def _receive(self) -> Any:
        """Return the next value. Raises: EOFError when the process is gone."""
        import pickle

        if self._reader is None:
            raise EOFError
        try:
            length = frame_length(await self._reader.readexactly(FRAME_HEAD_BYTES))
            if length > MAX_FRAME_BYTES:
                raise EOFError(f"a frame of {length} bytes: the stream is damaged")
            return pickle.loads(await self._reader.readexactly(length))
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise EOFError from error

    async def _end(self, patience_s: float) -> int | None:
        """Wait for the process to end, else kill it; return its exit status."""
        if self._writer is not None:
            self._writer.close()
            with suppress(ConnectionError):
                await self._writer.wait_closed()
            self._writer = self._reader = None
        if self.process is None:
            return None
        try:
            await asyncio.wait_for(self.process.wait(), patience_s)
        except TimeoutError:
            with suppress(ProcessLookupError):
                self.process.kill()
            await self.process.wait()
        status = self.process.returncode
        self.process = None
        return status


class AudioPlane(_Child):
    """The audio plane as the control plane sees it."""

    def __init__(self, on_report: Callable[[Report], None]) -> None:
        """`on_report` is called for every report, on the control thread."""
        super().__init__()
        self._on_report = on_report
        self._settings_fd = self._report_fd = -1
        self.tape_fd = -1
        """Read end of the tape: float32 frames from the first that a rig played; -1 without."""
        self._waiting: dict[int, bytes] = {}
        self._partial = b""

    async def start(self, request: DeviceRequest, *, tape: bool = False) -> None:
        """Start the process; `events` then tells whether the device opened."""
        settings_r, self._settings_fd = os.pipe()
        self._report_fd, report_w = os.pipe()
        tape_w = -1
        if tape:
            self.tape_fd, tape_w = os.pipe()
            # The largest that an unprivileged process may have; a smaller one works too.
            with suppress(OSError):
                fcntl.fcntl(self.tape_fd, fcntl.F_SETPIPE_SZ, TAPE_PIPE_BYTES)
        for fd in (self._settings_fd, self._report_fd):
            os.set_blocking(fd, False)

        def argument(link_fd: int) -> str:
            return PlaneArguments(
                request=request,
                link_fd=link_fd,
                settings_fd=settings_r,
                report_fd=report_w,
                tape_fd=tape_w,
            ).to_json()

        theirs = [fd for fd in (settings_r, report_w, tape_w) if fd >= 0]
        await self._start("nemod.engine.plane", argument, theirs)
        asyncio.get_running_loop().add_reader(self._report_fd, self._read_reports)

    async def next_event(self) -> Any:
        """Return the next of `Opened`, `DeviceFailed`, `RigFailed`.

        Raises: EOFError when the process is gone.
        """
        return await self._receive()

    async def play(self, rig_id: int, rig: bytes) -> None:
        """Hand a rig down; the reports tell when it is heard."""
        await self._send(Play(rig_id, rig))

    def send_settings(self, rig_id: int, controls: NDArray[np.float32]) -> None:
        """Send a whole snapshot; where the pipe is full the newest one waits here."""
        record = encode_settings(rig_id, controls)
        if self._settings_fd < 0:
            return
        if not self._waiting:
            try:
                if write_whole(self._settings_fd, record):
                    return
            except BrokenPipeError:
                return
            asyncio.get_running_loop().add_writer(self._settings_fd, self._flush_settings)
        self._waiting[rig_id] = record

    def _flush_settings(self) -> None:
        try:
            for rig_id in list(self._waiting):
                if not write_whole(self._settings_fd, self._waiting[rig_id]):
                    return
                del self._waiting[rig_id]
        except BrokenPipeError:
            self._waiting.clear()
        asyncio.get_running_loop().remove_writer(self._settings_fd)

    def _read_reports(self) -> None:
        try:
            data = self._partial + os.read(self._report_fd, 1 << 16)
        except BlockingIOError:
            return
        if len(data) == len(self._partial):
            asyncio.get_running_loop().remove_reader(self._report_fd)
            return
        whole = len(data) - len(data) % REPORT_BYTES
        self._partial = data[whole:]
        for report in decode_reports(data[:whole]):
            self._on_report(report)

    async def end(self) -> str:
        """Return how the process ended, in words, once it has."""
        if self.process is None:
            return "it was stopped"
        status = await self.process.wait()
        return f"killed by signal {-status}" if status < 0 else f"exit status {status}"

    async def stop(self, patience_s: float = 1.5) -> int | None:
        """Fade out and end the process; return its exit status."""
        with suppress(ConnectionError, OSError):
            await self._send(Stop())
        status = None
        if self.process is not None:
            # The socket stays open until the fade is over: its end would mean an orphan's 3 s.
            with suppress(TimeoutError):
                await asyncio.wait_for(self.process.wait(), patience_s)
            status = await self._end(0.1)
        loop = asyncio.get_running_loop()
        if self._settings_fd >= 0:
            loop.remove_writer(self._settings_fd)
            os.close(self._settings_fd)
        if self._report_fd >= 0:
            loop.remove_reader(self._report_fd)
            os.close(self._report_fd)
        self._settings_fd = self._report_fd = -1
        return status


class Foundry(_Child):
    """The foundry as the control plane sees it: one order at a time."""

    async def start(self) -> None:
        """Start the process; it takes orders at once and answers when it is up."""
        await self._start("nemod.engine.foundry", str)

    async def build(self, order: Order) -> Built | Refused:
        """Have a rig made. A foundry that died is started again, once, for this order."""
        for _ in range(2):
            if self.process is None or self.process.returncode is not None:
                await self._end(0.0)
                await self.start()
            try:
                await self._send(order)
                while True:
                    answer: Built | Refused = await self._receive()
                    if answer.order_id == order.order_id:
                        return answer
            except (EOFError, ConnectionError):
                await self._end(1.0)
        reason = f"{order.path}: the foundry died twice over it"
        return Refused(order_id=order.order_id, reason=reason)

    async def stop(self) -> None:
        """End the process."""
        await self._end(0.5)
