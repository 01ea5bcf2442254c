"""A device without a sound card: a clock that calls the engine once a block, in real time."""

import ctypes
import errno
import threading
import time
from collections.abc import Callable

import numpy as np

from nemod.engine.devices.base import Process, Source, output_block

GIVE_UP_S = 0.5
"""[s] Further behind than this (a suspended machine), the clock starts anew instead of rushing."""

_TIMER_ABSTIME = 1
_PR_SET_TIMERSLACK = 29


class _TimeSpec(ctypes.Structure):
    _fields_ = (("tv_sec", ctypes.c_long), ("tv_nsec", ctypes.c_long))


def _sleep_for(due_s: float) -> None:
    ahead_s = due_s - time.monotonic()
    if ahead_s > 0.0:
        time.sleep(ahead_s)


def absolute_sleep() -> Callable[[float], None]:
    """Return a function that sleeps until a time [s] of `time.monotonic`.

    The kernel gets the deadline itself: a thread that loses the processor between reading the
    clock and going to sleep would wake up later by as much. Where the C library has no
    `clock_nanosleep`, the function sleeps for the difference.
    """
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        nanosleep = libc.clock_nanosleep
    except (OSError, AttributeError):
        return _sleep_for
    clock = time.CLOCK_MONOTONIC

    def sleep_until(due_s: float) -> None:
        seconds = int(due_s)
        due = _TimeSpec(seconds, int(1e9 * (due_s - seconds)))
        result = errno.EINTR
        while result == errno.EINTR:
            result = nanosleep(clock, _TIMER_ABSTIME, ctypes.byref(due), None)
        if result:
            _sleep_for(due_s)

    return sleep_until


def ask_for_exact_timers() -> None:
    """Let the kernel wake the calling thread up at its deadline, not up to 50 us later.

    A thread of real-time priority has no such slack anyway.
    """
    try:
        ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0)
    except (OSError, AttributeError):
        return


class ClockDevice:
    """Calls the engine with blocks of a source, at absolute deadlines.

    Never fails and never vanishes. It has no buffer that could run dry, so it reports no xruns;
    the engine counts the blocks that begin late.
    """

    failure = ""
    failure_fd = -1
    may_vanish = False
    is_card = False
    counts_xruns = False
    lock_name = ""
    reopen_name = ""
    notices: tuple[str, ...] = ()
    details = ""

    def __init__(
        self, name: str, rate_hz: int, block_frames: int, source: Source, outputs: int = 1
    ) -> None:
        """`source` fills the input of each block, on the device's thread; `outputs` is 1 or 2."""
        self.name = name
        self.rate_hz = rate_hz
        self.block_frames = block_frames
        self._source = source
        self._outputs = outputs
        self._sleep_until = absolute_sleep()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def latency_s(self) -> float:
        """[s] One block: it has to be full before it is played."""
        return self.block_frames / self.rate_hz

    def prepare(self) -> None:
        """There is nothing to open."""

    def start(self, process: Process) -> None:
        """Begin to call `process` once a block."""
        self._thread = threading.Thread(
            target=self._run, args=(process,), name="nemod clock", daemon=True
        )
        self._thread.start()

    def _run(self, process: Process) -> None:
        ask_for_exact_timers()
        block = np.zeros(self.block_frames, np.float32)
        out = output_block(self._outputs, self.block_frames)
        begun_s = time.monotonic()
        blocks = 0
        while not self._stop.is_set():
            blocks += 1
            # From the first block on, so that no rounding adds up.
            due_s = begun_s + blocks * self.block_frames / self.rate_hz
            self._sleep_until(due_s)
            if time.monotonic() - due_s > GIVE_UP_S:
                begun_s, blocks = time.monotonic(), 0
            self._source(block)
            process(block, out, xrun=False)

    def close(self) -> None:
        """Stop; returns when the last call has ended."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
