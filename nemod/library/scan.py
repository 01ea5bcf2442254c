"""Brings the index up to date: reads new and changed files, removes those that are gone."""

import hashlib
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from nemod.library.entry import Facts
from nemod.library.index import Index, IndexRecord, Stamp
from nemod.library.pool import read_files

STORE_EVERY = 100
"""Files per write; what a scan has stored stays when it is interrupted."""

Progress = Callable[[int, int], None]
"""Called with the number of files read and the number to read."""


@dataclass(slots=True, kw_only=True)
class ScanReport:
    """What a scan did."""

    files: int = 0
    """Files that exist."""
    read: int = 0
    """Files that were read because they are new or have changed."""
    gone: int = 0
    """Files that were removed from the index."""
    left: int = 0
    """Files that were not read because the time was up."""
    refused: dict[Path, str] = field(default_factory=dict)
    """Files that cannot be read as a model, with the reason."""
    notes: list[str] = field(default_factory=list)
    """What was left out of the library and why."""


@cache
def readers() -> str:
    """Return the version of the readers; another version may read more from a file."""
    digest = hashlib.sha256()
    package = Path(__file__).parents[1]
    for file in sorted([*package.glob("formats/*.py"), package / "library" / "facts.py"]):
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:16]


def refresh(
    index: Index,
    names: Mapping[Path, str],
    roots: Iterable[Path],
    unread: Iterable[Path] = (),
    *,
    workers: int,
    limit_s: float,
    cap_s: float | None = None,
    force: bool = False,
    progress: Progress | None = None,
) -> ScanReport:
    """Bring the index of the files below `roots` up to date.

    `names` has all these files; entries below `unread` (folders that could not be listed) are kept.
    A file with the same size and time of change is not read again unless `force`. Reading takes at
    most `limit_s` [s] per file and `cap_s` [s] in all.

    Raises: LibraryError.
    """
    until = None if cap_s is None else time.monotonic() + cap_s
    known = index.stamps()
    stamps = {path: stamp for path in names if (stamp := _stamp(path, names[path])) is not None}
    wanted = [path for path, stamp in stamps.items() if force or not _same(known.get(path), stamp)]
    below, hidden = tuple(roots), tuple(unread)
    gone = {
        path
        for path in known
        if path not in stamps and _is_below(path, below) and not _is_below(path, hidden)
    }
    report = ScanReport(files=len(stamps))
    batch: list[IndexRecord] = []
    if progress is not None:
        progress(0, len(wanted))
    results = read_files(wanted, workers=workers, limit_s=limit_s, until=until) if wanted else ()
    try:
        for path, facts in results:
            batch.append(_record(path, stamps[path], facts))
            report.read += 1
            if facts.error:
                report.refused[path] = facts.error
            if progress is not None:
                progress(report.read, len(wanted))
            if len(batch) >= STORE_EVERY:
                index.put(batch, gone)
                batch = []
    finally:
        if batch:
            index.put(batch, gone)
    index.drop(gone)
    marks = index.marks()
    index.clear_marks(
        path
        for path, mark in marks.items()
        if path in gone or (path in stamps and stamps[path][:3] != mark[:3])
    )
    report.gone = len(gone)
    report.left = len(wanted) - report.read
    index.set_names(
        {
            path: stamp.name
            for path, stamp in stamps.items()
            if path in known and _renamed(known[path], stamp)
        }
    )
    return report


def file_stamp(path: Path) -> tuple[int, int, str] | None:
    """Return size, time of change [ns] and version of the readers; None for a file that is gone."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns, readers()


def _stamp(path: Path, name: str) -> Stamp | None:
    stamp = file_stamp(path)
    return None if stamp is None else Stamp(*stamp, name)


def _record(path: Path, stamp: Stamp, facts: Facts) -> IndexRecord:
    now = _stamp(path, stamp.name)
    # A file that changed while it was read gets a time that no file has, and is read again.
    mtime_ns = stamp.mtime_ns if now == stamp else -1
    return IndexRecord(path, stamp.name, stamp.size_bytes, mtime_ns, stamp.read_by, facts)


def _same(known: Stamp | None, stamp: Stamp) -> bool:
    return known is not None and known[:3] == stamp[:3]


def _renamed(known: Stamp, stamp: Stamp) -> bool:
    return known.name != stamp.name


def _is_below(path: Path, folders: tuple[Path, ...]) -> bool:
    return any(path.is_relative_to(folder) for folder in folders)
