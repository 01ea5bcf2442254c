"""Models that are known to be unplayable."""

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

from nemod.library import Index, Library
from nemod.library.kind import MODELS

Open = Callable[[], Library]
Write = Callable[..., Path]


def test_nothing_is_known_before_a_file_was_read(open_library: Open, folder: Path) -> None:
    """And asking creates no index."""
    (folder / "a.json").write_text("{")
    library = open_library()
    assert (library.problem("a"), library.problems()) == ("", {})
    assert not library.index.file.exists()
    library.mark_unplayable("not in the library", "broken")
    assert library.problem("not in the library") == ""


def test_what_a_scan_found_is_known_to_the_next_process(
    open_library: Open, folder: Path, write_model: Write
) -> None:
    """Until the file has changed."""
    write_model(folder / "good.json")
    (folder / "bad.json").write_text("{")
    open_library().refresh([folder], workers=1)
    library = open_library()
    assert library.problem("BAD").startswith("line 1 column 2: not JSON")
    assert library.problems() == {"bad": library.problem("bad")}
    assert library.problem("good") == ""
    write_model(folder / "bad.json")
    assert (library.problem("bad"), library.problems()) == ("", {})


def test_readers_of_another_version_may_read_the_file(open_library: Open, folder: Path) -> None:
    """What they found is not held against it."""
    (folder / "bad.json").write_text("{")
    library = open_library()
    library.refresh([folder], workers=1)
    with closing(sqlite3.connect(library.index.file)) as db:
        db.execute("UPDATE models SET read_by = 'before'")
        db.commit()
    assert library.problem("bad") == ""


def test_a_failed_probe_is_a_problem(open_library: Open, folder: Path, write_model: Write) -> None:
    """Such a file is refused when it is loaded."""
    path = write_model(folder / "a.json")
    library = open_library()
    library.refresh([folder], workers=1)
    library.index.set_probe(path, library.entry("a").facts.sha256, 1.0, "off by 1")
    assert library.problem("a") == "off by 1"


@pytest.mark.parametrize("is_read", [False, True])
def test_a_mark_holds_until_the_file_changes(
    open_library: Open, folder: Path, write_model: Write, is_read: bool
) -> None:
    """In this process, in the next one and in the list; a scan then removes it."""
    path = write_model(folder / "a.json")
    library = open_library()
    if is_read:
        library.refresh([folder], workers=1)
    library.mark_unplayable("A", f"{path}: the build failed:\n\x1b[31mno memory")
    reason = "the build failed: [31mno memory"
    assert library.problem("a") == open_library().problem("a") == reason
    assert open_library().problems() == {"a": reason}
    entry = open_library().entry("a")
    assert (entry.unplayable, entry.last_error) == (reason, reason)
    open_library().refresh([folder], workers=1, force=True)
    assert open_library().problem("a") == reason
    os.utime(path, ns=(0, 0))
    assert library.problem("a") == open_library().problem("a") == ""
    assert open_library().entry("a").unplayable == ""
    open_library().refresh([folder], workers=1)
    assert open_library().index.marks() == {}


def test_a_mark_of_a_file_that_is_gone_is_removed(
    open_library: Open, folder: Path, write_model: Write
) -> None:
    """By the next scan."""
    path = write_model(folder / "a.json")
    library = open_library()
    library.refresh([folder], workers=1)
    library.mark_unplayable("a", "broken")
    path.unlink()
    assert library.problem("a") == ""
    library.refresh([folder], workers=1)
    assert library.index.marks() == {}


def test_an_empty_reason_removes_a_mark(
    open_library: Open, folder: Path, write_model: Write
) -> None:
    """The model was played after all."""
    write_model(folder / "a.json")
    library = open_library()
    library.mark_unplayable("a", "broken")
    library.mark_unplayable("a", "")
    assert (library.problem("a"), open_library().problem("a")) == ("", "")
    assert library.index.marks() == {}


def test_without_an_index_this_object_remembers(folder: Path, tmp_path: Path) -> None:
    """The fault of the index is logged."""
    (tmp_path / "file").touch()
    library = Library([folder], index=Index(tmp_path / "file" / "library.db"))
    (folder / "a.json").touch()
    library.look()
    with capture_logs() as logs:
        library.mark_unplayable("a", "broken")
    assert (library.problem("a"), library.problems()) == ("broken", {"a": "broken"})
    assert [line["event"] for line in logs] == ["unplayable model not marked in the index"]


def test_threads_mark_and_ask(open_library: Open, folder: Path) -> None:
    """Every mark arrives."""
    names = [f"m{number}" for number in range(12)]
    for name in names:
        (folder / f"{name}.json").touch()
    library = open_library()
    faults: list[Exception] = []

    def work(name: str) -> None:
        try:
            library.mark_unplayable(name, name)
            assert library.problem(name) == name
            library.problems()
        except Exception as error:
            faults.append(error)

    threads = [threading.Thread(target=work, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (faults, open_library().problems()) == ([], {name: name for name in names})


def test_asking_loads_no_jax(open_library: Open, folder: Path, tmp_path: Path) -> None:
    """The daemon asks before each step to the next model."""
    (folder / "a.json").touch()
    open_library().mark_unplayable("a", "broken")
    code = (
        "import sys; from pathlib import Path; from nemod.library import Index, Library; "
        f"library = Library([Path({str(folder)!r})], index=Index(Path({str(tmp_path)!r}) / 'index'"
        " / 'library.db')); print(library.problem('a'), 'jax' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "broken False\n"


def test_an_index_of_the_first_version_is_upgraded(
    open_library: Open, folder: Path, write_model: Write
) -> None:
    """In place: the tags in it are the user's own work."""
    path = write_model(folder / "a.json")
    library = open_library()
    library.refresh([folder], workers=1)
    library.index.change_tags(path, ["live"], [])
    with closing(sqlite3.connect(library.index.file)) as db:
        db.executescript("DROP TABLE unplayable; PRAGMA user_version = 1;")
    with capture_logs() as logs:
        again = open_library()
        assert again.entry("a").tags == ("live",)
        again.mark_unplayable("a", "broken")
    assert (logs, open_library().problem("a")) == ([], "broken")


def test_the_users_own_index_is_the_default() -> None:
    """Below the folder of user data."""
    assert Library().index.file == MODELS.index_file()
