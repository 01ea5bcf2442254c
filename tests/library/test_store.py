"""The SQLite file: damage, other versions, and many users at once."""

import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from nemod.library import Facts, Index, LibraryError
from nemod.library.index import VERSION, IndexRecord

SCAN = (
    "import sys; from pathlib import Path; from nemod.library import Library, Index; "
    "folder = Path(sys.argv[1]); library = Library([folder], index=Index(Path(sys.argv[2]))); "
    "library.refresh([folder], workers=1)"
)


def record(name: str, sha256: str = "0") -> IndexRecord:
    """Return a record as a scan makes one."""
    return IndexRecord(Path("/m") / name, name, 1, 2, "readers", Facts(sha256=sha256))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return the file of an index that has one row."""
    path = tmp_path / "library.db"
    Index(path).put([record("a")])
    return path


def known(file: Path) -> list[str]:
    """Return the names in a newly opened index."""
    return sorted(path.name for path in Index(file).stamps())


def aside(file: Path) -> list[str]:
    """Return what was moved aside."""
    return sorted(path.name for path in file.parent.glob("*.aside-*"))


def test_what_is_put_is_there(file: Path) -> None:
    """In write-ahead mode, in which readers and a writer do not wait for each other."""
    with closing(sqlite3.connect(file)) as db:
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert (known(file), aside(file)) == (["a"], [])


def corrupt_head(file: Path) -> None:
    """Write over the first bytes."""
    with open(file, "r+b") as stream:
        stream.write(b"no database at all")


def corrupt_pages(file: Path) -> None:
    """Write over all but the first page."""
    size = file.stat().st_size
    with open(file, "r+b") as stream:
        stream.seek(4096)
        stream.write(b"\xa5" * (size - 4096))


def truncate(file: Path) -> None:
    """Cut the file in the middle of a page."""
    os.truncate(file, 5000)


def make_newer(file: Path) -> None:
    """Give the file the version of a later nemod."""
    with closing(sqlite3.connect(file)) as db:
        db.execute(f"PRAGMA user_version = {VERSION + 1}")


def make_foreign(file: Path) -> None:
    """Put another program's database there."""
    file.unlink()
    with closing(sqlite3.connect(file)) as db:
        db.execute("CREATE TABLE models (cars TEXT)")


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (corrupt_head, "damaged"),
        (corrupt_pages, "damaged"),
        (truncate, "damaged"),
        (make_newer, f"made by a newer nemod (version {VERSION + 1}, here {VERSION})"),
        (make_foreign, "not nemod's index of models"),
    ],
)
def test_what_cannot_be_used_is_moved_aside(
    file: Path, harm: Callable[[Path], None], reason: str
) -> None:
    """Under another name, complete, with a line in the log; a new index is created."""
    harm(file)
    before = file.read_bytes()
    with capture_logs() as logs:
        assert known(file) == []
    assert [(line["event"], line["log_level"]) for line in logs] == [
        ("index of models moved aside", "warning")
    ]
    assert logs[0]["reason"].startswith(reason)
    assert aside(file) == ["library.db.aside-1"]
    assert file.with_name("library.db.aside-1").read_bytes() == before
    Index(file).put([record("b")])
    assert known(file) == ["b"]


def test_each_is_moved_aside_under_a_name_of_its_own(file: Path) -> None:
    """No earlier index is overwritten."""
    for _ in range(2):
        corrupt_head(file)
        known(file)
    assert aside(file) == ["library.db.aside-1", "library.db.aside-2"]


def test_damage_under_an_open_index_is_found(file: Path) -> None:
    """An open index continues with a new file."""
    index = Index(file)
    assert len(index.stamps()) == 1
    corrupt_pages(file)
    assert index.stamps() == {}
    index.put([record("b")])
    assert (known(file), aside(file)) == (["b"], ["library.db.aside-1"])


def test_an_index_that_is_deleted_is_made_again(file: Path) -> None:
    """Also while a daemon runs."""
    index = Index(file)
    index.stamps()
    file.unlink()
    assert index.stamps() == {}


def test_an_empty_file_is_a_new_index(tmp_path: Path) -> None:
    """Nothing would be lost, so nothing is moved aside."""
    file = tmp_path / "library.db"
    file.touch()
    assert (known(file), aside(file)) == ([], [])


def test_an_unusable_path_is_an_error(tmp_path: Path) -> None:
    """It names the file."""
    (tmp_path / "file").touch()
    for path in (tmp_path / "file" / "library.db", tmp_path):
        with pytest.raises(LibraryError, match=str(path)):
            Index(path).stamps()


def test_work_that_fails_stores_nothing(file: Path) -> None:
    """Everything is stored or nothing."""
    good, bad = record("b"), IndexRecord(Path("/m/c"), "c", "?", 2, None, Facts())  # type: ignore[arg-type]
    with pytest.raises(LibraryError):
        Index(file).put([good, bad])
    assert known(file) == ["a"]


def test_threads_share_an_index(file: Path) -> None:
    """Each has its own connection."""
    index = Index(file)
    faults: list[Exception] = []

    def work(number: int) -> None:
        try:
            for turn in range(5):
                index.put([record(f"{number}-{turn}")])
                index.entries()
        except Exception as error:
            faults.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (faults, len(known(file))) == ([], 21)


@pytest.mark.parametrize("is_damaged", [False, True])
def test_two_processes_scan_at_once(
    tmp_path: Path, folder: Path, write_model: Callable[..., Path], is_damaged: bool
) -> None:
    """Both succeed with one index of all files; a damaged index is moved aside once."""
    for number in range(15):
        write_model(folder / f"m{number}.json", number)
    (folder / "broken.json").write_text("{")
    file = tmp_path / "library.db"
    if is_damaged:
        Index(file).put([record("a")])
        corrupt_head(file)
    command = [sys.executable, "-c", SCAN, str(folder), str(file)]
    both = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    errors = [process.communicate(timeout=60)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], errors
    assert len(known(file)) == 16
    assert len(aside(file)) == int(is_damaged)
    with closing(sqlite3.connect(file)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
