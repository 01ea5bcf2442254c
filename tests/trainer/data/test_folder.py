"""Data set folders: existing data are never overwritten."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from trainer.data.folder import FolderError, claim, is_sound, write_manifest
from trainer.data.layouts import read_plan

RATE = 8_000


def touch(folder: Path, *names: str) -> None:
    """Create empty files."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("input.wav", "output.wav"), r"set: .*\(input.wav, output.wav\); choose another"),
        (("val/a-input.flac",), r"\(val/a-input.flac\)"),
        (("a.wav", "b.wav", "c.aif", "d.wav", "e.wav"), r"\(a.wav, b.wav, c.aif and 2 more\)"),
        (("manifest.yaml",), r"\(manifest.yaml\)"),
        (("manifest.yml", "manifest.json"), r"\(manifest.yml\)"),
    ],
)
def test_conflicting_files_are_named(tmp_path: Path, names: tuple[str, ...], expected: str) -> None:
    """The message contains the recordings or the manifest."""
    touch(tmp_path / "set", *names)
    with pytest.raises(FolderError, match=expected):
        claim(tmp_path / "set", lambda sound: False)


def test_a_foreign_manifest_is_rejected(tmp_path: Path) -> None:
    """It does not state how the data set was generated."""
    (tmp_path / "manifest.json").write_text(json.dumps({"pairs": []}))
    with pytest.raises(FolderError, match="already holds another data set"):
        claim(tmp_path, lambda sound: True)


def test_other_files_do_not_conflict(tmp_path: Path) -> None:
    """Only recordings and manifests do."""
    touch(tmp_path, "notes.txt", "pictures/input.wav")
    assert claim(tmp_path, lambda sound: False) is None


def test_a_generated_data_set_is_returned(tmp_path: Path) -> None:
    """Its pairs and how it was generated, regardless of other files."""
    pairs = [{"name": "a", "dry": "a-input.wav", "wet": "a-target.wav", "knobs": {"tone": 0.5}}]
    write_manifest(tmp_path, name="set", knobs=["tone"], pairs=pairs, made={"by": "test"})
    touch(tmp_path, "a-input.wav", "a-target.wav", "left-over.wav")
    existing = claim(tmp_path, lambda sound: False)
    assert existing is not None
    assert existing[0] == pairs
    assert existing[1]["by"] == "test"


def test_a_manifest_states_the_defaults_of_variable_knobs(tmp_path: Path) -> None:
    """A constant knob is not an input of the model and needs no default."""
    pairs = [
        {"dry": "a.wav", "wet": "b.wav", "knobs": {"gain": gain, "tone": 0.5, "level": level}}
        for gain, level in ((0.0, 0.2), (1.0, 0.3))
    ]
    write_manifest(
        tmp_path,
        name="set",
        knobs=["gain", "tone", "level"],
        pairs=pairs,
        made={},
        defaults={"gain": 0.25, "tone": 0.75},
    )
    plan = read_plan(tmp_path)
    assert plan.knobs == ("gain", "level")
    assert plan.defaults == {"gain": 0.25}


def test_sounds_are_compared_exactly(tmp_path: Path) -> None:
    """Rate, length and every sample must be equal; a missing file is not equal."""
    sound = np.linspace(-0.5, 0.5, 100, dtype=np.float32)
    path = tmp_path / "a.wav"
    soundfile.write(path, sound, RATE, subtype="FLOAT")
    assert is_sound(path, sound, RATE)
    assert not is_sound(path, sound, 2 * RATE)
    assert not is_sound(path, sound[:-1], RATE)
    assert not is_sound(path, -sound, RATE)
    assert not is_sound(tmp_path / "none.wav", sound, RATE)
