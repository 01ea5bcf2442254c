"""The file behind the index: SQLite, opened safely by any number of processes and threads.

A file of an older version is upgraded. A file that is damaged, of a newer version or of another
program is moved aside under another name, and a new one is created: the index can always be made
again from the models.
"""

import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from nemod.library.entry import LibraryError
from nemod.library.journal import warn

try:
    import fcntl
except ImportError:  # without it, two processes must not find the damage at the same time
    fcntl = None  # type: ignore[assignment]

T = TypeVar("T")
APPLICATION_ID = 0x6E656D6F
"""Identifies the file as nemod's ("nemo")."""
PATIENCE_S = 20.0
"""[s] How long to wait for another process that writes."""
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_HELD = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_BESIDE = ("", "-wal", "-shm")
"""Endings that SQLite adds to the file's name for the files that belong to it."""


class Store:
    """An SQLite file with a schema. Thread: any; every call has its own connection."""

    def __init__(
        self, path: Path, schema: str, version: int, upgrades: Mapping[int, str] | None = None
    ) -> None:
        """`schema` creates the tables of `version`; nothing is opened yet.

        `upgrades` has the SQL that brings a file of a version to the next one.
        """
        self.path = path
        self._schema = schema
        self._version = version
        self._upgrades = dict(upgrades or {})
        self._is_checked = False

    def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Return what `work` returns from one consistent state of the file."""
        return self._run("BEGIN", work)

    def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Return what `work` returns; everything that it does is stored, or nothing.

        Raises: LibraryError when the file cannot be used.
        """
        return self._run("BEGIN IMMEDIATE", work)

    def _run(self, begin: str, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            self._prepare()
            number = self._number()
            try:
                return self._once(begin, work)
            except sqlite3.DatabaseError as error:
                if not _is_damage(error):
                    raise
                self._prepare(str(error), number)
                return self._once(begin, work)
        except (sqlite3.Error, OSError) as error:
            raise LibraryError(f"{self.path}: the index of models: {error}") from error

    def _once(self, begin: str, work: Callable[[sqlite3.Connection], T]) -> T:
        with closing(self._connect()) as db:
            db.execute(begin)
            try:
                result = work(db)
            except BaseException:
                with suppress(sqlite3.Error):
                    db.execute("ROLLBACK")
                raise
            db.execute("COMMIT")
            return result

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, timeout=PATIENCE_S, isolation_level=None)
        try:
            db.execute("PRAGMA foreign_keys = ON")
            db.execute("PRAGMA synchronous = NORMAL")
        except BaseException:
            db.close()
            raise
        return db

    # --- the state of the file -------------------------------------------------------------------

    def _prepare(self, damage: str = "", number: int = 0) -> None:
        """Make sure that the file exists, is nemod's and is intact.

        `damage` was found in the file of inode `number`.
        """
        if self._is_checked and not damage and self.path.exists() and self._problem() is None:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._alone():
            # Another process may have repaired everything while this one waited.
            self._upgrade()
            problem = self._problem(thorough=True) if self.path.exists() else ""
            if damage and not problem and self._number() == number:
                problem = f"damaged: {damage}"
            if problem:
                self._move_aside(problem)
            if problem is not None:
                self._create()
            self._is_checked = True

    def _problem(self, *, thorough: bool = False) -> str | None:
        """Return None for a good file, "" for an empty one, else what is wrong with it."""
        try:
            with closing(self._connect()) as db:
                (version,) = db.execute("PRAGMA user_version").fetchone()
                (application,) = db.execute("PRAGMA application_id").fetchone()
                (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
                if not tables:
                    return ""
                if application != APPLICATION_ID:
                    return "not nemod's index of models"
                if version != self._version:
                    age = "a newer" if version > self._version else "an older"
                    return f"made by {age} nemod (version {version}, here {self._version})"
                if thorough:
                    (state,) = db.execute("PRAGMA quick_check(1)").fetchone()
                    return None if state == "ok" else f"damaged: {state}"
                return None
        except sqlite3.DatabaseError as error:
            if not _is_damage(error):
                raise
            return f"damaged: {error}"

    def _upgrade(self) -> None:
        """Bring a file of an older version up to date, as far as there are steps."""
        if not self.path.exists():
            return
        try:
            with closing(self._connect()) as db:
                (application,) = db.execute("PRAGMA application_id").fetchone()
                (version,) = db.execute("PRAGMA user_version").fetchone()
                while application == APPLICATION_ID and version in self._upgrades:
                    script = self._upgrades[version]
                    version += 1
                    db.executescript(
                        f"BEGIN IMMEDIATE; {script} PRAGMA user_version = {version}; COMMIT;"
                    )
        except sqlite3.DatabaseError as error:
            # Damage is found and reported by `_problem`.
            if not _is_damage(error):
                raise

    def _create(self) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                with closing(self._connect()) as db:
                    # Readers and a writer do not wait for each other, where the disk allows it.
                    db.execute("PRAGMA journal_mode = WAL").fetchone()
                    db.executescript(
                        f"BEGIN IMMEDIATE; {self._schema} "
                        f"PRAGMA application_id = {APPLICATION_ID}; "
                        f"PRAGMA user_version = {self._version}; COMMIT;"
                    )
                    return
            except sqlite3.OperationalError as error:
                # Changing the journal mode does not wait by itself.
                if _code(error) not in _HELD or time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def _move_aside(self, problem: str) -> None:
        number = 1
        while (aside := self.path.with_name(f"{self.path.name}.aside-{number}")).exists():
            number += 1
        for ending in _BESIDE:
            with suppress(FileNotFoundError):
                os.rename(f"{self.path}{ending}", f"{aside}{ending}")
        warn("index of models moved aside", reason=problem, file=str(self.path), to=str(aside))

    def _number(self) -> int:
        try:
            return self.path.stat().st_ino
        except FileNotFoundError:
            return 0

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other processes from upgrading, moving aside and creating."""
        with open(self.path.with_name(f"{self.path.name}.lock"), "w") as lock:
            if fcntl is not None:
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _code(error: sqlite3.Error) -> int:
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def _is_damage(error: sqlite3.Error) -> bool:
    return _code(error) in _DAMAGED
