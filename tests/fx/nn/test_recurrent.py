"""LSTM and GRU kernels, compared with PyTorch's equations in numpy with float64."""

import itertools
from typing import Any

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nemod.formats.network import Gru, Lstm
from nemod.formats.weights import GruWeights, LstmWeights
from nemod.fx.nn.network import kernel

FRAMES = 300


def _lstm(inputs: int, hidden: int, seed: int = 0) -> tuple[Lstm, LstmWeights]:
    rng = np.random.default_rng(seed)

    def draw(*shape: int) -> Any:
        return rng.normal(0.0, hidden**-0.5, shape).astype(np.float32)

    weights = LstmWeights(
        draw(4 * hidden, inputs), draw(4 * hidden, hidden), draw(4 * hidden), draw(2, hidden)
    )
    return Lstm(inputs, hidden), weights


def _gru(inputs: int, hidden: int, seed: int = 0) -> tuple[Gru, GruWeights]:
    rng = np.random.default_rng(seed)

    def draw(*shape: int) -> Any:
        return rng.normal(0.0, hidden**-0.5, shape).astype(np.float32)

    weights = GruWeights(
        draw(3 * hidden, inputs),
        draw(3 * hidden, hidden),
        draw(3 * hidden),
        draw(hidden),
        draw(hidden),
    )
    return Gru(inputs, hidden), weights


def _sigmoid(x: Any) -> Any:
    return 1.0 / (1.0 + np.exp(-x))


def _lstm64(weights: LstmWeights, inputs: Any) -> Any:
    w_x, w_h, bias, start = (np.asarray(leaf, np.float64) for leaf in weights)
    h, c = start
    out = []
    for x in inputs.astype(np.float64):
        i, f, g, o = np.split(w_x @ x + w_h @ h + bias, 4)
        c = _sigmoid(f) * c + _sigmoid(i) * np.tanh(g)
        h = _sigmoid(o) * np.tanh(c)
        out.append(h)
    return np.array(out)


def _gru64(weights: GruWeights, inputs: Any) -> Any:
    w_x, w_h, bias, bias_n, h = (np.asarray(leaf, np.float64) for leaf in weights)
    out = []
    for x in inputs.astype(np.float64):
        x_r, x_z, x_n = np.split(w_x @ x + bias, 3)
        h_r, h_z, h_n = np.split(w_h @ h, 3)
        r, z = _sigmoid(x_r + h_r), _sigmoid(x_z + h_z)
        n = np.tanh(x_n + r * (h_n + bias_n))
        h = (1.0 - z) * n + z * h
        out.append(h)
    return np.array(out)


CELLS = [(_lstm, _lstm64), (_gru, _gru64)]


@pytest.mark.parametrize(("make", "oracle"), CELLS)
@pytest.mark.parametrize(("inputs", "hidden"), [(1, 1), (1, 20), (3, 33), (2, 40)])
def test_hidden_states_follow_the_equations(make, oracle, inputs: int, hidden: int) -> None:
    """From the stored start state, on both sides of the size where the product changes form."""
    network, weights = make(inputs, hidden)
    sound = np.random.default_rng(1).normal(0.0, 0.3, (FRAMES, inputs)).astype(np.float32)
    inner = kernel(network)
    _, actual = jax.jit(inner.process)(weights, inner.init(weights), sound)
    expected = oracle(weights, sound)
    np.testing.assert_allclose(np.asarray(actual), expected, atol=1e-6)


@pytest.mark.parametrize(("make", "oracle"), CELLS)
def test_state_after_a_block_is_its_last_hidden_state(make, oracle) -> None:
    """The state equals the last output, and shapes stay the same."""
    network, weights = make(1, 8)
    inner = kernel(network)
    before = inner.init(weights)
    after, out = inner.process(weights, before, np.ones((5, 1), np.float32))
    assert jax.tree.map(np.shape, before) == jax.tree.map(np.shape, after)
    np.testing.assert_array_equal(np.asarray(jax.tree.leaves(after)[0]), np.asarray(out[-1]))


@pytest.mark.parametrize(("make", "oracle"), CELLS)
def test_a_batch_is_the_single_runs_side_by_side(make, oracle) -> None:
    """The trainer vectorises the function that the daemon plays."""
    network, weights = make(2, 12)
    inner = kernel(network)
    sounds = np.random.default_rng(2).normal(0.0, 0.3, (4, 50, 2)).astype(np.float32)
    start = inner.init(weights)
    _, batch = jax.vmap(inner.process, in_axes=(None, None, 0))(weights, start, sounds)
    single = [np.asarray(inner.process(weights, start, sound)[1]) for sound in sounds]
    np.testing.assert_allclose(np.asarray(batch), np.stack(single), atol=1e-6)


@pytest.mark.parametrize(("make", "oracle"), CELLS)
def test_gradients_match_differences_of_the_float64_oracle(make, oracle) -> None:
    """Through twenty steps, for one element of every array."""
    network, weights = make(1, 5)
    inner = kernel(network)
    sound = np.random.default_rng(3).normal(0.0, 1.0, (20, 1)).astype(np.float32)

    def objective(weights: Any) -> jax.Array:
        return inner.process(weights, inner.init(weights), sound)[1].sum()

    slopes = jax.grad(objective)(weights)
    step = 1e-6
    for place, slope in enumerate(slopes):
        moved = []
        for sign in (1.0, -1.0):
            leaves = [np.array(leaf, np.float64) for leaf in weights]
            leaves[place].flat[0] += sign * step
            moved.append(oracle(type(weights)(*leaves), sound).sum())
        expected = (moved[0] - moved[1]) / (2.0 * step)
        assert np.asarray(slope).flat[0] == pytest.approx(expected, abs=2e-5, rel=2e-5)


_PROGRAMS = {make: jax.jit(kernel(make(2, 20)[0]).process) for make, _ in CELLS}


@pytest.mark.parametrize(("make", "oracle"), CELLS)
@settings(deadline=None, max_examples=25)
@given(
    cuts=st.lists(st.sampled_from([1, 2, 7, 64, 65]), min_size=1, max_size=5),
    seed=st.integers(0, 2**16),
)
def test_output_does_not_depend_on_how_the_signal_is_cut(make, oracle, cuts, seed: int) -> None:
    """The state holds all that the next block depends on, with moving knobs too."""
    network, weights = make(2, 20)
    inner = kernel(network)
    process = _PROGRAMS[make]
    signal = np.random.default_rng(seed).normal(0.0, 1.0, (sum(cuts), 2)).astype(np.float32)
    bounds = itertools.pairwise([0, *itertools.accumulate(cuts)])
    state, pieces = inner.init(weights), []
    for low, high in bounds:
        state, out = process(weights, state, signal[low:high])
        pieces.append(np.asarray(out))
    expected = oracle(weights, signal)
    np.testing.assert_allclose(np.concatenate(pieces), expected, atol=2e-6)
