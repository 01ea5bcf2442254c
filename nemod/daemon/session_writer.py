"""Writes the state a moment after it has changed. Thread: control, with the disk on another."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import structlog

from nemod.common.background import in_background
from nemod.daemon.session import Session, StateError, keep_aside, load, save

QUIET_S = 1.0
"""[s] Without a change before it is written: a knob that turns is written once."""
LONGEST_S = 10.0
"""[s] Something that never rests is written this often."""
LAST_WRITE_S = 1.0
"""[s] How long the end of the daemon waits for the disk."""

log = structlog.get_logger("nemod")


def restored(path: Path) -> Session | None:
    """Return the state of the last time, or None; whatever is wrong with it goes to the log."""
    try:
        return load(path)
    except StateError as error:
        reason = str(error)
    except OSError as error:
        log.warning("state not read", file=str(path), reason=error.strerror or str(error))
        return None
    try:
        kept = str(keep_aside(path))
    except OSError as error:
        kept = f"where it was ({error.strerror})"
    log.warning("state damaged, the defaults are taken", file=str(path), reason=reason, kept=kept)
    return None


class SessionWriter:
    """Keeps a file as the daemon is."""

    def __init__(
        self, path: Path, now: Callable[[], Session], written: Session | None = None
    ) -> None:
        """`now` returns what is to be written; `written` is what the file holds already."""
        self.path = path
        self._now = now
        self._written = written
        self._due: asyncio.TimerHandle | None = None
        self._changed_at: float | None = None
        self._writing: asyncio.Future[None] | None = None
        self._told = False

    def touch(self) -> None:
        """Say that something may have changed; cheap."""
        now = time.monotonic()
        if self._changed_at is None:
            self._changed_at = now
        if self._due is not None:
            self._due.cancel()
        wait_s = min(QUIET_S, max(self._changed_at + LONGEST_S - now, 0.0))
        self._due = asyncio.get_running_loop().call_later(wait_s, self._begin)

    def _begin(self) -> None:
        """Begin to write what is to be written, unless a write is under way: then after that."""
        if self._due is not None:
            self._due.cancel()
            self._due = None
        if self._writing is not None:
            self._due = asyncio.get_running_loop().call_later(QUIET_S, self._begin)
            return
        self._changed_at = None
        saved = self._now()
        if saved == self._written:
            return
        self._writing = in_background(lambda: save(self.path, saved))
        self._writing.add_done_callback(lambda done: self._ended(done, saved))

    def _ended(self, done: "asyncio.Future[None]", saved: Session) -> None:
        self._writing = None
        if done.cancelled():
            return
        error = done.exception()
        if error is None:
            self._written, self._told = saved, False
            log.debug("state written", file=str(self.path))
        elif not self._told:
            self._told = True
            reason = getattr(error, "strerror", None) or str(error)
            log.error("state not written, nothing else happens", file=str(self.path), reason=reason)

    async def close(self) -> None:
        """Write what has changed, if the disk takes it in time."""
        if self._writing is not None:
            await asyncio.wait({self._writing}, timeout=LAST_WRITE_S)
        if self._due is not None or self._told:
            self._begin()
        if self._due is not None:
            self._due.cancel()
        if self._writing is not None:
            await asyncio.wait({self._writing}, timeout=LAST_WRITE_S)
