"""Files in the library that cannot be played are skipped at the start and by next and prev."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.system.test_supervision import MODELS

GOOD = "clipper-lstm16"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A library whose first file is not a model and whose second file is truncated."""
    library = tmp_path / "amps"
    library.mkdir()
    (library / "00-notes.json").write_text('{"name": "notes"}')
    text = (MODELS / f"{GOOD}.json").read_text()
    (library / "01-truncated.json").write_text(text[: len(text) // 2])
    shutil.copy(MODELS / f"{GOOD}.json", library / "02-good.json")
    return library


def test_unplayable_files_are_skipped(start: Any, folder: Path, tmp_path: Path) -> None:
    """Each is reported once and marked, and is played after its file was repaired."""
    state = tmp_path / "state.json"
    state.write_text(json.dumps({"version": 1, "model": "01-truncated", "positions": {}}))
    daemon = start("--device", "null", "--library", str(folder), "--state", str(state))
    client = daemon.client()
    assert client.query("/nemo/model/current") == "02-good"

    def step(word: str) -> str:
        client.send(f"/nemo/model/{word}")
        answer = client.wait("/nemo/done", "/nemo/error", seconds=60.0)
        assert answer.address == "/nemo/done", answer.params
        name: str = client.query("/nemo/model/current")
        assert answer.params[1] == name
        return name

    first = step("next")
    assert first not in ("00-notes", "01-truncated", "02-good")
    assert step("prev") == "02-good"
    assert step("prev") not in ("00-notes", "01-truncated", "02-good")
    reports = [line for line in daemon.lines if "cannot be played" in line]
    assert len([line for line in reports if "00-notes" in line]) == 1, daemon.text
    assert len([line for line in reports if "01-truncated" in line]) == 1, daemon.text

    shutil.copy(MODELS / f"{GOOD}.json", folder / "01-truncated.json")
    assert step("next") == "01-truncated"
    assert step("next") == "02-good"
    assert daemon.stop() == 0, daemon.text
