"""The whole daemon on the devices `demo` and `null`: start, recording, OSC, errors, exit."""

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile


def test_the_demo_records_for_the_given_time(start: Any, tmp_path: Path) -> None:
    """`--record --seconds 3` writes three seconds that begin with sound, and exits with 0."""
    daemon = start("--device", "demo", "--record", "out.wav", "--seconds", "3")
    assert daemon.process.wait(60.0) == 0, daemon.text
    info = soundfile.info(tmp_path / "out.wav")
    sound, rate = soundfile.read(tmp_path / "out.wav", dtype="float32")
    assert (info.subtype, sound.ndim) == ("FLOAT", 1)
    assert sound.size == 3 * rate
    assert np.isfinite(sound).all()
    assert np.abs(sound[: rate // 2]).max() > 0.01


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_shuts_the_daemon_down(start: Any, number: int) -> None:
    """SIGTERM and SIGINT: `/nemo/bye` to known clients, exit status 0, within two seconds."""
    daemon = start("--device", "null")
    client = daemon.client()
    assert client.query("/nemo/status/state") == "running"
    begin = time.monotonic()
    daemon.process.send_signal(number)
    assert client.wait("/nemo/bye", seconds=2.0).address == "/nemo/bye"
    assert daemon.process.wait(10.0) == 0, daemon.text
    assert time.monotonic() - begin < 2.0


def test_every_process_sets_its_title(start: Any) -> None:
    """`ps` shows nemod, nemod audio and nemod builder, as command and as arguments."""
    daemon = start("--device", "null")
    listed = subprocess.run(
        [
            "ps",
            "-o",
            "comm=,args=",
            "--ppid",
            str(daemon.process.pid),
            "-p",
            str(daemon.process.pid),
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    found = sorted(" ".join(line.split()) for line in listed.splitlines())
    # The kernel truncates the command's name to 15 characters; these are shorter.
    expected = ["nemod audio nemod audio", "nemod builder nemod builder", "nemod nemod"]
    assert expected == sorted(found)


def test_no_process_remains_after_the_daemon_ends(start: Any) -> None:
    """The audio process and the builder end with the daemon."""
    daemon = start("--device", "null")
    children = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(daemon.process.pid)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert len(children) == 2
    assert daemon.stop() == 0
    assert [pid for pid in children if Path("/proc", pid).exists()] == []


def test_knobs_are_set_and_models_are_loaded_over_osc(start: Any) -> None:
    """A query returns the value that was set; a model loads by name, an unknown one does not."""
    daemon = start("--device", "null")
    client = daemon.client()
    client.send("/nemo/bass", 0.7)
    assert client.query("/nemo/bass") == pytest.approx(0.7)
    client.send("/nemo/model/load", "DRIVE-gru20")
    done = client.wait("/nemo/done", "/nemo/error", seconds=30.0)
    assert (done.address, done.params) == ("/nemo/done", ["/nemo/model/load", "drive-gru20"])
    assert client.query("/nemo/model/current") == "drive-gru20"
    client.send("/nemo/model/load", "drive-gru2")
    error = client.wait("/nemo/done", "/nemo/error")
    assert error.params[:2] == ["not_found", "/nemo/model/load"]
    assert "drive-gru20" in error.params[2]
    assert client.query("/nemo/model/current") == "drive-gru20"


@pytest.mark.liblo
def test_oscsend_turns_a_knob(start: Any) -> None:
    """`oscsend localhost PORT /nemo/gain f 0.7`, then a query from python-osc answers 0.7."""
    daemon = start("--device", "null")
    subprocess.run(
        ["oscsend", "localhost", str(daemon.port), "/nemo/gain", "f", "0.7"], check=True, timeout=5
    )
    client = daemon.client()
    end = time.monotonic() + 2.0
    while time.monotonic() < end and client.query("/nemo/gain") != pytest.approx(0.7):
        time.sleep(0.05)
    assert client.query("/nemo/gain") == pytest.approx(0.7)


def test_after_an_invalid_model_the_previous_one_plays(start: Any, tmp_path: Path) -> None:
    """A file that cannot be loaded is answered by `/nemo/error`; the sound does not change."""
    library = tmp_path / "amps"
    library.mkdir()
    (library / "broken.json").write_text('{"model_data": {}, "state_dict": {}}')
    daemon = start("--device", "demo", "--library", str(library), "--model", "clipper-lstm16")
    client = daemon.client()
    client.send("/nemo/model/load", "broken")
    error = client.wait("/nemo/done", "/nemo/error", seconds=30.0)
    assert error.params[:2] == ["io", "/nemo/model/load"]
    assert "model_data" in error.params[2]
    assert client.query("/nemo/model/current") == "clipper-lstm16"
    assert client.query("/nemo/status/state") == "running"


def test_a_path_is_not_accepted_as_a_model_name(start: Any) -> None:
    """A path is answered by `not_found`, whether or not the file exists."""
    daemon = start("--device", "null")
    client = daemon.client()
    for name in ("../models/clipper-lstm16", "/etc/passwd", "clipper-lstm16.json"):
        client.send("/nemo/model/load", name)
        assert client.wait("/nemo/done", "/nemo/error").params[0] == "not_found"


def run(*arguments: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    """Run `nemod` until it exits."""
    import sys

    return subprocess.run(
        [sys.executable, "-m", "nemod", *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        timeout=60,
        env={**os.environ},
    )


@pytest.mark.portaudio
def test_an_unknown_device_is_an_error_with_a_list_of_devices(tmp_path: Path) -> None:
    """`--device nosuchdevice` exits with 1 and lists the devices that need no sound card."""
    ended = run("--device", "nosuchdevice", "--port", "0", "--local", cwd=tmp_path)
    assert ended.returncode == 1
    assert "nosuchdevice" in ended.stderr
    assert "'demo'" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_an_unknown_model_is_an_error_with_a_suggestion(tmp_path: Path) -> None:
    """`--model clipper-lstm1` exits with 1 and suggests the nearest name."""
    ended = run("--device", "null", "--model", "clipper-lstm1", "--port", "0", cwd=tmp_path)
    assert ended.returncode == 1
    assert "did you mean 'clipper-lstm16'" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_port_in_use_is_an_error_with_its_owner(start: Any, tmp_path: Path) -> None:
    """A second daemon on the port of a running one exits with 1 and names the owner."""
    daemon = start("--device", "null")
    ended = run("--device", "null", "--local", "--port", str(daemon.port), cwd=tmp_path)
    assert ended.returncode == 1
    assert str(daemon.port) in ended.stderr
    assert "nemod" in ended.stderr
    assert "Traceback" not in ended.stderr
