"""The index: what is known about every file of the library, in SQLite."""

import json
import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from nemod.common.paths import FolderError
from nemod.library.entry import (
    FAILED,
    NO_PROBE,
    PASSED,
    UNTRIED,
    Entry,
    Facts,
    LibraryError,
    Problem,
)
from nemod.library.kind import MODELS, Kind
from nemod.library.store import Store

VERSION = 2
_UNPLAYABLE = """
CREATE TABLE unplayable (
    path TEXT PRIMARY KEY,
    size_bytes INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    read_by TEXT NOT NULL,
    reason TEXT NOT NULL
);
"""
"""Files that were read but could not be played, as they were then."""
SCHEMA = """
CREATE TABLE models (
    path TEXT PRIMARY KEY,
    name TEXT NOT NULL,             -- as of the last scan
    size_bytes INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    read_by TEXT NOT NULL,          -- which readers the facts are from
    scanned_at TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    dialect TEXT NOT NULL,
    architecture TEXT NOT NULL,
    parameters INTEGER NOT NULL,
    knobs TEXT NOT NULL,            -- JSON list of names
    sample_rate INTEGER NOT NULL,
    rate_stated INTEGER NOT NULL,
    gear TEXT NOT NULL,
    author TEXT NOT NULL,
    licence TEXT NOT NULL,
    esr REAL,
    metadata TEXT NOT NULL,         -- JSON object
    error TEXT NOT NULL,
    probe TEXT NOT NULL,            -- none, untried, passed or failed
    probe_error REAL,
    probe_reason TEXT NOT NULL DEFAULT '',
    verified_at TEXT NOT NULL DEFAULT ''
);
CREATE INDEX models_sha256 ON models (sha256);
CREATE TABLE tags (
    path TEXT NOT NULL REFERENCES models (path) ON DELETE CASCADE,
    tag TEXT NOT NULL,
    PRIMARY KEY (path, tag)
);
"""
_UPGRADES = {1: _UNPLAYABLE}
"""SQL that brings an index of a version to the next one."""
_FACTS = (
    "sha256",
    "dialect",
    "architecture",
    "parameters",
    "knobs",
    "sample_rate",
    "rate_stated",
    "gear",
    "author",
    "licence",
    "esr",
    "metadata",
    "error",
)
_WRITTEN = ("path", "name", "size_bytes", "mtime_ns", "read_by", "scanned_at", *_FACTS, "probe")
_KEPT = ("probe", "probe_error", "probe_reason", "verified_at")
"""Columns that do not come from the file; they stay as long as its content is the same."""


class Stamp(NamedTuple):
    """By what a changed file is recognised, and the name that the index has for it."""

    size_bytes: int
    mtime_ns: int
    read_by: str
    name: str


class IndexRecord(NamedTuple):
    """A file that was read, to be stored."""

    path: Path
    name: str
    size_bytes: int
    mtime_ns: int
    read_by: str
    facts: Facts


class Index:
    """What is known about files, by path. Thread: any. Every method may raise LibraryError."""

    def __init__(self, file: Path | None = None, kind: Kind = MODELS) -> None:
        """`file` None is the user's own index of this kind. It is opened at the first use."""
        self._file = file
        self._kind = kind

    @cached_property
    def _store(self) -> Store:
        try:
            return Store(
                self._file or self._kind.index_file(), SCHEMA + _UNPLAYABLE, VERSION, _UPGRADES
            )
        except FolderError as error:
            raise LibraryError(f"the index of {self._kind.noun}s: {error}") from None

    @property
    def file(self) -> Path:
        """The SQLite file."""
        return self._store.path

    def stamps(self) -> dict[Path, Stamp]:
        """Return the stamps of all files in the index."""
        query = "SELECT path, size_bytes, mtime_ns, read_by, name FROM models"
        rows = self._store.read(lambda db: db.execute(query).fetchall())
        return {Path(path): Stamp(*stamp) for path, *stamp in rows}

    def entries(self) -> dict[Path, Entry]:
        """Return everything that is known, by path."""
        return self._store.read(_entries)

    def put(self, records: Iterable[IndexRecord], gone: Collection[Path] = ()) -> None:
        """Store what was read; a file moved here from one of `gone` keeps its tags and probe."""
        rows = list(records)
        old = {str(path) for path in gone}
        self._store.write(lambda db: _put(db, rows, old))

    def drop(self, paths: Iterable[Path]) -> None:
        """Remove files."""
        rows = [(str(path),) for path in paths]
        if not rows:
            return

        def work(db: sqlite3.Connection) -> None:
            db.executemany("DELETE FROM models WHERE path = ?", rows)
            db.executemany("DELETE FROM unplayable WHERE path = ?", rows)

        self._store.write(work)

    def set_names(self, names: Mapping[Path, str]) -> None:
        """Store the names that files have now."""
        rows = [(name, str(path)) for path, name in names.items()]
        self._write_many("UPDATE models SET name = ? WHERE path = ?", rows)

    def set_probe(self, path: Path, sha256: str, error: float | None, reason: str = "") -> str:
        """Store the result of playing a model's own probe, and return it as a word.

        `error` is the largest difference, relative to the peak, None for a file without a probe;
        with a `reason` the probe failed. `sha256` is of the content that was played.
        """
        word = FAILED if reason else NO_PROBE if error is None else PASSED
        row = (word, error, reason, _now(), str(path), sha256)
        self._write_many(
            "UPDATE models SET probe = ?, probe_error = ?, probe_reason = ?, verified_at = ? "
            "WHERE path = ? AND sha256 = ?",
            [row],
        )
        return word

    def change_tags(self, path: Path, add: Iterable[str], take: Iterable[str]) -> None:
        """Add tags to a file in the index, and remove some."""
        added = [(str(path), tag) for tag in add]
        taken = [(str(path), tag) for tag in take]

        def work(db: sqlite3.Connection) -> None:
            db.executemany("INSERT OR IGNORE INTO tags VALUES (?, ?)", added)
            db.executemany("DELETE FROM tags WHERE path = ? AND tag = ?", taken)

        self._store.write(work)

    def problems(self, path: Path | None = None) -> dict[Path, list[Problem]]:
        """Return why files cannot be played: of one file or of all, by path.

        Each reason holds for the file as it was then; the caller compares size and time.
        """
        where = "" if path is None else "AND path = :path"
        query = " UNION ALL ".join(
            f"SELECT path, size_bytes, mtime_ns, read_by, {reason} FROM {source} {where}"
            for reason, source in (
                ("reason", "unplayable WHERE reason != ''"),
                ("error", "models WHERE error != ''"),
                ("probe_reason", f"models WHERE probe = '{FAILED}'"),
            )
        )
        rows = self._store.read(lambda db: db.execute(query, {"path": str(path)}).fetchall())
        found: dict[Path, list[Problem]] = {}
        for at, *problem in rows:
            found.setdefault(Path(at), []).append(Problem(*problem))
        return found

    def mark_unplayable(self, path: Path, problem: Problem) -> None:
        """Store why a file cannot be played; an empty reason removes the mark."""
        row = (str(path), *problem)

        def work(db: sqlite3.Connection) -> None:
            if problem.reason:
                db.execute("INSERT OR REPLACE INTO unplayable VALUES (?, ?, ?, ?, ?)", row)
            else:
                db.execute("DELETE FROM unplayable WHERE path = ?", row[:1])

        self._store.write(work)

    def marks(self) -> dict[Path, Problem]:
        """Return the files that were marked as unplayable, with what was found."""
        query = "SELECT path, size_bytes, mtime_ns, read_by, reason FROM unplayable"
        rows = self._store.read(lambda db: db.execute(query).fetchall())
        return {Path(path): Problem(*problem) for path, *problem in rows}

    def clear_marks(self, paths: Iterable[Path]) -> None:
        """Remove marks, of files that have changed."""
        self._write_many("DELETE FROM unplayable WHERE path = ?", [(str(path),) for path in paths])

    def _write_many(self, query: str, rows: Sequence[tuple[object, ...]]) -> None:
        if rows:
            self._store.write(lambda db: db.executemany(query, rows) and None)


def _put(db: sqlite3.Connection, records: list[IndexRecord], gone: set[str]) -> None:
    fresh = ", ".join(
        f"{column} = excluded.{column}" for column in _WRITTEN if column not in ("path", "probe")
    )
    kept = ", ".join(
        f"{column} = CASE WHEN sha256 = excluded.sha256 AND probe IN ('{PASSED}', '{FAILED}') "
        f"THEN {column} ELSE excluded.{column} END"
        for column in _KEPT
    )
    columns, marks = ", ".join(_WRITTEN), ", ".join("?" * len(_WRITTEN))
    query = (
        f"INSERT INTO models ({columns}) VALUES ({marks}) "
        f"ON CONFLICT (path) DO UPDATE SET {fresh}, {kept}"
    )
    for record in records:
        is_new = not db.execute(
            "SELECT 1 FROM models WHERE path = ?", (str(record.path),)
        ).fetchone()
        db.execute(query, _row(record))
        if is_new and gone and record.facts.sha256:
            _inherit(db, record, gone)


def _row(record: IndexRecord) -> tuple[object, ...]:
    facts = record.facts
    values = {name: getattr(facts, name) for name in _FACTS} | {"knobs": json.dumps(facts.knobs)}
    return (
        str(record.path),
        record.name,
        record.size_bytes,
        record.mtime_ns,
        record.read_by,
        _now(),
        *values.values(),
        UNTRIED if facts.has_probe else NO_PROBE,
    )


def _inherit(db: sqlite3.Connection, record: IndexRecord, gone: set[str]) -> None:
    """Take over what is known about the same content from a file that is gone."""
    query = "SELECT path FROM models WHERE sha256 = ? ORDER BY path"
    for (old,) in db.execute(query, (record.facts.sha256,)).fetchall():
        if old in gone:
            path = str(record.path)
            db.execute(
                "INSERT OR IGNORE INTO tags SELECT ?, tag FROM tags WHERE path = ?", (path, old)
            )
            columns = ", ".join(_KEPT)
            db.execute(
                f"UPDATE models SET ({columns}) = (SELECT {columns} FROM models WHERE path = ?) "
                "WHERE path = ?",
                (old, path),
            )
            return


def _entries(db: sqlite3.Connection) -> dict[Path, Entry]:
    tags: dict[str, list[str]] = {}
    for path, tag in db.execute("SELECT path, tag FROM tags ORDER BY tag"):
        tags.setdefault(path, []).append(tag)
    cursor = db.cursor()
    cursor.row_factory = sqlite3.Row
    rows = cursor.execute("SELECT * FROM models")
    return {Path(row["path"]): _entry(row, tags.get(row["path"], [])) for row in rows}


def _entry(row: sqlite3.Row, tags: list[str]) -> Entry:
    values = {name: row[name] for name in _FACTS}
    values["knobs"] = tuple(json.loads(row["knobs"]))
    values["rate_stated"] = bool(row["rate_stated"])
    return Entry(
        path=Path(row["path"]),
        name=row["name"],
        size_bytes=row["size_bytes"],
        mtime_ns=row["mtime_ns"],
        facts=Facts(**values, has_probe=row["probe"] != NO_PROBE),
        is_read=True,
        probe=row["probe"],
        probe_error=row["probe_error"],
        probe_reason=row["probe_reason"],
        tags=tuple(tags),
        scanned_at=row["scanned_at"],
        verified_at=row["verified_at"],
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
