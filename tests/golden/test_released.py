"""Released models of the other dialects, compared with the output of other engines.

RTNeural's references were computed in float64. NAM's and PedalNet's are float32 runs of the
original programs; each case states their difference from float64.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nemod.common.errors import ModelError
from nemod.formats import load_model
from nemod.formats.model import without_gains
from nemod.formats.network import Curve, WaveNet

TOLERANCE = 1e-5
BLOCKS = (65, pytest.param(64, marks=pytest.mark.long))
"""What is right in blocks of 65 frames is right in even ones, too (tests/fx/test_laws.py)."""

AUDIO_VECTORS = ("conv1d", "dense", "gru", "gru_1d", "lstm", "lstm_1d")
"""Test vectors of RTNeural for audio; the others are for images, or bare tensors."""


def _check(out: Any, case: Any, spread: float = 0.0) -> None:
    expected = case.output[: len(out)]
    peak = np.abs(case.output).max()
    error = np.abs(out - expected)
    assert error[: case.guitar_frames].max() <= max(TOLERANCE, spread) * max(1.0, peak)
    assert error[: case.tame_frames].max() <= 1e-3 * max(1.0, peak)


@pytest.mark.parametrize("block", BLOCKS)
def test_keras_layers_equal_rtneural(keras_case: Any, render: Any, block: int) -> None:
    """With the file's gains if the case applied them, otherwise without."""
    if (outputs := keras_case.outputs) != 1:
        with pytest.raises(ModelError, match=f"a model with {outputs} outputs, expected 1"):
            load_model(keras_case.model_path)
        return
    model = load_model(keras_case.model_path)
    if "NOT applied" in keras_case.facts["semantics"]:
        model = without_gains(model)
    out = render(model, keras_case.controls(model), keras_case.inputs, block)
    _check(out, keras_case, keras_case.guitar_spread)
    # Some of these cases are very quiet, so that an absolute tolerance would be meaningless.
    quiet = np.abs(keras_case.output).max()
    if quiet < 0.1:
        assert np.abs(out - keras_case.output[: len(out)]).max() <= 1e-4 * quiet


@pytest.mark.parametrize("block", BLOCKS)
def test_nam_models_equal_nams_player(nam_case: Any, render: Any, block: int) -> None:
    """From the stored start state, after the player's warm-up if the case has it."""
    model = load_model(nam_case.model_path)
    if "fasttanh" in nam_case.name:
        model = replace(model, network=_with_fast_tanh(model.network))
    warm = model.prewarm_frames if nam_case.name.endswith("_prewarm") else 0
    inputs = np.concatenate([np.zeros(warm, np.float32), nam_case.inputs])
    out = render(model, np.zeros((0, len(inputs)), np.float32), inputs, block)[warm:]
    # The reference is float32 too, so its measured difference from float64 is added.
    own = nam_case.facts["check"]["max_abs_diff_vs_numpy_float64"]
    _check(out, nam_case, TOLERANCE + own)


def _with_fast_tanh(network: WaveNet) -> WaveNet:
    """Return the network with approximated tanh, an option of NAM's player that no file sets."""
    fast = Curve("fast_tanh")
    return replace(
        network,
        arrays=tuple(
            replace(array, layers=tuple(replace(layer, curve=fast) for layer in array.layers))
            for array in network.arrays
        ),
    )


@pytest.mark.parametrize("block", BLOCKS)
def test_pedalnet_models_equal_wavenetva(wnva_case: Any, render: Any, block: int) -> None:
    """Gated convolutions with one head for all layers."""
    model = load_model(wnva_case.model_path)
    out = render(model, wnva_case.controls(model), wnva_case.inputs, block)
    _check(out, wnva_case)


@pytest.mark.parametrize("block", BLOCKS)
def test_vectors_inside_aida_files_are_reproduced(
    embedded_case: Any, render: Any, block: int
) -> None:
    """The network without gains reproduces the trainer's output, the whole model its probe."""
    model = load_model(embedded_case.model_path)
    bare = without_gains(model)
    out = render(bare, embedded_case.controls(bare), embedded_case.inputs, block)
    assert np.abs(out - embedded_case.output[: len(out)]).max() <= 2e-5
    assert model.probe is not None
    out = render(model, model.probe.inputs[:, 1:].T, model.probe.inputs[:, 0], block)
    assert np.abs(out - model.probe.output[: len(out)]).max() <= 2e-5


@pytest.mark.parametrize("block", [64, 7])
def test_rtneurals_own_vectors_are_reproduced(
    rtneural_vectors_case: Any, render: Any, block: int
) -> None:
    """Computed by TensorFlow; files that are not for audio are refused."""
    name = rtneural_vectors_case.name.removeprefix("rtneural_vectors/")
    if name not in AUDIO_VECTORS:
        folder = Path(rtneural_vectors_case.model_path)
        for path in sorted(folder.parent.glob(folder.name)):
            if name == "conv_stateless":
                continue
            with pytest.raises(ModelError):
                load_model(path)
        return
    model = load_model(rtneural_vectors_case.model_path)
    inputs = rtneural_vectors_case.inputs
    out = render(model, np.zeros((0, len(inputs)), np.float32), inputs, block)
    allowed = rtneural_vectors_case.facts["rtneural_test_threshold"]
    assert np.abs(out - rtneural_vectors_case.output[: len(out)]).max() <= allowed


@pytest.mark.parametrize("block", BLOCKS)
def test_published_recordings_are_reproduced(thirdparty_case: Any, render: Any, block: int) -> None:
    """PyTorch's output, published by the authors of papers with their models."""
    facts = thirdparty_case.facts
    model = load_model(thirdparty_case.model_path)
    out = render(model, thirdparty_case.controls(model), thirdparty_case.inputs, block)
    scale = 0.5 if "0.5 * model" in facts["semantics"] else 1.0
    error = np.abs(scale * out - thirdparty_case.output[: len(out)])
    assert error[facts["compare_from"] :].max() <= facts["compare_tolerance"]
