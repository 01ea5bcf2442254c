"""GuitarML's JSON, the paper's, and the files that the trainer writes."""

from typing import Any

import numpy as np
import pytest

from nemod.common.errors import ModelError
from nemod.formats import Knob, ModelInfo, load_model
from nemod.formats.network import Dense, Gru, Lstm, Residual, Stack

BREAKS: list[tuple[str, Any, str]] = [
    ("model_data.hidden_size", 4, "state_dict.rec.bias_ih_l0: a list of 12, expected a list of 16"),
    ("model_data.hidden_size", 0, "model_data.hidden_size: 0, expected 1 to 1024"),
    ("model_data.hidden_size", 10**9, "model_data.hidden_size: 1000000000, expected 1 to 1024"),
    ("model_data.hidden_size", 2.5, "model_data.hidden_size: 2.5, expected a whole number"),
    ("model_data.hidden_size", None, "model_data.hidden_size: null, expected a whole number"),
    ("model_data.hidden_size", True, "model_data.hidden_size: true, expected a whole number"),
    ("model_data.input_size", 2, "state_dict.rec.weight_ih_l0[0]: a list of 1, expected a list"),
    ("model_data.input_size", 66, "model_data.input_size: 66, expected 1 to 65"),
    ("model_data.output_size", 2, "model_data.output_size: a model with 2 outputs, expected 1"),
    ("model_data.num_layers", 2, "state_dict: has no 'rec.bias_ih_l1', did you mean 'rec.bias_ih"),
    ("model_data.num_layers", 10**30, "model_data.num_layers: 1"),
    ("model_data.unit_type", "RNN", 'model_data.unit_type: the text "RNN", expected LSTM or GRU'),
    ("model_data.unit_type", "GRU", "state_dict.rec.bias_ih_l0: a list of 12, expected a list of"),
    ("model_data.skip", 2, "model_data.skip: 2, expected true or false"),
    ("model_data.skip", "no", 'model_data.skip: the text "no", expected true or false'),
    ("model_data.model_type", "gcntf", "model_data.model_type: 'gcntf' is a convolutional model"),
    ("model_data", [], "model_data: a list of 0, expected an object"),
    ("state_dict", [1], "state_dict: a list of 1, expected an object"),
    ("state_dict.rec.bias_ih_l0", {}, "state_dict.rec.bias_ih_l0: an object of 0, expected a list"),
    ("state_dict.lin.weight", [[1.0, 2.0]], "state_dict.lin.weight[0]: a list of 2, expected a"),
    ("state_dict.lin.bias", [float("nan")], "state_dict.lin.bias[0]: nan, expected a finite"),
    ("state_dict.lin.bias", [float("inf")], "state_dict.lin.bias[0]: inf, expected a finite"),
    ("state_dict.lin.bias", [1e39], "state_dict.lin.bias[0]: 1e+39, expected a finite"),
    ("state_dict.lin.bias", [10**390], "state_dict.lin.bias[0]: inf, expected a finite"),
    ("state_dict.lin.bias", [False], "state_dict.lin.bias[0]: false, expected a number"),
    ("state_dict.lin.bias", ["1.0e"], 'state_dict.lin.bias[0]: the text "1.0e", expected a number'),
    ("state_dict.lin.bias", ["nan"], 'state_dict.lin.bias[0]: the text "nan", expected a number'),
    ("state_dict.extra", [1.0], "state_dict.extra: a tensor that no SimpleRNN or RecNet has"),
    ("metadata", {"knobs": [{"low": 2}]}, "metadata.knobs: a list of 1, expected 0"),
]


@pytest.mark.parametrize(("key", "value", "message"), BREAKS)
def test_a_broken_value_is_refused_by_its_key(write, rnn, key: str, value, message: str) -> None:
    """The message says what was found and what is allowed."""
    document = rnn()
    head, _, tail = key.partition(".")
    if tail:
        document[head][tail] = value
    else:
        document[head] = value
    with pytest.raises(ModelError) as caught:
        load_model(write(document))
    assert caught.value.reason.startswith(message)


def test_a_missing_tensor_is_named_with_the_nearest_one(write, rnn) -> None:
    """A misspelt key is shown."""
    document = rnn()
    document["state_dict"]["rec.bias_hh"] = document["state_dict"].pop("rec.bias_hh_l0")
    with pytest.raises(ModelError, match=r"has no 'rec.bias_hh_l0', did you mean 'rec.bias_"):
        load_model(write(document))


def test_a_description_without_weights_says_so(write, rnn) -> None:
    """Early files of 2020 hold blocks and training losses only."""
    document = rnn()
    del document["state_dict"]
    document["blocks"] = {}
    with pytest.raises(ModelError, match="describes a model without its weights"):
        load_model(write(document))


@pytest.mark.parametrize(("unit", "kind", "gates"), [("LSTM", Lstm, 4), ("GRU", Gru, 3)])
def test_sizes_and_numbers_are_those_of_the_file(write, rnn, unit: str, kind, gates: int) -> None:
    """Rows stay in PyTorch's order; an LSTM's biases are summed, a GRU's n-biases stay apart."""
    document = rnn(unit, inputs=2, hidden=3)
    state = document["state_dict"]
    model = load_model(write(document))
    assert model.network == Residual(Stack((kind(2, 3), Dense(3, 1))))
    recurrent, head = model.weights
    both = np.float32(state["rec.bias_ih_l0"]), np.float32(state["rec.bias_hh_l0"])
    expected = both[0] + both[1]
    if unit == "GRU":
        expected[6:] = both[0][6:]
        np.testing.assert_array_equal(both[1][6:], recurrent.bias_n)
    np.testing.assert_array_equal(np.float32(state["rec.weight_ih_l0"]), recurrent.w_x)
    np.testing.assert_array_equal(np.float32(state["rec.weight_hh_l0"]), recurrent.w_h)
    np.testing.assert_array_equal(expected, recurrent.bias)
    np.testing.assert_array_equal(np.float32(state["lin.weight"]), head.w)
    assert (gates * 3, 2) == recurrent.w_x.shape
    assert all(leaf.dtype == np.float32 for leaf in (*recurrent, *head))
    assert not recurrent.start.any()


def test_layers_follow_one_another(write, rnn) -> None:
    """The second layer takes the first one's hidden states."""
    model = load_model(write(rnn("GRU", inputs=3, hidden=4, layers=2)))
    assert model.network == Residual(Stack((Gru(3, 4), Gru(4, 4), Dense(4, 1))))


@pytest.mark.parametrize(
    ("skip", "expected"),
    [(0, False), ("0", False), (False, False), (1, True), ("1", True), (True, True), (None, True)],
)
def test_skip_is_read_in_every_spelling(write, rnn, skip: Any, expected: bool) -> None:
    """A missing skip is 1."""
    document = rnn()
    document["model_data"]["skip"] = skip
    assert isinstance(load_model(write(document)).network, Residual) == expected


@pytest.mark.parametrize("rename", ["gru", "rec"])
@pytest.mark.parametrize("stated", [True, False])
def test_the_papers_own_key_names_are_read(write, rnn, rename: str, stated: bool) -> None:
    """`lstm` or `gru` and `dense`; a unit type that is not stated follows from key or rows."""
    document = rnn("GRU")
    state = document["state_dict"]
    document["state_dict"] = {
        key.replace("rec.", f"{rename}.").replace("lin.", "dense."): value
        for key, value in state.items()
    }
    if not stated:
        del document["model_data"]["unit_type"]
    assert load_model(write(document)).network == Residual(Stack((Gru(1, 3), Dense(3, 1))))


def test_numbers_may_be_text(write, rnn) -> None:
    """Sizes and weights alike."""
    document = rnn()
    plain = load_model(write(document))
    document["model_data"]["hidden_size"] = "3"
    document["state_dict"]["lin.weight"] = [
        [str(number) for number in row] for row in document["state_dict"]["lin.weight"]
    ]
    spelt = load_model(write(document))
    assert plain.network == spelt.network
    np.testing.assert_array_equal(plain.weights[1].w, spelt.weights[1].w)


def test_biases_that_the_file_does_without_are_zero(write, rnn) -> None:
    """`bias_fl` false: PyTorch writes no bias at all."""
    document = rnn()
    document["model_data"]["bias_fl"] = False
    for key in ("rec.bias_ih_l0", "rec.bias_hh_l0", "lin.bias"):
        del document["state_dict"][key]
    recurrent, head = load_model(write(document)).weights
    assert not recurrent.bias.any()
    assert not head.bias.any()


def test_rec_net_takes_the_skip_of_its_block(write, rnn) -> None:
    """`model_data.skip` is 0 in these files and means nothing; a block's default is 1."""
    single = rnn("GRU")
    state = single["state_dict"]
    del state["lin.bias"]
    document: dict[str, Any] = {
        "model_data": {"model": "RecNet", "skip": 0},
        "blocks": {},
        "state_dict": {},
    }
    for number, extra in enumerate(({}, {"skip": 0})):
        block = {"block_type": "GRU", "input_size": 1, "output_size": 1, "hidden_size": 3}
        document["blocks"][str(number)] = block | extra
        for key, value in state.items():
            document["state_dict"][f"layers.block_{number + 1}.{key}"] = value
    model = load_model(write(document))
    body = Stack((Gru(1, 3), Dense(3, 1)))
    assert model.network == Stack((Residual(body), body))
    assert not model.weights[0][1].bias.any()


def test_a_rate_that_is_not_stated_is_the_dialects(write, rnn) -> None:
    """44.1 kHz, marked as assumed."""
    model = load_model(write(rnn()))
    assert (model.sample_rate, model.rate_stated) == (44_100, False)


@pytest.mark.parametrize("where", ["model_data", "metadata"])
def test_a_stated_rate_is_taken(write, rnn, where: str) -> None:
    """From either place."""
    document = rnn()
    document.setdefault(where, {})["sample_rate"] = 96_000
    model = load_model(write(document))
    assert (model.sample_rate, model.rate_stated) == (96_000, True)


def test_metadata_and_probe_of_the_trainer_are_read(write, rnn) -> None:
    """Knobs by name and range, author and error."""
    document = rnn(inputs=2)
    document["metadata"] = {
        "knobs": [{"name": "Drive", "low": -1, "high": 2.5, "default": 0.25}],
        "author": "someone",
        "esr": 0.01,
    }
    document["probe"] = {"input": [[0.5, 1.0], [0.0, 1.0]], "output": [0.25, 0.0]}
    model = load_model(write(document))
    assert model.knobs == (Knob("Drive", -1.0, 2.5, 0.25),)
    assert model.info == ModelInfo(author="someone", esr=0.01)
    assert model.probe is not None
    np.testing.assert_array_equal([[0.5, 1.0], [0.0, 1.0]], model.probe.inputs)
    np.testing.assert_array_equal([0.25, 0.0], model.probe.output)


def test_knobs_without_names_are_numbered(write, rnn) -> None:
    """Each needs an address."""
    assert load_model(write(rnn(inputs=3))).knobs == (Knob("1"), Knob("2"))


@pytest.mark.parametrize(
    ("range_", "message"),
    [
        ({"low": "loud"}, 'metadata.knobs[0].low: the text "loud", expected a number'),
        ({"high": float("inf")}, "metadata.knobs[0].high: inf, expected a number"),
        ({"low": 1.0}, "metadata.knobs[0].low: 1, expected different 'low' and 'high'"),
    ],
)
def test_a_range_that_cannot_be_read_is_an_error(
    write, rnn, range_: dict[str, Any], message: str
) -> None:
    """The network's input depends on it, unlike a knob's name and default."""
    document = rnn(inputs=2)
    document["metadata"] = {"knobs": [{"name": "Drive", **range_}]}
    with pytest.raises(ModelError) as caught:
        load_model(write(document))
    assert caught.value.reason == message or caught.value.reason.startswith(message + " from")


def test_a_rec_net_with_two_outputs_is_refused(write, rnn) -> None:
    """The last block decides."""
    document = rnn("GRU")
    state = document["state_dict"]
    state["lin.weight"] = state["lin.weight"] * 2
    block = {"block_type": "GRU", "input_size": 1, "output_size": 2, "hidden_size": 3}
    document["blocks"] = {"0": block}
    document["state_dict"] = {
        f"layers.block_1.{key}": value for key, value in state.items() if key != "lin.bias"
    }
    with pytest.raises(ModelError, match="blocks: a model with 2 outputs, expected 1"):
        load_model(write(document))
