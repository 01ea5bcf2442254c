"""The session is restored after a restart of the daemon."""

import json
import time
from pathlib import Path
from typing import Any

import pytest


def read_state(file: Path) -> dict[str, Any]:
    """Return the contents of a state file, empty where it does not exist."""
    if not file.exists():
        return {}
    tree: dict[str, Any] = json.loads(file.read_text())
    return tree


def test_the_session_is_restored(start: Any, tmp_path: Path) -> None:
    """Model, knobs and switches, those written while it ran and those written at exit."""
    file = tmp_path / "kept" / "state.json"
    daemon = start("--device", "null", "--state", str(file))
    client = daemon.client()
    client.send("/nemo/model/load", "drive-gru20")
    assert client.wait("/nemo/done", "/nemo/error", seconds=30.0).address == "/nemo/done"
    client.send("/nemo/treble", 0.25)
    client.send("/nemo/bypass", 1)
    client.send("/nemo/delay/mix", 0.125)
    # The state is written while the daemon runs, because of power cuts.
    end = time.monotonic() + 15.0
    while read_state(file).get("positions", {}).get("delay/mix") != 0.125:
        assert time.monotonic() < end, "the state was not written while the daemon ran"
        time.sleep(0.1)
    assert {"model": {"file": "drive-gru20"}} in read_state(file)["chain"]
    client.send("/nemo/mid", 0.75)
    assert client.query("/nemo/mid") == 0.75
    assert daemon.stop() == 0

    daemon = start("--device", "null", "--state", str(file))
    client = daemon.client()
    assert client.query("/nemo/model/current") == "drive-gru20"
    assert client.query("/nemo/treble") == 0.25
    assert client.query("/nemo/mid") == 0.75
    assert client.query("/nemo/delay/mix") == 0.125
    assert client.query("/nemo/bypass") is True
    assert daemon.stop() == 0


def test_unknown_keys_and_knobs_of_the_state_file_are_preserved(start: Any, tmp_path: Path) -> None:
    """A state file of another version keeps what this version does not know."""
    file = tmp_path / "state.json"
    positions = {"bass": 0.25, "phaser/rate": 0.5}
    file.write_text(json.dumps({"version": 1, "positions": positions, "tempo": [1, 2]}))
    daemon = start("--device", "null", "--state", str(file))
    client = daemon.client()
    assert client.query("/nemo/bass") == 0.25
    client.send("/nemo/mid", 0.75)
    assert client.query("/nemo/mid") == 0.75
    assert daemon.stop() == 0
    # `--no-step-down` of the tests sets a position, too.
    assert read_state(file)["positions"] == {**positions, "mid": 0.75, "size/auto": 0.0}
    assert read_state(file)["tempo"] == [1, 2]


def test_a_damaged_state_file_and_one_that_cannot_be_written(start: Any, tmp_path: Path) -> None:
    """A damaged file is moved aside and logged; a failure to write is logged once."""
    folder = tmp_path / "kept"
    folder.mkdir()
    file = folder / "state.json"
    file.write_text('{"version": 1, "positions": {"bass": 0.7')
    daemon = start("--device", "null", "--state", str(file))
    client = daemon.client()
    assert client.query("/nemo/bass") == pytest.approx(0.5)
    assert (folder / "state.json.damaged-1").read_text().startswith('{"version"')
    assert "state file damaged, moved aside, defaults loaded" in daemon.text
    # A file takes the place of the folder, so that nothing can be written there.
    folder.rename(tmp_path / "before")
    folder.write_text("")
    client.send("/nemo/bass", 0.25)
    end = time.monotonic() + 10.0
    while time.monotonic() < end and "state file not written" not in daemon.text:
        time.sleep(0.1)
    assert daemon.text.count("state file not written") == 1
    assert "File exists" in daemon.text
    assert client.query("/nemo/status/state") == "running"
    assert daemon.stop() == 0
