"""Handles of the daemon's child processes: the audio process and the builder.

Both are started as fresh interpreters (what multiprocessing calls `spawn`, without its resource
tracker), and both end by themselves when the daemon has ended: they see their socket close.
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
    INPUT_ID,
    MAX_FRAME_BYTES,
    PANIC_ID,
    TELEMETRY_BYTES,
    AudioProcessArguments,
    OpenDevice,
    PlayRig,
    PrepareRig,
    StopProcess,
    TelemetryRecord,
    decode_telemetry,
    encode_frame,
    encode_input_stream,
    encode_panic,
    encode_settings,
    frame_length,
    write_whole,
)

log = structlog.get_logger("nemod")

KILL_S = 1.0
"""[s] How long a killed process is waited for."""
CHECK_S = 0.5
"""[s] How often the builder's progress is checked."""


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
                # Ctrl-C at the terminal is for the daemon, which stops its children in order.
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
        """Return the next value. Raises: EOFError when the process has ended."""
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

    @property
    def pid(self) -> int:
        """The process id; 0 when it was not started or has been waited for."""
        return self.process.pid if self.process is not None else 0

    @property
    def is_running(self) -> bool:
        """Whether the process was started and has not ended."""
        return self.process is not None and self.process.returncode is None

    def kill(self) -> None:
        """Kill the process, also one that was stopped by a signal."""
        if self.process is not None and self.process.returncode is None:
            # Not `process.kill`, which may collect the exit status before asyncio does.
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
            # A process blocked in a driver ends when the driver returns.
            with suppress(TimeoutError):
                await asyncio.wait_for(self.process.wait(), KILL_S)
        status = self.process.returncode
        self.process = None
        return status


class AudioProcess(_Child):
    """An audio process: ready and waiting, then playing, then ended."""

    def __init__(self, on_record: Callable[[TelemetryRecord], None]) -> None:
        """`on_record` is called for every telemetry record, on the control thread."""
        super().__init__()
        self._on_record = on_record
        self._settings_fd = self._telemetry_fd = -1
        self._partial = b""
        self._waiting: dict[int, bytes] = {}
        self._events: asyncio.Queue[Any] = asyncio.Queue()
        self._pump: asyncio.Task[None] | None = None
        self.rig_id = 0
        """The rig that was sent last."""

    async def start(self, recording_fd: int = -1, input_fd: int = -1) -> None:
        """Start the process.

        `recording_fd`: where it writes its output, -1 for nowhere; `input_fd`: its input, while
        `stream_input` is on.

        Raises: OSError when the system has no processes or descriptors left.
        """
        settings_r, self._settings_fd = os.pipe()
        self._telemetry_fd, telemetry_w = os.pipe()
        recording_w, input_w = (os.dup(fd) if fd >= 0 else -1 for fd in (recording_fd, input_fd))
        for fd in (self._settings_fd, self._telemetry_fd):
            os.set_blocking(fd, False)

        def argument(link_fd: int) -> str:
            return AudioProcessArguments(
                link_fd=link_fd,
                settings_fd=settings_r,
                telemetry_fd=telemetry_w,
                recording_fd=recording_w,
                input_fd=input_w,
            ).to_json()

        theirs = [fd for fd in (settings_r, telemetry_w, recording_w, input_w) if fd >= 0]
        await self._start("nemod.engine.process", argument, theirs)
        asyncio.get_running_loop().add_reader(self._telemetry_fd, self.read_telemetry)
        self._pump = asyncio.create_task(self._gather(), name="events of the audio process")

    async def next_event(self) -> Any:
        """Return the next of `ProcessReady`, `DeviceOpened`, `DeviceFailed`, `RigFailed`.

        Raises: EOFError when the process has ended.
        """
        event = await self._events.get()
        if event is None:
            self._events.put_nowait(None)
            raise EOFError("the audio process has ended")
        return event

    async def _gather(self) -> None:
        """Queue the events, so that waiting for one can be cancelled."""
        with suppress(EOFError):
            while True:
                self._events.put_nowait(await self._receive())
        self._events.put_nowait(None)

    async def play(self, rig: PlayRig) -> None:
        """Send a rig; telemetry shows when it is heard. A standby process only loads it.

        Raises: ConnectionError.
        """
        self.rig_id = rig.rig_id
        await self._send(rig)

    async def prepare(self, rig: PrepareRig) -> None:
        """Have the programs of a rig loaded, before it is played. Raises: ConnectionError."""
        await self._send(rig)

    async def open_device(self, message: OpenDevice) -> None:
        """Tell it to open the device. Raises: ConnectionError."""
        await self._send(message)

    def send_settings(self, rig_id: int, controls: NDArray[np.float32]) -> None:
        """Send a whole snapshot; while the pipe is full the newest one waits here."""
        self._send_record(rig_id, encode_settings(rig_id, controls))

    def panic(self) -> None:
        """Have the sound faded out and all effects emptied, after the settings sent so far."""
        self._send_record(PANIC_ID, encode_panic())

    def stream_input(self, *, is_on: bool) -> None:
        """Start or stop the stream of the input."""
        self._send_record(INPUT_ID, encode_input_stream(is_on=is_on))

    def _send_record(self, rig_id: int, record: bytes) -> None:
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

    def read_telemetry(self) -> None:
        """Pass on the telemetry records that have arrived."""
        if self._telemetry_fd < 0:
            return
        try:
            data = self._partial + os.read(self._telemetry_fd, 1 << 16)
        except BlockingIOError:
            return
        if len(data) == len(self._partial):
            asyncio.get_running_loop().remove_reader(self._telemetry_fd)
            return
        whole = len(data) - len(data) % TELEMETRY_BYTES
        self._partial = data[whole:]
        for record in decode_telemetry(data[:whole]):
            self._on_record(record)

    async def stop(self, patience_s: float = 1.2) -> None:
        """Fade out and end the process; it is killed if that takes longer than `patience_s`."""
        with suppress(ConnectionError, OSError, TimeoutError):
            await asyncio.wait_for(self._send(StopProcess()), patience_s)
        if self.process is not None:
            # The socket stays open until the fade is over: closed, it means that the daemon has
            # ended, and the process would play on for 3 s.
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
        if self._telemetry_fd >= 0:
            loop.remove_reader(self._telemetry_fd)
            os.close(self._telemetry_fd)
        self._settings_fd = self._telemetry_fd = -1
        return status or 0


class BuilderProcess(_Child):
    """The builder: one request at a time."""

    async def start(self) -> None:
        """Start the process; it accepts requests at once and answers when it is ready."""
        await self._start("nemod.builder.process", str)

    async def build(self, request: BuildRequest) -> BuildResult | BuildFailure:
        """Build a rig. A builder that has ended or hangs is restarted, once for each request."""
        for _ in range(2):
            try:
                if not self.is_running:
                    await self._end(0.0)
                    await self.start()
                return await self._answer(request)
            except (EOFError, OSError) as error:
                log.warning("builder restarted", reason=str(error) or "it has ended")
                self.kill()
                await self._end(1.0)
        files = ", ".join(request.files.values()) or "the rig without files"
        reason = f"{files}: the builder ended or hung twice while building it"
        return BuildFailure(request_id=request.request_id, reason=reason)

    async def _answer(self, request: BuildRequest) -> BuildResult | BuildFailure:
        """Return the answer to a request.

        Raises: EOFError when the process has ended or makes no progress, OSError.
        """
        assert self.process is not None
        watchdog = ProgressWatchdog(self.process.pid)
        exchange = asyncio.create_task(self._exchange(request))
        try:
            while not exchange.done():
                await asyncio.wait({exchange}, timeout=CHECK_S)
                reason = "" if exchange.done() else watchdog.problem()
                if reason:
                    raise EOFError(reason)
            return exchange.result()
        finally:
            exchange.cancel()

    async def _exchange(self, request: BuildRequest) -> BuildResult | BuildFailure:
        await self._send(request)
        while True:
            answer: BuildResult | BuildFailure = await self._receive()
            if answer.request_id == request.request_id:
                return answer

    async def stop(self) -> None:
        """End the process."""
        await self._end(0.5)
