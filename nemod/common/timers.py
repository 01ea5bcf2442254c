"""The clock and the timers of the control thread; tests have a clock that they move themselves."""

import asyncio
import time
from collections.abc import Callable
from typing import Protocol


class Timer(Protocol):
    """Work that was put off."""

    def cancel(self) -> None:
        """Do not do it."""
        ...


class Timers(Protocol):
    """A clock, and work at a later time."""

    def now_s(self) -> float:
        """Return the time on the monotonic clock."""
        ...

    def later(self, delay_s: float, work: Callable[[], None]) -> Timer:
        """Call `work` on the control thread after a delay."""
        ...


class LoopTimers:
    """The timers of the running event loop. Thread: control."""

    def __init__(self, guard: Callable[[Callable[[], None]], None]) -> None:
        """`guard` calls the work and handles its exceptions."""
        self._guard = guard

    def now_s(self) -> float:
        """Return the time on the monotonic clock."""
        return time.monotonic()

    def later(self, delay_s: float, work: Callable[[], None]) -> Timer:
        """Call `work` on the control thread after a delay."""
        return asyncio.get_running_loop().call_later(delay_s, self._guard, work)
