"""Switched off and on again: the daemon comes back as it was."""

import json
import time
from pathlib import Path
from typing import Any

import pytest


def kept(file: Path) -> dict[str, Any]:
    """Return what a state file holds, nothing before there is one."""
    if not file.exists():
        return {}
    tree: dict[str, Any] = json.loads(file.read_text())
    return tree


def test_it_comes_back_as_it_was(start: Any, tmp_path: Path) -> None:
    """Model, knobs and switches, as they were written before the end and at the end."""
    file = tmp_path / "kept" / "state.json"
    daemon = start("--device", "null", "--state", str(file))
    phone = daemon.client()
    phone.send("/nemo/model/load", "drive-gru20")
    assert phone.wait("/nemo/done", "/nemo/error", seconds=30.0).address == "/nemo/done"
    phone.send("/nemo/treble", 0.25)
    phone.send("/nemo/bypass", 1)
    phone.send("/nemo/delay/mix", 0.125)
    # Before the end, for power cuts.
    end = time.monotonic() + 15.0
    while time.monotonic() < end and kept(file).get("positions", {}).get("delay/mix") != 0.125:
        time.sleep(0.1)
    assert kept(file)["model"] == "drive-gru20"
    assert kept(file)["positions"]["delay/mix"] == 0.125
    phone.send("/nemo/mid", 0.75)
    assert phone.query("/nemo/mid") == 0.75
    assert daemon.stop() == 0

    daemon = start("--device", "null", "--state", str(file))
    phone = daemon.client()
    assert phone.query("/nemo/model/current") == "drive-gru20"
    assert phone.query("/nemo/treble") == 0.25
    assert phone.query("/nemo/mid") == 0.75
    assert phone.query("/nemo/delay/mix") == 0.125
    assert phone.query("/nemo/bypass") is True
    assert daemon.stop() == 0


def test_a_damaged_state_and_a_folder_that_takes_none(start: Any, tmp_path: Path) -> None:
    """A damaged file is moved aside; a state that cannot be written is logged once."""
    folder = tmp_path / "kept"
    folder.mkdir()
    file = folder / "state.json"
    file.write_text('{"version": 1, "positions": {"bass"')
    daemon = start("--device", "null", "--state", str(file))
    phone = daemon.client()
    assert phone.query("/nemo/bass") == pytest.approx(0.5)
    assert (folder / "state.json.damaged-1").read_text().startswith('{"version"')
    assert "state file damaged" in daemon.text
    # From now on a file is where the folder was.
    folder.rename(tmp_path / "before")
    folder.write_text("")
    phone.send("/nemo/bass", 0.25)
    end = time.monotonic() + 10.0
    while time.monotonic() < end and "state file not written" not in daemon.text:
        time.sleep(0.1)
    assert daemon.text.count("state file not written") == 1
    assert "File exists" in daemon.text
    assert phone.query("/nemo/status/state") == "running"
    assert daemon.stop() == 0
