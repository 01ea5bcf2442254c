"""Audio planes that are warm before they are needed. Thread: control.

A spare has jax and the current rig loaded and only needs to open the device: sound is back in a
few tenths of a second. Without one a new process is started when it is needed, which takes as long
as importing jax does.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress

import structlog

from nemod.common.errors import AudioError
from nemod.common.procinfo import memory_bytes, process_info
from nemod.daemon.child_processes import AudioProcess
from nemod.engine.ipc import PlayRig, TelemetryRecord

READY_LIMIT_S = 120.0
"""[s] How long an audio plane may take to get warm: a small board with a slow card."""
RIG_S = 1.0
"""[s] How often it is looked whether the spare has the rig that plays."""
TRIES_AT_FIRST = 3
"""Audio planes in a row that may fail to start."""
FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 5.0
"""[s] From one that failed to start to the next; doubled every time."""
LONG_ENOUGH_S = 60.0
"""[s] A spare that has lived this long has not died over the rig: the next death is the first."""
MEMORY_BYTES = 1_800_000_000
"""[bytes] A machine with less has no spare unless it is asked for: boards that are sold with 1 GB
have less than this, those with 2 GB have more."""

log = structlog.get_logger("nemod")


def wants_spare(wish: bool | None) -> bool:
    """Return whether there is to be a spare; None is what suits the machine."""
    return memory_bytes() >= MEMORY_BYTES if wish is None else wish


def is_stopped(plane: AudioProcess) -> bool:
    """Return whether somebody has stopped its process by a signal."""
    found = process_info(plane.process.pid) if plane.process is not None else None
    return found is not None and found.is_stopped


def _is_fit(plane: AudioProcess) -> bool:
    """Return whether a spare lives and can answer."""
    process = plane.process
    return process is not None and process.returncode is None and not is_stopped(plane)


class AudioProcessPool:
    """Starts audio planes, keeps one in reserve, and knows all that live."""

    def __init__(
        self,
        rig: Callable[[], PlayRig | None],
        on_report: Callable[[AudioProcess, TelemetryRecord], None],
        *,
        spare: bool,
        tape_w: int,
    ) -> None:
        """`rig` returns what plays; `spare`: whether `tend` keeps one in reserve."""
        self._rig = rig
        self._on_report = on_report
        self._keeps_spare = spare
        self._tape_w = tape_w
        self._living: set[AudioProcess] = set()
        self._next: asyncio.Task[AudioProcess] | None = None
        self._due = 0.0
        self._failed = 0
        self._made_at = 0.0
        self._small_work: asyncio.Task[None] | None = None

    async def take(self, *, at_first: bool) -> AudioProcess:
        """Return the spare, or a new audio plane.

        Raises: AudioError when none can be had `at_first`; later it goes on trying.
        """
        tries = 0
        while True:
            self.prepare()
            task, self._next = self._next, None
            assert task is not None
            try:
                plane = await task
                if _is_fit(plane):
                    return plane
                await self.end(plane)
            except (EOFError, OSError, TimeoutError) as error:
                tries += 1
                reason = str(error) or type(error).__name__
                if at_first and tries >= TRIES_AT_FIRST:
                    raise AudioError(f"the process that plays does not start: {reason}") from None
                log.warning("the audio process does not start", reason=reason)
                await asyncio.sleep(min(FIRST_WAIT_S * 2**tries, LONGEST_WAIT_S))

    def prepare(self) -> None:
        """Begin to start an audio plane, unless one is on its way already."""
        if self._next is None:
            self._next = asyncio.create_task(self._make())

    async def end(self, plane: AudioProcess) -> None:
        """End an audio plane at once."""
        self._living.discard(plane)
        with suppress(OSError):
            await plane.discard()

    def detach(self, plane: AudioProcess) -> None:
        """Leave the end of an audio plane to the caller."""
        self._living.discard(plane)

    async def end_all(self) -> None:
        """End every one that lives."""
        if self._next is not None:
            self._next.cancel()
            await asyncio.wait({self._next})
            if not self._next.cancelled():
                self._next.exception()  # looked at, or asyncio would tell of it
        await asyncio.gather(*(self.end(plane) for plane in list(self._living)))

    async def _make(self) -> AudioProcess:
        """Return a warm audio plane. Raises: EOFError, OSError, TimeoutError."""
        began = time.monotonic()
        plane = AudioProcess(lambda report: self._on_report(plane, report))
        self._made_at = began
        self._living.add(plane)
        try:
            await plane.start(self._tape_w)
            await asyncio.wait_for(plane.next_event(), READY_LIMIT_S)
            order = self._rig()
            if order is not None:
                await asyncio.wait_for(plane.play(order), READY_LIMIT_S)
        except BaseException:
            await self.end(plane)
            raise
        log.debug("an audio process is warm", seconds=round(time.monotonic() - began, 2))
        return plane

    # --- the one in reserve ----------------------------------------------------------------------

    def maintain_standby(self) -> None:
        """Have a spare made where there is none, replace one that died, and give it the rig.

        To be called often while an audio plane plays.
        """
        now = time.monotonic()
        if not self._keeps_spare or now < self._due:
            return
        if self._next is None:
            self.prepare()
        elif self._next.done():
            if self._next.cancelled() or self._next.exception() is not None:
                self._drop(now)
            elif not _is_fit(plane := self._next.result()):
                self._drop(now, plane)
            else:
                self._due = now + RIG_S
                if now - self._made_at > LONG_ENOUGH_S:
                    self._failed = 0
                self._give_rig(plane)

    def _drop(self, now: float, plane: AudioProcess | None = None) -> None:
        self._next = None
        self._failed += 1
        # A rig that kills spares must not keep a small machine busy for ever.
        self._due = now + min(2.0**self._failed, 60.0)
        log.warning("the spare audio process has ended, another follows", count=self._failed)
        if plane is not None:
            self._small_work = asyncio.create_task(self.end(plane))

    def _give_rig(self, plane: AudioProcess) -> None:
        order = self._rig()
        if order is None or order.rig_id == plane.rig_id:
            return
        if self._small_work is None or self._small_work.done():
            self._small_work = asyncio.create_task(_hand_over(plane, order))


async def _hand_over(plane: AudioProcess, order: PlayRig) -> None:
    with suppress(ConnectionError):
        await plane.play(order)
