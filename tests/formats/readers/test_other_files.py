"""Files with several models, and other JSON that is no model."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from nemod.common.errors import ModelError
from nemod.formats import load_model
from tests.formats.test_metadata import nam, rtneural

INSIDE: list[tuple[Any, str, str]] = [
    ({"dark": rtneural(), "bright": rtneural()}, "2 models inside (dark, bright)", "dark.json"),
    ([nam(), nam(), nam(), nam()], "4 models inside (0, 1, 2, ...)", "0.nam"),
    ({"models": [nam()], "x": 1}, "1 model inside (models.0)", "models_0.nam"),
    ({"a'b $(touch x) \"é": nam()}, "1 model inside (a'b $(touch x) \"é)", "a_b_touch_x.nam"),
]


@pytest.mark.parametrize(("document", "message", "name"), INSIDE, ids=[row[2] for row in INSIDE])
def test_a_file_with_several_models_says_how_to_extract_one(
    tmp_path: Path, document: Any, message: str, name: str
) -> None:
    """The command of the message is run as it stands, and its result is a model."""
    path = tmp_path / "my file.json"
    path.write_text(json.dumps(document), encoding="utf-8-sig")
    with pytest.raises(ModelError) as caught:
        load_model(path)
    assert caught.value.reason.startswith(f"a file with {message}, expected one model; write one")
    _, _, command = caught.value.reason.partition("for example with: ")
    subprocess.run(command, shell=True, check=True, cwd=tmp_path)
    assert load_model(tmp_path / f"my file-{name}").network.outputs == 1
    assert {one.name for one in tmp_path.iterdir()} == {path.name, f"my file-{name}"}


def test_a_released_file_with_several_models(shared_data: Path, tmp_path: Path) -> None:
    """A tape machine's, with one model for each drive."""
    for path in sorted((shared_data / "models" / "keras_multi").rglob("*.json")):
        copy = tmp_path / path.name
        copy.write_bytes(path.read_bytes())
        with pytest.raises(ModelError, match=r"a file with 21 models inside \(drive_0_") as caught:
            load_model(copy)
        _, _, command = caught.value.reason.partition("for example with: ")
        subprocess.run(command, shell=True, check=True)
        (made,) = tmp_path.glob(f"{path.stem}-*.json")
        assert len(load_model(made).knobs) == 4


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"conv1d": 1, "lstm": 1, "dense": 1}, "a SmartAmpPro model"),
        ({"lstm.weight_ih_l0": [[1.0]]}, "bare PyTorch tensors without their sizes"),
        ({"weight": [0.0] * 600_000}, "bare PyTorch tensors without their sizes"),
        ({"net": {"name": "WaveNet"}}, "a training configuration, not a model"),
        ({"name": "notes"}, "no known kind of model: it has 'name'"),
    ],
)
def test_other_json_is_named(write, document: Any, message: str) -> None:
    """And the keys by which each dialect is recognised."""
    with pytest.raises(ModelError) as caught:
        load_model(write(document))
    assert caught.value.reason.startswith(message)
    assert "'architecture' and 'config' (NAM)" in caught.value.reason
