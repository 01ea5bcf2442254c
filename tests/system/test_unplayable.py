"""Files in the library that cannot be played: the start and a footswitch pass them over."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.system.test_supervision import MODELS

GOOD = "clipper-lstm16"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that begins with a file that is no model, and holds a truncated one."""
    made = tmp_path / "amps"
    made.mkdir()
    (made / "00-notes.json").write_text('{"name": "notes"}')
    text = (MODELS / f"{GOOD}.json").read_text()
    (made / "01-truncated.json").write_text(text[: len(text) // 2])
    shutil.copy(MODELS / f"{GOOD}.json", made / "02-good.json")
    return made


def test_the_start_and_steps_pass_over_broken_files(
    start: Any, folder: Path, tmp_path: Path
) -> None:
    """Each is reported once, marked, and tried again after it was repaired."""
    state = tmp_path / "state.json"
    state.write_text(json.dumps({"version": 1, "model": "01-truncated", "positions": {}}))
    daemon = start("--device", "null", "--library", str(folder), "--state", str(state))
    phone = daemon.client()
    assert phone.query("/nemo/model/current") == "02-good"

    def step(word: str) -> str:
        phone.send(f"/nemo/model/{word}")
        answer = phone.wait("/nemo/done", "/nemo/error", seconds=60.0)
        assert answer.address == "/nemo/done", answer.params
        name: str = phone.query("/nemo/model/current")
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
