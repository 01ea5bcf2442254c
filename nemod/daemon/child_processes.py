"""The control plane's handles on its two child processes: the audio plane and the foundry.

Both are started as fresh interpreters (what multiprocessing calls `spawn`, without its resource
tracker), and both end by themselves when the control plane is gone: they see their socket close.
"""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

import numpy as np
import structlog
from numpy.typing import NDArray

from nemod.builder.messages import BuildFailure, BuildRequest, BuildResult
from nemod.common import xla
from nemod.daemon.progress_watchdog import ProgressWatchdog
from nemod.engine.ipc import (
    FRAME_HEAD_BYTES,
    MAX_FRAME_BYTES,
    TELEMETRY_BYTES,
    AudioProcessArguments,
    OpenDevice,
    PlayRig,
    StopProcess,
    TelemetryRecord,
    decode_telemetry,
    encode_frame,
    encode_settings,
    frame_length,
    write_whole,
)

log = structlog.get_logger("nemod")

KILL_S = 1.0
"""[s] How long a killed process may take to be gone before nobody waits for it any more."""
LOOK_S = 0.5
"""[s] How often the foundry is looked at while it works."""


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
        try:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                module,
                argument(link.fileno()),
                pass_fds=passed,
                stdin=asyncio.subprocess.DEVNULL,
                env={**os.environ, **xla.ENVIRONMENT},
                # A Ctrl-C at the terminal is for the control plane, which stops its children in
                # order.
                start_new_session=True,
            )
        except BaseException:
            ours.close()
            raise
        finally:
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

    def kill(self) -> None:
        """End the process at once, even one that was stopped; what follows is up to `_end`."""
        if self.process is not None and self.process.returncode is None:
            # Not `process.kill`, which may fetch the exit status from under asyncio.
            with suppress(ProcessLookupError):
                os.kill(self.process.pid, signal.SIGKILL)

    async def _end(self, patience_s: float) -> int | None:
        """Wait for the process to end, else kill it; return its exit status."""
        if self._writer is not None:
            self._writer.close()
            with suppress(ConnectionError, TimeoutError):
                await asyncio.wait_for(self._writer.wait_closed(), KILL_S)
            self._writer = self._reader = None
        if self.process is None:
            return None
        try:
            await asyncio.wait_for(self.process.wait(), patience_s)
        except TimeoutError:
            self.kill()
            # One that a driver holds in the kernel ends when that lets go of it.
            with suppress(TimeoutError):
                await asyncio.wait_for(self.process.wait(), KILL_S)
        status = self.process.returncode
        self.process = None
        return status


class AudioProcess(_Child):
    """An audio plane as the control plane sees it: warm and waiting, then playing, then gone."""

    def __init__(self, on_report: Callable[[TelemetryRecord], None]) -> None:
        """`on_report` is called for every report, on the control thread."""
        super().__init__()
        self._on_report = on_report
        self._settings_fd = self._report_fd = -1
        self._partial = b""
        self._waiting: dict[int, bytes] = {}
        self._events: asyncio.Queue[Any] = asyncio.Queue()
        self._pump: asyncio.Task[None] | None = None
        self.rig_id = 0
        """The rig that was handed down last."""

    async def start(self, tape_fd: int = -1) -> None:
        """Start the process. `tape_fd`: where it is to write what is heard, -1 for nowhere.

        Raises: OSError when the system has no more processes or descriptors.
        """
        settings_r, self._settings_fd = os.pipe()
        self._report_fd, report_w = os.pipe()
        tape_w = os.dup(tape_fd) if tape_fd >= 0 else -1
        for fd in (self._settings_fd, self._report_fd):
            os.set_blocking(fd, False)

        def argument(link_fd: int) -> str:
            return AudioProcessArguments(
                link_fd=link_fd,
                settings_fd=settings_r,
                telemetry_fd=report_w,
                recording_fd=tape_w,
            ).to_json()

        theirs = [fd for fd in (settings_r, report_w, tape_w) if fd >= 0]
        await self._start("nemod.engine.process", argument, theirs)
        asyncio.get_running_loop().add_reader(self._report_fd, self.read_reports)
        self._pump = asyncio.create_task(self._gather(), name="events of the audio plane")

    async def next_event(self) -> Any:
        """Return the next of `ProcessReady`, `DeviceOpened`, `DeviceFailed`, `RigFailed`.

        Raises: EOFError when the process is gone.
        """
        event = await self._events.get()
        if event is None:
            self._events.put_nowait(None)
            raise EOFError("the audio process has ended")
        return event

    async def _gather(self) -> None:
        """Queue the events, so that whoever waits for one may be cancelled."""
        with suppress(EOFError):
            while True:
                self._events.put_nowait(await self._receive())
        self._events.put_nowait(None)

    async def play(self, order: PlayRig) -> None:
        """Hand a rig down; the reports tell when it is heard. A spare only keeps it ready.

        Raises: ConnectionError.
        """
        self.rig_id = order.rig_id
        await self._send(order)

    async def take(self, take: OpenDevice) -> None:
        """Have it open the device. Raises: ConnectionError."""
        await self._send(take)

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

    def read_reports(self) -> None:
        """Pass on the reports that have come."""
        if self._report_fd < 0:
            return
        try:
            data = self._partial + os.read(self._report_fd, 1 << 16)
        except BlockingIOError:
            return
        if len(data) == len(self._partial):
            asyncio.get_running_loop().remove_reader(self._report_fd)
            return
        whole = len(data) - len(data) % TELEMETRY_BYTES
        self._partial = data[whole:]
        for report in decode_telemetry(data[:whole]):
            self._on_report(report)

    async def stop(self, patience_s: float = 1.2) -> None:
        """Fade out and end the process; one that does not is killed after `patience_s`."""
        with suppress(ConnectionError, OSError, TimeoutError):
            await asyncio.wait_for(self._send(StopProcess()), patience_s)
        if self.process is not None:
            # The socket stays open until the fade is over: its end would mean an orphan's 3 s.
            with suppress(TimeoutError):
                await asyncio.wait_for(self.process.wait(), patience_s)
        await self.discard()

    async def discard(self, patience_s: float = 0.0) -> int:
        """Kill the process if it still runs, and free everything; return its exit status."""
        if patience_s and self.process is not None:
            with suppress(TimeoutError):
                await asyncio.wait_for(self.process.wait(), patience_s)
        self.kill()
        if self._pump is not None:
            self._pump.cancel()
        status = await self._end(0.5)
        loop = asyncio.get_running_loop()
        if self._settings_fd >= 0:
            loop.remove_writer(self._settings_fd)
            os.close(self._settings_fd)
        if self._report_fd >= 0:
            loop.remove_reader(self._report_fd)
            os.close(self._report_fd)
        self._settings_fd = self._report_fd = -1
        return status or 0


class BuilderProcess(_Child):
    """The foundry as the control plane sees it: one order at a time."""

    async def start(self) -> None:
        """Start the process; it takes orders at once and answers when it is up."""
        await self._start("nemod.builder.process", str)

    async def build(self, order: BuildRequest) -> BuildResult | BuildFailure:
        """Have a rig made. A foundry that died or hangs is started again, once, for this order."""
        for _ in range(2):
            try:
                if self.process is None or self.process.returncode is not None:
                    await self._end(0.0)
                    await self.start()
                return await self._answer(order)
            except (EOFError, OSError) as error:
                log.warning("the foundry is started again", reason=str(error) or "it died")
                self.kill()
                await self._end(1.0)
        reason = f"{order.path}: the foundry died or hung twice over it"
        return BuildFailure(request_id=order.request_id, reason=reason)

    async def _answer(self, order: BuildRequest) -> BuildResult | BuildFailure:
        """Return the answer to an order.

        Raises: EOFError when the process is gone or makes no headway, OSError.
        """
        assert self.process is not None
        patience = ProgressWatchdog(self.process.pid)
        talk = asyncio.create_task(self._talk(order))
        try:
            while not talk.done():
                await asyncio.wait({talk}, timeout=LOOK_S)
                reason = "" if talk.done() else patience.lost()
                if reason:
                    raise EOFError(reason)
            return talk.result()
        finally:
            talk.cancel()

    async def _talk(self, order: BuildRequest) -> BuildResult | BuildFailure:
        await self._send(order)
        while True:
            answer: BuildResult | BuildFailure = await self._receive()
            if answer.request_id == order.request_id:
                return answer

    async def stop(self) -> None:
        """End the process."""
        await self._end(0.5)
