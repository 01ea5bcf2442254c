"""The fast recurrences, compared with the kernels of nemod and with PyTorch."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nemod.formats.network import Dense, Gru, Lstm, Network, Residual, Stack
from nemod.formats.weights import GruWeights, LstmWeights
from trainer.learn.batch import arrange, batched, in_pieces, initial_state, plain
from trainer.learn.networks import initial_weights

FRAMES = 48
# A sum of as many products as a weight's gradient has (frames times batch) in float32 is off by a
# few units in the last place of its largest terms.
RELATIVE = 2e-6


def signals(batch: int, channels: int) -> tuple[Any, Any]:
    """Return inputs and targets in the layout of a batch."""
    rng = np.random.default_rng(5)
    inputs = rng.standard_normal((batch, FRAMES, channels)).astype(np.float32)
    target = rng.standard_normal((batch, FRAMES, 1)).astype(np.float32)
    return arrange(inputs), arrange(target)


def gradient(network: Network, process: Any, weights: Any, inputs: Any, target: Any) -> Any:
    """Return the gradients of the weights and of the initial state."""

    def objective(weights: Any, state: Any) -> Any:
        after, output = process(weights, state, jnp.asarray(inputs))
        left = sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(after))
        return jnp.sum((output - jnp.asarray(target)) ** 2) + left

    weights = jax.tree.map(jnp.asarray, weights)
    state = jax.tree.map(lambda leaf: leaf + 0.1, initial_state(network, weights, inputs))
    return jax.jit(jax.grad(objective, argnums=(0, 1)))(weights, state)


def apart(expected: Any, actual: Any) -> float:
    """Return the largest relative difference of all arrays."""
    worst = jax.tree.map(
        lambda a, b: float(np.max(np.abs(a - b)) / max(np.max(np.abs(a)), 1.0)), expected, actual
    )
    return max(jax.tree.leaves(worst))


@pytest.mark.parametrize("kind", [Lstm, Gru])
@pytest.mark.parametrize(("layers", "hidden", "batch"), [(2, 3, 32), (1, 21, 5)])
def test_the_fast_form_has_the_gradients_of_the_kernel(
    kind: Callable[..., Network], layers: int, hidden: int, batch: int
) -> None:
    """With a knob and recomputed in pieces, compared with `jax.grad` of nemod's kernel."""
    widths = [2, *[hidden] * layers]
    recurrent = (kind(inputs, hidden) for inputs in widths[:-1])
    network = Residual(Stack((*recurrent, Dense(hidden, 1))))
    weights = initial_weights(network, 3)
    inputs, target = signals(batch, 2)
    expected = gradient(network, plain(network), weights, inputs, target)
    actual = gradient(network, in_pieces(batched(network), 16), weights, inputs, target)
    assert apart(expected, actual) < RELATIVE


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_the_gradients_are_those_of_pytorch(kind: str) -> None:
    """One layer, compared with `torch.nn` in float64."""
    torch = pytest.importorskip("torch")
    hidden, batch = 7, 16
    network: Network = Lstm(1, hidden) if kind == "LSTM" else Gru(1, hidden)
    own = initial_weights(Stack((network,)), 3)[0]
    inputs, _ = signals(batch, 1)
    aim = np.random.default_rng(8).standard_normal((FRAMES, batch, hidden))

    def objective(weights: Any) -> Any:
        _, h = batched(network)(
            weights, initial_state(network, weights, inputs), jnp.asarray(inputs)
        )
        return jnp.sum((h[:, 0].swapaxes(1, 2) - jnp.asarray(aim, jnp.float32)) ** 2)

    actual = jax.jit(jax.grad(objective))(jax.tree.map(jnp.asarray, own))

    layer = getattr(torch.nn, kind)(1, hidden).double()
    with torch.no_grad():
        layer.weight_ih_l0.copy_(torch.from_numpy(own.w_x))
        layer.weight_hh_l0.copy_(torch.from_numpy(own.w_h))
        layer.bias_ih_l0.copy_(torch.from_numpy(own.bias))
        layer.bias_hh_l0.zero_()
        if kind == "GRU":
            layer.bias_hh_l0[2 * hidden :] = torch.from_numpy(own.bias_n)
    sound = torch.from_numpy(inputs[:, 0].swapaxes(1, 2).astype(np.float64).copy())
    ((layer(sound)[0] - torch.from_numpy(aim)) ** 2).sum().backward()
    slopes = [
        layer.weight_ih_l0.grad.numpy(),
        layer.weight_hh_l0.grad.numpy(),
        layer.bias_ih_l0.grad.numpy(),
    ]
    if kind == "GRU":
        slopes.append(layer.bias_hh_l0.grad.numpy()[2 * hidden :])
    assert apart(slopes, [np.asarray(leaf) for leaf in actual[: len(slopes)]]) < RELATIVE


def test_the_gradients_have_the_types_of_the_weights() -> None:
    """The optimiser gets the pytrees of `nemod.formats.network`."""
    network = Stack((Lstm(1, 3), Gru(3, 3), Dense(3, 1)))
    weights = initial_weights(network, 1)
    inputs, target = signals(2, 1)
    slopes, _ = gradient(network, batched(network), weights, inputs, target)
    assert [type(one) for one in slopes[:2]] == [LstmWeights, GruWeights]
