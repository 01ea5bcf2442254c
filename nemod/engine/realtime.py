"""Real-time rights of the audio process: locked memory and real-time scheduling."""

import ctypes
import os
import resource
from contextlib import suppress
from pathlib import Path

FIFO_PRIORITY = 70
"""Of the audio thread: above everything but the kernel's own threads and JACK's server."""
HELPER_PRIORITY = 10
"""Of all other threads of the process. At times they hold the interpreter lock while the audio
thread waits for it: a program without real-time priority must not preempt them then."""
SWITCH_INTERVAL_S = 20e-6
"""[s] How long the audio thread requests the interpreter lock before another thread must yield it.

A block requests it several times, after each system call and each program, so this time counts
several times over: at 0.5 ms every third model switch caused a late block. Nor may it be so short
that its timer expires before the thread sleeps: at 5 us the audio thread never left its processor,
and where another one of higher priority held the second processor, the helper thread that had the
lock could not run to give it back, for seconds."""

_MCL_CURRENT, _MCL_FUTURE, _MCL_ONFAULT = 1, 2, 4
_LIMITS = (
    "give the user the limits of audio work: two lines, '@audio - rtprio 95' and "
    "'@audio - memlock unlimited', in /etc/security/limits.d/audio.conf, the user in the group "
    "audio, and a new login"
)


def lock_memory() -> str:
    """Lock the memory of the process, or return why not and the remedy. Pages lock on first use."""
    soft, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    if soft != resource.RLIM_INFINITY and os.geteuid() != 0:
        # Under a limit, locking all later mappings would make allocations fail.
        return f"memory is not locked (the limit is {soft} bytes): {_LIMITS}"
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mlockall(_MCL_CURRENT | _MCL_FUTURE | _MCL_ONFAULT) != 0:
        return f"memory is not locked ({os.strerror(ctypes.get_errno())}): {_LIMITS}"
    return ""


def take_realtime_priority() -> str:
    """Schedule the calling thread as SCHED_FIFO, or return why not and the remedy."""
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(FIFO_PRIORITY))
    except OSError as error:
        return f"no real-time priority for the audio thread ({error.strerror}): {_LIMITS}"
    return ""


def drop_realtime_priority() -> None:
    """Schedule all threads that exist now as those of any other program.

    For a process that is about to end: freeing its memory takes tens of milliseconds, in which a
    real-time process keeps every other one from the only processor of a small machine.
    """
    for task in Path("/proc/self/task").iterdir():
        with suppress(OSError):
            os.sched_setscheduler(int(task.name), os.SCHED_OTHER, os.sched_param(0))


def raise_helper_threads() -> None:
    """Schedule all threads that exist now, the calling one included, as SCHED_FIFO if allowed.

    XLA's pool gets a priority just below the audio thread: the largest convolutional models still
    dispatch a kernel to it now and then, and the audio thread waits for the result. The other
    threads only ever hold a lock.
    """
    for task in Path("/proc/self/task").iterdir():
        with suppress(OSError):
            is_pool = (task / "comm").read_text(encoding="utf-8").startswith("tf_XLAEigen")
            parameters = os.sched_param(FIFO_PRIORITY - 1 if is_pool else HELPER_PRIORITY)
            os.sched_setscheduler(int(task.name), os.SCHED_FIFO, parameters)
