"""The library: the models that can be named, from the folders that hold them.

No file outside the folders can be reached by a name.
"""

import threading
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from nemod.common.errors import NotFoundError, did_you_mean
from nemod.common.paths import FolderError
from nemod.library.entry import Entry, LibraryError
from nemod.library.folders import Found, model_files, real, shipped_folder, user_folder
from nemod.library.index import Index
from nemod.library.journal import tell, warn
from nemod.library.names import name_files
from nemod.library.pool import cores
from nemod.library.scan import Progress, Report, refresh

SCAN_LIMIT_S = 20.0
"""[s] Longest that reading one file may take."""
RESCAN_CAP_S = 3.0
"""[s] Longest that a daemon's rescan reads; a scan reads the rest."""
_NEAR_NAMES = 5_000
"""Most names among which a mistyped one is looked for: comparing takes long."""


class Library:
    """Names of models, the files behind them, and what is known of those. Thread: any.

    Making one lists folders and reads no model; the index is opened when it is first needed.
    """

    def __init__(
        self,
        folders: Iterable[Path] = (),
        *,
        files: Iterable[Path] = (),
        index: Index | None = None,
    ) -> None:
        """`folders` are searched beside the shipped and the user's; `files` are added singly.

        `index` None is the user's own.
        """
        self.folders = (shipped_folder(), *_user_folders(), *folders)
        self.index = index or Index()
        self._files = tuple(files)
        self._paths: dict[str, Path] = {}
        self._names: dict[Path, str] = {}
        self._folded: dict[str, str] = {}
        self._unread: tuple[Path, ...] = ()
        self.notes: tuple[str, ...] = ()
        """What was left out when the folders were last listed, and why."""
        self._scanning = threading.Lock()
        self.look()

    # --- names -----------------------------------------------------------------------------------

    @property
    def names(self) -> list[str]:
        """All names, sorted without regard to case; a model's index is its place here."""
        return list(self._paths)

    def look(self) -> None:
        """Look into the folders again, for names only."""
        looks = [model_files(folder) for folder in self.folders]
        singly = Found(files=[real(path) for path in self._files])
        paths, unfit = name_files(path for found in [*looks, singly] for path in found.files)
        self._unread = tuple(path for found in looks for path in found.unread)
        self.notes = (
            *dict.fromkeys(note for found in looks for note in found.notes),
            *(f"{str(path)!a}: its name holds a character that no name may" for path in unfit),
        )
        self._names = {path: name for name, path in paths.items()}
        self._folded = {name.casefold(): name for name in paths}
        self._paths = paths

    def find(self, name: str) -> tuple[str, Path]:
        """Return name and file of a model, by name in any case.

        Raises: NotFoundError with the nearest name.
        """
        paths = self._paths
        known = name if name in paths else self._folded.get(name.casefold(), "")
        if known not in paths:
            raise NotFoundError(
                f"no model is named {name!r}{did_you_mean(name, _near(name, paths))}; "
                f"{len(paths)} models were found in {', '.join(map(str, self.folders))}"
            )
        if real(paths[known]) != paths[known]:
            raise NotFoundError(f"{paths[known]} is a link now; rescan the library")
        return known, paths[known]

    def name_of(self, path: Path) -> str:
        """Return the name of a file that is in the library.

        Raises: NotFoundError.
        """
        name = self._names.get(real(path))
        if name is None:
            raise NotFoundError(f"{path} is not in the library")
        return name

    def problem(self, name: str) -> str:
        """Return why a model is known not to play, or nothing."""
        return ""

    def mark_unplayable(self, name: str, reason: str) -> None:
        """Mark a model until its file changes."""

    # --- what is known ---------------------------------------------------------------------------

    def rescan(self) -> None:
        """Look into the folders again, and read what is new or has changed, for a short while.

        Files are read by another process, so the calling one is not held up. An index that cannot
        be had costs a line in the log and nothing else.
        """
        try:
            report = self.refresh(workers=1, cap_s=RESCAN_CAP_S)
        except LibraryError as error:
            warn("index of models not refreshed", reason=str(error))
            return
        if report.left:
            tell("models not read yet; 'nemod models scan' reads them", count=report.left)

    def refresh(
        self,
        only: Sequence[Path] = (),
        *,
        workers: int | None = None,
        limit_s: float = SCAN_LIMIT_S,
        cap_s: float | None = None,
        force: bool = False,
        progress: Progress | None = None,
    ) -> Report:
        """Look into the folders again and bring the index up to date; see `nemod.library.scan`.

        `only` limits it to files below these folders; `workers` None is one for each core.

        Raises: LibraryError.
        """
        with self._scanning:
            self.look()
            roots = [real(folder.expanduser()) for folder in only or self.folders]
            singly = () if only else [real(path) for path in self._files]
            names = {
                path: name
                for path, name in self._names.items()
                if path in singly or any(path.is_relative_to(root) for root in roots)
            }
            report = refresh(
                self.index,
                names,
                roots,
                self._unread,
                workers=workers or cores(),
                limit_s=limit_s,
                cap_s=cap_s,
                force=force,
                progress=progress,
            )
            report.notes = list(self.notes)
            return report

    def entries(self) -> list[Entry]:
        """Return what is known of every model, in the order of names.

        A file that has not been read yet has empty facts. Raises: LibraryError.
        """
        known = self.index.entries()
        entries = [
            replace(known.get(path) or Entry(path=path), name=name)
            for name, path in self._paths.items()
        ]
        alike: dict[str, list[str]] = {}
        for entry in entries:
            if entry.facts.sha256:
                alike.setdefault(entry.facts.sha256, []).append(entry.name)
        return [
            replace(entry, same_as=tuple(name for name in others if name != entry.name))
            if len(others := alike.get(entry.facts.sha256, [])) > 1
            else entry
            for entry in entries
        ]

    def entry(self, name: str) -> Entry:
        """Return what is known of a model, by name in any case.

        Raises: NotFoundError, LibraryError.
        """
        known, _ = self.find(name)
        return next(entry for entry in self.entries() if entry.name == known)


def _near(name: str, names: Iterable[str]) -> list[str]:
    """Return names that a mistyped one may have meant."""
    some = list(names)
    if len(some) <= _NEAR_NAMES:
        return some
    folded = name.casefold()
    return [one for one in some if one.casefold()[:1] == folded[:1]][:_NEAR_NAMES]


def _user_folders() -> tuple[Path, ...]:
    """Return the user's own folder of models; nothing where there is no home folder."""
    try:
        return (user_folder(),)
    except FolderError:
        return ()
