"""Released LSTM and GRU models in GuitarML's format, compared with RTNeural in float64."""

from typing import Any

import jax
import numpy as np
import pytest

from nemod.formats import load_model
from nemod.fx.nn.neural import model_weights, neural

TOLERANCE = 1e-5


@pytest.mark.parametrize("block", [1, 64, 65, 512])
def test_guitar_equals_the_reference(aga_case: Any, render: Any, block: int) -> None:
    """To 1e-5, or the difference between float32 engines on this model, for all block sizes."""
    model = load_model(aga_case.model_path)
    frames = aga_case.guitar_frames
    out = render(model, aga_case.controls(model), aga_case.inputs, block)
    error = np.abs(out - aga_case.output[: len(out)])
    allowed = max(TOLERANCE, aga_case.guitar_spread)
    peak = np.abs(aga_case.output).max()
    assert error[:frames].max() <= allowed * max(1.0, peak)
    # After the guitar section some models amplify rounding errors in every engine.
    assert error[: aga_case.tame_frames].max() <= 1e-3 * max(1.0, peak)


@pytest.mark.parametrize("block", [1, 64])
@pytest.mark.parametrize("name", ["Proteus_BlackstarHT40_AmpHighGain", "NeuralPi_ProCoRat"])
def test_calls_with_donated_state_equal_the_scan(
    shared_data: Any, render: Any, name: str, block: int
) -> None:
    """One call per block with donated state buffers, as in the engine."""
    folder = shared_data / "models" / "aga" / "GuitarML__ToneLibrary"
    model = load_model(folder / f"{name}.json")
    inputs = np.load(shared_data / "reference/inputs/mix_44100.npy").astype(np.float32)[:6400]
    controls = np.zeros((0, block), np.float32)
    effect, weights = neural(model), model_weights(model)
    process = jax.jit(effect.process, donate_argnums=2)
    state = jax.jit(effect.init)(weights, controls[:, 0])
    pieces = []
    for low in range(0, len(inputs), block):
        state, out = process(weights, controls, state, inputs[low : low + block])
        pieces.append(np.asarray(out))
    expected = render(model, np.zeros((0, len(inputs)), np.float32), inputs, len(inputs))
    np.testing.assert_allclose(np.concatenate(pieces), expected, atol=TOLERANCE)
