"""The tuner of a whole daemon on the device `demo`: readings, the mute, a new audio process."""

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from tests.system.test_supervision import children, until

DEMO_NOTES = {"G3": 196.0, "B3": 246.942, "D4": 293.665, "E3": 164.814, "A3": 220.0, "E4": 329.628}
"""[Hz] Single notes of the demo's phrase, in equal temperament."""


def next_note(client: Any) -> tuple[str, float]:
    """Return the next note that is read, with its frequency."""

    def read() -> tuple[str, float] | None:
        note, hz = client.query("/nemo/tuner/note"), client.query("/nemo/tuner/hz")
        return (note, hz) if note in DEMO_NOTES and hz else None

    found: tuple[str, float] = until(read, "a reading of the tuner")
    return found


def test_the_tuner_reads_the_demo_and_mutes_it(start: Any, tmp_path: Path) -> None:
    """Also after the audio process was replaced; off, it shows nothing and the sound is back."""
    daemon = start("--device", "demo", "--record", "out.wav")
    client = daemon.client()
    assert client.query("/nemo/tuner/note") == ""
    client.send("/nemo/toggle/tuner", 1.0)
    assert client.query("/nemo/tuner/enable") is True
    note, hz = next_note(client)
    assert hz == pytest.approx(DEMO_NOTES[note], rel=0.01)
    (audio,) = children(daemon, "audio")
    os.kill(audio, signal.SIGKILL)
    until(lambda: children(daemon, "audio") not in ([audio], []), "another audio process")
    until(lambda: client.query("/nemo/status/state") == "running", "the state running")
    note, hz = next_note(client)
    assert hz == pytest.approx(DEMO_NOTES[note], rel=0.01)
    client.send("/nemo/tuner/enable", 0.0)
    assert client.query("/nemo/tuner/note") == ""
    until(lambda: client.query("/nemo/real/meter/out") > -40.0, "sound")
    assert daemon.stop() == 0, daemon.text
    sound, rate = soundfile.read(tmp_path / "out.wav", dtype="float32")
    # Two readings took at least half a second each, which is longer than any rest of the phrase.
    loud = np.flatnonzero(np.abs(sound) > 1e-5)
    assert np.diff(loud).max() > 0.5 * rate
