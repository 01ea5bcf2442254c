"""Recordings of the whole daemon on a disk that is full."""

from pathlib import Path
from typing import Any

import pytest


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is missing")
def test_a_full_disk_costs_the_recording_alone(start: Any, tmp_path: Path) -> None:
    """One line says so, the sound goes on for the seconds that were asked for, status 1."""
    (tmp_path / "full.wav").symlink_to("/dev/full")
    daemon = start("--device", "demo", "--record", "full.wav", "--seconds", "2")
    phone = daemon.client()
    levels = [phone.query("/nemo/real/meter/out") for _ in range(20)]
    assert daemon.process.wait(30.0) == 1, daemon.text
    errors = [line for line in daemon.lines if "error" in line]
    assert len(errors) == 1, daemon.text
    assert "No space left on device" in errors[0]
    assert "Traceback" not in daemon.text
    assert max(levels) > -60.0
