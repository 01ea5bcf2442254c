"""The folders of a library, and the files in them."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from nemod.library.kind import MODELS

MAX_MODELS = 100_000
"""Most files of one folder that are listed."""
MAX_DEPTH = 32
"""Deepest nesting of folders that are listed."""


def shipped_folder() -> Path:
    """Return the folder of the models that ship with nemod."""
    return MODELS.shipped_folder()


def user_folder() -> Path:
    """Return the user's own folder of models; it need not exist."""
    return MODELS.user_folder()


def is_hidden(name: str) -> bool:
    """Return whether a file's or folder's name is one that a folder's listing leaves out."""
    return name.startswith(".")


def real(path: Path) -> Path:
    """Return the path with all links followed; a loop of links is no error."""
    return Path(os.path.realpath(path))


@dataclass(slots=True)
class Found:
    """What listing a folder gives."""

    files: list[Path] = field(default_factory=list)
    """Resolved, in the order of their paths."""
    unread: list[Path] = field(default_factory=list)
    """Folders that are absent or cannot be listed: what they hold is not known."""
    notes: list[str] = field(default_factory=list)
    """What was left out and why."""


def listed_files(folder: Path, suffixes: tuple[str, ...] = MODELS.suffixes) -> Found:
    """List the files below a folder whose names have one of these ends, in any case.

    Hidden files and folders (`._name` of macOS too) and links that lead out of the folder are
    ignored.
    """
    found = Found()
    root = real(folder.expanduser())

    def trouble(error: OSError) -> None:
        at = Path(error.filename or root)
        found.unread.append(at)
        if not isinstance(error, FileNotFoundError):
            found.notes.append(f"{at}: cannot be listed: {error.strerror or error}")

    for parent, folders, names in os.walk(root, onerror=trouble):
        here = Path(parent)
        folders[:] = sorted(name for name in folders if not is_hidden(name))
        if len(here.parts) - len(root.parts) >= MAX_DEPTH:
            folders.clear()
        for name in sorted(names):
            if is_hidden(name) or not name.lower().endswith(suffixes):
                continue
            path = here / name
            if path.is_symlink():
                path = real(path)
                if not _is_inside(path, root, suffixes):
                    continue
            found.files.append(path)
            if len(found.files) >= MAX_MODELS:
                found.notes.append(f"{root}: only the first {MAX_MODELS} files are listed")
                return found
    return found


def _is_inside(path: Path, root: Path, suffixes: tuple[str, ...]) -> bool:
    """Return whether a link's target exists below the folder and would be listed by itself."""
    hidden = any(map(is_hidden, path.parts[len(root.parts) :]))
    fits = path.name.lower().endswith(suffixes) and not hidden
    return fits and path.is_relative_to(root) and os.path.lexists(path) and not path.is_symlink()
