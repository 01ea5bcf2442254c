"""Files that are kept between two starts."""

import os
from pathlib import Path

import pytest

from nemod.common.kept_files import DamagedFileError, Skipped, move_aside, read_kept


def test_a_kept_file_is_a_regular_file_of_text(tmp_path: Path) -> None:
    """A byte order mark is no text; neither a folder nor a pipe is waited for."""
    path = tmp_path / "state.json"
    path.write_bytes(b"\xef\xbb\xbf" + "é".encode())
    assert read_kept(path, 5) == "é"
    with pytest.raises(DamagedFileError, match="larger than 4 bytes"):
        read_kept(path, 4)
    path.write_bytes(b"ab\xff")
    with pytest.raises(DamagedFileError, match="not UTF-8 text, at byte 2"):
        read_kept(path, 5)
    path.unlink()
    os.mkfifo(path)
    for odd in (path, tmp_path):
        with pytest.raises(DamagedFileError, match="not a regular file"):
            read_kept(odd, 5)


def test_damaged_files_are_all_kept(tmp_path: Path) -> None:
    """Each under a number of its own."""
    path = tmp_path / "state.json"
    for number in (1, 2):
        path.write_text(str(number))
        kept = move_aside(path)
        assert (kept.name, kept.read_text()) == (f"state.json.damaged-{number}", str(number))
    assert not path.exists()


def test_a_few_of_many_skipped_values_are_logged() -> None:
    """And how many more there are."""
    skipped = Skipped()
    for number in range(30):
        skipped.add(f"key {number}", "wrong")
    logged: list[tuple[str, dict[str, object]]] = []
    skipped.log(lambda event, **facts: logged.append((event, facts)), "state file", 2)
    assert logged == [
        ("state file: value skipped", {"key": "'key 0'", "reason": "wrong"}),
        ("state file: value skipped", {"key": "'key 1'", "reason": "wrong"}),
        ("state file: more skipped", {"count": 28}),
    ]
