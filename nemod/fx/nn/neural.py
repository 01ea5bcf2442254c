"""The model as an effect: sound and knobs in, sound out."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from nemod.formats.model import Model
from nemod.formats.network import Network
from nemod.fx.effect import Block, Controls, Effect, State
from nemod.fx.nn.network import kernel


class NeuralWeights(NamedTuple):
    """What the effect is given: two models with equal networks share one program."""

    network: Any
    """The model's own numbers."""
    knobs: NDArray[np.float32]
    """[knobs, 2]: what the network gets at position 0, and how much more at position 1."""


def neural(model: Model) -> Effect:
    """Return the effect that plays a model; its weights are `model_weights(model)`.

    It listens to `knob/1`, `knob/2`, ...: positions 0..1, mapped to each knob's own range. It
    depends on `model.network` and the number of knobs only.
    """
    return neural_of(model.network)


def neural_of(network: Network) -> Effect:
    """Return the effect for all models of one network."""
    knobs = network.inputs - 1
    inner = kernel(network)

    def init(weights: NeuralWeights, controls: jax.Array) -> State:
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
        init=init,
        process=process,
    )


def model_weights(model: Model) -> NeuralWeights:
    """Return the weights of `neural(model)`, float32 arrays of numpy."""
    ranges = [(knob.low, knob.high - knob.low) for knob in model.knobs]
    return NeuralWeights(model.weights, np.array(ranges, np.float32).reshape(-1, 2))
