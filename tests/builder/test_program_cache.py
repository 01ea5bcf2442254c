"""Compiled programs on disk: only intact ones, only those of the user."""

import os
from pathlib import Path

import pytest

from nemod.builder import program_cache
from nemod.builder.program_cache import cache_folder, fetch, key, store
from nemod.common.errors import NemodError


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Path of a cache for this test, which does not exist yet."""
    path = tmp_path / "deep" / "cache"
    monkeypatch.setenv("NEMOD_CACHE", str(path))
    return path


def test_a_stored_program_is_fetched() -> None:
    """Bit for bit, with line ends in it."""
    program = b"\n\0ELF\n" + bytes(range(256))
    store("a", program)
    store("b", b"")
    assert fetch("a") == program
    assert fetch("b") == b""
    assert fetch("c") is None


def test_a_program_is_replaced_as_a_whole(folder: Path) -> None:
    """Nothing else is left in the folder."""
    store("a", b"one")
    store("a", b"two")
    assert fetch("a") == b"two"
    assert [path.name for path in folder.iterdir()] == ["a.program"]


@pytest.mark.parametrize("damage", ["cut", "empty", "no digest", "one bit"])
def test_a_damaged_program_is_ignored(folder: Path, damage: str) -> None:
    """It is machine code, so it must be exactly what was stored."""
    store("a", b"program" * 100)
    path = folder / "a.program"
    data = bytearray(path.read_bytes())
    if damage == "cut":
        data = data[:-1]
    elif damage == "empty":
        data = bytearray()
    elif damage == "no digest":
        data = data[65:]
    else:
        data[-1] ^= 1
    path.write_bytes(data)
    assert fetch("a") is None


def test_the_folder_belongs_to_the_user_alone(folder: Path) -> None:
    """It is created with mode 0700, and the mode is restored."""
    assert cache_folder() == folder
    assert folder.stat().st_mode & 0o777 == 0o700
    folder.chmod(0o777)
    assert cache_folder().stat().st_mode & 0o777 == 0o700


def test_the_folder_of_another_user_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a remedy; nothing is read from it or written to it."""
    store("a", b"program")
    other_user = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: other_user)
    for use in (cache_folder, lambda: fetch("a"), lambda: store("b", b"program")):
        with pytest.raises(NemodError, match=r"belongs to user .* set NEMOD_CACHE"):
            use()
    assert not (folder / "b.program").exists()


def test_a_disk_that_refuses_a_program_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The program is compiled again next time."""
    file = tmp_path / "file"
    file.touch()
    monkeypatch.setenv("NEMOD_CACHE", str(file / "cache"))
    store("a", b"program")
    assert fetch("a") is None


def test_the_least_recently_used_is_removed_first(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fetch counts as use."""
    monkeypatch.setattr(program_cache, "KEEP_BYTES", 2500)
    for age, name in enumerate(("a", "b")):
        store(name, bytes(1000))
        os.utime(folder / f"{name}.program", (1000.0 + age, 1000.0 + age))
    fetch("a")
    store("c", bytes(1000))
    assert sorted(path.stem for path in folder.iterdir()) == ["a", "c"]


def test_keys_depend_on_all_that_a_program_depends_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sizes and compiler flags; equal for equal arguments."""
    assert key(64, ("gain",)) == key(64, ("gain",))
    keys = {key(64, ("gain",)), key(65, ("gain",)), key(64, ("level",)), key(64), key("64")}
    program_cache._environment.cache_clear()
    monkeypatch.setenv("XLA_FLAGS", os.environ.get("XLA_FLAGS", "") + " --other")
    keys.add(key(64, ("gain",)))
    program_cache._environment.cache_clear()
    assert len(keys) == 6


def test_the_folder_follows_the_xdg_specification(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless `$NEMOD_CACHE` names it."""
    monkeypatch.delenv("NEMOD_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "x"))
    assert cache_folder() == tmp_path / "x" / "nemod"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "nemod"
