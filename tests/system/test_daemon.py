"""The daemon as a whole, on its clocked devices: start, record, obey, end."""

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile


def test_the_demo_records_as_long_as_it_is_told(start: Any, tmp_path: Path) -> None:
    """`--record --seconds 3` leaves three seconds of sound, from the first on, and exits 0."""
    daemon = start("--device", "demo", "--record", "out.wav", "--seconds", "3")
    assert daemon.process.wait(60.0) == 0, daemon.text
    info = soundfile.info(tmp_path / "out.wav")
    sound, rate = soundfile.read(tmp_path / "out.wav", dtype="float32")
    assert (info.subtype, sound.ndim) == ("FLOAT", 1)
    assert sound.size == 3 * rate
    assert np.isfinite(sound).all()
    assert np.abs(sound[: rate // 2]).max() > 0.01


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_order(start: Any, number: int) -> None:
    """SIGTERM and SIGINT: goodbye to who was heard, exit status 0, within two seconds."""
    daemon = start("--device", "null")
    phone = daemon.client()
    assert phone.query("/nemo/status/state") == "running"
    begin = time.monotonic()
    daemon.process.send_signal(number)
    assert phone.wait("/nemo/bye", seconds=2.0).address == "/nemo/bye"
    assert daemon.process.wait(10.0) == 0, daemon.text
    assert time.monotonic() - begin < 2.0


def test_every_process_names_itself(start: Any) -> None:
    """`ps` shows nemod, nemod audio and nemod builder, by command and by arguments."""
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
    # The command's name is cut to 15 characters by the kernel, which is enough for ours.
    expected = ["nemod audio nemod audio", "nemod builder nemod builder", "nemod nemod"]
    assert expected == sorted(found)


def test_no_process_is_left_behind(start: Any) -> None:
    """When the daemon has ended, so have the audio plane and the foundry."""
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


def test_a_knob_set_over_osc_is_there_when_asked(start: Any) -> None:
    """Set, then query: the same value; the shipped models are listed and can be loaded."""
    daemon = start("--device", "null")
    phone = daemon.client()
    phone.send("/nemo/bass", 0.7)
    assert phone.query("/nemo/bass") == pytest.approx(0.7)
    phone.send("/nemo/model/load", "DRIVE-gru20")
    done = phone.wait("/nemo/done", "/nemo/error", seconds=30.0)
    assert (done.address, done.params) == ("/nemo/done", ["/nemo/model/load", "drive-gru20"])
    assert phone.query("/nemo/model/current") == "drive-gru20"
    phone.send("/nemo/model/load", "drive-gru2")
    error = phone.wait("/nemo/done", "/nemo/error")
    assert error.params[:2] == ["not_found", "/nemo/model/load"]
    assert "drive-gru20" in error.params[2]
    assert phone.query("/nemo/model/current") == "drive-gru20"


@pytest.mark.liblo
def test_oscsend_turns_a_knob(start: Any) -> None:
    """`oscsend localhost PORT /nemo/gain f 0.7`, then a query from python-osc answers 0.7."""
    daemon = start("--device", "null")
    subprocess.run(
        ["oscsend", "localhost", str(daemon.port), "/nemo/gain", "f", "0.7"], check=True, timeout=5
    )
    phone = daemon.client()
    end = time.monotonic() + 2.0
    while time.monotonic() < end and phone.query("/nemo/gain") != pytest.approx(0.7):
        time.sleep(0.05)
    assert phone.query("/nemo/gain") == pytest.approx(0.7)


def test_a_broken_model_leaves_the_old_one_playing(start: Any, tmp_path: Path) -> None:
    """A file that will not load is an error on OSC; the sound that was there stays."""
    library = tmp_path / "amps"
    library.mkdir()
    (library / "broken.json").write_text('{"model_data": {}, "state_dict": {}}')
    daemon = start("--device", "demo", "--library", str(library), "--model", "clipper-lstm16")
    phone = daemon.client()
    phone.send("/nemo/model/load", "broken")
    error = phone.wait("/nemo/done", "/nemo/error", seconds=30.0)
    assert error.params[:2] == ["io", "/nemo/model/load"]
    assert "model_data" in error.params[2]
    assert phone.query("/nemo/model/current") == "clipper-lstm16"
    assert phone.query("/nemo/status/state") == "running"


def test_a_name_leads_nowhere_outside_the_library(start: Any) -> None:
    """A path is no name: `not_found`, whatever lies there."""
    daemon = start("--device", "null")
    phone = daemon.client()
    for name in ("../models/clipper-lstm16", "/etc/passwd", "clipper-lstm16.json"):
        phone.send("/nemo/model/load", name)
        assert phone.wait("/nemo/done", "/nemo/error").params[0] == "not_found"


def run(*arguments: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    """Run `nemod` to its end."""
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
def test_a_device_that_is_not_there_is_an_error_that_lists_what_is(tmp_path: Path) -> None:
    """`--device nosuch` ends with 1 and names the devices that need no sound card."""
    ended = run("--device", "nosuchdevice", "--port", "0", "--local", cwd=tmp_path)
    assert ended.returncode == 1
    assert "nosuchdevice" in ended.stderr
    assert "'demo'" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_model_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """`--model clipper-lstm1` ends with 1 and offers the nearest name."""
    ended = run("--device", "null", "--model", "clipper-lstm1", "--port", "0", cwd=tmp_path)
    assert ended.returncode == 1
    assert "did you mean 'clipper-lstm16'" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_second_daemon_on_the_port_says_who_holds_it(start: Any, tmp_path: Path) -> None:
    """The port of a running daemon is refused to another, which names the holder."""
    daemon = start("--device", "null")
    ended = run("--device", "null", "--local", "--port", str(daemon.port), cwd=tmp_path)
    assert ended.returncode == 1
    assert str(daemon.port) in ended.stderr
    assert "nemod" in ended.stderr
    assert "Traceback" not in ended.stderr
