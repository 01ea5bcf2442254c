"""Crashes and hangs of the daemon's processes, and a device that disconnects: recovery."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from tests.system.conftest import BLOCK, jack_server

BACK_S = 20.0
"""[s] Limit for a recovery; `tests/benchmarks/kills.py` measures how long it takes."""
AUDIBLE_DB = -50.0
MODELS = Path(__file__).resolve().parents[2] / "models"


def children(daemon: Any, name: str) -> list[int]:
    """Return the child processes of the daemon with this title."""
    listed = subprocess.run(
        ["ps", "-o", "pid=,args=", "--ppid", str(daemon.process.pid)],
        capture_output=True,
        text=True,
        check=False,  # `ps` fails if there are none
    ).stdout
    return [int(line.split()[0]) for line in listed.splitlines() if f"nemod {name}" in line]


def until(condition: Callable[[], Any], what: str, seconds: float = BACK_S) -> Any:
    """Return the first true result of `condition`. Raises: AssertionError after `seconds`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        result = condition()
        if result:
            return result
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s: {what}")


def replacement(daemon: Any, pid: int) -> int:
    """Return the audio process that replaces `pid`, once it exists."""
    found = until(lambda: [new for new in children(daemon, "audio") if new != pid], "a new one")
    return int(found[0])


def stop_in_time(daemon: Any) -> None:
    """Stop the daemon by SIGTERM; check that it exits with 0 in time."""
    assert daemon.stop() == 0, daemon.text


def test_a_process_that_ends_or_hangs_is_replaced(start: Any, tmp_path: Path) -> None:
    """An audio process that is killed, then one that hangs: sound and settings are restored.

    A mute shows that in the sound itself. A builder that hangs is replaced without any effect on
    the audio process. The recording continues throughout.
    """
    daemon = start(
        "--device", "demo", "--model", "clipper-lstm16", "--standby", "--record", "out.wav"
    )
    client = daemon.client()
    client.send("/nemo/bass", 0.7)
    client.send("/nemo/output", 0.25)
    for number in (signal.SIGKILL, signal.SIGSTOP):
        (audio,) = children(daemon, "audio")
        os.kill(audio, number)
        replacement(daemon, audio)
        until(lambda: client.query("/nemo/status/state") == "running", "the state")
        until(lambda: client.query("/nemo/real/meter/out") > AUDIBLE_DB, "the sound")
        assert client.query("/nemo/output") == pytest.approx(0.25)
        assert client.query("/nemo/bass") == pytest.approx(0.7)
        assert client.query("/nemo/model/current") == "clipper-lstm16"
    client.send("/nemo/mute", 1)
    until(lambda: client.query("/nemo/real/meter/out") < AUDIBLE_DB, "the mute")
    (audio,) = children(daemon, "audio")
    until(lambda: children(daemon, "standby"), "a standby process")
    os.kill(audio, signal.SIGKILL)
    replacement(daemon, audio)
    until(lambda: client.query("/nemo/real/meter/in") > 0.0 - 60.0, "the input")
    assert client.query("/nemo/real/meter/out") < AUDIBLE_DB
    (audio,) = children(daemon, "audio")
    os.kill(children(daemon, "builder")[0], signal.SIGSTOP)
    client.send("/nemo/model/load", "drive-gru20")
    done = client.wait("/nemo/done", "/nemo/error", seconds=30.0)
    assert (done.address, done.params) == ("/nemo/done", ["/nemo/model/load", "drive-gru20"])
    assert children(daemon, "audio") == [audio]
    left = [pid for name in ("audio", "standby", "builder") for pid in children(daemon, name)]
    stop_in_time(daemon)
    assert [pid for pid in left if Path("/proc", str(pid)).exists()] == []
    sound, rate = soundfile.read(tmp_path / "out.wav", dtype="float32")
    assert sound.size > 2 * rate
    assert np.isfinite(sound).all()
    # The recording ends with the muted rig, and begins with the sound before the first kill.
    assert np.abs(sound[:rate]).max() > 0.01
    assert np.abs(sound[-rate // 10 :]).max() < 1e-3


def test_a_model_that_crashes_the_audio_process_is_quarantined(start: Any) -> None:
    """After three crashes with a model the previous one plays, and `model/info` names the model."""
    daemon = start("--device", "null", "--model", "clipper-lstm16", "--standby")
    client = daemon.client()
    client.send("/nemo/model/load", "drive-gru20")
    assert client.wait("/nemo/done", "/nemo/error", seconds=30.0).address == "/nemo/done"
    for _ in range(3):
        assert client.query("/nemo/model/current") == "drive-gru20"
        (audio,) = children(daemon, "audio")
        os.kill(audio, signal.SIGSEGV)
        replacement(daemon, audio)
        until(lambda: client.query("/nemo/status/state") == "running", "the state")
    assert client.query("/nemo/model/current") == "clipper-lstm16"
    assert '"quarantined": "drive-gru20"' in client.query("/nemo/model/info")
    assert daemon.text.count("model quarantined") == 1
    stop_in_time(daemon)


@pytest.mark.jack
@pytest.mark.portaudio
def test_a_jack_server_that_restarts_is_used_again(
    start: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped: `no_device`; started: `running`, with the knobs that were set meanwhile.

    A second daemon on the same input exits with an error that names the first. After the second
    stop of the server the daemon still ends in time.
    """
    with jack_server():
        daemon = start("--device", "system", "--block", str(BLOCK))
        client = daemon.client()
        assert client.query("/nemo/status/state") == "running"
        second = start_and_end("--device", "system", cwd=tmp_path)
        assert second.returncode == 1
        assert f"held by nemod (process {daemon.process.pid})" in second.stderr
    until(lambda: client.query("/nemo/status/state") == "no_device", "the disconnection")
    client.send("/nemo/bass", 0.9)
    client.send("/nemo/model/load", "drive-gru20")
    assert client.wait("/nemo/done", "/nemo/error", seconds=30.0).address == "/nemo/done"
    with jack_server():
        until(lambda: client.query("/nemo/status/state") == "running", "the reconnection")
        until(lambda: client.query("/nemo/status/load") > 0.0, "telemetry")
        assert client.query("/nemo/bass") == pytest.approx(0.9)
        assert client.query("/nemo/model/current") == "drive-gru20"
    until(lambda: client.query("/nemo/status/state") == "no_device", "the second disconnection")
    stop_in_time(daemon)


@pytest.mark.portaudio
def test_the_daemon_can_wait_for_an_absent_device(start: Any) -> None:
    """`--wait-for-device`: OSC answers, the state is `no_device`, and SIGTERM ends it in time."""
    daemon = start("--device", "nosuchdevice", "--wait-for-device")
    client = daemon.client()
    assert client.query("/nemo/status/state") == "no_device"
    client.send("/nemo/model/load", "drive-gru20")
    client.send("/nemo/model/next")
    assert client.query("/nemo/status/state") == "no_device"
    stop_in_time(daemon)


@pytest.mark.jack
@pytest.mark.portaudio
def test_the_first_model_plays_when_the_request_that_superseded_it_fails(
    start: Any, tmp_path: Path
) -> None:
    """A model that was requested before the device was connected cannot be read: a fallback."""
    library = tmp_path / "amps"
    library.mkdir()
    shutil.copy(MODELS / "drive-gru20.json", library / "gone.json")
    with jack_server():
        server = os.environ["JACK_DEFAULT_SERVER"]
    daemon = start(
        "--device", "system", "--block", str(BLOCK), "--wait-for-device",
        "--library", str(library), "--model", "clipper-lstm16",
        env={"JACK_DEFAULT_SERVER": server},
    )  # fmt: skip
    client = daemon.client()
    (library / "gone.json").unlink()
    client.send("/nemo/model/load", "gone")
    assert client.query("/nemo/model/current") == ""
    with jack_server():
        assert client.wait("/nemo/done", "/nemo/error", seconds=60.0).address == "/nemo/error"
        until(lambda: client.query("/nemo/model/current") == "clipper-lstm16", "the first model")
        assert client.query("/nemo/status/state") == "running"
    stop_in_time(daemon)


def start_and_end(*arguments: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    """Run `nemod` until it exits by itself."""
    import sys

    return subprocess.run(
        [sys.executable, "-m", "nemod", "--port", "0", "--local", *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        timeout=60,
    )
