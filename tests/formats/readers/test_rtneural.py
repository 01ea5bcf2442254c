"""RTNeural's keras-style JSON and AIDA-X files."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nemod.common.errors import ModelError
from nemod.formats import ModelInfo, load_model
from nemod.formats.model import without_gains
from nemod.formats.network import (
    Activation,
    Conv1d,
    Curve,
    Dense,
    Gains,
    Gru,
    Lstm,
    Prelu,
    Residual,
    Scale,
    Stack,
)


def _numbers(*shape: int) -> Any:
    return np.arange(1.0, 1.0 + np.prod(shape)).reshape(shape).tolist()


def _layer(kind: str, outputs: int, *weights: Any, **extra: Any) -> dict[str, Any]:
    shape = [None, None, outputs]
    return {"type": kind, "activation": "", "shape": shape, "weights": list(weights), **extra}


LAST = _layer("dense", 1, [[1.0]] * 3)
DENSE = _layer("dense", 1, _numbers(2, 1), [0.5])
LSTM = _layer("lstm", 2, _numbers(1, 8), _numbers(2, 8), _numbers(8))


def _document(*layers: dict[str, Any], in_shape: Any = None, **extra: Any) -> dict[str, Any]:
    return {"in_shape": in_shape or [None, None, 1], "layers": list(layers), **extra}


def test_lstm_matrices_are_transposed(write) -> None:
    """Keras stores [inputs, 4 hidden]; rows are i, f, c, o as PyTorch's i, f, g, o."""
    model = load_model(write(_document(LSTM, DENSE)))
    assert model.network == Stack((Lstm(1, 2), Dense(2, 1)))
    recurrent = model.weights[0]
    np.testing.assert_array_equal(np.array(_numbers(1, 8)).T, recurrent.w_x)
    np.testing.assert_array_equal(np.array(_numbers(2, 8)).T, recurrent.w_h)
    np.testing.assert_array_equal(_numbers(8), recurrent.bias)


def test_gru_rows_are_reordered(write) -> None:
    """Keras has z, r, h; PyTorch r, z, n; the recurrent bias of n stays apart."""
    gru = _layer("gru", 1, [[1.0, 2.0, 3.0]], [[4.0, 5.0, 6.0]], [[10.0, 20.0, 30.0], [1, 2, 3]])
    model = load_model(write(_document(gru, _layer("dense", 1, [[1.0]]))))
    assert model.network == Stack((Gru(1, 1), Dense(1, 1)))
    recurrent, head = model.weights
    assert recurrent.w_x.tolist() == [[2.0], [1.0], [3.0]]
    assert recurrent.w_h.tolist() == [[5.0], [4.0], [6.0]]
    assert recurrent.bias.tolist() == [22.0, 11.0, 30.0]
    assert recurrent.bias_n.tolist() == [3.0]
    assert head.bias.tolist() == [0.0]


def test_convolution_groups_become_zeros(write) -> None:
    """Taps stay oldest first; each output depends on its own group only."""
    conv = _layer(
        "conv1d", 2, _numbers(2, 1, 2), [0.0, 0.0], kernel_size=[2], dilation=[3], groups=2
    )
    first = _layer("dense", 2, [[1.0, 1.0]])
    model = load_model(write(_document(first, conv, DENSE)))
    assert model.network.layers[1] == Conv1d(2, 2, kernel=2, dilation=3)
    assert model.weights[1].w.tolist() == [[1.0, 0.0, 3.0, 0.0], [0.0, 2.0, 0.0, 4.0]]


def test_batch_norm_becomes_factor_and_offset(write) -> None:
    """Gamma (x - mean) / sqrt(variance + epsilon) + beta."""
    norm = _layer("batchnorm", 1, [3.0], [1.0], [2.0], [3.0], epsilon=1.0)
    model = load_model(write(_document(norm)))
    assert model.network == Stack((Scale(1),))
    assert (model.weights[0].factor[0], model.weights[0].offset[0]) == (1.5, -2.0)


def test_a_shared_slope_is_repeated_for_every_channel(write) -> None:
    """A PReLU stored as (1, 1)."""
    model = load_model(
        write(_document(_layer("dense", 3, [[1.0] * 3]), _layer("prelu", 3, [[0.5]]), LAST))
    )
    assert model.network.layers[1] == Prelu(3)
    assert model.weights[1].slopes.tolist() == [0.5, 0.5, 0.5]


def test_activations_are_inline_or_layers(write) -> None:
    """An empty one is no layer, even where it is the first."""
    alone = _layer("activation", 1) | {"activation": "elu"}
    nothing = _layer("activation", 1)
    inline = _layer("dense", 1, [[1.0]]) | {"activation": "sigmoid"}
    model = load_model(write(_document(nothing, alone, inline)))
    expected = (
        Activation(Curve("elu"), 1),
        Dense(1, 1),
        Activation(Curve("sigmoid"), 1),
    )
    assert expected == model.network.layers


@pytest.mark.parametrize(
    "shape", [[None, None, 2], [None, 2], [32, 0, 2], [[None, 2]], 2, "2", [[2]]]
)
def test_every_spelling_of_a_shape_is_read(write, shape: Any) -> None:
    """The last number counts."""
    model = load_model(write(_document(DENSE, in_shape=shape)))
    assert len(model.knobs) == 1


def test_an_input_layer_is_no_layer(write) -> None:
    """Exporters call Keras's input layer `unknown`; elsewhere it is an error."""
    inputs = _layer("unknown", 1)
    assert load_model(write(_document(inputs, LSTM, DENSE))).network.layers[0] == Lstm(1, 2)
    with pytest.raises(ModelError, match=r"layers\[1\].type: an unknown layer 'unknown'"):
        load_model(write(_document(LSTM, inputs, DENSE)))


@pytest.mark.parametrize("inside", [False, True])
def test_gains_and_skip_belong_to_the_model(write, inside: bool) -> None:
    """In dB, at the top or in the metadata; the skip is inside the gains."""
    extra: dict[str, Any] = {"in_gain": 6, "out_gain": "-20", "in_skip": 1, "samplerate": "48000"}
    document = _document(LSTM, DENSE, **({"metadata": extra} if inside else extra))
    document["input_batch"] = [[[0.5]], [[0.25]]]
    document["output_batch"] = [1.0, 2.0]
    model = load_model(write(document))
    assert model.network == Gains(Residual(Stack((Lstm(1, 2), Dense(2, 1)))))
    assert model.weights.before == pytest.approx(10.0**0.3)
    assert model.weights.after == pytest.approx(0.1)
    assert (model.sample_rate, model.rate_stated) == (48_000, True)
    # The stored vector is of the bare network; the probe is of the whole model.
    assert model.probe is not None
    np.testing.assert_allclose(np.array([[0.5], [0.25]]) / 10.0**0.3, model.probe.inputs, rtol=1e-6)
    np.testing.assert_allclose([0.15, 0.225], model.probe.output, rtol=1e-6)
    assert isinstance(without_gains(model).network, Residual)


def test_a_file_without_a_rate_plays_at_the_devices(write) -> None:
    """And the model says so."""
    model = load_model(write(_document(LSTM, DENSE, author="someone", license="CC0")))
    assert (model.rate_stated, model.rate_follows_device) == (False, True)
    assert model.info == ModelInfo(author="someone", licence="CC0")


BREAKS = [
    (_layer("densse", 1, [[1.0]]), "layers[0].type: an unknown layer 'densse', expected dense"),
    (_layer("conv2d", 1), "layers[0].type: an unknown layer 'conv2d'"),
    (_layer("gated_activation", 1), "layers[0].type: an unknown layer 'gated_activation'"),
    (DENSE, "layers[0].weights[0]: a list of 2, expected a list of 1"),
    (_layer("dense", 1), "layers[0].weights: a list of 0, expected 1 to 2"),
    (_layer("dense", 0, [[]]), "layers[0].shape[2]: 0, expected 1 to 1024"),
    (LSTM | {"activation": "relu"}, "layers[0].activation: 'relu', expected 'tanh'"),
    (_layer("dense", 1, [[1.0]]) | {"activation": "gelu"}, "layers[0].activation: an unknown"),
    (_layer("lstm", 1, [[1.0]], [[1.0]]), "layers[0].weights: a list of 2, expected 3"),
    (_layer("conv1d", 1, [[[1.0]]]), "layers[0]: has no 'kernel_size'"),
    (
        _layer("conv1d", 1, [[[1.0]]], kernel_size=[1], padding="same"),
        'layers[0].padding: the text "same", expected causal or valid',
    ),
    (
        _layer("conv1d", 1, [[[1.0]]], kernel_size=[1], strides=[2]),
        "layers[0].strides[0]: 2, expected 1",
    ),
    (
        _layer("conv1d", 3, [[[1.0]]], kernel_size=[1], groups=2),
        "layers[0].groups: 2, which must divide 1 inputs and 3 outputs",
    ),
    (_layer("batchnorm", 1, [0.0], [-1.0]), "layers[0].weights: a variance that is not positive"),
    (_layer("activation", 2), "layers[0].shape: 2 channels, but the layer has 1 outputs"),
    (_layer("activation", 1), "layers: has no layer that computes anything"),
]


@pytest.mark.parametrize(("layer", "message"), BREAKS)
def test_a_broken_layer_is_refused_by_its_key(write, layer: Any, message: str) -> None:
    """An unknown layer is never skipped."""
    with pytest.raises(ModelError) as caught:
        load_model(write(_document(layer)))
    assert caught.value.reason.startswith(message)


def test_more_memory_than_any_model_has_is_refused(write) -> None:
    """Sixty-four layers of the longest dilation would take gigabytes."""
    wide = _layer("dense", 64, [[1.0] * 64])
    far = _layer("conv1d", 64, [[[0.0] * 64] * 64] * 2, kernel_size=[2], dilation=[65_536])
    with pytest.raises(ModelError, match=r"layers: remembers .* numbers between samples"):
        load_model(write(_document(wide, far)))


def test_a_model_with_two_outputs_is_refused(write) -> None:
    """Note detectors and circuit models of two waves have several."""
    with pytest.raises(ModelError, match="layers: a model with 2 outputs, expected 1"):
        load_model(write(_document(LSTM)))


def test_no_other_layer_is_suggested(write) -> None:
    """A `conv2d` would not become a `conv1d` by a change of its name."""
    with pytest.raises(ModelError) as caught:
        load_model(write(_document(_layer("conv2d", 1))))
    assert "did you mean" not in caught.value.reason


def test_a_released_model_with_two_outputs_is_refused(shared_data: Path) -> None:
    """RTNeural-Variant's GRU has two inputs and two outputs: it is stereo."""
    name = "keras/jatinchowdhury18__RTNeural-Variant/models_GRU_16_2.json"
    with pytest.raises(ModelError, match="a model with 2 outputs"):
        load_model(shared_data / "models" / name)
