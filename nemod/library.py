"""The library: the models that can be named, from the folders that hold them.

A model's name is its file's stem, with its folder in front where two are alike. No file outside
the folders can be reached by a name.
"""

import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from nemod.errors import NotFoundError, did_you_mean

SUFFIXES = (".json", ".aidax", ".nam")
MAX_MODELS = 100_000


def shipped_folder() -> Path:
    """Return the folder of the models that ship with nemod."""
    inside = Path(__file__).parent / "shipped_models"
    return inside if inside.is_dir() else Path(__file__).parent.parent / "models"


def user_folder() -> Path:
    """Return the user's own folder of models; it need not exist."""
    base = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(base) / "nemod" / "models"


class Library:
    """Names of models and the files behind them. Thread: control."""

    def __init__(self, folders: Iterable[Path] = (), *, files: Iterable[Path] = ()) -> None:
        """`folders` are searched beside the shipped and the user's; `files` are added singly."""
        self.folders = (shipped_folder(), user_folder(), *folders)
        self._files = tuple(files)
        self._paths: dict[str, Path] = {}
        self.rescan()

    @property
    def names(self) -> list[str]:
        """All names, sorted without regard to case; a model's index is its place here."""
        return list(self._paths)

    def rescan(self) -> None:
        """Look into the folders again."""
        found: dict[Path, None] = {}
        for folder in self.folders:
            for path in _model_files(folder):
                found.setdefault(path.resolve())
        for path in self._files:
            found.setdefault(path.resolve())
        stems = Counter(path.stem.casefold() for path in found)
        named: dict[str, Path] = {}
        for path in found:
            name = (
                path.stem if stems[path.stem.casefold()] == 1 else f"{path.parent.name}-{path.stem}"
            )
            number = 2
            unique = name
            while unique.casefold() in {other.casefold() for other in named}:
                unique, number = f"{name}-{number}", number + 1
            named[unique] = path
        self._paths = dict(sorted(named.items(), key=lambda item: (item[0].casefold(), item[0])))

    def find(self, name: str) -> tuple[str, Path]:
        """Return name and file of a model, by name in any case.

        Raises: NotFoundError with the nearest name.
        """
        if name in self._paths:
            return name, self._paths[name]
        for known, path in self._paths.items():
            if known.casefold() == name.casefold():
                return known, path
        where = ", ".join(str(folder) for folder in self.folders)
        raise NotFoundError(
            f"no model is named {name!r}{did_you_mean(name, self._paths)}; "
            f"{len(self._paths)} models were found in {where}"
        )

    def name_of(self, path: Path) -> str:
        """Return the name of a file that is in the library.

        Raises: NotFoundError.
        """
        wanted = path.resolve()
        for name, known in self._paths.items():
            if known == wanted:
                return name
        raise NotFoundError(f"{path} is not in the library")


def _model_files(folder: Path) -> list[Path]:
    """Files with a model's suffix, in order; a link that leads out of the folder is left alone."""
    root = folder.expanduser().resolve()
    files: list[Path] = []
    for parent, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(parent) / name
            inside = path.resolve().is_relative_to(root)
            if path.suffix.lower() in SUFFIXES and not name.startswith(".") and inside:
                files.append(path)
                if len(files) >= MAX_MODELS:
                    return files
    return files
