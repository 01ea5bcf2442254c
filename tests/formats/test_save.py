"""Writing a model, and reading it back."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nemod.common.errors import ModelError
from nemod.formats import Knob, ModelInfo, Probe, load_model, save_model
from nemod.formats.network import Dense
from nemod.formats.weights import DenseWeights


@pytest.mark.parametrize("unit", ["LSTM", "GRU"])
@pytest.mark.parametrize("layers", [1, 2])
def test_a_saved_model_reads_back_the_same(
    write, rnn, tmp_path: Path, unit: str, layers: int
) -> None:
    """Weights to the bit, knobs, rate, probe and metadata."""
    model = replace(
        load_model(write(rnn(unit, inputs=2, layers=layers))),
        knobs=(Knob("Drive", -1.0, 2.0, 0.25),),
        sample_rate=48_000,
        rate_stated=True,
        probe=Probe(np.eye(4, 2, dtype=np.float32), np.arange(4, dtype=np.float32)),
        info=ModelInfo(licence="MIT", esr=0.125, loudness_db=-18.5, other={"epochs": 3}),
    )
    save_model(model, tmp_path / "model.json")
    back = load_model(tmp_path / "model.json")
    for own, other in zip(model.weights, back.weights, strict=True):
        for name, leaf in own._asdict().items():
            np.testing.assert_array_equal(leaf, getattr(other, name))
    assert back.probe is not None
    np.testing.assert_array_equal(model.probe.inputs, back.probe.inputs)
    same = {"weights": (), "probe": None}
    assert replace(model, **same) == replace(back, **same)
    assert [path.name for path in tmp_path.iterdir()] == ["model.json"]


def test_what_players_cannot_read_is_not_written(write, rnn, tmp_path: Path) -> None:
    """A model that starts elsewhere than at zero, or with a gain, or without memory."""
    model = load_model(write(rnn()))
    recurrent, head = model.weights
    moved = recurrent._replace(start=recurrent.start + 1.0)
    for other in (
        replace(model, weights=(moved, head)),
        replace(model, out_gain=0.5),
        replace(model, network=Dense(1, 1), weights=DenseWeights(head.w[:, :1], head.bias)),
    ):
        with pytest.raises(ModelError, match="cannot be written"):
            save_model(other, tmp_path / "other.json")
    assert not (tmp_path / "other.json").exists()
