"""Atomic file replacement, and reading of text files."""

import os
import threading
import time
from pathlib import Path

import pytest

from nemod.common.files import TooLargeError, read_text, replacing


def names(folder: Path) -> list[str]:
    """Return what is in a folder, hidden files included."""
    return sorted(os.listdir(folder))


def test_the_file_is_replaced_when_the_draft_is_complete(tmp_path: Path) -> None:
    """Until then the old file is there, and afterwards nothing but the new one."""
    path = tmp_path / "file"
    path.write_text("old")
    with replacing(path) as draft:
        draft.write_text("new")
        assert path.read_text() == "old"
        assert draft.parent == tmp_path
    assert path.read_text() == "new"
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt, SystemExit])
def test_an_exception_leaves_the_old_file_and_no_draft(
    tmp_path: Path, error: type[BaseException]
) -> None:
    """Whatever was written already."""
    path = tmp_path / "file"
    path.write_text("old")

    def fail() -> None:
        with replacing(path) as draft:
            draft.write_text("ne")
            raise error

    with pytest.raises(error):
        fail()
    assert path.read_text() == "old"
    assert names(tmp_path) == ["file"]


def test_a_draft_that_cannot_be_moved_is_removed(tmp_path: Path) -> None:
    """A folder is in the way."""
    path = tmp_path / "file"
    (path / "full").mkdir(parents=True)
    with pytest.raises(OSError, match="directory"), replacing(path) as draft:
        draft.write_text("new")
    assert names(tmp_path) == ["file"]


def test_data_reach_the_disk_before_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order that survives a power cut: contents, name, folder."""
    steps: list[str] = []
    sync, rename = os.fsync, os.replace

    def label(path: Path) -> str:
        return "draft" if path.suffix == ".tmp" else path.name

    def fsync(fd: int) -> None:
        steps.append(f"sync {label(Path(os.readlink(f'/proc/self/fd/{fd}')))}")
        sync(fd)

    def replace(old: Path, new: Path) -> None:
        steps.append(f"rename {label(Path(old))} {label(Path(new))}")
        rename(old, new)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)
    with replacing(tmp_path / "file") as draft:
        draft.write_text("new")
    assert steps == ["sync draft", "rename draft file", f"sync {tmp_path.name}"]


@pytest.mark.parametrize(
    ("mode", "umask", "expected"), [(None, 0o027, 0o640), (0o644, 0o077, 0o644)]
)
def test_the_mode_is_the_given_one_or_follows_the_umask(
    tmp_path: Path, mode: int | None, umask: int, expected: int
) -> None:
    """0666 without the bits of the umask."""
    before = os.umask(umask)
    try:
        with replacing(tmp_path / "file", mode=mode) as draft:
            draft.write_text("new")
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == expected


def test_every_use_has_a_draft_of_its_own(tmp_path: Path) -> None:
    """Many threads replace one file; each time it is complete, and no draft is left."""
    path = tmp_path / "file"
    texts = {str(number) * 10_000 for number in range(8)}

    def write(text: str) -> None:
        for _ in range(10):
            with replacing(path) as draft:
                draft.write_text(text)
            assert path.read_text() in texts

    threads = [threading.Thread(target=write, args=(text,)) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_text() in texts
    assert names(tmp_path) == ["file"]


def test_only_if_absent_never_overwrites(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On file systems with hard links and without."""
    path = tmp_path / "file"

    def unsupported(*_: object) -> None:
        raise PermissionError("no hard links")

    for text in ("linked", "moved"):
        with replacing(path, only_if_absent=True) as draft:
            draft.write_text(text)
        with pytest.raises(FileExistsError), replacing(path, only_if_absent=True) as draft:
            draft.write_text("second")
        assert path.read_text() == text
        assert names(tmp_path) == ["file"]
        path.unlink()
        monkeypatch.setattr(os, "link", unsupported)


def test_the_longest_possible_name_has_a_draft(tmp_path: Path) -> None:
    """255 bytes, of characters with several bytes each."""
    path = tmp_path / ("ü" * 127 + "x")
    with replacing(path) as draft:
        draft.write_text("new")
    assert names(tmp_path) == [path.name]


def test_drafts_of_a_power_cut_are_removed_after_a_day(tmp_path: Path) -> None:
    """Young ones may belong to a process that is writing; other files are left alone."""
    path = tmp_path / "file"
    old, young = tmp_path / ".file.0123abcd.tmp", tmp_path / ".file.89abcdef.tmp"
    others = [tmp_path / ".file.notes.tmp", tmp_path / ".other.0123abcd.tmp"]
    for left in (old, young, *others):
        left.write_text("left")
        if left != young:
            os.utime(left, (time.time() - 90_000,) * 2)
    with replacing(path) as draft:
        draft.write_text("new")
    assert names(tmp_path) == sorted(each.name for each in (path, young, *others))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_text_is_read_without_its_byte_order_mark(tmp_path: Path, encoding: str) -> None:
    """UTF-8, and UTF-16 with a mark."""
    path = tmp_path / "file"
    path.write_bytes("Größe\n".encode(encoding))
    assert read_text(path, 100) == "Größe\n"


def test_a_large_file_is_not_read(tmp_path: Path) -> None:
    """Nor an endless one."""
    path = tmp_path / "file"
    path.write_bytes(b"x" * 11)
    assert read_text(path, 11) == "x" * 11
    for large in (path, Path("/dev/zero")):
        with pytest.raises(TooLargeError, match="larger than 10 bytes"):
            read_text(large, 10)
