"""Work on a thread of its own whose end nobody has to wait for.

The event loop's own threads are waited for when a program ends; a disk that hangs, or a folder of
ten thousand files, must not keep the daemon from ending in time.
"""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any


def in_background(work: Callable[[], Any]) -> "asyncio.Future[Any]":
    """Begin `work` on a thread and return its future result. Thread: one with an event loop."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()

    def settle(result: Any, error: Exception | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)

    def run() -> None:
        result, failed = None, None
        try:
            result = work()
        except Exception as error:
            failed = error
        with suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(settle, result, failed)

    threading.Thread(target=run, name="nemod background", daemon=True).start()
    return future
