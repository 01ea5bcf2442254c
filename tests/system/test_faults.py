"""Faults from outside while the daemon plays: the clock, the disk, a full pipe."""

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

from tests.system.test_supervision import HEARD_DB, MODELS, another, children, until

DAY_S = 86_400


JUMPING = """
import pathlib, time
_clock, _time = pathlib.Path({clock!r}), time.time
time.time = lambda: _time() + float(_clock.read_text())
time.time_ns = lambda: int(1e9 * time.time())
"""
"""Python runs this in every process of the daemon before anything else. The machine's own clock
cannot be turned for one program, and must not be for all."""


def test_a_clock_that_jumps_by_a_day_changes_nothing(start: Any, tmp_path: Path) -> None:
    """Forward and back: it plays on, answers, and keeps its state on time."""
    clock, state, site = tmp_path / "clock", tmp_path / "state.json", tmp_path / "site"
    site.mkdir()
    clock.write_text("0")
    (site / "sitecustomize.py").write_text(JUMPING.format(clock=str(clock)))
    environment = {"PYTHONPATH": str(site)}
    daemon = start(
        "--device", "demo", "--model", "clipper-lstm16", "--state", str(state), env=environment
    )
    phone = daemon.client()
    (audio,) = children(daemon, "audio")
    uptime = phone.query("/nemo/status/uptime")
    for number, jump_s in enumerate((DAY_S, -DAY_S)):
        clock.write_text(str(jump_s))
        told = subprocess.run(
            [sys.executable, "-c", "import time; print(time.time())"],
            env={**os.environ, **environment},
            capture_output=True,
            check=True,
        )
        assert abs(float(told.stdout) - time.time() - jump_s) < 60.0, "the clock has not jumped"
        bass = 0.1 + 0.1 * number
        phone.send("/nemo/bass", bass)
        assert phone.query("/nemo/bass") == pytest.approx(bass)
        until(lambda: phone.query("/nemo/real/meter/out") > HEARD_DB, "the sound")
        until(lambda at=number: _bass(state) == pytest.approx(0.1 + 0.1 * at), "the state")
        assert phone.query("/nemo/status/state") == "running"
    assert 0 <= phone.query("/nemo/status/uptime") - uptime < 600
    assert children(daemon, "audio") == [audio]
    assert daemon.stop() == 0, daemon.text


def _bass(state: Path) -> float | None:
    if not state.exists():
        return None
    position: float = json.loads(state.read_text())["positions"]["bass"]
    return position


def test_a_model_file_that_is_deleted_plays_on(start: Any, tmp_path: Path) -> None:
    """Also after a death of the audio process; asked for again, it is an error and no silence.

    A pipe that is full because the audio process stood still for a moment loses no knob: what was
    turned last is what is heard.
    """
    library = tmp_path / "amps"
    library.mkdir()
    file = library / "mine.json"
    shutil.copy(MODELS / "clipper-lstm16.json", file)
    daemon = start("--device", "demo", "--library", str(library), "--model", "mine")
    phone = daemon.client()
    until(lambda: phone.query("/nemo/real/meter/out") > HEARD_DB, "the sound")
    file.unlink()
    (audio,) = children(daemon, "audio")
    os.kill(audio, signal.SIGKILL)
    audio = another(daemon, audio)
    until(lambda: phone.query("/nemo/real/meter/out") > HEARD_DB, "the sound after a death")
    assert phone.query("/nemo/model/current") == "mine"
    phone.send("/nemo/model/load", "mine")
    error = phone.wait("/nemo/done", "/nemo/error", seconds=30.0)
    assert (error.address, error.params[1]) == ("/nemo/error", "/nemo/model/load")
    assert error.params[0] in ("io", "not_found")
    assert "mine" in error.params[2]
    until(lambda: phone.query("/nemo/real/meter/out") > HEARD_DB, "the sound after the error")

    os.kill(audio, signal.SIGSTOP)
    for number in range(300):  # more records than a pipe holds
        phone.send("/nemo/output", number / 300.0)
    phone.send("/nemo/mute", 1)
    assert phone.query("/nemo/mute") == 1
    os.kill(audio, signal.SIGCONT)
    until(lambda: phone.query("/nemo/real/meter/out") < HEARD_DB, "the mute that was sent last")
    phone.send("/nemo/mute", 0)
    until(lambda: phone.query("/nemo/real/meter/out") > HEARD_DB, "the sound again")
    assert daemon.stop() == 0, daemon.text
