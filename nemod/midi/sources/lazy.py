"""A source that is opened when it is needed: its library is optional, its device may be absent."""

from collections.abc import Callable, Sequence

import structlog

from nemod.common.timers import Timer, Timers
from nemod.midi.binding import Binding
from nemod.midi.messages import Kind
from nemod.midi.sources.base import Source, SourceError

RETRY_S = 10.0
"""[s] Between two attempts to open a source that cannot be used now."""

Needed = Callable[[Sequence[Binding], Sequence[str]], bool]
"""(bindings, names of input devices) -> whether a source is needed"""

log = structlog.get_logger("nemod")


class LazySource:
    """Opens another source as soon as it is needed and can be opened."""

    def __init__(
        self,
        what: str,
        make: Callable[[], Source],
        needed: Needed,
        timers: Timers,
        remedy: str,
        *,
        is_asked_for: bool = True,
    ) -> None:
        """`make` opens it; it raises ImportError without its library, and SourceError.

        `what` and `remedy` are for the log: what cannot be used, and how to install the library.
        Each reason is logged once; as a warning, where somebody has asked for the source.
        """
        self._what = what
        self._make = make
        self._needed = needed
        self._timers = timers
        self._remedy = remedy
        self._is_asked_for = is_asked_for
        self._reason = ""
        self._source: Source | None = None
        self._timer: Timer | None = None
        self._last: tuple[Sequence[Binding], Sequence[str]] = (), ()

    def use(self, bindings: Sequence[Binding], inputs: Sequence[str]) -> None:
        """Open it where it is needed, and pass on what is to be used."""
        self._last = bindings, inputs
        if self._source is None and self._timer is None and self._needed(bindings, inputs):
            self._open()
        elif self._source is not None:
            self._source.use(bindings, inputs)

    def close(self) -> None:
        """Close it."""
        if self._timer is not None:
            self._timer.cancel()
        if self._source is not None:
            self._source.close()

    def _open(self) -> None:
        self._timer = None
        try:
            self._source = self._make()
        except (ImportError, OSError) as error:  # a library, or what it loads, is missing
            self._report(f"{error}; {self._remedy}")  # until the next start
            return
        except SourceError as error:
            self._report(str(error))
            self._timer = self._timers.later(RETRY_S, self._open)
            return
        self._source.use(*self._last)

    def _report(self, reason: str) -> None:
        if reason != self._reason:
            self._reason = reason
            report = log.warning if self._is_asked_for else log.info
            report(f"{self._what} cannot be used", reason=reason)


def has_keys(bindings: Sequence[Binding], inputs: Sequence[str]) -> bool:
    """Return whether keys of input devices are needed."""
    return bool(inputs) or any(one.kind is Kind.KEY for one in bindings)


def has_pins(bindings: Sequence[Binding], _inputs: Sequence[str]) -> bool:
    """Return whether pins are needed."""
    return any(one.kind in (Kind.PIN, Kind.ENCODER) for one in bindings)


def always(_bindings: Sequence[Binding], _inputs: Sequence[str]) -> bool:
    """Return that a source is needed."""
    return True
