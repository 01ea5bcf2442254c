"""Causal convolution, compared with explicit sums in float64, for any block lengths."""

import itertools
from typing import Any

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nemod.formats.network import Conv1d
from nemod.formats.weights import ConvWeights
from nemod.fx.nn.network import kernel

CASES = [
    Conv1d(1, 3, kernel=2),
    Conv1d(4, 2, kernel=3, dilation=5),
    Conv1d(2, 2, kernel=1),
    Conv1d(1, 1, kernel=200),
    Conv1d(1, 2, kernel=130, dilation=2),
]
IDS = ["short", "dilated", "pointwise", "long", "long dilated"]


def _weights(network: Conv1d) -> ConvWeights:
    rng = np.random.default_rng(3)
    return ConvWeights(
        rng.normal(size=(network.outputs, network.kernel * network.inputs)).astype(np.float32),
        rng.normal(size=network.outputs).astype(np.float32),
    )


def _oracle(network: Conv1d, weights: ConvWeights, sound: Any) -> Any:
    w = weights.w.astype(np.float64).reshape(network.outputs, network.kernel, network.inputs)
    out = np.tile(weights.bias.astype(np.float64), (len(sound), 1))
    for frame in range(len(sound)):
        for tap in range(network.kernel):
            at = frame - (network.kernel - 1 - tap) * network.dilation
            if at >= 0:
                out[frame] += w[:, tap] @ sound[at]
    return out


@pytest.mark.parametrize("network", CASES, ids=IDS)
def test_taps_reach_back_from_the_newest_sample(network: Conv1d) -> None:
    """The first sample follows silence."""
    weights = _weights(network)
    sound = np.random.default_rng(4).normal(size=(310, network.inputs)).astype(np.float32)
    inner = kernel(network)
    _, out = jax.jit(inner.process)(weights, inner.init(weights), sound)
    np.testing.assert_allclose(np.asarray(out), _oracle(network, weights, sound), atol=2e-5)


_PROGRAMS = {network: jax.jit(kernel(network).process) for network in CASES}


@pytest.mark.parametrize("network", CASES, ids=IDS)
@settings(deadline=None, max_examples=15)
@given(cuts=st.lists(st.sampled_from([1, 4, 64, 65]), min_size=2, max_size=5))
def test_output_does_not_depend_on_how_the_signal_is_cut(network: Conv1d, cuts: Any) -> None:
    """With blocks shorter and longer than the past."""
    weights = _weights(network)
    total = sum(cuts)
    sound = np.random.default_rng(total).normal(size=(total, network.inputs)).astype(np.float32)
    state, pieces = kernel(network).init(weights), []
    for low, high in itertools.pairwise([0, *itertools.accumulate(cuts)]):
        state, out = _PROGRAMS[network](weights, state, sound[low:high])
        pieces.append(np.asarray(out))
    expected = _oracle(network, weights, sound)
    np.testing.assert_allclose(np.concatenate(pieces), expected, atol=2e-5)
