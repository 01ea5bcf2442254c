"""Complete captures over JACK of a simulated pedal, in separate processes."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from nemod.common.errors import ConfigError
from tests.trainer.capture.conftest import PEDAL_DELAY, PERIOD, RATE, pedal
from trainer.cli import capture as command
from trainer.data.layouts import read_plan
from trainer.simulate.strings import playing

ROOT = Path(__file__).parents[3]


def start(*arguments: str) -> "subprocess.Popen[str]":
    """Start the command with a pipe as standard input."""
    return subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys; from trainer.cli.capture import main; sys.exit(main(sys.argv[1:]))",
            *arguments,
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "200", "PYTHONUNBUFFERED": "1"},
    )


def made(folder: Path) -> Any:
    """Return the section of the manifest on how the set was made."""
    return json.loads((folder / "manifest.json").read_text())["made"]


@pytest.mark.jack
@pytest.mark.portaudio
def test_a_pedal_is_captured_and_a_killed_session_continues(
    pedal_on_jack: str, tmp_path: Path
) -> None:
    """Each pair equals the simulated pedal, the latency is exact, and finished takes are kept."""
    out, di = tmp_path / "set", tmp_path / "di.wav"
    soundfile.write(di, playing(1.2, RATE), RATE, subtype="FLOAT")
    arguments = ("--device", pedal_on_jack, "--out", str(out), "--input", str(di))
    arguments += ("--block", str(PERIOD), "--knobs", "tone=0.35", "--knobs", "tone=0.7")

    first = start(*arguments)
    assert first.stdin is not None
    first.stdin.write("\n\n")
    first.stdin.flush()
    end = time.monotonic() + 90.0
    while not (out / "manifest.json").exists():
        assert time.monotonic() < end
        assert first.poll() is None, first.communicate()[0]
        time.sleep(0.02)
    first.send_signal(signal.SIGKILL)  # in the second take, or in the check of the levels before it
    first.communicate()
    assert [take["knobs"] for take in made(out)["takes"]] == [{"tone": 0.35}]
    before = (out / "000_train_tone0.35-target.wav").stat().st_mtime_ns

    output, _ = start(*arguments).communicate("\n", timeout=120.0)
    assert "already captured: tone 0.35" in output
    assert "turn tone to 0.7" in output
    assert "polarity inverted" in output
    assert (out / "000_train_tone0.35-target.wav").stat().st_mtime_ns == before
    takes = made(out)["takes"]
    assert [take["knobs"] for take in takes] == [{"tone": 0.35}, {"tone": 0.7}]
    for take in takes:
        # JACK delays a loop of clients by a whole number of periods.
        periods, delay = divmod(take["latency_frames"], PERIOD)
        assert delay == PEDAL_DELAY
        assert 0 <= periods <= 3
    plan = read_plan(out)
    assert plan.knobs == ("tone",)
    assert len(plan.sources) == 6
    for source in plan.sources:
        dry, rate = soundfile.read(source.dry, dtype="float32")
        wet, _ = soundfile.read(source.wet, dtype="float32")
        assert rate == RATE
        assert dry.size == wet.size > 0
        assert float(np.abs(wet - pedal(dry)).max()) < 1e-6
    peaks = [float(np.abs(soundfile.read(s.dry)[0]).max()) for s in plan.sources]
    assert max(peaks) == pytest.approx(10.0 ** (command.PEAK_DBFS / 20.0), rel=1e-4)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--knobs", "tone"], "--knobs 'tone': NAME=POSITION from 0 to 1"),
        (["--knobs", "tone=0", "--knobs", "gain=1"], "every setting needs the same knobs: tone"),
        (["--settings", "nowhere.txt"], "--settings nowhere.txt: cannot be read"),
        (["--peak", "3"], "dBFS from -60 to 0"),
    ],
)
def test_wrong_usage_is_reported(arguments: list[str], expected: str) -> None:
    """The message names the given value, before a device is opened."""
    with pytest.raises(ConfigError, match=expected):
        command.main(["--device", "null", "--out", "x", *arguments])


def test_settings_of_a_file_are_read_with_their_line(tmp_path: Path) -> None:
    """An error names the file and the line; comments and empty lines are skipped."""
    path = tmp_path / "settings.txt"
    path.write_text("# all\ntone=0.2,gain=1\n\ntone=2,gain=1 # loud\n")
    with pytest.raises(ConfigError, match=r"settings.txt: line 4: 'tone=2'"):
        command.main(["--device", "null", "--out", "x", "--settings", str(path)])


def test_a_device_without_a_signal_is_reported(tmp_path: Path) -> None:
    """The `null` device returns silence: no file is written, and the error names what to check."""
    arguments = ["--device", "null", "--out", str(tmp_path), "--no-prompt", "--seconds", "1"]
    with pytest.raises(command.AudioError, match=r"no signal from the device.*check the cables"):
        command.main([*arguments, "--rate", "8000"])
    assert not list(tmp_path.iterdir())
