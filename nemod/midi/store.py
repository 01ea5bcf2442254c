"""The file of bindings on the disk. Thread: any, one at a time.

Users edit it while nemod runs, so it is read again before every change.
"""

import os
import threading
from collections.abc import Callable
from pathlib import Path

import structlog

from nemod.common.files import replacing
from nemod.common.kept_files import DamagedFileError, move_aside, read_kept
from nemod.midi.reader import MAX_BYTES, BindingFile, parse
from nemod.midi.writer import to_text

PREVIOUS = ".previous"
"""End of the name of the version before the last change."""

Stamp = tuple[int, int, int]
"""Number, size and time of a file: another one after every change."""

log = structlog.get_logger("nemod")


class BindingStore:
    """Reads and changes the file of bindings."""

    def __init__(self, path: Path | None) -> None:
        """`path` need not exist; None keeps bindings in memory only."""
        self.path = path
        self._lock = threading.Lock()
        self._content = BindingFile()
        self._stamp: Stamp | None = None

    @property
    def content(self) -> BindingFile:
        """What the file said when it could be read last."""
        return self._content

    @property
    def is_changed(self) -> bool:
        """Whether the file is another one than the one that was read last."""
        return self.path is not None and _stamp(self.path) != self._stamp

    def load(self) -> BindingFile:
        """Read the file and return what it says; where that fails, what it said before.

        The reason is logged.
        """
        with self._lock:
            try:
                self._read()
            except DamagedFileError as error:
                log.warning("bindings not read", file=str(self.path), reason=str(error))
            except OSError as error:
                log.warning("bindings not read", file=str(self.path), reason=error.strerror)
            return self._content

    def change(self, change: Callable[[BindingFile], BindingFile]) -> BindingFile:
        """Apply a change to what the file says now, write it, and return it.

        A file that cannot be parsed is moved aside. Where nothing changes, nothing is written.

        Raises: OSError, BindingsError; nothing has changed then.
        """
        with self._lock:
            try:
                before = self._read()
            except DamagedFileError as error:
                assert self.path is not None
                moved = move_aside(self.path)
                log.warning("damaged bindings moved aside", file=str(moved), reason=str(error))
                before = None
            made = change(self._content)
            if before is not None and made == self._content:
                return made
            text = to_text(made)
            if self.path is not None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                if before is not None and before != text:
                    _replace(self.path.with_name(self.path.name + PREVIOUS), before)
                _replace(self.path, text)
                self._stamp = _stamp(self.path)
            self._content = made
            return made

    def _read(self) -> str | None:
        """Read the file, if it is there, and return its text."""
        if self.path is None:
            return None
        self._stamp = _stamp(self.path)
        try:
            text = read_kept(self.path, MAX_BYTES)
        except FileNotFoundError:
            self._content = BindingFile()
            return None
        self._content = parse(text, self.path)
        return text


def _replace(path: Path, text: str) -> None:
    with replacing(path) as draft:
        draft.write_bytes(text.encode())


def _stamp(path: Path) -> Stamp | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns
