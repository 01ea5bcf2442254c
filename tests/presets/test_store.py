"""The presets of a folder: saved, read by the next process, removed, and damaged ones."""

import errno
import os
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import structlog

from nemod.presets import Preset, PresetEntry, PresetError, PresetStore, user_folder
from nemod.presets.reader import parse
from nemod.presets.writer import to_text
from tests.parts.disk import small_files
from tests.presets.conftest import LEAD

Store = Callable[[], PresetStore]
CLEAN = Preset(name="Clean")


def names(folder: Path) -> list[str]:
    """Return the names of all files below a folder."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_what_is_saved_is_there_for_the_next_process(store: Store, tmp_path: Path) -> None:
    """The folder is made; a file each, by number."""
    first = store()
    assert first.entries() == []
    first.save(0, LEAD)
    first.save(127, CLEAN)
    for each in (first, store()):
        assert each.entries() == [PresetEntry(0, "Lead"), PresetEntry(127, "Clean")]
        assert (each.get(0), each.get(127)) == (LEAD, CLEAN)
        with pytest.raises(KeyError):
            each.get(1)
    assert names(tmp_path) == ["presets/000.yaml", "presets/127.yaml"]


def test_the_version_before_is_kept(store: Store, tmp_path: Path) -> None:
    """Saving the same again changes nothing, or both would become the same."""
    mine = store()
    for name in ("one", "two", "three", "three"):
        mine.save(5, replace(LEAD, name=name))
    previous = tmp_path / "presets" / "previous" / "005.yaml"
    assert parse(previous.read_text(), "").name == "two"
    assert store().get(5).name == "three"
    assert len(names(tmp_path)) == 2


def test_a_number_or_name_that_cannot_be_is_refused(store: Store, tmp_path: Path) -> None:
    """Nothing is written."""
    mine = store()
    for number in (-1, 128):
        with pytest.raises(PresetError, match="from 0 to 127"):
            mine.save(number, LEAD)
    with pytest.raises(PresetError, match="a name is needed"):
        mine.save(0, replace(LEAD, name=" "))
    assert mine.entries() == []
    assert names(tmp_path) == []


def test_a_users_preset_takes_the_place_of_the_factorys(tmp_path: Path) -> None:
    """Removing it brings the factory's back, which itself cannot be removed."""
    factory = PresetStore(tmp_path / "factory", factory=tmp_path / "none")
    factory.save(0, CLEAN)
    factory.save(1, CLEAN)
    mine = PresetStore(tmp_path / "mine", factory=tmp_path / "factory")
    mine.save(1, LEAD)
    assert mine.entries() == [PresetEntry(0, "Clean", True), PresetEntry(1, "Lead", False)]
    mine.delete(1)
    assert (mine.get(1), mine.entries()[1].is_factory) == (CLEAN, True)
    assert names(tmp_path / "mine") == ["previous/001.yaml"]
    with pytest.raises(PresetError, match="preset 1 ships with nemod"):
        mine.delete(1)
    with pytest.raises(KeyError):
        mine.delete(2)


def test_a_deleted_preset_is_the_previous_version(store: Store, tmp_path: Path) -> None:
    """So it is not lost; a file that somebody else removed first is no error."""
    mine = store()
    mine.save(4, LEAD)
    mine.delete(4)
    previous = tmp_path / "presets" / "previous" / "004.yaml"
    assert parse(previous.read_text(), "") == LEAD
    assert mine.entries() == store().entries() == []
    mine.save(4, LEAD)
    (tmp_path / "presets" / "004.yaml").unlink()
    mine.delete(4)
    assert mine.entries() == []


def test_without_a_folder_presets_are_in_memory(tmp_path: Path) -> None:
    """As with --no-state: nothing is kept."""
    memory = PresetStore(None, factory=tmp_path)
    memory.save(3, LEAD)
    memory.rescan()
    assert memory.get(3) == LEAD
    memory.delete(3)
    assert memory.entries() == []
    assert names(tmp_path) == []


def test_a_damaged_file_is_moved_aside(store: Store, tmp_path: Path) -> None:
    """Each is kept and logged; the others are read, and the number is free."""
    mine = store()
    for number in range(4):
        mine.save(number, LEAD)
    folder = tmp_path / "presets"
    (folder / "000.yaml").write_text("name: [")
    (folder / "001.yaml").write_bytes(b"\xff\xfe")
    (folder / "002.yaml").unlink()
    os.mkfifo(folder / "002.yaml")
    with structlog.testing.capture_logs() as logs:
        mine.rescan()
    assert [entry.number for entry in mine.entries()] == [3]
    assert [log["moved"] for log in logs] == [f"00{at}.yaml.damaged-1" for at in range(3)]
    assert [note.partition(": ")[0] for note in mine.notes] == [
        str(folder / f"00{at}.yaml") for at in range(3)
    ]
    assert (folder / "000.yaml.damaged-1").read_text() == "name: ["
    mine.save(0, LEAD)
    (folder / "000.yaml").write_text("{")
    mine.rescan()
    assert (folder / "000.yaml.damaged-2").read_text() == "{"
    mine.rescan()
    assert mine.notes == ()


@pytest.mark.parametrize("content", [b"\xff", b"name: ["])
def test_a_file_that_was_damaged_meanwhile_is_not_lost(
    store: Store, tmp_path: Path, content: bytes
) -> None:
    """It is moved aside by the next save; what was changed by hand is the version before."""
    mine = store()
    mine.save(0, LEAD)
    path = tmp_path / "presets" / "000.yaml"
    path.write_bytes(content)
    mine.save(0, CLEAN)
    assert store().get(0) == CLEAN
    assert path.with_name("000.yaml.damaged-1").read_bytes() == content
    path.write_text("version: 1\nname: Edited")
    mine.save(0, LEAD)
    assert (path.parent / "previous" / "000.yaml").read_text() == "version: 1\nname: Edited"


def test_other_files_are_left_alone(store: Store, tmp_path: Path) -> None:
    """Whatever else is in the folder: other names, hidden files, numbers that no preset has."""
    mine = store()
    mine.save(7, LEAD)
    folder = tmp_path / "presets"
    others = [
        "7.yaml",
        "0007.yaml",
        "128.yaml",
        "._007.yaml",
        "007.yml",
        "notes.txt",
        "\u0660\u0660\u0667.yaml",
    ]
    for name in others:
        (folder / name).write_text("{")
    assert store().entries() == [PresetEntry(7, "Lead")]
    assert names(folder) == sorted([*others, "007.yaml"])


def test_a_file_without_a_name_is_named_by_its_number(store: Store, tmp_path: Path) -> None:
    """A preset always has a name."""
    (tmp_path / "presets").mkdir()
    (tmp_path / "presets" / "012.yaml").write_text("version: 1\n")
    assert store().entries() == [PresetEntry(12, "Preset 12")]


def test_a_full_disk_leaves_everything_as_it_was(store: Store, tmp_path: Path) -> None:
    """File and memory."""
    mine = store()
    mine.save(0, LEAD)
    with small_files(16), pytest.raises(OSError, match="File too large") as caught:
        mine.save(0, CLEAN)
    assert caught.value.errno == errno.EFBIG
    assert mine.get(0) == store().get(0) == LEAD


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    """It names the folder; the factory's presets are there."""
    (tmp_path / "file").write_text("")
    folder = tmp_path / "file" / "presets"
    mine = PresetStore(folder, factory=tmp_path)
    with pytest.raises(OSError, match="file"):
        mine.save(0, LEAD)
    assert mine.entries() == []
    assert "Not a directory" in mine.notes[0]


def test_what_is_in_memory_stays_where_the_disk_fails(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A card that fails on stage does not take the set list away."""
    mine = store()
    mine.save(0, LEAD)
    path = tmp_path / "presets" / "000.yaml"
    path.unlink()
    path.symlink_to(path)  # a loop: ELOOP
    mine.rescan()
    assert mine.get(0) == LEAD
    assert len(mine.notes) == 1
    assert path.is_symlink()


def test_reading_never_waits_for_the_disk(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a save is stuck, the presets in memory are as they were."""
    mine = store()
    mine.save(0, LEAD)
    is_stuck, go_on = threading.Event(), threading.Event()

    def write(*_arguments: object) -> None:
        is_stuck.set()
        assert go_on.wait(30.0)

    monkeypatch.setattr("nemod.presets.disk.write", write)
    saving = threading.Thread(target=mine.save, args=(0, CLEAN))
    saving.start()
    assert is_stuck.wait(30.0)
    assert (mine.get(0), mine.entries()) == (LEAD, [PresetEntry(0, "Lead")])
    go_on.set()
    saving.join()
    assert mine.get(0) == CLEAN


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to others")
def test_what_root_makes_belongs_to_the_owner_of_the_folder(store: Store, tmp_path: Path) -> None:
    """A service could not save its presets in folders of root's."""
    os.chown(tmp_path, 12345, 54321)
    for preset in (LEAD, CLEAN):
        store().save(0, preset)
    made = [tmp_path / "presets", *(tmp_path / "presets").rglob("*")]
    assert len(made) == 4
    assert {(path.stat().st_uid, path.stat().st_gid) for path in made} == {(12345, 54321)}


def test_where_presets_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside the user's models; for a service that is its state folder, which it may write."""
    monkeypatch.setenv("XDG_DATA_HOME", "/var/lib")
    assert user_folder() == Path("/var/lib/nemod/presets")


def test_the_text_of_a_file_is_that_of_the_preset(store: Store, tmp_path: Path) -> None:
    """What `to_text` returns, byte for byte."""
    store().save(0, LEAD)
    assert (tmp_path / "presets" / "000.yaml").read_bytes() == to_text(LEAD).encode()
