"""Networks of networks, compared with explicit arithmetic."""

import jax
import numpy as np

from nemod.formats.network import Dense, Gains, Residual, Stack
from nemod.formats.weights import DenseWeights, GainsWeights
from nemod.fx.nn.network import kernel

SOUND = np.array([[1.0, 10.0], [2.0, 20.0], [-3.0, 30.0]], np.float32)


def _dense(w: list[list[float]], bias: list[float]) -> tuple[Dense, DenseWeights]:
    matrix = np.array(w, np.float32)
    return Dense(matrix.shape[1], matrix.shape[0]), DenseWeights(matrix, np.array(bias, np.float32))


def _run(network, weights) -> np.ndarray:
    inner = kernel(network)
    _, out = jax.jit(inner.process)(weights, inner.init(weights), SOUND)
    return np.asarray(out)


def test_dense_is_affine_per_frame() -> None:
    """Outputs are rows of the matrix."""
    network, weights = _dense([[1.0, 0.5], [0.0, 2.0]], [0.25, -1.0])
    assert _run(network, weights).tolist() == [[6.25, 19.0], [12.25, 39.0], [12.25, 59.0]]


def test_stack_is_one_after_the_other() -> None:
    """The outputs of the first layer are the inputs of the second."""
    first, w_first = _dense([[2.0, 0.0], [0.0, 1.0]], [0.0, 1.0])
    second, w_second = _dense([[1.0, 1.0]], [0.0])
    assert _run(Stack((first, second)), (w_first, w_second)).tolist() == [[13.0], [25.0], [25.0]]


def test_residual_adds_the_sound_and_no_knob() -> None:
    """Only channel 0 bypasses the body."""
    network, weights = _dense([[0.0, 1.0]], [0.0])
    assert _run(Residual(network), weights).tolist() == [[11.0], [22.0], [27.0]]


def test_gains_scale_the_sound_before_and_the_output_after() -> None:
    """Knobs are not scaled; the residual is taken after the first gain."""
    body, weights = _dense([[1.0, 1.0]], [0.0])
    gains = GainsWeights(np.float32(2.0), np.float32(0.5), weights)
    assert _run(Gains(body), gains).tolist() == [[6.0], [12.0], [12.0]]
    assert _run(Gains(Residual(body)), gains).tolist() == [[7.0], [14.0], [9.0]]


def test_equal_networks_share_a_kernel() -> None:
    """So models of one architecture share a compiled program."""
    assert kernel(Stack((Dense(1, 2), Dense(2, 1)))) is kernel(Stack((Dense(1, 2), Dense(2, 1))))
