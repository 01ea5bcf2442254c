"""Damaged configuration, state and preset files: refused or read, in bounded time and memory."""

import os
from pathlib import Path

import pytest

from tests.fuzz.files import LONGEST_MESSAGE, read_files

COUNT = int(os.environ.get("NEMOD_FUZZ", "10000")) // 100


@pytest.mark.parametrize("kind", ["config", "state", "preset"])
def test_a_damaged_file_is_refused_or_read(kind: str, tmp_path: Path) -> None:
    """With 512 MB of address space: expanding aliases, 100 MB of digits, nesting, odd scalars."""
    result = read_files(kind, COUNT, tmp_path)
    # Neither refused nor accepted files may be rare, or one half of the code is not tested.
    assert min(result.valid, result.count - result.valid) > COUNT // 10
    assert result.grown_kb < 100_000
    assert result.longest_message < LONGEST_MESSAGE
