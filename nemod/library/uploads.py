"""Models and cabinets that clients send: verified in another process, kept in the user's folder."""

import os
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from nemod.common.errors import CabinetError, ModelError, QuotaError
from nemod.common.paths import data_folder
from nemod.library.kind import MODELS, Kind
from nemod.library.library import SCAN_LIMIT_S, Library
from nemod.library.pool import read_files
from nemod.library.text import is_fit
from nemod.library.user_files import add

MAX_NAME = 200
"""[bytes] Longest name of a file; file systems allow 255, that of a draft included."""
MIN_FREE = 64_000_000
"""[bytes] What must remain free on the disk."""
_DRAFTS = ".incoming-"
_STALE_S = 3600.0
"""[s] Older drafts are left over from a power cut."""


class Uploads:
    """Adds files to the user's own folder. Thread: any, one at a time."""

    def __init__(self, library: Library, quota_bytes: int) -> None:
        """`quota_bytes`: how much the user's folder may hold."""
        self._library = library
        self._quota = quota_bytes

    def add(self, name: str, content: bytes) -> str:
        """Add a model or a cabinet, as the library has; return its name there.

        Content that the library has already is not added again. The file is decoded by a reader
        process, which may crash or hang without harm.

        Raises: ModelError or CabinetError where it is none, or its name is taken or not allowed;
            QuotaError where there is no room; LibraryError, FolderError, OSError.
        """
        kind = self._library.kind
        _check_name(name, kind)
        folder = data_folder()
        folder.mkdir(parents=True, exist_ok=True)
        self._check_room(folder, len(content))
        _remove_stale_drafts(folder)
        with tempfile.TemporaryDirectory(prefix=_DRAFTS, dir=folder) as drafts:
            draft = Path(drafts) / name
            draft.write_bytes(content)
            added = add(self._library, draft, verify=lambda path: _verify(path, kind))
        self._library.rescan()
        return added.name

    def _check_room(self, folder: Path, size: int) -> None:
        kind = self._library.kind
        used = folder_size(kind.user_folder())
        if used + size > self._quota:
            raise QuotaError(
                f"your {kind.noun}s take {_mb(used)} MB of {_mb(self._quota)} MB; remove some, or "
                "raise http.upload_quota"
            )
        free = shutil.disk_usage(folder).free
        if free - size < MIN_FREE:
            raise QuotaError(f"the disk has only {_mb(free)} MB left")


def folder_size(folder: Path) -> int:
    """Return how many bytes the files below a folder have."""
    size = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                size += os.lstat(os.path.join(parent, name)).st_size
    return size


def _error(kind: Kind, path: str, reason: str) -> ModelError | CabinetError:
    return ModelError(path, reason) if kind is MODELS else CabinetError(path, reason)


def _check_name(name: str, kind: Kind) -> None:
    """Raise ModelError or CabinetError for a name that no file of a library has."""
    if not name or name in (".", "..") or "/" in name or "\\" in name or not is_fit(name):
        raise _error(kind, "", "not allowed as a file's name: no path, no control characters")
    if len(name.encode()) > MAX_NAME:
        raise _error(kind, "", f"the file's name is longer than {MAX_NAME} bytes")


def _verify(path: Path, kind: Kind) -> None:
    """Have a reader process decode the file. Raises: ModelError or CabinetError, LibraryError."""
    for _, facts in read_files([path], workers=1, limit_s=SCAN_LIMIT_S):
        if facts.error:
            raise _error(kind, path.name, facts.error)


def _remove_stale_drafts(folder: Path) -> None:
    for path in folder.glob(f"{_DRAFTS}*"):
        with suppress(OSError):
            if time.time() - path.lstat().st_mtime > _STALE_S:
                shutil.rmtree(path)


def _mb(size: int) -> int:
    return size // 1_000_000
