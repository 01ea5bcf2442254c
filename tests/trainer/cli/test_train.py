"""`nemod-train train`: messages, resuming, and invalid options."""

import json
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest

from tests.trainer.learn.conftest import dataset, pair
from trainer.cli import main
from trainer.data.dataset import Dataset

TINY = [
    *("--hidden", "2", "--batch", "4", "--epochs", "1", "--segment-frames", "576"),
    *("--warmup-frames", "64", "--chunk-frames", "128"),
]


@pytest.fixture
def data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Dataset:
    """Return a small data set with a silent test part and a short recording, for any path."""
    small = dataset()
    silent = replace(small.test[0], wet=np.zeros_like(small.test[0].wet))
    made = replace(small, test=(silent,), train=(*small.train, pair("short", 400, 7)))
    monkeypatch.setattr("trainer.cli.data_options.load_dataset", lambda *_, **__: made)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.chdir(tmp_path)
    return made


def _unread(*_: object, **__: object) -> NoReturn:
    raise AssertionError("the data were read")


def test_silence_and_unused_recordings_are_reported(
    data: Dataset, capsys: pytest.CaptureFixture[str]
) -> None:
    """A silent test set has no ESR."""
    assert main(["train", "clipper", *TINY]) == 0
    expected = capsys.readouterr()
    assert "test ESR silent" in expected.out
    assert "nan" not in expected.out
    assert "1 of 2 training recordings (0.1 s) are not used" in expected.err
    assert Path("runs/clipper-gru2/clipper-gru2.json").is_file()


def test_a_resumed_run_keeps_its_name_and_metadata(data: Dataset) -> None:
    """Only the recipe has to be given again."""
    expected = ["--name", "fuzz", "--author", "Ada", "--licence", "MIT"]
    assert main(["train", "clipper", "--out", "run", *expected, *TINY]) == 0
    assert main(["train", "clipper", "--out", "run", "--resume", "--licence", "CC0", *TINY]) == 0
    assert sorted(path.name for path in Path("run").glob("*.json")) == [
        *("config.json", "fuzz.json", "result.json")
    ]
    metadata = json.loads(Path("run/fuzz.json").read_text())["metadata"]
    kept = {"author": "Ada", "licence": "CC0"}
    assert kept == {key: metadata.get(key) for key in kept}


@pytest.mark.parametrize(
    ("options", "status", "expected"),
    [
        (["--out", "file"], 1, "file: cannot be written (a file is in the way)"),
        (["--out", "file/run"], 1, "file/run: cannot be written (a file is in the way)"),
        (["--out", "/proc/run"], 1, "/proc/run: cannot be written (No such file"),
        (["--out", "run", "--resume"], 2, "run: contains no run to resume"),
        (["--out", "done"], 2, "done: contains a run already"),
        (["--name", "Result"], 2, "the name 'Result' is taken"),
        (["--epochs", "9", "--minutes", "1"], 2, "--epochs and --minutes exclude"),
    ],
)
def test_invalid_options_are_reported_before_the_data_are_read(
    data: Dataset,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    status: int,
    expected: str,
) -> None:
    """The message names the folder, and no file is left behind."""
    monkeypatch.setattr("trainer.cli.data_options.load_dataset", _unread)
    Path("file").touch()
    Path("done").mkdir()
    Path("done/checkpoint.npz").touch()
    assert main(["train", "clipper", *options]) == status
    assert expected in capsys.readouterr().err
    assert sorted(os.listdir()) == ["done", "file"]


def test_epochs_override_the_minutes_of_a_recipe_file(
    data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command line has precedence over the file."""
    Path("recipe.json").write_text('{"minutes": 30}')
    assert main(["train", "clipper", "--recipe", "recipe.json", *TINY]) == 0
    result = json.loads(Path("runs/clipper-gru2/result.json").read_text())
    assert result["stopped"] == "epochs"
