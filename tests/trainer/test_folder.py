"""A folder that holds somebody's own data set is not taken over."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from trainer.folder import FolderError, claim, is_sound, write_manifest

RATE = 8_000


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (("input.wav", "output.wav"), r"set: .*\(input.wav, output.wav\); choose another"),
        (("val/a-input.flac",), r"\(val/a-input.flac\)"),
        (("a.wav", "b.wav", "c.aif", "d.wav", "e.wav"), r"\(a.wav, b.wav, c.aif and 2 more\)"),
        (("manifest.yaml",), r"\(manifest.yaml\)"),
        (("manifest.yml", "manifest.json"), r"\(manifest.yml\)"),
    ],
)
def test_what_is_in_the_way_is_named(tmp_path: Path, names: tuple[str, ...], told: str) -> None:
    """The folder and the recordings or the manifest."""
    touch(tmp_path / "set", *names)
    with pytest.raises(FolderError, match=told):
        claim(tmp_path / "set", lambda sound: False)


def test_a_manifest_of_another_is_refused(tmp_path: Path) -> None:
    """A list of pairs that somebody wrote."""
    (tmp_path / "manifest.json").write_text(json.dumps({"pairs": []}))
    with pytest.raises(FolderError, match="another data set is there already"):
        claim(tmp_path, lambda sound: True)


def test_notes_beside_the_set_are_in_nobodys_way(tmp_path: Path) -> None:
    """Only recordings and manifests are."""
    touch(tmp_path, "notes.txt", "pictures/input.wav")
    assert claim(tmp_path, lambda sound: False) is None


def test_a_set_of_the_programs_own_is_given_back(tmp_path: Path) -> None:
    """With its pairs and how it was made, whatever lies beside its manifest."""
    pairs = [{"name": "a", "dry": "a-input.wav", "wet": "a-target.wav", "knobs": {"tone": 0.5}}]
    write_manifest(tmp_path, name="set", knobs=["tone"], pairs=pairs, made={"by": "test"})
    touch(tmp_path, "a-input.wav", "a-target.wav", "left-over.wav")
    there = claim(tmp_path, lambda sound: False)
    assert there is not None
    assert there[0] == pairs
    assert there[1]["by"] == "test"


def test_a_sound_is_the_same_to_the_last_bit(tmp_path: Path) -> None:
    """Another rate, length or sample is another sound, and so is what is no sound."""
    sound = np.linspace(-0.5, 0.5, 100, dtype=np.float32)
    path = tmp_path / "a.wav"
    soundfile.write(path, sound, RATE, subtype="FLOAT")
    assert is_sound(path, sound, RATE)
    assert not is_sound(path, sound, 2 * RATE)
    assert not is_sound(path, sound[:-1], RATE)
    assert not is_sound(path, -sound, RATE)
    assert not is_sound(tmp_path / "none.wav", sound, RATE)
