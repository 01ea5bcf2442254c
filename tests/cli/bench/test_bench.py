"""`nemod bench`: the tables it prints; the times depend on the machine."""

from typing import Any

import numpy as np
import pytest

from nemod.cli.bench.models import A2_DILATIONS, A2_KERNELS, MODELS, random_model
from nemod.formats import load_model
from nemod.formats.summary import parameters
from nemod.fx.nn.network import kernel

RELEASED = {
    "A1 nano": "mikeoliphant__NeuralAudio/Utils_Models_BossWN-nano.nam",
    "A1 feather": "mikeoliphant__NeuralAudio/Utils_Models_BossWN-feather.nam",
    "A1 standard": "mikeoliphant__NeuralAudio/Utils_Models_BossWN-standard.nam",
    "A2 Lite": "fabiohl__NeuralAmpModeler-rs/tests_fixtures_models_wavenet_a2_lite.nam",
    "A2 Full": "fabiohl__NeuralAmpModeler-rs/tests_fixtures_models_wavenet_a2_full.nam",
    "ConvNet": "fabiohl__NeuralAmpModeler-rs/tests_fixtures_models_convnet_test.nam",
}


@pytest.mark.parametrize("name", RELEASED)
def test_benched_networks_are_those_of_released_files(shared_data: Any, name: str) -> None:
    """The very network, and as many numbers."""
    released = load_model(shared_data / "models" / "nam" / RELEASED[name])
    assert released.network == MODELS[name]
    assert parameters(random_model(MODELS[name]).weights) == parameters(released.weights)


@pytest.mark.parametrize("name", ["LSTM 1x16", "GRU-64", "A1 nano", "A2 Lite", "ConvNet"])
def test_random_models_can_be_played(name: str) -> None:
    """Four frames in, four finite frames out."""
    model = random_model(MODELS[name])
    net = kernel(model.network)
    inputs = np.full((4, 1), 0.1, np.float32)
    _, out = net.process(model.weights, net.init(model.weights), inputs)
    assert out.shape == (4, 1)
    assert np.isfinite(np.asarray(out)).all()


def test_a2_has_a_kernel_for_every_dilation() -> None:
    """23 layers, two of them long."""
    assert (len(A2_DILATIONS), len(A2_KERNELS), A2_KERNELS.count(15)) == (23, 23, 2)


def test_one_architecture_is_measured(nemod: Any) -> None:
    """One row, with waits and compile seconds, and the warning."""
    outcome = nemod("bench", "--models", "--only", "lstm 1x16", "--blocks", "32")
    assert outcome.status == 0, outcome.err
    rows = [line for line in outcome.out.splitlines() if "LSTM 1x16" in line and "%" in line]
    assert len(rows) == 1
    assert "waits" in outcome.out
    assert "What plays here" in outcome.out
    assert "this minute" in outcome.out


@pytest.mark.long
def test_one_size_is_measured(nemod: Any) -> None:
    """An LSTM and a GRU of that size."""
    outcome = nemod("bench", "--units", "4", "--blocks", "16")
    assert outcome.status == 0, outcome.err
    assert ("LSTM 4" in outcome.out, "GRU 4" in outcome.out) == (True, True)


def test_an_unknown_architecture_is_refused(nemod: Any) -> None:
    """With the nearest name."""
    outcome = nemod("bench", "--models", "--only", "A2 Ful")
    assert outcome.status == 2
    assert "A2 Full" in outcome.err


def test_only_goes_with_models(nemod: Any) -> None:
    """Alone it chooses among nothing."""
    outcome = nemod("bench", "--only", "A2 Full")
    assert outcome.status == 2
    assert "--models" in outcome.err
