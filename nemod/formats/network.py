"""What a model computes, without its numbers: frozen sizes, and the arrays that fill them.

A `Network` maps [frames, channels] to [frames, channels]. It is hashable and holds sizes only, so
it is the key of a compiled program; the numbers are NamedTuples of float32 arrays, whose shapes
each class states. Memory between blocks belongs to the kernels, not to this page.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


class LstmWeights(NamedTuple):
    """Numbers of an `Lstm`; gate rows are stacked i, f, g, o, the two biases are summed."""

    w_x: Array
    """[4 hidden, inputs]"""
    w_h: Array
    """[4 hidden, hidden]"""
    bias: Array
    """[4 hidden]"""
    start: Array
    """[2, hidden]: the hidden and the cell state before the first sample."""


class GruWeights(NamedTuple):
    """Numbers of a `Gru`; gate rows are stacked r, z, n.

    The recurrent bias of n stays apart, because r multiplies it; those of r and z are summed.
    """

    w_x: Array
    """[3 hidden, inputs]"""
    w_h: Array
    """[3 hidden, hidden]"""
    bias: Array
    """[3 hidden]"""
    bias_n: Array
    """[hidden]: n = tanh(w_x x + bias + r (w_h h + bias_n))"""
    start: Array
    """[hidden]: the state before the first sample."""


class DenseWeights(NamedTuple):
    """Numbers of a `Dense`."""

    w: Array
    """[outputs, inputs]"""
    bias: Array
    """[outputs]"""


class GainsWeights(NamedTuple):
    """Numbers of a `Gains`."""

    before: Array
    """[]: ratio for channel 0 of the input (the sound; knobs are left alone)."""
    after: Array
    """[]: ratio for the output."""
    body: Any


@dataclass(frozen=True, slots=True)
class Lstm:
    """One layer of long short-term memory [hidden]. Weights: `LstmWeights`."""

    inputs: int
    hidden: int

    @property
    def outputs(self) -> int:
        """Channels that come out."""
        return self.hidden


@dataclass(frozen=True, slots=True)
class Gru:
    """One layer of gated recurrent units [hidden]. Weights: `GruWeights`."""

    inputs: int
    hidden: int

    @property
    def outputs(self) -> int:
        """Channels that come out."""
        return self.hidden


@dataclass(frozen=True, slots=True)
class Dense:
    """The same affine map for every frame. Weights: `DenseWeights`."""

    inputs: int
    outputs: int


@dataclass(frozen=True, slots=True)
class Stack:
    """Layers one after the other. Weights: a tuple, one member per layer."""

    layers: tuple["Network", ...]

    @property
    def inputs(self) -> int:
        """Channels that go in."""
        return self.layers[0].inputs

    @property
    def outputs(self) -> int:
        """Channels that come out."""
        return self.layers[-1].outputs


@dataclass(frozen=True, slots=True)
class Residual:
    """A body whose output channels get the leading input channels added. Weights: the body's."""

    body: "Network"

    @property
    def inputs(self) -> int:
        """Channels that go in."""
        return self.body.inputs

    @property
    def outputs(self) -> int:
        """Channels that come out."""
        return self.body.outputs


@dataclass(frozen=True, slots=True)
class Gains:
    """A body between two gains that its file asks for. Weights: `GainsWeights`."""

    body: "Network"

    @property
    def inputs(self) -> int:
        """Channels that go in."""
        return self.body.inputs

    @property
    def outputs(self) -> int:
        """Channels that come out."""
        return self.body.outputs


Network = Lstm | Gru | Dense | Stack | Residual | Gains


def count_numbers(weights: Any) -> int:
    """Return how many learnt numbers a pytree of arrays holds."""
    if isinstance(weights, np.ndarray):
        return weights.size
    children = weights.values() if isinstance(weights, Mapping) else weights
    return sum(count_numbers(child) for child in children)
