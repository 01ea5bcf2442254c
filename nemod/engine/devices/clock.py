"""A device that is nothing but a clock: it calls the engine once a period, in real time."""

import threading
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

GIVE_UP_S = 0.5
"""[s] Further behind than this (a suspended machine), the clock starts anew instead of rushing."""


class ClockedDevice:
    """Calls the engine with blocks of a source. Never fails and never vanishes."""

    failure = ""
    may_vanish = False
    lock_name = ""

    def __init__(
        self,
        name: str,
        rate_hz: int,
        block_frames: int,
        source: Callable[[NDArray[np.float32]], None],
    ) -> None:
        """`source(block)` fills a block [frames] on the device's thread."""
        self.name = name
        self.rate_hz = rate_hz
        self.block_frames = block_frames
        self._source = source
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def latency_s(self) -> float:
        """[s] One block: it has to be full before it is played."""
        return self.block_frames / self.rate_hz

    def start(self, process: Callable[..., None]) -> None:
        """Begin to call `process(block, out, xrun=...)` once a period."""
        self._thread = threading.Thread(
            target=self._run, args=(process,), name="nemod clock", daemon=True
        )
        self._thread.start()

    def _run(self, process: Callable[..., None]) -> None:
        block = np.zeros(self.block_frames, np.float32)
        out = np.zeros(self.block_frames, np.float32)
        period_s = self.block_frames / self.rate_hz
        due = time.perf_counter() + period_s
        while not self._stop.is_set():
            ahead = due - time.perf_counter()
            if ahead > 0.0:
                time.sleep(ahead)
            # A card with a buffer of two blocks has run dry when a block comes a period late.
            xrun = -ahead > period_s
            if -ahead > GIVE_UP_S:
                due = time.perf_counter()
            due += period_s
            self._source(block)
            process(block, out, xrun=xrun)

    def close(self) -> None:
        """Stop; returns when the last call has ended."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
