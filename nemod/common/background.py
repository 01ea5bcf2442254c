"""Background jobs that need not end before the program does.

The event loop's own threads are joined when a program ends; a disk that hangs, or a folder of ten
thousand files, must not delay the end of the daemon.
"""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")


def in_background(work: Callable[[], T]) -> "asyncio.Future[T]":
    """Run `work` on a thread of its own and return a future with its result.

    The future always completes: an exception of any kind, or a thread that the system does not
    allow, is the future's exception. Thread: one with a running event loop.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(apply: Callable[[], None]) -> None:
        if not future.done():
            apply()

    def run() -> None:
        apply: Callable[[], None]
        try:
            result = work()
        except Exception as error:
            apply = _failing(future, error)
        except BaseException as error:  # SystemExit would end the thread without a word
            apply = _failing(future, RuntimeError(f"{type(error).__name__}: {error}"))
        else:

            def apply() -> None:
                future.set_result(result)

        with suppress(RuntimeError):  # the loop has been closed meanwhile
            loop.call_soon_threadsafe(settle, apply)

    try:
        threading.Thread(target=run, name="nemod background", daemon=True).start()
    except RuntimeError as error:  # no more threads, or the interpreter is shutting down
        future.set_exception(error)
    return future


def _failing(future: "asyncio.Future[T]", error: Exception) -> Callable[[], None]:
    if isinstance(error, StopIteration):  # a future refuses it
        wrapped = RuntimeError("StopIteration")
        wrapped.__cause__ = error
        return lambda: future.set_exception(wrapped)
    return lambda: future.set_exception(error)
