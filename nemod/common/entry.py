"""The guard around a program: no interrupt, closed stream or error ends in a traceback.

`run` is called by the entry points of `nemod` and `nemod-train`. Importing this module installs
the first part of the guard, so an entry point imports it before anything else, and nothing but an
entry point imports it:

1. While modules are imported, Ctrl-C ends the process at once: there is nothing to clean up, and
   an exception at any place of an import could be swallowed or printed by the import system.
2. While the command runs, Ctrl-C is KeyboardInterrupt and SIGTERM is `Terminated`, a subclass, so
   that drafts are removed and child processes ended. What is imported meanwhile is imported to
   its end.
3. While the interpreter shuts down, Ctrl-C ends the process at once again. In the last part,
   where Python has no handlers any more, it is ignored: the work is done, and the status right.
"""

import atexit
import os
import sys

_INTERRUPTED = 130  # nemod.common.error_report, which is not imported yet

try:
    # The guard must stand before this import, which takes a millisecond, is interrupted.
    import signal

    def _exit_at_once(number: int, frame: object) -> None:
        os._exit(_INTERRUPTED)

    # Where SIGINT is ignored, as in a background job of a shell script, it stays ignored.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _exit_at_once)
        # Registered first, it is called last.
        atexit.register(signal.signal, signal.SIGINT, signal.SIG_IGN)
    from collections.abc import Callable
    from contextlib import suppress
    from types import FrameType

    from nemod.common.error_report import print_error, report, report_threads
except KeyboardInterrupt:
    os._exit(_INTERRUPTED)

_REDELIVERY_S = 0.02
"""[s] After which an interrupt that could not be raised is tried again."""


class Terminated(KeyboardInterrupt):
    """SIGTERM was received; handled wherever Ctrl-C is."""


def run(program: str, load: Callable[[], Callable[[], int]]) -> int:
    """Run a program and return its exit status, having flushed what it wrote.

    `load` imports the program and returns its main function. `program` is its name in messages.
    A program that was interrupted ends here, without the interpreter's shutdown, in which
    libraries with threads of their own are known to crash; after SIGTERM it ends by SIGTERM, so
    that its parent can tell.
    """
    interrupt: KeyboardInterrupt | None = None
    try:
        try:
            _open_closed_streams()
            main = load()
            _interrupt_by_exceptions()
            report_threads(program)
            status = main()
        except BaseException as error:
            _exit_on_interrupt()
            interrupt = error if isinstance(error, KeyboardInterrupt) else None
            status = report(program, error)
        _exit_on_interrupt()
    except KeyboardInterrupt:  # a second one, before `_exit_on_interrupt` had its effect
        os._exit(_INTERRUPTED)
    status = _flush(program, status)
    if isinstance(interrupt, Terminated):
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTERM)
    if interrupt is not None or _was_interrupted:
        os._exit(status)
    return status


# --- interrupts --------------------------------------------------------------------------------

_waiting: type[KeyboardInterrupt] | None = None
"""The interrupt that is to be raised when the timer ends."""
_was_interrupted = False
"""Whether an interrupt was raised, which the program may have handled itself."""


def _interrupt_by_exceptions() -> None:
    sys.unraisablehook = _unraisable
    signal.signal(signal.SIGALRM, _on_timer)
    if signal.getsignal(signal.SIGINT) is _exit_at_once:
        signal.signal(signal.SIGINT, _on_signal)
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _on_signal)


def _exit_on_interrupt() -> None:
    if signal.getsignal(signal.SIGINT) in (_on_signal, signal.default_int_handler):
        signal.signal(signal.SIGINT, _exit_at_once)
    if signal.getsignal(signal.SIGTERM) is _on_signal:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, 0.0)


def _on_signal(number: int, frame: FrameType | None) -> None:
    if _waiting is not None and number == signal.SIGINT:
        os._exit(_INTERRUPTED)  # Ctrl-C for the second time: at once
    _raise(Terminated if number == signal.SIGTERM else KeyboardInterrupt, frame)


def _on_timer(number: int, frame: FrameType | None) -> None:
    if _waiting is not None:
        _raise(_waiting, frame)


def _raise(kind: type[KeyboardInterrupt], frame: FrameType | None) -> None:
    """Raise an interrupt, or have it raised later where a module is being imported.

    An exception there would leave a half-initialised module, and crashes some extension modules.
    """
    global _waiting, _was_interrupted
    _waiting = None
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            _wait(kind)
            return
        frame = frame.f_back
    _was_interrupted = True
    raise kind


def _wait(kind: type[KeyboardInterrupt]) -> None:
    global _waiting
    _waiting = kind
    signal.setitimer(signal.ITIMER_REAL, _REDELIVERY_S)


def _unraisable(found: "sys.UnraisableHookArgs", /) -> None:
    """Have an interrupt raised again that hit a destructor or a callback, where Python drops it."""
    if isinstance(found.exc_value, KeyboardInterrupt):
        _wait(type(found.exc_value))
    else:
        sys.__unraisablehook__(found)


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
