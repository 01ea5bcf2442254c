"""The model as an effect: its knobs, and one program for all models of a shape."""

import itertools
from typing import Any

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nemod.formats.model import Knob, Model
from nemod.formats.network import Dense, Gru, Lstm, Network, Residual, Stack
from nemod.formats.weights import DenseWeights, GruWeights, LstmWeights
from nemod.fx.nn.neural import model_weights, neural


def _model(network: Network, weights: Any, *knobs: Knob) -> Model:
    return Model(name="m", dialect="test", network=network, weights=weights, knobs=knobs)


def _echo_of_inputs(*knobs: Knob) -> Model:
    """Return sound + 100 knob 1 + 10,000 knob 2: the output shows the inputs of the network."""
    w = np.array([[1.0, 100.0, 10_000.0]], np.float32)[:, : 1 + len(knobs)]
    network = Dense(1 + len(knobs), 1)
    return _model(network, DenseWeights(w, np.zeros(1, np.float32)), *knobs)


def _recurrent(kind: str, seed: int = 0) -> Model:
    rng = np.random.default_rng(seed)

    def draw(*shape: int) -> Any:
        return rng.normal(0.0, 0.3, shape).astype(np.float32)

    if kind == "lstm":
        layer: Network = Lstm(3, 12)
        own: Any = LstmWeights(draw(48, 3), draw(48, 12), draw(48), draw(2, 12))
    else:
        layer = Gru(3, 12)
        own = GruWeights(draw(36, 3), draw(36, 12), draw(36), draw(12), draw(12))
    body = Stack((layer, Dense(12, 1)))
    weights = (own, DenseWeights(draw(1, 12), draw(1)))
    return _model(Residual(body), weights, Knob("gain", -1.0, 1.0), Knob("level"))


def _play(model: Model, controls: np.ndarray, block: np.ndarray) -> np.ndarray:
    effect = neural(model)
    weights = model_weights(model)
    state = effect.init(weights, controls[:, 0])
    return np.asarray(effect.process(weights, controls, state, block)[1])


def test_a_knob_maps_linearly_onto_its_range() -> None:
    """Position 0 is `low`, 1 is `high`; every frame has its own position."""
    model = _echo_of_inputs(Knob("a", 2.0, 4.0), Knob("b", 1.0, 0.0))
    positions = np.array([[0.0, 0.5, 1.0], [0.0, 0.25, 1.0]], np.float32)
    out = _play(model, positions, np.array([0.5, 0.0, -0.5], np.float32))
    assert out.tolist() == [10_200.5, 7_800.0, 399.5]


def test_a_model_without_knobs_has_no_controls() -> None:
    """Its output is mono, [frames]."""
    model = _echo_of_inputs()
    assert neural(model).controls == ()
    out = _play(model, np.zeros((0, 2), np.float32), np.array([0.5, -1.0], np.float32))
    assert out.tolist() == [0.5, -1.0]


def test_the_controls_of_the_effect_are_numbered_knobs() -> None:
    """Independent of their names in the file."""
    model = _echo_of_inputs(Knob("Drive"), Knob("Tone"))
    assert neural(model).controls == ("knob/1", "knob/2")


def test_models_of_one_shape_share_one_program() -> None:
    """Weights and knob ranges are arguments, so nothing is compiled for the second model."""
    traces = 0
    first = _recurrent("lstm", 1)
    second = _recurrent("lstm", 2)
    effect = neural(first)
    controls, block = np.zeros((2, 4), np.float32), np.zeros(4, np.float32)

    def counted(*args: Any) -> Any:
        nonlocal traces
        traces += 1
        return effect.process(*args)

    process = jax.jit(counted)
    for model in (first, second):
        weights = model_weights(model)
        process(weights, controls, effect.init(weights, controls[:, 0]), block)
    assert traces == 1


_MODELS = {kind: _recurrent(kind) for kind in ("lstm", "gru")}
_PROGRAMS = {kind: jax.jit(neural(model).process) for kind, model in _MODELS.items()}


@pytest.mark.parametrize("kind", ["lstm", "gru"])
@settings(deadline=None, max_examples=25)
@given(
    cuts=st.lists(st.sampled_from([1, 3, 64, 65]), min_size=2, max_size=6),
    moving=st.booleans(),
    seed=st.integers(0, 2**16),
)
def test_output_does_not_depend_on_block_cuts(kind, cuts, moving: bool, seed: int) -> None:
    """With constant knobs and with knobs that move at every frame."""
    rng = np.random.default_rng(seed)
    total = sum(cuts)
    block = rng.uniform(-1.0, 1.0, total).astype(np.float32)
    positions = rng.uniform(0.0, 1.0, (2, total if moving else 1)).astype(np.float32)
    controls = np.broadcast_to(positions, (2, total))
    whole = _in_blocks(kind, controls, block, [1] * total)
    np.testing.assert_allclose(_in_blocks(kind, controls, block, cuts), whole, atol=2e-6)


def _in_blocks(kind: str, controls: np.ndarray, block: np.ndarray, cuts: list[int]) -> np.ndarray:
    effect, weights = neural(_MODELS[kind]), model_weights(_MODELS[kind])
    state, pieces = effect.init(weights, controls[:, 0]), []
    for low, high in itertools.pairwise([0, *itertools.accumulate(cuts)]):
        state, out = _PROGRAMS[kind](weights, controls[:, low:high], state, block[low:high])
        pieces.append(np.asarray(out))
    return np.concatenate(pieces)
