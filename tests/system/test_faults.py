"""External faults while the daemon plays: the clock jumps, a file is deleted, a pipe is full."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.system.test_supervision import AUDIBLE_DB, MODELS, children, replacement, until

DAY_S = 86_400


JUMPING = """
import pathlib, time
_clock, _time = pathlib.Path({clock!r}), time.time
time.time = lambda: _time() + float(_clock.read_text())
time.time_ns = lambda: int(1e9 * time.time())
"""
"""`sitecustomize.py`, which Python runs first in every process of the daemon. The system clock
cannot be changed for a single program."""


def test_a_clock_that_jumps_by_a_day_changes_nothing(start: Any, tmp_path: Path) -> None:
    """Forward and back: the daemon keeps playing, answers, and writes its state in time."""
    clock, state, site = tmp_path / "clock", tmp_path / "state.json", tmp_path / "site"
    site.mkdir()
    clock.write_text("0")
    (site / "sitecustomize.py").write_text(JUMPING.format(clock=str(clock)))
    environment = {"PYTHONPATH": str(site)}
    daemon = start(
        "--device", "demo", "--model", "clipper-lstm16", "--state", str(state), env=environment
    )
    client = daemon.client()
    (audio,) = children(daemon, "audio")
    uptime = client.query("/nemo/status/uptime")
    for number, jump_s in enumerate((DAY_S, -DAY_S)):
        clock.write_text(str(jump_s))
        shown = subprocess.run(
            [sys.executable, "-c", "import time; print(time.time())"],
            env={**os.environ, **environment},
            capture_output=True,
            check=True,
        )
        assert abs(float(shown.stdout) - time.time() - jump_s) < 60.0, "the clock has not jumped"
        bass = 0.1 + 0.1 * number
        client.send("/nemo/bass", bass)
        assert client.query("/nemo/bass") == pytest.approx(bass)
        until(lambda: client.query("/nemo/real/meter/out") > AUDIBLE_DB, "the sound")
        until(lambda at=number: _bass(state) == pytest.approx(0.1 + 0.1 * at), "the state")
        assert client.query("/nemo/status/state") == "running"
    assert 0 <= client.query("/nemo/status/uptime") - uptime < 600
    assert children(daemon, "audio") == [audio]
    assert daemon.stop() == 0, daemon.text


def _bass(state: Path) -> float | None:
    if not state.exists():
        return None
    position: float | None = json.loads(state.read_text())["positions"].get("bass")
    return position


def test_a_model_plays_on_after_its_file_is_deleted(start: Any, tmp_path: Path) -> None:
    """Also after the audio process was killed; loading it again is an error without silence.

    When the settings pipe is full because the audio process was stopped, the newest settings are
    applied as soon as it continues.
    """
    library = tmp_path / "amps"
    library.mkdir()
    file = library / "mine.json"
    shutil.copy(MODELS / "clipper-lstm16.json", file)
    daemon = start("--device", "demo", "--library", str(library), "--model", "mine")
    client = daemon.client()
    until(lambda: client.query("/nemo/real/meter/out") > AUDIBLE_DB, "the sound")
    file.unlink()
    (audio,) = children(daemon, "audio")
    os.kill(audio, signal.SIGKILL)
    audio = replacement(daemon, audio)
    until(lambda: client.query("/nemo/real/meter/out") > AUDIBLE_DB, "the sound after the kill")
    assert client.query("/nemo/model/current") == "mine"
    client.send("/nemo/model/load", "mine")
    error = client.wait("/nemo/done", "/nemo/error", seconds=30.0)
    assert (error.address, error.params[1]) == ("/nemo/error", "/nemo/model/load")
    assert error.params[0] in ("io", "not_found")
    assert "mine" in error.params[2]
    until(lambda: client.query("/nemo/real/meter/out") > AUDIBLE_DB, "the sound after the error")

    os.kill(audio, signal.SIGSTOP)
    for number in range(300):  # more records than the pipe can hold
        client.send("/nemo/output", number / 300.0)
    client.send("/nemo/mute", 1)
    assert client.query("/nemo/mute") == 1
    os.kill(audio, signal.SIGCONT)
    until(lambda: client.query("/nemo/real/meter/out") < AUDIBLE_DB, "the mute that was sent last")
    client.send("/nemo/mute", 0)
    until(lambda: client.query("/nemo/real/meter/out") > AUDIBLE_DB, "the sound again")
    assert daemon.stop() == 0, daemon.text
