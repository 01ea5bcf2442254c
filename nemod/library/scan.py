"""Bringing the index up to date: what is new or has changed is read, what is gone is dropped."""

import hashlib
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from nemod.library.entry import Facts
from nemod.library.index import Index, Record, Stamp
from nemod.library.pool import read_files

STORE_EVERY = 100
"""Files that are stored at once; what a scan has stored stays when it is interrupted."""

Progress = Callable[[int, int], None]
"""Is told how many files are read and how many are to be."""


@dataclass(slots=True, kw_only=True)
class Report:
    """What a scan did."""

    files: int = 0
    """Files that are there."""
    read: int = 0
    """Files that were read, because they are new or have changed."""
    gone: int = 0
    """Files that were dropped from the index."""
    left: int = 0
    """Files that are to be read still, because the time was up."""
    refused: dict[Path, str] = field(default_factory=dict)
    """Files that were read and cannot be played, with the reason."""
    notes: list[str] = field(default_factory=list)
    """What was left out of the library, and why."""


@cache
def readers() -> str:
    """Return a word for the readers as they are: with other readers, a file may tell more."""
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
) -> Report:
    """Bring what the index knows of the files below `roots` up to date.

    `names` has all these files; what the index knows below `unread` (folders that could not be
    listed) is kept. A file whose size and time are as they were is not read again unless `force`.
    Reading takes at most `limit_s` [s] a file and `cap_s` [s] in all.

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
    report = Report(files=len(stamps))
    batch: list[Record] = []
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


def _stamp(path: Path, name: str) -> Stamp | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return Stamp(status.st_size, status.st_mtime_ns, readers(), name)


def _record(path: Path, stamp: Stamp, facts: Facts) -> Record:
    now = _stamp(path, stamp.name)
    # A file that changed while it was read gets a time that no file has: it is read again.
    mtime_ns = stamp.mtime_ns if now == stamp else -1
    return Record(path, stamp.name, stamp.size_bytes, mtime_ns, stamp.read_by, facts)


def _same(known: Stamp | None, stamp: Stamp) -> bool:
    return known is not None and known[:3] == stamp[:3]


def _renamed(known: Stamp, stamp: Stamp) -> bool:
    return known.name != stamp.name


def _is_below(path: Path, folders: tuple[Path, ...]) -> bool:
    return any(path.is_relative_to(folder) for folder in folders)
