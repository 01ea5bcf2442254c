"""The standby process: an audio process that is ready before it is needed. Thread: control.

It has loaded jax and the current rig and only needs to open the device: sound is back in a few
tenths of a second. Without it a new process is started when it is needed, which takes as long as
importing jax does.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import structlog

from nemod.common.errors import AudioError
from nemod.common.procinfo import PROC, memory_bytes, process_info
from nemod.daemon.child_processes import AudioProcess
from nemod.engine.ipc import PlayRig, TelemetryRecord

READY_LIMIT_S = 120.0
"""[s] Longest time from the start of an audio process until it is ready, on a small board."""
RIG_S = 1.0
"""[s] How often the standby process is given the current rig."""
TRIES_AT_FIRST = 3
"""Most audio processes in a row that may fail to start."""
FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 5.0
"""[s] Between two attempts to start one; doubled each time."""
LONG_ENOUGH_S = 60.0
"""[s] A standby process that has lived this long is healthy: failures are counted from 0 again."""
MEMORY_BYTES = 1_800_000_000
"""[bytes] Below this there is no standby process unless the configuration asks for it: boards that
are sold with 1 GB have less, those with 2 GB have more."""

log = structlog.get_logger("nemod")


def wants_standby(wish: bool | None, proc: Path = PROC) -> bool:
    """Return whether to keep a standby process; None decides by the machine's memory."""
    if wish is not None:
        return wish
    memory = memory_bytes(proc)
    if memory >= MEMORY_BYTES:
        return True
    log.info(
        "no standby process: a fault takes a second or more to recover from; --standby keeps one",
        memory_mb=memory // 1_000_000,
    )
    return False


def is_stopped(process: AudioProcess) -> bool:
    """Return whether its process was stopped by a signal (SIGSTOP)."""
    found = process_info(process.pid) if process.pid else None
    return found is not None and found.is_stopped


def _is_usable(process: AudioProcess) -> bool:
    """Return whether a process runs and can answer."""
    return process.is_running and not is_stopped(process)


class AudioProcessPool:
    """Starts audio processes, keeps one on standby, and knows all that run."""

    def __init__(
        self,
        rig: Callable[[], PlayRig | None],
        on_report: Callable[[AudioProcess, TelemetryRecord], None],
        *,
        standby: bool,
        recording_w: int,
        input_w: int,
    ) -> None:
        """`rig` returns the current rig. `recording_w`, `input_w`: see `AudioProcess.start`."""
        self._rig = rig
        self._on_report = on_report
        self._keeps_standby = standby
        self._recording_w = recording_w
        self._input_w = input_w
        self._running: set[AudioProcess] = set()
        self._next: asyncio.Task[AudioProcess] | None = None
        self._due = 0.0
        self._failed = 0
        self._made_at = 0.0
        self._task: asyncio.Task[None] | None = None

    async def take(self, *, at_first: bool) -> AudioProcess:
        """Return the standby process, or a new one.

        Raises: AudioError when none can be started `at_first`; later it goes on trying.
        """
        tries = 0
        while True:
            self.prepare()
            task, self._next = self._next, None
            assert task is not None
            try:
                process = await task
                if _is_usable(process):
                    return process
                await self.end(process)
            except (EOFError, OSError, TimeoutError) as error:
                tries += 1
                reason = str(error) or type(error).__name__
                if at_first and tries >= TRIES_AT_FIRST:
                    raise AudioError(f"the audio process does not start: {reason}") from None
                log.warning("audio process does not start", reason=reason)
                await asyncio.sleep(min(FIRST_WAIT_S * 2**tries, LONGEST_WAIT_S))

    def prepare(self) -> None:
        """Begin to start an audio process, unless one is being started already."""
        if self._next is None:
            self._next = asyncio.create_task(self._make())

    async def end(self, process: AudioProcess) -> None:
        """End an audio process at once."""
        self._running.discard(process)
        with suppress(OSError):
            await process.discard()

    def detach(self, process: AudioProcess) -> None:
        """Leave the end of an audio process to the caller."""
        self._running.discard(process)

    async def end_all(self) -> None:
        """End all that run."""
        if self._next is not None:
            self._next.cancel()
            await asyncio.wait({self._next})
            if not self._next.cancelled():
                self._next.exception()  # retrieved, or asyncio would log it
        await asyncio.gather(*(self.end(process) for process in list(self._running)))

    async def _make(self) -> AudioProcess:
        """Return an audio process that is ready. Raises: EOFError, OSError, TimeoutError."""
        began = time.monotonic()
        process = AudioProcess(lambda record: self._on_report(process, record))
        self._made_at = began
        self._running.add(process)
        try:
            await process.start(self._recording_w, self._input_w)
            await asyncio.wait_for(process.next_event(), READY_LIMIT_S)
            rig = self._rig()
            if rig is not None:
                await asyncio.wait_for(process.play(rig), READY_LIMIT_S)
        except BaseException:
            await self.end(process)
            raise
        log.debug("audio process ready", seconds=round(time.monotonic() - began, 2))
        return process

    # --- the standby process ---------------------------------------------------------------------

    def maintain_standby(self) -> None:
        """Start a standby process where there is none, replace one that ended, send it the rig.

        To be called often while an audio process plays.
        """
        now = time.monotonic()
        if not self._keeps_standby or now < self._due:
            return
        if self._next is None:
            self.prepare()
        elif self._next.done():
            if self._next.cancelled() or self._next.exception() is not None:
                self._drop(now)
            elif not _is_usable(process := self._next.result()):
                self._drop(now, process)
            else:
                self._due = now + RIG_S
                if now - self._made_at > LONG_ENOUGH_S:
                    self._failed = 0
                self._send_rig(process)

    def _drop(self, now: float, process: AudioProcess | None = None) -> None:
        self._next = None
        self._failed += 1
        # A rig that crashes standby processes must not keep a small machine busy for ever.
        self._due = now + min(2.0**self._failed, 60.0)
        log.warning("standby process ended, another is started", count=self._failed)
        if process is not None:
            self._task = asyncio.create_task(self.end(process))

    def _send_rig(self, process: AudioProcess) -> None:
        rig = self._rig()
        if rig is None or rig.rig_id == process.rig_id:
            return
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(_send(process, rig))


async def _send(process: AudioProcess, rig: PlayRig) -> None:
    with suppress(ConnectionError):
        await process.play(rig)
