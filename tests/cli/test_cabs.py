"""`nemod cabs`, and `nemod render --cab`."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from nemod import load_model, render
from nemod.library import CABINETS
from tests.cli.conftest import Nemod


@pytest.fixture
def cab(tmp_path: Path) -> Path:
    """An impulse response."""
    path = tmp_path / "irs" / "mine.wav"
    path.parent.mkdir()
    samples = np.random.default_rng(2).normal(0.0, 0.1, 300) * np.exp(-np.arange(300) / 40.0)
    soundfile.write(path, samples, 44_100, subtype="FLOAT")
    return path


def test_cabs_are_listed_added_tagged_and_removed(nemod: Nemod, cab: Path) -> None:
    """As models are."""
    (cab.parent / "bad.wav").write_text("no sound")
    outcome = nemod("cabs", "add", cab.parent)
    target = CABINETS.user_folder() / "mine.wav"
    assert (outcome.status, f"added as 'mine', {target}" in outcome.out) == (1, True)
    assert "bad.wav: cannot be read as sound" in outcome.err
    listed = json.loads(nemod("cabs", "list", "--json").out)
    assert listed[0]["name"] == "mine"
    assert listed[0]["sample_rate"] == 44_100
    assert nemod("cabs", "tag", "mine", "+dark").out == "mine: dark\n"
    table = nemod("cabs", "search", "dark").out.splitlines()
    assert len(table) == 2
    assert table[0].split() == ["index", "cabinet", "length", "rate", "tags", "note", "file"]
    assert "6.8 ms" in table[1]
    assert "sample_rate" in nemod("cabs", "info", "mine").out
    assert nemod("cabs", "remove", "mine").status == 0
    assert not target.exists()


def test_render_plays_through_a_cabinet(
    nemod: Nemod, amp: Path, riff: Path, cab: Path, tmp_path: Path
) -> None:
    """By file, or by name in the library; what is missing is an error."""
    target = tmp_path / "out.wav"
    sound, rate = soundfile.read(riff, dtype="float32")
    expected = render(load_model(amp), sound, rate, cab=cab)
    by_name = ("mine", "--cabinets", cab.parent)
    for given in ((cab,), by_name):
        assert nemod("render", riff, target, "--model", amp, "--cab", *given).err == ""
        np.testing.assert_array_equal(soundfile.read(target, dtype="float32")[0], expected)
    assert not np.array_equal(expected, render(load_model(amp), sound, rate))
    off = ("--cab", cab, "--set", "/nemo/cab/enable=off")
    assert nemod("render", riff, target, "--model", amp, *off).status == 0
    bare = render(load_model(amp), sound, rate)
    np.testing.assert_array_equal(soundfile.read(target, dtype="float32")[0], bare)
    outcome = nemod("render", riff, target, "--model", amp, "--cab", "nosuch")
    assert (outcome.status, "no cabinet is named 'nosuch'" in outcome.err) == (1, True)
    outcome = nemod("render", riff, cab, "--model", amp, "--cab", cab)
    assert (outcome.status, "is the cabinet itself" in outcome.err) == (1, True)
