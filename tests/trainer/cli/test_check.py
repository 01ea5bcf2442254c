"""`nemod-train check`: output and exit status."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from trainer.cli import main as command_line
from trainer.cli.check import main

RATE = 8_000


@pytest.fixture
def pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COLUMNS", "160")
    dry = 0.1 * np.random.default_rng(1).standard_normal(20 * RATE)
    soundfile.write(tmp_path / "dry.wav", dry, RATE, subtype="FLOAT")
    soundfile.write(tmp_path / "wet.wav", np.tanh(4 * dry), RATE, subtype="FLOAT")
    return tmp_path


def test_good_data_ends_with_zero(pair: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The summary names the set, its parts and the verdict."""
    status = main([str(pair)])
    out = capfd.readouterr().out
    assert status == 0
    assert "1 pair at 8000 Hz; 16.0 s train, 2.0 s validation, 2.0 s test; knobs: none" in out
    assert "Fit for training." in out


def test_bad_data_ends_with_one_and_its_sentence(
    pair: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Errors prevent training and are reported."""
    soundfile.write(pair / "wet.wav", np.zeros(20 * RATE), RATE, subtype="FLOAT")
    status = main([str(pair)])
    out = capfd.readouterr().out
    assert status == 1
    assert "the wet recording is silent (peak -200.0 dBFS). The model would learn" in out
    assert "Not fit for training: 1 error." in out


def test_json_holds_codes_and_figures(pair: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Other programs can process the findings without parsing sentences."""
    wet, _ = soundfile.read(pair / "wet.wav")
    soundfile.write(pair / "wet.wav", wet[: 19 * RATE], RATE, subtype="FLOAT")
    status = main([str(pair), "--json"])
    tree = json.loads(capfd.readouterr().out)
    assert (status, tree["refused"], tree["rate"]) == (0, False, RATE)
    (finding,) = tree["findings"]
    assert (finding["code"], finding["figures"]) == ("lengths-differ", {"dry": 20.0, "wet": 19.0})


def test_more_than_two_paths_are_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Exit status 2, and the message states what is expected."""
    status = command_line(["check", *(str(tmp_path / name) for name in "abc")])
    assert status == 2
    assert "3 paths were given; one folder or manifest, or a dry" in capfd.readouterr().err


def test_two_files_are_checked_as_a_pair(pair: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The pair has the name of its folder."""
    assert command_line(["check", str(pair / "dry.wav"), str(pair / "wet.wav")]) == 0
    assert f"{pair.name}: 1 pair at 8000 Hz; 16.0 s train" in capfd.readouterr().out


def test_a_missing_path_is_reported(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The message names the file."""
    assert main([str(tmp_path / "nothing")]) == 1
    assert "does not exist" in capfd.readouterr().out
