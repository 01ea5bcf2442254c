"""The model as an effect: sound and knobs in, sound out."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from nemod.formats.model import Model
from nemod.fx.effect import Block, Controls, Effect
from nemod.fx.nn.network import State, Weights, kernel


class NeuralWeights(NamedTuple):
    """The weights of `neural`. Models with equal networks differ in these alone."""

    network: Weights
    """The weights of the network, as `Kernel.arrange` returns them."""
    knobs: NDArray[np.float32]
    """[knobs, 2]: network input at knob position 0, and the increase up to position 1."""


def neural(model: Model) -> Effect[NeuralWeights, State]:
    """Return the effect that plays a model.

    Its controls are `knob/1`, `knob/2`, ...: positions 0..1, mapped to the range of each knob. Its
    functions depend on `model.network` and the number of knobs only. After a warm-up it stays in
    the state that silence left it in.
    """
    knobs = model.network.inputs - 1
    inner = kernel(model.network)

    def init(weights: NeuralWeights, _controls: jax.Array) -> State:
        return inner.init(weights.network)

    def process(
        weights: NeuralWeights, controls: Controls, state: State, block: Block
    ) -> tuple[State, Block]:
        inputs = block[:, None]
        if knobs:
            values = weights.knobs[:, :1] + weights.knobs[:, 1:] * controls
            inputs = jnp.concatenate([inputs, values.T], axis=1)
        state, outputs = inner.process(weights.network, state, inputs)
        return state, outputs[:, 0]

    return Effect(
        name="neural",
        controls=tuple(f"knob/{number}" for number in range(1, knobs + 1)),
        weights=model_weights(model),
        init=init,
        process=process,
        settle=lambda warm, _fresh: warm,
    )


def model_weights(model: Model) -> NeuralWeights:
    """Return the weights of `neural(model)` as numpy arrays, float32."""
    ranges = [(knob.low, knob.high - knob.low) for knob in model.knobs]
    played = kernel(model.network).arrange(model.weights)
    return NeuralWeights(played, np.array(ranges, np.float32).reshape(-1, 2))
