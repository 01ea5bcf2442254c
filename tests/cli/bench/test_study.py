"""`nemod bench --study`: both sides compute the same; the speeds depend on the machine."""

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nemod.cli.bench import pytorch
from nemod.cli.bench.models import random_model
from nemod.cli.bench.study import StudyError, difference, measure, nemod_player, network
from nemod.cli.bench.study_report import Row, draw

with_torch = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None,
    reason="PyTorch is missing (pip install 'nemod[study]')",
)


@with_torch
@pytest.mark.parametrize(("arch", "block"), [("lstm", 64), ("gru", 1), ("cnn", 64)])
def test_torch_plays_the_same_weights_alike(arch: str, block: int) -> None:
    """From rest, over 4,096 frames, to rounding."""
    torch = pytorch.load()
    model = random_model(network(arch, 3))
    apart = difference(nemod_player(model, block), pytorch.player(torch, model), block)
    assert apart < 1e-5


@with_torch
def test_what_differs_is_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other weights on one side end the measurement."""
    torch = pytorch.load()
    other = pytorch.player(torch, random_model(network("gru", 3), seed=1))
    monkeypatch.setattr(pytorch, "player", lambda *_: other)
    with pytest.raises(StudyError, match="gru 3, block 64"):
        measure(torch, "gru", 3, 64, 1)


@with_torch
def test_torch_computes_on_one_thread() -> None:
    """While it is measured, and not longer."""
    torch = pytorch.load()
    assert torch is not None
    before = torch.get_num_threads()
    with pytorch.one_thread(torch):
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before


def test_the_cnn_of_the_study_is_ten_convolutions() -> None:
    """Against sums over three taps, 1 to 512 frames apart, in float64: tanh, dense layer, skip."""
    model = random_model(network("cnn", 2))
    sound = np.random.default_rng(5).uniform(-0.5, 0.5, 3008).astype(np.float32)
    play = nemod_player(model, 64)
    played = np.concatenate([play(block).copy() for block in sound.reshape(-1, 64)])
    signal = sound.astype(np.float64)[None]
    for power in range(10):
        w, bias = (np.asarray(part, np.float64) for part in model.weights[2 * power])
        taps = w.reshape(2, 3, -1)
        past = np.concatenate([np.zeros((len(signal), 2 * 2**power)), signal], 1)
        frames = signal.shape[1]
        total = sum(taps[:, k] @ past[:, k * 2**power :][:, :frames] for k in range(3))
        signal = np.tanh(total + bias[:, None])
    w, bias = (np.asarray(part, np.float64) for part in model.weights[-1])
    expected = (w @ signal + bias[:, None])[0] + sound
    np.testing.assert_allclose(played, expected, atol=1e-6)


def test_without_torch_nemod_alone_is_measured(
    nemod: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a sentence says how to get both; the numbers and the picture are written."""
    monkeypatch.setattr(pytorch, "load", lambda: None)
    options = ("--arch", "gru", "--units", "2,3", "--blocks", "16", "--rounds", "1")
    outcome = nemod("bench", "--study", *options, "--out", tmp_path)
    assert outcome.status == 0, outcome.err
    assert "nemod[study]" in outcome.out
    rows = json.loads((tmp_path / "study-speed.json").read_text())["rows"]
    assert [(row["arch"], row["size"], row["block"]) for row in rows] == [
        ("gru", 2, 16),
        ("gru", 3, 16),
    ]
    assert all(row["nemod"] > 0.0 and row["torch"] is None for row in rows)
    assert (tmp_path / "study-speed.png").is_file()
    assert "| GRU 3 | 16 |" in (tmp_path / "study-speed.md").read_text()


def test_both_are_drawn(tmp_path: Path) -> None:
    """A picture of every architecture, with more blocks than there are colours."""
    rows = [
        Row(arch=arch, size=size, block=block, nemod=2e5, torch=1e5, ratio=2.0, error=1e-7)
        for arch in ("lstm", "cnn")
        for size in (8, 16)
        for block in (1, 2, 4, 8, 16, 32)
    ]
    assert draw(rows, tmp_path / "speed.png")
    assert (tmp_path / "speed.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--study", "--arch", "lsmt"), "lstm"),
        (("--study", "--models"), "one of them"),
        (("--rounds", "3"), "--study"),
    ],
)
def test_options_that_cannot_be_are_told(nemod: Any, options: tuple[str, ...], said: str) -> None:
    """With status 2, before anything is measured."""
    outcome = nemod("bench", *options)
    assert outcome.status == 2
    assert said in outcome.err
