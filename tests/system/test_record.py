"""Recording while the disk is full."""

from pathlib import Path
from typing import Any

import pytest


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is missing")
def test_a_full_disk_ends_the_recording_but_not_the_sound(start: Any, tmp_path: Path) -> None:
    """One error is logged, the daemon plays for the given time, and the exit status is 1."""
    (tmp_path / "full.wav").symlink_to("/dev/full")
    daemon = start("--device", "demo", "--record", "full.wav", "--seconds", "2")
    client = daemon.client()
    levels = [client.query("/nemo/real/meter/out") for _ in range(20)]
    assert daemon.process.wait(30.0) == 1, daemon.text
    errors = [line for line in daemon.lines if "error" in line]
    assert len(errors) == 1, daemon.text
    assert "No space left on device" in errors[0]
    assert "Traceback" not in daemon.text
    assert max(levels) > -60.0
