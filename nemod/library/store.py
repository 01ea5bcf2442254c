"""The file behind the index: SQLite, opened safely by any number of processes and threads.

A file that is damaged, that a newer nemod has written, or that is not ours is set aside under
another name, and a new one is begun: the index can always be made again from the models.
"""

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from nemod.library.entry import LibraryError
from nemod.library.journal import warn

try:
    import fcntl
except ImportError:  # where there is none, two processes must not find the damage at once
    fcntl = None  # type: ignore[assignment]

T = TypeVar("T")
APPLICATION_ID = 0x6E656D6F
"""Marks the file as ours ("nemo")."""
PATIENCE_S = 20.0
"""[s] How long another process may hold the file."""
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_HELD = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_BESIDE = ("", "-wal", "-shm")
"""What SQLite adds to the file's name for the files that belong to it."""


class Store:
    """An SQLite file with a schema. Thread: any; every piece of work has its own connection."""

    def __init__(self, path: Path, schema: str, version: int) -> None:
        """`schema` makes the tables; `version` is its number. Nothing is opened yet."""
        self.path = path
        self._schema = schema
        self._version = version
        self._is_checked = False

    def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Return what `work` returns from one consistent state of the file."""
        return self._run("BEGIN", work)

    def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Return what `work` returns; all that it does is stored, or nothing is.

        Raises: LibraryError when the file cannot be had.
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
        """See that the file is there, is ours and is whole; `damage` was met in file `number`."""
        if self._is_checked and not damage and self.path.exists() and self._problem() is None:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._alone():
            # Another process may have put things right while this one waited.
            problem = self._problem(thorough=True) if self.path.exists() else ""
            if damage and not problem and self._number() == number:
                problem = f"damaged: {damage}"
            if problem:
                self._set_aside(problem)
            if problem is not None:
                self._create()
            self._is_checked = True

    def _problem(self, *, thorough: bool = False) -> str | None:
        """Return None for a good file, nothing for an empty one, else what is wrong with it."""
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
                # Changing the journal does not wait by itself.
                if _code(error) not in _HELD or time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def _set_aside(self, problem: str) -> None:
        number = 1
        while (aside := self.path.with_name(f"{self.path.name}.aside-{number}")).exists():
            number += 1
        for ending in _BESIDE:
            with suppress(FileNotFoundError):
                os.rename(f"{self.path}{ending}", f"{aside}{ending}")
        warn("index of models set aside", reason=problem, file=str(self.path), to=str(aside))

    def _number(self) -> int:
        try:
            return self.path.stat().st_ino
        except FileNotFoundError:
            return 0

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other processes from setting aside and creating."""
        with open(self.path.with_name(f"{self.path.name}.lock"), "w") as lock:
            if fcntl is not None:
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _code(error: sqlite3.Error) -> int:
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def _is_damage(error: sqlite3.Error) -> bool:
    return _code(error) in _DAMAGED
