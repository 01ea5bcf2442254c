"""A second core for the rig that fades out, so that a crossfade takes no longer than one rig.

During a crossfade two rigs play the same block. The audio thread plays the new one; a thread with
the same priority plays the old one meanwhile. A program releases the interpreter lock while it
runs, so the two overlap on a machine with more than one core. The audio thread waits for the other
one until a deadline. What it then does without the old rig's block is in `nemod.engine.crossfade`.
"""

import os
import threading
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from nemod.engine.active_rig import ActiveRig, Played

Block = NDArray[np.float32]


def cores() -> int:
    """Return on how many cores this process may run."""
    try:
        return len(os.sched_getaffinity(0))
    except (AttributeError, OSError):
        return os.cpu_count() or 1


class SecondCore:
    """Plays blocks of one rig on a thread of its own. Thread: audio, unless stated.

    A rig that was given to `start` belongs to that thread until `is_free`: nothing else may touch
    it, however long that takes.
    """

    def __init__(
        self, block_shape: tuple[int, ...], *, on_start: Callable[[], object] = lambda: None
    ) -> None:
        """`block_shape`: of the sound. `on_start` is called on the thread, which then waits.

        Thread: helper. All memory is allocated here. `on_start` must not raise.
        """
        # Locks, because they wake a thread by one futex call and allocate nothing.
        self._wake, self._done = threading.Lock(), threading.Lock()
        self._wake.acquire()
        self._done.acquire()
        self._is_busy = self._is_closed = False
        self._rig: ActiveRig | None = None
        self._block: Block = np.zeros(block_shape[-1:], np.float32)
        self._sounds = [np.zeros(block_shape, np.float32) for _ in range(2)]
        """The block that is being played, and the one before it."""
        self._played: Played | None = None
        has_started = threading.Event()

        def run() -> None:
            on_start()
            has_started.set()
            self._run()

        self._thread = threading.Thread(target=run, name="nemod second core", daemon=True)
        self._thread.start()
        has_started.wait(5.0)

    @property
    def is_free(self) -> bool:
        """Whether the last rig was played to the end of its block."""
        if self._is_busy and self._done.acquire(blocking=False):
            self._is_busy = False
        return not self._is_busy

    @property
    def last_sound(self) -> Block:
        """The sound of the block before the one that was started last. Only until the next one."""
        return self._sounds[1]

    def begin(self, sound: Block) -> None:
        """Note what the rig has played last, before it is started for the first time."""
        np.copyto(self._sounds[0], sound)

    def start(self, rig: ActiveRig, block: Block) -> None:
        """Start to play a block; only while it is free."""
        self._sounds.reverse()
        # The device may reuse its block before a thread that is late has read it.
        np.copyto(self._block, block)
        self._rig = rig
        self._is_busy = True
        self._wake.release()

    def wait(self, until_s: float) -> bool:
        """Return whether the block was played before a time [s] of `time.perf_counter`."""
        if self._is_busy:
            left_s = until_s - time.perf_counter()
            if self._done.acquire(timeout=left_s) if left_s > 0.0 else self.is_free:
                self._is_busy = False
        return not self._is_busy

    def take(self, sound: Block) -> Played | None:
        """Copy the block that was played; return its levels, or None where it was muted."""
        np.copyto(sound, self._sounds[0])
        return self._played

    def _run(self) -> None:
        while True:
            self._wake.acquire()
            if self._is_closed:
                return
            rig, self._rig = self._rig, None
            try:
                self._played = rig.play(self._block, self._sounds[0]) if rig is not None else None
            except Exception:
                # As in the engine: whatever it is, the next block is played.
                self._played = None
                self._sounds[0].fill(0.0)
            del rig
            self._done.release()

    def close(self) -> None:
        """End the thread, after the block that it plays. Thread: helper, after the device."""
        if self._is_closed:
            return
        if self._is_busy:
            self._done.acquire(timeout=1.0)
        self._is_closed = True
        self._wake.release()
        self._thread.join(1.0)
