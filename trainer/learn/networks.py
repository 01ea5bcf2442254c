"""Builds the network of a recipe and draws its initial weights."""

import numpy as np
from numpy.typing import NDArray

from nemod.formats.network import (
    Activation,
    Conv1d,
    Curve,
    Dense,
    Gru,
    Lstm,
    Network,
    Residual,
    Stack,
)
from nemod.formats.weights import ConvWeights, DenseWeights, GruWeights, LstmWeights, Weights
from trainer.learn.recipe import Recipe


def network_of(recipe: Recipe, knobs: int) -> Network:
    """Return the network of a recipe, with inputs for the sound and `knobs` knobs."""
    layers: list[Network] = []
    width = 1 + knobs
    if recipe.arch == "cnn":
        for dilation in recipe.dilations:
            layers.append(Conv1d(width, recipe.channels, recipe.kernel, dilation))
            layers.append(Activation(Curve(recipe.activation), recipe.channels))
            width = recipe.channels
    else:
        kind = Lstm if recipe.arch == "lstm" else Gru
        for _ in range(recipe.layers):
            layers.append(kind(width, recipe.hidden))
            width = recipe.hidden
    layers.append(Dense(width, 1))
    stack = Stack(tuple(layers))
    return Residual(stack) if recipe.skip else stack


def initial_weights(network: Network, seed: int) -> tuple[Weights, ...]:
    """Return random weights with the distribution of PyTorch: uniform within 1 / sqrt(n).

    n is the number of hidden units of a recurrent layer, and of inputs of any other layer.
    """
    body = network.body if isinstance(network, Residual) else network
    assert isinstance(body, Stack)
    rng = np.random.default_rng(seed)
    return tuple(_layer(rng, layer) for layer in body.layers)


def _layer(rng: np.random.Generator, layer: Network) -> Weights:
    def draw(bound: int, *shape: int) -> NDArray[np.float32]:
        return rng.uniform(-(bound**-0.5), bound**-0.5, shape).astype(np.float32)

    match layer:
        case Lstm(inputs=inputs, hidden=n):
            start = np.zeros((2, n), np.float32)
            bias = draw(n, 4 * n) + draw(n, 4 * n)
            return LstmWeights(draw(n, 4 * n, inputs), draw(n, 4 * n, n), bias, start)
        case Gru(inputs=inputs, hidden=n):
            first, second = draw(n, 3 * n), draw(n, 3 * n)
            first[: 2 * n] += second[: 2 * n]
            w_x, w_h = draw(n, 3 * n, inputs), draw(n, 3 * n, n)
            return GruWeights(w_x, w_h, first, second[2 * n :], np.zeros(n, np.float32))
        case Conv1d(inputs=inputs, outputs=outputs, kernel=taps):
            n = taps * inputs
            return ConvWeights(draw(n, outputs, n), draw(n, outputs))
        case Dense(inputs=n, outputs=outputs):
            return DenseWeights(draw(n, outputs, n), draw(n, outputs))
        case Activation():
            return ()
        case _:
            raise TypeError(f"{layer} cannot be trained")


def count(weights: Weights) -> int:
    """Return the number of trainable parameters."""
    if isinstance(weights, (LstmWeights, GruWeights)):
        return count(tuple(weights[:-1]))  # without `start`, which is not trained
    if isinstance(weights, tuple):
        return sum(count(part) for part in weights)
    return 0 if weights is None else int(np.size(weights))
