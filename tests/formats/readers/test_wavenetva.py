"""PedalNet's, SmartGuitarAmp's and WaveNetVA's JSON."""

from typing import Any

import numpy as np
import pytest

from nemod.common.errors import ModelError
from nemod.formats import ModelInfo, load_model


def _variable(layer: int, name: str, count: int) -> dict[str, Any]:
    return {"layer_idx": layer, "name": name, "data": [str(n) for n in range(1, count + 1)]}


def _document(**changes: Any) -> dict[str, Any]:
    return {
        "activation": "gated",
        "input_channels": 1,
        "output_channels": 1,
        "residual_channels": 2,
        "filter_width": 2,
        "dilations": [1],
        "variables": [
            _variable(-1, "W", 2),
            _variable(-1, "b", 2),
            _variable(0, "W_conv", 16),
            _variable(0, "b_conv", 4),
            _variable(0, "W_out", 4),
            _variable(0, "b_out", 2),
            _variable(1, "W", 2),
            _variable(1, "b", 1),
        ],
    } | changes


def test_numbers_are_text_and_are_reordered(write) -> None:
    """Convolutions are stored [tap][in][out]."""
    model = load_model(write(_document(level_adjust=0.5)))
    (own,) = model.weights.arrays
    (run,) = own.runs
    assert run.conv[0, 0].tolist() == [1.0, 5.0, 9.0, 13.0, 1.0]
    assert run.residual[0].tolist() == [[1.0, 3.0, 1.0], [2.0, 4.0, 2.0]]
    assert own.head.tolist() == [[1.0, 2.0, 1.0]]
    assert own.rechannel.tolist() == [[1.0, 1.0], [2.0, 2.0]]
    assert (model.sample_rate, model.rate_stated) == (44_100, False)
    assert model.info == ModelInfo(other={"level_adjust": 0.5})
    np.testing.assert_array_equal(1.0, model.weights.scale)


BREAKS = [
    ({"residual_channels": 3}, "variables[2].data: a list of 16, expected 36"),
    ({"dilations": [1, 2]}, "variables: has no 'W_conv' of layer 1"),
    ({"activation": "relu"}, 'activation: the text "relu", expected gated'),
    ({"variables": [{"name": "W"}]}, "variables[0]: has no 'layer_idx'"),
    ({"input_channels": 2}, "input_channels: 2, expected 1"),
    ({"output_channels": 2}, "output_channels: a model with 2 outputs, expected 1"),
    ({"filter_width": 0}, "filter_width: 0, expected 1 to 1024"),
]


@pytest.mark.parametrize(("change", "message"), BREAKS)
def test_a_broken_document_is_refused_by_its_key(write, change: Any, message: str) -> None:
    """Sizes and tensors must fit."""
    with pytest.raises(ModelError) as caught:
        load_model(write(_document(**change)))
    assert caught.value.reason.startswith(message)


def test_a_duplicate_or_unknown_tensor_is_refused(write) -> None:
    """Nothing in the file is silently ignored."""
    document = _document()
    document["variables"].append(_variable(0, "W_out", 4))
    with pytest.raises(ModelError, match=r"variables\[8\]: names layer 0 'W_out' a second time"):
        load_model(write(document))
    document = _document()
    document["variables"].append(_variable(1, "W_out", 4))
    with pytest.raises(ModelError, match="'W_out' of layer 1, which no such model has"):
        load_model(write(document))
