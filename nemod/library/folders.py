"""The folders that hold models, and the files in them."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from nemod.common.paths import data_folder

SUFFIXES = (".json", ".aidax", ".nam")
MAX_MODELS = 100_000
"""Most files of one folder that are looked at."""
MAX_DEPTH = 32
"""Deepest folder in a folder that is looked into."""


def shipped_folder() -> Path:
    """Return the folder of the models that ship with nemod."""
    package = Path(__file__).parents[1]
    inside = package / "shipped_models"
    return inside if inside.is_dir() else package.parent / "models"


def user_folder() -> Path:
    """Return the user's own folder of models; it need not exist."""
    return data_folder() / "models"


def removed_folder() -> Path:
    """Return where models go that are removed from the user's folder; it need not exist."""
    return data_folder() / "removed"


def real(path: Path) -> Path:
    """Return the path with all links followed; a loop of them is no error."""
    return Path(os.path.realpath(path))


@dataclass(slots=True)
class Found:
    """What a look into a folder finds."""

    files: list[Path] = field(default_factory=list)
    """Resolved, in order."""
    unread: list[Path] = field(default_factory=list)
    """Folders that are not there or cannot be listed: what they hold is not known."""
    notes: list[str] = field(default_factory=list)
    """What was left out, and why."""


def model_files(folder: Path) -> Found:
    """Find files with a model's suffix; a link that leads out of the folder is left alone."""
    found = Found()
    root = real(folder.expanduser())

    def trouble(error: OSError) -> None:
        at = Path(error.filename or root)
        found.unread.append(at)
        if not isinstance(error, FileNotFoundError):
            found.notes.append(f"{at}: cannot be listed: {error.strerror or error}")

    for parent, folders, names in os.walk(root, onerror=trouble):
        here = Path(parent)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if len(here.parts) - len(root.parts) >= MAX_DEPTH:
            folders.clear()
        for name in sorted(names):
            if name.startswith(".") or not name.lower().endswith(SUFFIXES):
                continue
            path = here / name
            if path.is_symlink():
                path = real(path)
                if not _is_inside(path, root):
                    continue
            found.files.append(path)
            if len(found.files) >= MAX_MODELS:
                found.notes.append(f"{root}: only the first {MAX_MODELS} files are looked at")
                return found
    return found


def _is_inside(path: Path, root: Path) -> bool:
    """Whether a link's end is there, below the folder, and a file that would be found by itself."""
    hidden = any(part.startswith(".") for part in path.parts[len(root.parts) :])
    fits = path.name.lower().endswith(SUFFIXES) and not hidden
    return fits and path.is_relative_to(root) and os.path.lexists(path) and not path.is_symlink()
