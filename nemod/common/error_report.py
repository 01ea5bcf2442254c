"""The last line of a program that an error ends, and its exit status."""

import os
import sys
from contextlib import suppress

from nemod.common.errors import ConfigError, NemodError

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells report it: 128 + SIGINT."""
DEBUG_VARIABLE = "NEMOD_DEBUG"
"""Environment variable that has unexpected errors shown with their traceback."""


def report(program: str, error: BaseException) -> int:
    """Print the error that ended a program in one line; return the exit status.

    2 for a wrong command line or configuration, 130 for Ctrl-C, 1 for everything else.
    """
    if isinstance(error, SystemExit):
        return _system_exit(error)
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED
    if isinstance(error, BrokenPipeError):
        return 1  # whoever read our output has closed it, as `head` does; there is nothing to say
    if os.environ.get(DEBUG_VARIABLE) and not isinstance(error, NemodError):
        import traceback

        traceback.print_exception(error)
        return 1
    print_error(f"{program}: {_sentence(error)}")
    return 2 if isinstance(error, ConfigError) else 1


def report_threads(program: str) -> None:
    """Have the error that ends a worker thread printed in one line, instead of its traceback."""
    import threading

    def report_thread(ended: threading.ExceptHookArgs) -> None:
        name = ended.thread.name if ended.thread else "unknown"
        if os.environ.get(DEBUG_VARIABLE):
            threading.__excepthook__(ended)
        elif ended.exc_value is not None:
            print_error(f"{program}: thread {name!r}: {_sentence(ended.exc_value)}")

    threading.excepthook = report_thread


def _sentence(error: BaseException) -> str:
    if isinstance(error, NemodError):
        return str(error)
    if isinstance(error, MemoryError):
        return "out of memory"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    if isinstance(error, OSError):
        return str(error) or type(error).__name__
    first_line = str(error).partition("\n")[0][:300]
    return (
        f"internal error: {type(error).__name__}: {first_line} ({_place(error)}); please report "
        f"it, with the output of the same command after 'export {DEBUG_VARIABLE}=1'"
    )


def _place(error: BaseException) -> str:
    """Return file and line of the innermost call that is ours, or of the innermost of all."""
    place = "unknown place"
    is_ours = False
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        ours = any(f"{os.sep}{part}{os.sep}" in code.co_filename for part in ("nemod", "trainer"))
        ours = ours and os.path.basename(code.co_filename) != "entry.py"
        if ours or not is_ours:
            place = f"{os.path.basename(code.co_filename)}:{trace.tb_lineno}, {code.co_name}"
            is_ours = ours
        trace = trace.tb_next
    return place


def _system_exit(error: SystemExit) -> int:
    if error.code is None:
        return 0
    if isinstance(error.code, int):
        return error.code
    print_error(str(error.code))
    return 1


def print_error(text: str) -> None:
    """Print a line to standard error, where that is possible."""
    with suppress(OSError, ValueError):  # standard error is closed, or its disk is full
        print(text, file=sys.stderr, flush=True)  # noqa: T201 - the last line for the user
