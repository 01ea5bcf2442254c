"""Presets of a whole daemon: loaded, kept over a restart, and left aside when they end it."""

import signal
from pathlib import Path
from typing import Any

from nemod.daemon.failed_starts import LIMIT, SUFFIX
from nemod.daemon.session import Session, SessionPreset, load, save
from nemod.presets import PresetStore


def test_the_first_program_change_does_something_and_a_preset_survives(
    start: Any, tmp_path: Path
) -> None:
    """Factory presets are there; one's own is kept, with what was changed since."""
    kept = ["--device", "null", "--state", "state.json", "--presets", "presets"]
    daemon = start(*kept)
    client = daemon.client()
    assert client.query("/nemo/preset/count") == 6
    client.send("/nemo/preset/load", 1)
    done = client.wait("/nemo/done", "/nemo/error", seconds=60.0)
    factory = PresetStore(None).get(1)
    assert done.params == ["/nemo/preset/load", factory.name]
    assert client.query("/nemo/model/current") == factory.chain["model"].file
    assert client.query("/nemo/preset/dirty") is False
    client.send("/nemo/bass", 0.125)
    client.send("/nemo/preset/save", "Mine")
    assert client.wait("/nemo/done", "/nemo/error").params == ["/nemo/preset/save", "Mine"]
    client.send("/nemo/bass", 0.875)
    client.send("/nemo/snapshot/save", 3)
    assert client.query("/nemo/preset/dirty") is True
    assert daemon.stop() == 0

    daemon = start(*kept)
    client = daemon.client()
    assert client.query("/nemo/preset/current") == "Mine"
    assert client.query("/nemo/preset/dirty") is True
    assert client.query("/nemo/bass") == 0.875
    client.send("/nemo/preset/load", "mine")
    assert client.wait("/nemo/done", "/nemo/error").address == "/nemo/done"
    assert client.query("/nemo/bass") == 0.125
    client.send("/nemo/snapshot/load", 3)  # it was not saved with the preset
    assert client.wait("/nemo/error").params[:2] == ["not_found", "/nemo/snapshot/load"]
    assert daemon.stop() == 0
    assert PresetStore(tmp_path / "presets").get(6).name == "Mine"


def test_after_three_starts_that_ended_at_once_the_next_is_clean(
    start: Any, tmp_path: Path
) -> None:
    """It says so, and what was there can be loaded again."""
    kept = ["--device", "null", "--state", "state.json", "--presets", "presets"]
    file = tmp_path / "state.json"
    session = Session(
        positions={"bass": 0.25},
        preset=SessionPreset(number=0, name=PresetStore(None).get(0).name),
        failed_starts=LIMIT - 1,
    )
    save(file, session)
    daemon = start(*kept)
    client = daemon.client()
    assert client.query("/nemo/preset/index") == 0
    assert client.query("/nemo/bass") == 0.25
    daemon.stop(signal.SIGKILL)
    daemon = start(*kept)
    client = daemon.client()
    assert client.query("/nemo/model/current") == "clean"
    assert client.query("/nemo/preset/index") == -1
    assert client.query("/nemo/bass") == 0.5
    assert any("starts failed" in line for line in daemon.lines)
    client.send("/nemo/preset/load", 0)
    assert client.wait("/nemo/done", "/nemo/error", seconds=60.0).address == "/nemo/done"
    assert daemon.stop() == 0
    before = load(file.with_name(file.name + SUFFIX))
    assert before is not None
    # `--no-step-down` of the tests sets a position, too.
    assert before.positions == {"bass": 0.25, "size/auto": 0.0}
    assert before.failed_starts == LIMIT
