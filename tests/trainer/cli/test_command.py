"""The command line that is written to a model file."""

import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trainer.cli import main
from trainer.cli.command import redact_paths
from trainer.data.dataset import Dataset, Pair


def test_only_the_last_component_of_paths_is_kept() -> None:
    """As separate words and after an option; other words with a slash are unchanged."""
    words = ["nemod-train", "train", "/home/me/muff/", "--out=runs/a", "--author", "AC/DC"]
    redacted = redact_paths(words, (Path("/home/me/muff"), Path("runs/a"), None))
    assert redacted == "nemod-train train muff --out=a --author AC/DC"


def test_a_path_without_a_name_is_unchanged() -> None:
    """The current folder is one; an option without a value is not a path."""
    assert redact_paths(["train", ".", "--resume", "--author", ""], (Path(),)) == (
        "train . --resume --author ''"
    )


def test_a_model_does_not_contain_private_paths(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Neither of the data, nor of the run's folder, nor of the recipe."""
    given: dict[str, Any] = {}

    def fit(*_: object, metadata: dict[str, Any], **__: object) -> None:
        given.update(metadata)
        raise KeyboardInterrupt

    silence = np.zeros(1, np.float32)
    data = Dataset("muff", 8_000, (), (Pair("a", silence, silence),), (), (), "d" * 64)
    monkeypatch.setattr("trainer.cli.data_options.load_dataset", lambda *_, **__: data)
    monkeypatch.setattr("trainer.learn.fit.fit", fit)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    recipe = tmp_path / "quick.json"
    recipe.write_text("{}")
    options = ["--out", str(tmp_path / "run"), "--recipe", str(recipe), "--hidden", "8"]
    assert main(["train", str(tmp_path / "muff"), *options]) == 130
    expected = "nemod-train train muff --out run --recipe quick.json --hidden 8"
    assert expected == given["made_by"]


def test_the_help_states_when_resuming_is_not_exact(capsys: pytest.CaptureFixture[str]) -> None:
    """Resuming a run that is limited by time is not exact."""
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    output = " ".join(capsys.readouterr().out.split())
    assert "(not with --minutes, where the learning rate depends on the elapsed time)" in output
