"""The library: names of models or cabinets, from the folders that hold them.

No file outside these folders can be reached by a name.
"""

import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from nemod.common.errors import NotFoundError, did_you_mean
from nemod.common.names import fold
from nemod.common.paths import FolderError
from nemod.library.entry import Entry, LibraryError, Problem
from nemod.library.facts import content_hash
from nemod.library.folders import Found, listed_files, real
from nemod.library.index import Index
from nemod.library.journal import info, warn
from nemod.library.kind import MODELS, Kind
from nemod.library.names import name_files
from nemod.library.pool import cores
from nemod.library.scan import Progress, ScanReport, file_stamp, refresh
from nemod.library.text import clean

SCAN_LIMIT_S = 20.0
"""[s] Longest time to read one file."""
RESCAN_CAP_S = 3.0
"""[s] Longest time that a daemon's rescan reads files; a scan reads the rest."""
_MAX_REASON = 1000
_NEAR_NAMES = 5_000
"""Most names that are compared with a mistyped one: comparing takes long."""


class Library:
    """Names of files of one kind, and what is known about these. Thread: any.

    Creating one lists folders and reads no file; the index is opened when it is first needed.
    """

    def __init__(
        self,
        folders: Iterable[Path] = (),
        *,
        files: Iterable[Path] = (),
        index: Index | None = None,
        kind: Kind = MODELS,
    ) -> None:
        """`folders` are searched besides the shipped and the user's; `files` are added one by one.

        `index` None is the user's own.
        """
        self.kind = kind
        self.folders = (kind.shipped_folder(), *_user_folders(kind), *folders)
        self.index = index or Index(kind=kind)
        self._files = tuple(files)
        self._paths: dict[str, Path] = {}
        self._names: dict[Path, str] = {}
        self._folded: dict[str, str] = {}
        self._unread: tuple[Path, ...] = ()
        self.notes: tuple[str, ...] = ()
        """What was left out when the folders were last listed and why."""
        self._scanning = threading.Lock()
        self._unplayable: dict[Path, Problem] = {}
        self._marking = threading.Lock()
        self.look()

    # --- names -----------------------------------------------------------------------------------

    @property
    def names(self) -> list[str]:
        """All names in natural order (2 before 10); a model's index is its place here."""
        return list(self._paths)

    def look(self) -> None:
        """List the folders again, for names only."""
        looks = [listed_files(folder, self.kind.suffixes) for folder in self.folders]
        singly = Found(files=[real(path) for path in self._files])
        paths, unfit = name_files(path for found in [*looks, singly] for path in found.files)
        self._unread = tuple(path for found in looks for path in found.unread)
        self.notes = (
            *dict.fromkeys(note for found in looks for note in found.notes),
            *(
                f"{str(path)!a}: its name has a character that is not allowed in names"
                for path in unfit
            ),
        )
        self._names = {path: name for name, path in paths.items()}
        self._folded = {fold(name): name for name in paths}
        self._paths = paths

    def find(self, name: str) -> tuple[str, Path]:
        """Return name and file of a model, by name in any case and spelling of accents.

        Raises: NotFoundError with the nearest name.
        """
        paths = self._paths
        known = name if name in paths else self._folded.get(fold(name), "")
        if known not in paths:
            raise NotFoundError(
                f"no {self.kind.noun} is named {name!r}{did_you_mean(name, _near(name, paths))}; "
                f"{len(paths)} {self.kind.noun}s were found in {', '.join(map(str, self.folders))}"
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

    # --- problems --------------------------------------------------------------------------------

    def problem(self, name: str) -> str:
        """Return why a model is known to be unplayable; empty if it is not known to be.

        Known is a fault found when the file was read, verified or loaded, as long as its size and
        time of change are the same. Nothing is read but the index; without one, only what was
        passed to `mark_unplayable` of this object is known. A name that is not in the library has
        no problem.
        """
        try:
            _, path = self.find(name)
        except NotFoundError:
            return ""
        return self._problem_of(path, self._problems(path).get(path, []))

    def problems(self) -> dict[str, str]:
        """Return why models are known to be unplayable, by name; see `problem`."""
        names = self._names
        found = {
            names[path]: self._problem_of(path, problems)
            for path, problems in self._problems().items()
            if path in names
        }
        return {name: found[name] for name in self._paths if found.get(name)}

    def mark_unplayable(self, name: str, reason: str) -> None:
        """Remember why a model cannot be played, until its file changes; "" removes the mark.

        The mark is kept in the index and, where that is not available, in this object. This may
        wait for another process that writes to the index. A name that is not in the library is
        ignored.
        """
        try:
            _, path = self.find(name)
        except NotFoundError:
            return
        stamp = file_stamp(path)
        if stamp is None:
            return
        problem = Problem(*stamp, clean(reason.removeprefix(f"{path}: "), _MAX_REASON))
        with self._marking:
            self._unplayable[path] = problem
        try:
            self.index.mark_unplayable(path, problem)
        except LibraryError as error:
            warn(f"unplayable {self.kind.noun} not marked in the index", reason=str(error))

    def _problems(self, path: Path | None = None) -> dict[Path, list[Problem]]:
        """Return what was found about one file or all, in this process and in the index."""
        found: dict[Path, list[Problem]] = {}
        # The first look at a problem must not create an index; and a fault of the index is logged
        # where it is filled.
        with suppress(LibraryError):
            if self.index.file.exists():
                found = self.index.problems(path)
        with self._marking:
            for at, problem in self._unplayable.items():
                if path is None or path == at:
                    found.setdefault(at, []).insert(0, problem)
        return found

    @staticmethod
    def _problem_of(path: Path, problems: Iterable[Problem]) -> str:
        stamp = file_stamp(path)
        return next((one.reason for one in problems if one.reason and one[:3] == stamp), "")

    # --- what is known ---------------------------------------------------------------------------

    def rescan(self) -> None:
        """List the folders again, and read what is new or has changed, for a short while.

        Files are read by another process, so the calling one is not delayed. A fault of the index
        is logged and nothing else.
        """
        try:
            report = self.refresh(workers=1, cap_s=RESCAN_CAP_S)
        except LibraryError as error:
            warn(f"index of {self.kind.noun}s not refreshed", reason=str(error))
            return
        if report.left:
            command = f"nemod {self.kind.command} scan"
            info(f"{self.kind.noun}s not read yet; '{command}' reads them", count=report.left)

    def refresh(
        self,
        only: Sequence[Path] = (),
        *,
        workers: int | None = None,
        limit_s: float = SCAN_LIMIT_S,
        cap_s: float | None = None,
        force: bool = False,
        progress: Progress | None = None,
    ) -> ScanReport:
        """List the folders again and bring the index up to date; see `nemod.library.scan`.

        `only` limits it to files below these folders; `workers` None is one per core.

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
        """Return what is known about every model, in the order of names.

        A file that has not been read yet has empty facts. Raises: LibraryError.
        """
        known = self.index.entries()
        marks = {
            path: self._problem_of(path, [problem]) for path, problem in self.index.marks().items()
        }
        entries = [
            replace(known.get(path) or Entry(path=path), name=name, unplayable=marks.get(path, ""))
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

    def content_hash(self, name: str) -> str:
        """Return the SHA-256 of a model's file; empty where it cannot be read."""
        try:
            _, path = self.find(name)
        except NotFoundError:
            return ""
        return content_hash(path)

    def find_by_hash(self, sha256: str) -> str:
        """Return the name of a model by the SHA-256 of its file; empty where none is known.

        Only files that the index knows are found.
        """
        with suppress(LibraryError):
            for entry in self.entries():
                if entry.facts.sha256 == sha256:
                    return entry.name
        return ""

    def entry(self, name: str) -> Entry:
        """Return what is known about a model, by name in any case.

        Raises: NotFoundError, LibraryError.
        """
        known, _ = self.find(name)
        return next(entry for entry in self.entries() if entry.name == known)


def _near(name: str, names: Iterable[str]) -> list[str]:
    """Return names that may have been meant by a mistyped one."""
    some = list(names)
    if len(some) <= _NEAR_NAMES:
        return some
    first = fold(name)[:1]
    return [one for one in some if fold(one)[:1] == first][:_NEAR_NAMES]


def _user_folders(kind: Kind) -> tuple[Path, ...]:
    """Return the user's own folder; nothing where there is no home folder."""
    try:
        return (kind.user_folder(),)
    except FolderError:
        return ()
