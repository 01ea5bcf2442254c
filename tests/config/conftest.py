"""Configuration files for the tests."""

from collections.abc import Callable
from pathlib import Path

import pytest

Write = Callable[[str | bytes], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Return `write(text)`: the path of a file that holds it."""

    def to_file(text: str | bytes) -> Path:
        path = tmp_path / "nemod.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return to_file
