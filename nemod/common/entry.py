"""The guard around a program: no interrupt, closed stream or error ends in a traceback.

`run` is called by the entry points of `nemod` and `nemod-train`. Importing this module installs
the first part of the guard, so an entry point imports it before anything else, and nothing but an
entry point imports it:

1. While modules are imported, Ctrl-C ends the process at once: there is nothing to clean up, and
   an exception at any place of an import could be swallowed or printed by the import system.
2. While the command runs, Ctrl-C is KeyboardInterrupt and SIGTERM is `Terminated`, a subclass, so
   that drafts are removed and child processes ended.
3. While the interpreter shuts down, Ctrl-C ends the process at once again.
"""

import os
import sys

_INTERRUPTED = 130  # nemod.common.error_report, which is not imported yet

try:
    # The guard must stand before this import, which takes a millisecond, is interrupted.
    import signal

    def _exit_at_once(number: int, frame: object) -> None:
        os._exit(_INTERRUPTED)

    _AT_START = signal.getsignal(signal.SIGINT)
    # Where SIGINT is ignored, as in a background job of a shell script, it stays ignored.
    if _AT_START is signal.default_int_handler:
        signal.signal(signal.SIGINT, _exit_at_once)
    from collections.abc import Callable
    from contextlib import suppress
    from types import FrameType

    from nemod.common.error_report import print_error, report
except KeyboardInterrupt:
    os._exit(_INTERRUPTED)

_REDELIVERY_S = 0.02
"""[s] After which an interrupt that was raised where Python drops it is raised again."""


class Terminated(KeyboardInterrupt):
    """SIGTERM was received; handled wherever Ctrl-C is."""


def run(program: str, load: Callable[[], Callable[[], int]]) -> int:
    """Run a program and return its exit status, having flushed what it wrote.

    `load` imports the program and returns its main function. `program` is its name in messages.
    A program that SIGTERM ended is ended by SIGTERM, so that its parent can tell.
    """
    terminated = False
    try:
        try:
            _open_closed_streams()
            main = load()
            _interrupt_by_exceptions()
            status = main()
        except BaseException as error:
            _exit_on_interrupt()
            terminated = isinstance(error, Terminated)
            status = report(program, error)
        _exit_on_interrupt()
    except KeyboardInterrupt:  # a second one, before `_exit_on_interrupt` had its effect
        os._exit(_INTERRUPTED)
    status = _flush(program, status)
    if terminated:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTERM)
    return status


# --- interrupts --------------------------------------------------------------------------------


def _interrupt_by_exceptions() -> None:
    sys.unraisablehook = _unraisable
    signal.signal(signal.SIGALRM, _deliver)
    if signal.getsignal(signal.SIGINT) is _exit_at_once:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _terminate)


def _exit_on_interrupt() -> None:
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _exit_at_once)
    if signal.getsignal(signal.SIGTERM) is _terminate:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _terminate(number: int, frame: FrameType | None) -> None:
    raise Terminated


_dropped: list[BaseException] = []
"""The interrupt that Python dropped, until it is raised again."""


def _unraisable(found: "sys.UnraisableHookArgs", /) -> None:
    """Have an interrupt raised again that hit a destructor or a callback, where Python drops it."""
    if isinstance(found.exc_value, KeyboardInterrupt):
        _dropped[:] = [found.exc_value]
        signal.setitimer(signal.ITIMER_REAL, _REDELIVERY_S)
    else:
        sys.__unraisablehook__(found)


def _deliver(number: int, frame: FrameType | None) -> None:
    if _dropped:
        raise type(_dropped.pop())


# --- standard streams --------------------------------------------------------------------------


def _open_closed_streams() -> None:
    """Open what is closed of the standard streams on /dev/null, and make printing never fail.

    Otherwise the next file that is opened would get descriptor 1 or 2, and what libraries print
    would go into it.
    """
    for fd in range(3):
        try:
            os.fstat(fd)
        except OSError:
            # The lowest free descriptor is the closed one.
            os.open(os.devnull, os.O_RDONLY if fd == 0 else os.O_WRONLY)
            os.set_inheritable(fd, True)
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        # The name of a file may hold what the terminal's encoding does not have.
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


def _flush(program: str, status: int) -> int:
    """Flush the standard streams; return the status, or 1 where what was printed is lost."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError) as error:
        if not isinstance(error, BrokenPipeError):
            print_error(f"{program}: standard output: {getattr(error, 'strerror', error)}")
        status = status or 1
        # The interpreter flushes again when it ends, and would print a traceback.
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    try:
        sys.stderr.flush()
    except (OSError, ValueError):
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    return status
