"""Writes the state file shortly after a change. Thread: control; the disk has its own thread."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import structlog

from nemod.common.background import in_background
from nemod.common.kept_files import DamagedFileError, move_aside
from nemod.control.events import (
    CabinetChanged,
    ChainChanged,
    Changed,
    EventStream,
    ModelChanged,
    PresetChanged,
)
from nemod.daemon.session import Session, load, save

QUIET_S = 1.0
"""[s] Time without a change before the file is written: a knob that is turned is written once."""
LONGEST_S = 10.0
"""[s] Longest time between two writes while something changes all the time."""
LAST_WRITE_S = 1.0
"""[s] How long the end of the daemon waits for the disk."""

log = structlog.get_logger("nemod")


def restore(path: Path) -> Session | None:
    """Return the session in the state file, or None; what is wrong with the file is logged.

    A file that cannot be parsed is moved aside.
    """
    try:
        return load(path)
    except DamagedFileError as error:
        reason = str(error)
    except OSError as error:
        log.warning("state file not read", file=str(path), reason=error.strerror or str(error))
        return None
    try:
        moved = str(move_aside(path))
    except OSError as error:
        moved = f"not moved ({error.strerror})"
    log.warning(
        "state file damaged, moved aside, defaults loaded",
        file=str(path),
        reason=reason,
        moved=moved,
    )
    return None


class SessionWriter:
    """Keeps the state file up to date."""

    def __init__(
        self,
        path: Path,
        session: Callable[[], Session],
        written: Session | None = None,
        events: EventStream | None = None,
    ) -> None:
        """`session` returns what to write; `written` is what the file holds already.

        `events`: every change of a setting or the model leads to a write.
        """
        self.path = path
        self._session = session
        self._written = written
        self._due: asyncio.TimerHandle | None = None
        self._changed_at: float | None = None
        self._writing: asyncio.Future[None] | None = None
        self._has_failed = False
        self._changes = (events or EventStream()).subscribe(
            (Changed, ModelChanged, CabinetChanged, ChainChanged, PresetChanged),
            wake=lambda: self._on_change(),
        )

    def _on_change(self) -> None:
        self._changes.take()
        self.schedule()

    def schedule(self) -> None:
        """Write soon, because something may have changed; cheap."""
        now = time.monotonic()
        if self._changed_at is None:
            self._changed_at = now
        if self._due is not None:
            self._due.cancel()
        wait_s = min(QUIET_S, max(self._changed_at + LONGEST_S - now, 0.0))
        self._due = asyncio.get_running_loop().call_later(wait_s, self._start_write)

    def _start_write(self) -> None:
        """Start to write, or after the write that is under way."""
        if self._due is not None:
            self._due.cancel()
            self._due = None
        if self._writing is not None:
            self._due = asyncio.get_running_loop().call_later(QUIET_S, self._start_write)
            return
        self._changed_at = None
        session = self._session()
        if session == self._written:
            return
        self._writing = in_background(lambda: save(self.path, session))
        self._writing.add_done_callback(lambda done: self._write_ended(done, session))

    def _write_ended(self, done: "asyncio.Future[None]", session: Session) -> None:
        self._writing = None
        if done.cancelled():
            return
        error = done.exception()
        if error is None:
            self._written, self._has_failed = session, False
            log.debug("state file written", file=str(self.path))
        elif not self._has_failed:
            self._has_failed = True
            reason = getattr(error, "strerror", None) or str(error)
            log.error(
                "state file not written; the sound is not affected",
                file=str(self.path),
                reason=reason,
            )

    async def close(self) -> None:
        """Write what has changed, if the disk takes it in time; nothing is written after that."""
        self._changes.close()
        if self._writing is not None:
            await asyncio.wait({self._writing}, timeout=LAST_WRITE_S)
        self._start_write()
        if self._due is not None:
            self._due.cancel()
        if self._writing is not None:
            await asyncio.wait({self._writing}, timeout=LAST_WRITE_S)
