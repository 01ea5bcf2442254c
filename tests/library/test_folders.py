"""Listing the model files of folders."""

import os
from pathlib import Path

import pytest

from nemod.library.folders import MAX_DEPTH, listed_files


def relative(folder: Path) -> list[str]:
    """Return what is found, from the folder on."""
    return [str(path.relative_to(folder)) for path in listed_files(folder).files]


def test_files_are_recognised_by_their_suffix(folder: Path) -> None:
    """Three suffixes in any case, in folders too; hidden files and folders are ignored."""
    hidden = (".e.json", ".git/f.json", "._a.nam", "sub/._c.aidax")
    for name in ("b.JSON", "a.nam", "sub/c.aidax", "d.txt", "g", *hidden):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    assert relative(folder) == ["a.nam", "b.JSON", "sub/c.aidax"]


def test_a_link_that_leads_out_is_ignored(folder: Path, tmp_path: Path) -> None:
    """Neither a linked file nor a linked folder outside is reached."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.json").touch()
    (folder / "link.json").symlink_to(outside / "secret.json")
    (folder / "up.json").symlink_to("../outside/secret.json")
    (folder / "linked").symlink_to(outside)
    assert relative(folder) == []


def test_a_link_that_stays_inside_is_its_file(folder: Path) -> None:
    """A link is followed to a file that would be listed by itself; loops are ignored."""
    (folder / "real.json").touch()
    (folder / "passwords").touch()
    (folder / "link.json").symlink_to("real.json")
    (folder / "loop.json").symlink_to("loop.json")
    (folder / "dead.json").symlink_to("nothing.json")
    (folder / "other.json").symlink_to("passwords")
    assert set(relative(folder)) == {"real.json"}


def test_a_folder_named_like_a_model_is_listed(folder: Path) -> None:
    """Its name does not make it a file."""
    (folder / "pack.json").mkdir()
    (folder / "pack.json" / "a.json").touch()
    assert relative(folder) == ["pack.json/a.json"]


def test_the_depth_of_folders_is_limited(folder: Path) -> None:
    """Deeper folders are not listed."""
    deep = folder
    for _ in range(MAX_DEPTH):
        deep /= "d"
    (deep / "d").mkdir(parents=True)
    (deep / "a.json").touch()
    (deep / "d" / "b.json").touch()
    assert [path.name for path in listed_files(folder).files] == ["a.json"]


def test_an_absent_folder_holds_nothing(folder: Path) -> None:
    """It is reported as unread, so that its models do not count as deleted."""
    found = listed_files(folder / "nothing")
    assert (found.files, found.unread, found.notes) == ([], [folder / "nothing"], [])


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is unreadable for root")
def test_an_unreadable_folder_is_named(folder: Path) -> None:
    """The other folders are listed."""
    (folder / "a.json").touch()
    closed = folder / "closed"
    closed.mkdir(mode=0)
    try:
        found = listed_files(folder)
    finally:
        closed.chmod(0o755)
    assert [path.name for path in found.files] == ["a.json"]
    assert found.unread == [closed]
    assert found.notes == [f"{closed}: cannot be listed: Permission denied"]
