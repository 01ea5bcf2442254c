"""The folder of models that the benchmarks scan is filled with readable and damaged files."""

from pathlib import Path

import pytest

from nemod.common.errors import ModelError
from nemod.formats import load_model
from tests.benchmarks import loads


@pytest.mark.parametrize("has_shared_data", [True, False])
def test_a_library_is_filled_from_shared_or_shipped_models(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_shared_data: bool
) -> None:
    """Without the shared data the shipped models are copied; no two files are alike."""
    if not has_shared_data:
        monkeypatch.setattr(loads, "DATA", tmp_path / "none")
    loads.fill_library(tmp_path / "scan", seed=1, count=40)
    files = sorted((tmp_path / "scan").iterdir())
    assert len({path.read_bytes() for path in files}) == len(files) == 40
    playable = 0
    for path in files:
        try:
            load_model(path)
        except ModelError:
            continue
        playable += 1
    assert playable > 20
