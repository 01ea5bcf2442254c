"""What is said about a model."""

from dataclasses import replace

from nemod.builder.describe import describe
from nemod.formats import ModelInfo
from tests.engine.conftest import RATE_HZ, tiny


def test_architecture_and_parameters_are_counted() -> None:
    """4 LSTM gates of 4 units with one input, and a head of 4 weights and a bias."""
    said = describe(tiny())
    assert said.architecture == "LSTM 4, dense 1, skip"
    # The stored start state is 2 x 4 numbers more.
    assert said.parameters - 2 * 4 == 16 * (1 + 4 + 1) + 4 + 1


def test_keys_of_the_json_object() -> None:
    """Those that `/nemo/model/info` documents; unknown metadata is left out."""
    info = ModelInfo(author="A", loudness_db=-18.0, tone="clean", other={"secret": 1})
    assert describe(replace(tiny(knobs=1), info=info)).plain() == {
        "name": "tiny-lstm-1",
        "dialect": "guitarml",
        "architecture": "LSTM 4, dense 1, skip",
        # 16 rows of 2 inputs, 4 states and a bias, the start state, the head.
        "parameters": 16 * (2 + 4 + 1) + 2 * 4 + 5,
        "receptive_field": "recurrent",
        "knobs": ["gain"],
        "sample_rate": RATE_HZ,
        "sample_rate_stated": True,
        "sample_rate_source": "the file",
        "in_gain_db": 0.0,
        "out_gain_db": 0.0,
        "author": "A",
        "loudness": -18.0,
        "tone_type": "clean",
        "sizes": 1,
    }


def test_an_assumed_rate_is_said_to_be_assumed() -> None:
    """And the device's rate where the model follows it."""
    model = replace(tiny(), rate_stated=False)
    assert describe(model).sample_rate_source == "assumed, as guitarml files are played"
    follows = replace(model, rate_follows_device=True)
    assert describe(follows).plain()["sample_rate"] == "the device's"
