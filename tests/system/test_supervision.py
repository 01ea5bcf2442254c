"""The daemon while its parts die, hang and vanish: the sound comes back, the settings stay."""

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
"""[s] Catches what never comes back; how long it takes is measured elsewhere."""
HEARD_DB = -50.0
MODELS = Path(__file__).resolve().parents[2] / "models"


def children(daemon: Any, name: str) -> list[int]:
    """Return the processes of the daemon that call themselves so."""
    listed = subprocess.run(
        ["ps", "-o", "pid=,args=", "--ppid", str(daemon.process.pid)],
        capture_output=True,
        text=True,
        check=False,  # none is an error to ps
    ).stdout
    return [int(line.split()[0]) for line in listed.splitlines() if f"nemod {name}" in line]


def until(true: Callable[[], Any], what: str, seconds: float = BACK_S) -> Any:
    """Return the first answer that is true; fail when none comes."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        answer = true()
        if answer:
            return answer
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s: {what}")


def another(daemon: Any, pid: int) -> int:
    """Return the audio process that has taken the place of `pid`."""
    found = until(lambda: [new for new in children(daemon, "audio") if new != pid], "a new one")
    return int(found[0])


def stop_in_time(daemon: Any) -> None:
    """SIGTERM: exit status 0, before the patience of the test is over."""
    assert daemon.stop() == 0, daemon.text


def test_what_is_dead_or_hangs_is_replaced(start: Any, tmp_path: Path) -> None:
    """The audio process killed, then stopped by a signal: the sound is back, the knobs unmoved.

    A mute proves that in the sound itself. A foundry that was stopped is replaced too, without a
    word to the audio process. The recording goes on through it all.
    """
    daemon = start(
        "--device", "demo", "--model", "clipper-lstm16", "--spare", "--record", "out.wav"
    )
    phone = daemon.client()
    phone.send("/nemo/bass", 0.7)
    phone.send("/nemo/output", 0.25)
    for number in (signal.SIGKILL, signal.SIGSTOP):
        (audio,) = children(daemon, "audio")
        os.kill(audio, number)
        another(daemon, audio)
        until(lambda: phone.query("/nemo/status/state") == "running", "the state")
        until(lambda: phone.query("/nemo/real/meter/out") > HEARD_DB, "the sound")
        assert phone.query("/nemo/output") == pytest.approx(0.25)
        assert phone.query("/nemo/bass") == pytest.approx(0.7)
        assert phone.query("/nemo/model/current") == "clipper-lstm16"
    phone.send("/nemo/mute", 1)
    until(lambda: phone.query("/nemo/real/meter/out") < HEARD_DB, "the mute")
    (audio,) = children(daemon, "audio")
    until(lambda: children(daemon, "standby"), "a standby process")
    os.kill(audio, signal.SIGKILL)
    another(daemon, audio)
    until(lambda: phone.query("/nemo/real/meter/in") > 0.0 - 60.0, "the input")
    assert phone.query("/nemo/real/meter/out") < HEARD_DB
    (audio,) = children(daemon, "audio")
    os.kill(children(daemon, "builder")[0], signal.SIGSTOP)
    phone.send("/nemo/model/load", "drive-gru20")
    done = phone.wait("/nemo/done", "/nemo/error", seconds=30.0)
    assert (done.address, done.params) == ("/nemo/done", ["/nemo/model/load", "drive-gru20"])
    assert children(daemon, "audio") == [audio]
    left = [pid for name in ("audio", "standby", "builder") for pid in children(daemon, name)]
    stop_in_time(daemon)
    assert [pid for pid in left if Path("/proc", str(pid)).exists()] == []
    sound, rate = soundfile.read(tmp_path / "out.wav", dtype="float32")
    assert sound.size > 2 * rate
    assert np.isfinite(sound).all()
    # The end is the muted rig; what was before the first death was heard.
    assert np.abs(sound[:rate]).max() > 0.01
    assert np.abs(sound[-rate // 10 :]).max() < 1e-3


def test_a_model_that_kills_the_audio_process_is_set_aside(start: Any) -> None:
    """Three crashes over one model: the one before plays, and the description says why."""
    daemon = start("--device", "null", "--model", "clipper-lstm16", "--spare")
    phone = daemon.client()
    phone.send("/nemo/model/load", "drive-gru20")
    assert phone.wait("/nemo/done", "/nemo/error", seconds=30.0).address == "/nemo/done"
    for _ in range(3):
        assert phone.query("/nemo/model/current") == "drive-gru20"
        (audio,) = children(daemon, "audio")
        os.kill(audio, signal.SIGSEGV)
        another(daemon, audio)
        until(lambda: phone.query("/nemo/status/state") == "running", "the state")
    assert phone.query("/nemo/model/current") == "clipper-lstm16"
    assert '"set_aside": "drive-gru20"' in phone.query("/nemo/model/info")
    assert daemon.text.count("model set aside") == 1
    stop_in_time(daemon)


@pytest.mark.jack
@pytest.mark.portaudio
def test_a_jack_server_that_comes_back_is_taken_again(
    start: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Gone: `no_device`; back: `running`, the knobs as they were set meanwhile; gone: it ends.

    While it runs, a second daemon on the same input is told who has it.
    """
    with jack_server():
        daemon = start("--device", "system", "--block", str(BLOCK))
        phone = daemon.client()
        assert phone.query("/nemo/status/state") == "running"
        second = start_and_end("--device", "system", cwd=tmp_path)
        assert second.returncode == 1
        assert f"held by nemod (process {daemon.process.pid})" in second.stderr
    until(lambda: phone.query("/nemo/status/state") == "no_device", "the loss")
    phone.send("/nemo/bass", 0.9)
    phone.send("/nemo/model/load", "drive-gru20")
    assert phone.wait("/nemo/done", "/nemo/error", seconds=30.0).address == "/nemo/done"
    with jack_server():
        until(lambda: phone.query("/nemo/status/state") == "running", "the return")
        until(lambda: phone.query("/nemo/status/load") > 0.0, "reports")
        assert phone.query("/nemo/bass") == pytest.approx(0.9)
        assert phone.query("/nemo/model/current") == "drive-gru20"
    until(lambda: phone.query("/nemo/status/state") == "no_device", "the second loss")
    stop_in_time(daemon)


@pytest.mark.portaudio
def test_a_device_that_never_came_can_be_waited_for(start: Any) -> None:
    """`--wait-for-device`: OSC answers, the state is `no_device`, and SIGTERM ends it in time."""
    daemon = start("--device", "nosuchdevice", "--wait-for-device")
    phone = daemon.client()
    assert phone.query("/nemo/status/state") == "no_device"
    phone.send("/nemo/model/load", "drive-gru20")
    phone.send("/nemo/model/next")
    assert phone.query("/nemo/status/state") == "no_device"
    stop_in_time(daemon)


@pytest.mark.jack
@pytest.mark.portaudio
def test_a_first_model_that_was_overtaken_by_one_that_fails_plays(
    start: Any, tmp_path: Path
) -> None:
    """What somebody asked for before there was a device cannot be played: the first model is."""
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
    phone = daemon.client()
    (library / "gone.json").unlink()
    phone.send("/nemo/model/load", "gone")
    assert phone.query("/nemo/model/current") == ""
    with jack_server():
        assert phone.wait("/nemo/done", "/nemo/error", seconds=60.0).address == "/nemo/error"
        until(lambda: phone.query("/nemo/model/current") == "clipper-lstm16", "the first model")
        assert phone.query("/nemo/status/state") == "running"
    stop_in_time(daemon)


def start_and_end(*arguments: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    """Run `nemod` until it ends by itself."""
    import sys

    return subprocess.run(
        [sys.executable, "-m", "nemod", "--port", "0", "--local", *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        timeout=60,
    )
