"""Neural Amp Modeler's files."""

from typing import Any

import numpy as np
import pytest

from nemod.common.errors import ModelError
from nemod.formats import load_model
from nemod.formats.network import Conv1d, Curve, Dense, Lstm, Scale, Stack, WaveNet


def _document(architecture: str, config: Any, count: int, **extra: Any) -> dict[str, Any]:
    weights = np.arange(1.0, 1.0 + count).tolist()
    return {
        "version": "0.5.4",
        "architecture": architecture,
        "config": config,
        "weights": weights,
        **extra,
    }


def _array(**changes: Any) -> dict[str, Any]:
    return {
        "input_size": 1,
        "condition_size": 1,
        "head_size": 1,
        "channels": 2,
        "kernel_size": 2,
        "dilations": [1, 4],
        "activation": "Tanh",
        "gated": False,
        "head_bias": False,
    } | changes


def _wavenet(*arrays: dict[str, Any], count: int = 47, **extra: Any) -> dict[str, Any]:
    # 2 rechannel, 2 x (8 conv, 2 bias, 2 mixin, 4 + 2 pointwise), 2 head, 1 scale = 41
    config = {"layers": list(arrays), "head": None, "head_scale": 0.02}
    return _document("WaveNet", config | extra, count)


def test_lstm_columns_are_input_then_state(write) -> None:
    """With the stored start state, and half a second of warm-up."""
    config = {"input_size": 1, "hidden_size": 1, "num_layers": 1}
    model = load_model(write(_document("LSTM", config, 16, sample_rate=48_000)))
    assert model.network == Stack((Lstm(1, 1), Dense(1, 1)))
    recurrent, head = model.weights
    assert recurrent.w_x.tolist() == [[1.0], [3.0], [5.0], [7.0]]
    assert recurrent.w_h.tolist() == [[2.0], [4.0], [6.0], [8.0]]
    assert recurrent.bias.tolist() == [9.0, 10.0, 11.0, 12.0]
    assert recurrent.start.tolist() == [[13.0], [14.0]]
    assert (head.w.tolist(), head.bias.tolist()) == ([[15.0]], [16.0])
    assert model.prewarm_frames == 24_000


def test_a_file_without_a_rate_is_assumed_48_khz(write) -> None:
    """An LSTM's warm-up is then one sample, in a block of 64."""
    config = {"input_size": 1, "hidden_size": 1, "num_layers": 1}
    model = load_model(write(_document("LSTM", config, 16)))
    assert (model.sample_rate, model.rate_stated, model.prewarm_frames) == (48_000, False, 64)


def test_linear_taps_are_reversed(write) -> None:
    """The file has the newest sample's weight first."""
    config = {"receptive_field": 3, "bias": True}
    model = load_model(write(_document("Linear", config, 4)))
    assert model.network == Conv1d(1, 1, 3)
    assert tuple(part.tolist() for part in model.weights) == ([[3.0, 2.0, 1.0]], [4.0])


def test_conv_net_has_a_bias_or_a_norm(write) -> None:
    """Batch norm is mean, variance, gamma, beta, epsilon."""
    config = {"channels": 1, "dilations": [3], "batchnorm": True, "activation": "ReLU"}
    model = load_model(write(_document("ConvNet", config, 9)))
    assert model.network.layers[:2] == (Conv1d(1, 1, 2, 3), Scale(1))
    norm = model.weights[1]
    # (x - 3) / sqrt(4 + 7) * 5 + 6
    assert norm.factor[0] == pytest.approx(5.0 / 11.0**0.5)
    assert norm.offset[0] == pytest.approx(6.0 - 15.0 / 11.0**0.5)
    assert model.prewarm_frames == 64


def test_wavenet_numbers_go_where_the_player_puts_them(write) -> None:
    """Taps [out, in, tap], mixing, pointwise, head; the last number is the scale."""
    model = load_model(write(_wavenet(_array(), count=41)))
    assert isinstance(model.network, WaveNet)
    (own,) = model.weights.arrays
    assert own.rechannel.tolist() == [[1.0, 0.0], [2.0, 0.0]]
    (run,) = own.runs
    # Rows are outputs; columns: old tap of both inputs, new tap of both, condition, bias.
    assert run.conv[0, 0].tolist() == [3.0, 5.0, 4.0, 6.0, 13.0, 11.0]
    assert run.residual[0].tolist() == [[15.0, 16.0, 19.0], [17.0, 18.0, 20.0]]
    assert own.head.tolist() == [[39.0, 40.0, 0.0]]
    assert float(model.weights.scale) == 41.0
    assert model.prewarm_frames == 64


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("LeakyReLU", Curve("leaky_relu", (0.01,))),
        ({"type": "LeakyReLU", "negative_slope": 0.2}, Curve("leaky_relu", (0.2,))),
        ({"type": "PReLU", "negative_slopes": [0.1, 0.3]}, Curve("leaky_relu", (0.1, 0.3))),
        ({"type": "PReLU", "negative_slopes": [0.1]}, Curve("leaky_relu", (0.1, 0.1))),
        ("LeakyHardTanh", Curve("leaky_hard_tanh", (-1.0, 1.0, 0.01, 0.01))),
        (["Tanh", "Tanh"], Curve("tanh")),
    ],
)
def test_activations_are_words_objects_or_lists(write, given: Any, expected: Curve) -> None:
    """One for all layers, or one for each."""
    model = load_model(write(_wavenet(_array(activation=given), count=41)))
    assert expected == model.network.arrays[0].layers[0].curve


def test_a_slimmable_keeps_the_first_channels(write) -> None:
    """Size 0 keeps one of two; the default is the full size."""
    slim = {"method": "slice_channels_uniform", "kwargs": {"allowed_channels": [1, 2]}}
    path = write(_wavenet(_array(slimmable=slim), count=41))
    full, small = load_model(path), load_model(path, size=0.0)
    assert (full.network.arrays[0].channels, small.network.arrays[0].channels) == (2, 1)
    assert load_model(path, size=0.5).network == full.network
    assert (full.sizes, small.sizes) == (2, 2)
    assert load_model(write(_wavenet(_array(), count=41))).sizes == 1
    (run,) = small.weights.arrays[0].runs
    assert run.conv[0, 0].tolist() == [3.0, 4.0, 13.0, 11.0]
    assert small.weights.arrays[0].head.tolist() == [[39.0, 0.0]]


def test_a_container_picks_by_size(write) -> None:
    """The first whose limit is above the size, else the last."""
    config = {"receptive_field": 1, "bias": False}
    members = [
        {"max_value": limit, "model": _document("Linear", config | {"receptive_field": taps}, taps)}
        for limit, taps in ((0.5, 1), (1.0, 2))
    ]
    path = write(_document("SlimmableContainer", {"submodels": members}, 0))
    picked = {size: load_model(path, size=size).network for size in (0.0, 0.49, 0.5, 1.0, None)}
    assert [network.kernel for network in picked.values()] == [1, 1, 2, 2, 2]
    assert load_model(path).sizes == 2


BREAKS = [
    ({"version": "0.4.0"}, "version: '0.4.0', expected 0.5 to 0.7"),
    ({"version": "1.0"}, "version: '1.0', expected 0.5 to 0.7"),
    ({"architecture": "Wavenet"}, "architecture: an unknown architecture 'Wavenet', expected"),
    ({"architecture": "sequential"}, "architecture: an unknown architecture 'sequential'"),
    ({"weights": []}, "weights: a list of 0, but the config asks for 2 numbers or more"),
    ({"weights": [1.0] * 42}, "weights: a list of 42, but the config asks for 41 numbers"),
    ({"weights": [1.0, None]}, "weights[1]: null, expected a number"),
    ({"weights": None}, "weights: null, expected a list of numbers"),
    ({"config": {}}, "config: has no 'layers'"),
    ({"config": []}, "config: a list of 0, expected an object"),
]


@pytest.mark.parametrize(("change", "message"), BREAKS)
def test_a_broken_document_is_refused_by_its_key(write, change: Any, message: str) -> None:
    """Numbers are counted before they are read."""
    with pytest.raises(ModelError) as caught:
        load_model(write(_wavenet(_array(), count=41) | change))
    assert caught.value.reason.startswith(message)


ARRAY_BREAKS = [
    ({"channels": None}, "channels: null, expected a whole number"),
    ({"input_size": 2}, "input_size: 2, but its input has 1 channels"),
    ({"kernel_sizes": [2, 2]}, "kernel_sizes: given together with 'kernel_size', expected"),
    ({"dilations": []}, "dilations: a list of 0, expected 1 to 128"),
    ({"dilations": [0]}, "dilations[0]: 0, expected 1 to 65536"),
    ({"activation": "Tanhh"}, "activation: an unknown activation 'Tanhh', expected Tanh"),
    ({"activation": ["Tanh"]}, "activation: a list of 1, expected 2"),
    ({"gating_mode": "glued"}, 'gating_mode: the text "glued", expected none or gated or blended'),
    ({"groups_input": 3}, "groups_input: 3, which must divide 2 inputs and 2 outputs"),
    ({"head1x1_post_film": {"active": True}}, "head1x1_post_film: is active, but there is no"),
    ({"layer1x1": {"active": False}, "bottleneck": 1}, "bottleneck: 1, expected 2 without a"),
    ({"head": {"out_channels": 1}}, "head: has no 'kernel_size'"),
    ({"slimmable": {"method": "magic"}}, 'slimmable.method: the text "magic", expected slice_'),
]


@pytest.mark.parametrize(("change", "message"), ARRAY_BREAKS)
def test_a_broken_array_is_refused_by_its_key(write, change: Any, message: str) -> None:
    """All keys of a layer array are below `config.layers[n]`."""
    with pytest.raises(ModelError) as caught:
        load_model(write(_wavenet(_array(**change), count=41)))
    assert caught.value.reason.startswith(f"config.layers[0].{message}")


def test_models_inside_models_are_bounded(write) -> None:
    """A container in a container in a container..."""
    document = _document("Linear", {"receptive_field": 1, "bias": False}, 1)
    for _ in range(8):
        member = {"max_value": 1.0, "model": document}
        document = _document("SlimmableContainer", {"submodels": [member]}, 0)
    with pytest.raises(ModelError, match="models inside models more than 4 deep"):
        load_model(write(document))


@pytest.mark.parametrize("version", ["0.5.4", "1.0.0", 2, None])
@pytest.mark.parametrize(
    "architecture",
    [
        *("ConcatWaveNet", "ConcatLSTM", "FiLMWaveNet", "HyperWaveNet", "ParametricWaveNet"),
        *("CatLSTM", "CatWaveNet", "HyperConvNet"),
    ],
)
def test_parametric_models_are_refused_by_name(write, architecture: str, version: Any) -> None:
    """Whatever version and config they have."""
    config = {"params": [{"name": "gain"}], "layers": None}
    document = _document(architecture, config, 3) | {"version": version}
    for changed in (document, {key: document[key] for key in ("architecture", "weights")}):
        with pytest.raises(ModelError, match=rf"a parametric NAM model \({architecture}\)"):
            load_model(write(changed))


@pytest.mark.parametrize(
    ("config", "architecture", "name"),
    [
        ({"layers": [_array(condition_size=7)], "head_scale": None}, "WaveNet", "WaveNet of audio"),
        ({"layers": [_array()], "parametric": {"gain": {}}}, "WaveNet", "WaveNet"),
        ({"input_size": 3, "hidden_size": 1, "num_layers": 1}, "LSTM", "LSTM of audio and 2 knobs"),
    ],
)
def test_knob_conditioned_models_of_2023_are_refused_by_name(
    write, config: Any, architecture: str, name: str
) -> None:
    """Their knobs are further channels of the input or of the condition."""
    with pytest.raises(ModelError, match=rf"architecture: a parametric NAM model \({name}"):
        load_model(write(_document(architecture, config, 41)))


def test_a_parametric_model_in_a_container_is_refused_by_name(write) -> None:
    """The error names the submodel."""
    member = {"max_value": 1.0, "model": _document("HyperWaveNet", {}, 0)}
    document = _document("SlimmableContainer", {"submodels": [member]}, 0)
    with pytest.raises(ModelError, match=r"submodels\[0\].model.architecture: a parametric NAM"):
        load_model(write(document))


def test_no_other_architecture_is_suggested(write) -> None:
    """A file of another architecture would not become a WaveNet by a change of its name."""
    with pytest.raises(ModelError) as caught:
        load_model(write(_document("WaveNet2", {}, 0)))
    assert "did you mean" not in caught.value.reason


@pytest.mark.parametrize(
    ("document", "key"),
    [
        # 41 weights, and one more row of the head: 2 numbers.
        (_wavenet(_array(head_size=2), count=43), ""),
        (
            _document("Linear", {"receptive_field": 1, "bias": False, "out_channels": 2}, 2),
            "config",
        ),
    ],
)
def test_a_model_with_two_outputs_is_refused(write, document: Any, key: str) -> None:
    """Its second output would be lost."""
    with pytest.raises(ModelError, match=rf"{key}.*a model with 2 outputs, expected 1"):
        load_model(write(document))
