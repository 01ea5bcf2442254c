"""Files that are replaced as a whole or not at all."""

from pathlib import Path

import pytest

from nemod.common.files import replacing


def test_a_file_is_replaced_when_the_draft_is_whole(tmp_path: Path) -> None:
    """Until then the former one is there, and afterwards nothing else."""
    path = tmp_path / "file"
    path.write_text("former")
    with replacing(path) as draft:
        draft.write_text("new")
        assert path.read_text() == "former"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_leaves_the_former_file_and_no_draft(tmp_path: Path) -> None:
    """Half of the new one was written already."""
    path = tmp_path / "file"
    path.write_text("former")

    def fail() -> None:
        with replacing(path) as draft:
            draft.write_text("ne")
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        fail()
    assert path.read_text() == "former"
    assert list(tmp_path.iterdir()) == [path]
