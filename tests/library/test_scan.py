"""Bringing the index up to date with real files."""

import hashlib
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from nemod.library import Entry, Library, ScanReport

Open = Callable[[], Library]
Write = Callable[..., Path]


def scan(library: Library, folder: Path, **options: Any) -> ScanReport:
    """Scan one folder with one reader."""
    return library.refresh([folder], workers=1, **options)


def entries(library: Library, folder: Path) -> dict[str, Entry]:
    """Return what is known about the models of one folder, by name."""
    return {entry.name: entry for entry in library.entries() if entry.path.is_relative_to(folder)}


def test_a_scan_stores_what_files_say(open_library: Open, folder: Path, write_model: Write) -> None:
    """Another process's library has all of it."""
    path = write_model(
        folder / "amp.json",
        sample_rate=48000,
        knobs=[],
        gear="JCM\n800",
        author="me",
        licence="MIT",
        esr=0.25,
    )
    scan(open_library(), folder)
    entry = entries(open_library(), folder)["amp"]
    facts = entry.facts
    assert facts.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (facts.dialect, facts.architecture) == ("guitarml", "LSTM 4, dense 1, skip")
    # LSTM: 16 x (1 + 4) weights, 16 biases, 2 x 4 of the start; dense: 4 weights and a bias.
    assert facts.parameters == 16 * 5 + 16 + 8 + 5
    assert (facts.sample_rate, facts.rate_stated, facts.knobs) == (48000, True, ())
    assert (facts.gear, facts.author, facts.licence, facts.esr) == ("JCM 800", "me", "MIT", 0.25)
    assert (entry.probe, entry.last_error, entry.tags) == ("none", "", ())
    assert (entry.size_bytes, entry.mtime_ns) == (path.stat().st_size, path.stat().st_mtime_ns)


def test_what_did_not_change_is_not_read_again(
    open_library: Open, folder: Path, write_model: Write
) -> None:
    """A file is read again when its size or time differs, or when forced."""
    for number in range(3):
        write_model(folder / f"m{number}.json", number)
    library = open_library()
    assert scan(library, folder).read == 3
    assert scan(open_library(), folder).read == 0
    write_model(folder / "m1.json", 7)
    os.utime(folder / "m2.json", ns=(0, 0))
    assert (scan(library, folder).read, scan(library, folder).read) == (2, 0)
    assert scan(library, folder, force=True).read == 3


def test_other_readers_read_all_again(open_library: Open, folder: Path, write_model: Write) -> None:
    """What an older nemod could not read, a newer one may."""
    write_model(folder / "m.json")
    library = open_library()
    scan(library, folder)
    with closing(sqlite3.connect(library.index.file)) as db:
        db.execute("UPDATE models SET read_by = 'before'")
        db.commit()
    assert scan(library, folder).read == 1


def test_what_is_gone_is_removed(open_library: Open, folder: Path, write_model: Write) -> None:
    """Files and whole folders; only below the folders that were scanned."""
    for name in ("a", "b", "sub/c", "other/d"):
        write_model(folder / f"{name}.json")
    library = open_library()
    scan(library, folder)
    (folder / "a.json").unlink()
    (folder / "sub" / "c.json").unlink()
    (folder / "sub").rmdir()
    (folder / "other" / "d.json").unlink()
    assert scan(library, folder / "other").gone == 1
    assert sorted(path.stem for path in library.index.stamps()) == ["a", "b", "c"]
    assert scan(library, folder).gone == 2
    assert [path.stem for path in library.index.stamps()] == ["b"]


def test_a_folder_that_is_away_loses_nothing(
    open_library: Open, folder: Path, write_model: Write
) -> None:
    """Unplugging a USB stick keeps the entries of its files."""
    write_model(folder / "a.json")
    library = open_library()
    scan(library, folder)
    library.index.change_tags(folder / "a.json", ["live"], [])
    away = folder.rename(folder.with_name("away"))
    assert scan(library, folder).gone == 0
    away.rename(folder)
    assert scan(library, folder).read == 0
    assert entries(library, folder)["a"].tags == ("live",)


def test_broken_files_are_recorded(open_library: Open, folder: Path, write_model: Write) -> None:
    """Each with its reason; the others are read."""
    write_model(folder / "good.json")
    (folder / "half.json").write_bytes((folder / "good.json").read_bytes()[:500])
    (folder / "text.nam").write_text("no model")
    (folder / "empty.aidax").touch()
    os.mkfifo(folder / "pipe.json")
    with open(folder / "huge.json", "wb") as sparse:
        sparse.truncate(1 << 40)
    report = scan(open_library(), folder)
    found = entries(open_library(), folder)
    assert (report.files, report.read) == (6, 6)
    assert set(report.refused) == {path for path in folder.iterdir() if path.stem != "good"}
    assert found["good"].facts.error == ""
    assert found["half"].facts.error.startswith("line 1 column ")
    assert found["half"].facts.sha256 != ""
    assert found["empty"].facts.error == "the file is empty, expected a JSON document"
    assert found["pipe"].facts.error == "this is not a regular file"
    assert found["huge"].facts.error.startswith("1099511627776 bytes")
    assert (found["pipe"].facts.sha256, found["huge"].facts.sha256) == ("", "")


def test_text_from_a_broken_file_cannot_control_a_terminal(
    open_library: Open, folder: Path
) -> None:
    """A reason names keys of the file."""
    (folder / "evil.json").write_text('{"\\u001b[2J\\n\\u202e": 1}')
    scan(open_library(), folder)
    assert entries(open_library(), folder)["evil"].facts.error.isprintable()


def test_duplicates_are_listed_with_each_other(
    open_library: Open, folder: Path, write_model: Write
) -> None:
    """By content, not by name; one changed weight makes another model."""
    for name, seed in (("a", 1), ("b", 2), ("c", 1), ("d", 1)):
        write_model(folder / f"{name}.json", seed)
    library = open_library()
    scan(library, folder)
    found = entries(library, folder)
    assert {name: found[name].same_as for name in found} == {
        "a": ("c", "d"),
        "b": (),
        "c": ("a", "d"),
        "d": ("a", "c"),
    }
    assert all(library.find(name)[1] == folder / f"{name}.json" for name in "abcd")


def test_broken_files_are_no_duplicates_of_each_other(open_library: Open, folder: Path) -> None:
    """They have no hash."""
    os.mkfifo(folder / "a.json")
    os.mkfifo(folder / "b.json")
    library = open_library()
    scan(library, folder)
    assert entries(library, folder)["a"].same_as == ()


def test_tags_and_probe_stay_with_the_content(
    open_library: Open, folder: Path, write_model: Write
) -> None:
    """A moved file keeps both; a changed one keeps its tags and is untried again."""
    path = write_model(folder / "a.json", 1)
    library = open_library()
    scan(library, folder)
    sha256 = entries(library, folder)["a"].facts.sha256
    library.index.change_tags(path, ["live", "clean", "old"], [])
    library.index.change_tags(path, [], ["old", "never"])
    assert library.index.set_probe(path, sha256, 1e-6) == "passed"
    (folder / "sub").mkdir()
    path.rename(folder / "sub" / "moved.json")
    scan(library, folder)
    moved = entries(library, folder)["moved"]
    assert (moved.tags, moved.probe, moved.probe_error) == (("clean", "live"), "passed", 1e-6)
    os.utime(folder / "sub" / "moved.json", ns=(0, 0))
    scan(library, folder)
    assert entries(library, folder)["moved"].probe == "passed"
    write_model(folder / "sub" / "moved.json", 2)
    scan(library, folder)
    changed = entries(library, folder)["moved"]
    assert (changed.tags, changed.probe, changed.probe_error) == (("clean", "live"), "none", None)


def test_the_time_may_be_up(open_library: Open, folder: Path, write_model: Write) -> None:
    """The rest is read the next time."""
    write_model(folder / "a.json")
    library = open_library()
    assert (scan(library, folder, cap_s=0.0).left, library.index.stamps()) == (1, {})
    assert not entries(library, folder)["a"].is_read
    assert scan(library, folder).read == 1


def test_progress_is_reported(open_library: Open, folder: Path, write_model: Write) -> None:
    """From none to all of the files to read."""
    for number in range(3):
        write_model(folder / f"m{number}.json", number)
    told: list[tuple[int, int]] = []
    scan(open_library(), folder, progress=lambda done, total: told.append((done, total)))
    assert told == [(0, 3), (1, 3), (2, 3), (3, 3)]


def test_names_in_the_index_are_updated(
    open_library: Open, folder: Path, write_model: Write
) -> None:
    """Other readers of the database find the current names."""
    write_model(folder / "x" / "a.json")
    library = open_library()
    scan(library, folder)
    write_model(folder / "y" / "a.json", 1)
    scan(library, folder)
    assert sorted(stamp.name for stamp in library.index.stamps().values()) == ["x-a", "y-a"]


def test_released_files_are_read_or_refused(
    open_library: Open, shared_data: Path, tmp_path: Path
) -> None:
    """Every file of a folder of released models gets a row, a broken one with its reason."""
    released = shared_data / "models" / "malformed"
    library = Library([released], index=open_library().index)
    report = library.refresh([released], workers=1)
    found = entries(library, released)
    assert report.files == report.read == len(list(released.rglob("*.json"))) == len(found)
    assert all(bool(one.facts.error) != bool(one.facts.architecture) for one in found.values())
