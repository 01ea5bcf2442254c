"""Damaged configuration and state files: an error or a valid one, in bounded time and memory."""

import os
from pathlib import Path

import pytest

from tests.fuzz.files import LONGEST_MESSAGE, read_files

COUNT = int(os.environ.get("NEMOD_FUZZ", "20000")) // 100


@pytest.mark.parametrize("kind", ["config", "state"])
def test_a_damaged_file_is_an_error_or_valid(kind: str, tmp_path: Path) -> None:
    """In 512 MB of address space: aliases that grow, 100 MB of digits, nesting, odd scalars."""
    result = read_files(kind, COUNT, tmp_path)
    # Some of both, or the mutations would try nothing.
    assert COUNT // 50 < result.valid < result.count - COUNT // 10
    assert result.grown_kb < 100_000
    assert result.longest_message < LONGEST_MESSAGE
