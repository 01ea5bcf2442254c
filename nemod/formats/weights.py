"""The numbers of a network: pytrees of float32 arrays, described by the classes of `network`."""

from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Weights: TypeAlias = "Array | tuple[Weights, ...] | None"
"""Any of the NamedTuples below, or a tuple of them where a network has several members."""


class LstmWeights(NamedTuple):
    """Weights of an `Lstm`; gate rows are stacked i, f, g, o, the two biases are summed."""

    w_x: Array
    """[4 hidden, inputs]"""
    w_h: Array
    """[4 hidden, hidden]"""
    bias: Array
    """[4 hidden]"""
    start: Array
    """[2, hidden]: the hidden and the cell state before the first sample."""


class GruWeights(NamedTuple):
    """Weights of a `Gru`; gate rows are stacked r, z, n.

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
    """Weights of a `Dense`."""

    w: Array
    """[outputs, inputs]"""
    bias: Array
    """[outputs]"""


class GainsWeights(NamedTuple):
    """Weights of a `Gains`."""

    before: Array
    """[]: ratio for channel 0 of the input, the audio; knobs are unchanged."""
    after: Array
    """[]: ratio for the output."""
    body: Weights


class PreluWeights(NamedTuple):
    """Weights of a `Prelu`."""

    slopes: Array
    """[channels]"""


class ScaleWeights(NamedTuple):
    """Weights of a `Scale`."""

    factor: Array
    """[channels]"""
    offset: Array
    """[channels]"""


class ConvWeights(NamedTuple):
    """Weights of a `Conv1d`."""

    w: Array
    """[outputs, kernel * inputs]: tap by tap, the oldest first."""
    bias: Array
    """[outputs]"""


class FilmWeights(NamedTuple):
    """Weights of a `Film`; rows are the factors, then the shifts if there are any."""

    w: Array
    """[rows, condition]"""
    bias: Array
    """[rows, 1]"""


class WaveNetLayerWeights(NamedTuple):
    """Weights of a `WaveNetLayer`; every last column is the bias, but for `mixin`.

    In an array the layers of a run are stacked, with one more axis in front.
    """

    conv: Array
    """[m, kernel * channels + condition + 1], or without the condition where it is not joined;
    m is the bottleneck, twice that with a gate."""
    mixin: Array | None
    """[m, condition] where it is not joined."""
    residual: Array | None
    """[channels, bottleneck + 1]"""
    head: Array | None
    """[head channels, bottleneck + 1]"""
    films: tuple[FilmWeights, ...]


class WaveNetArrayWeights(NamedTuple):
    """Weights of a `WaveNetArray`; every last column is a bias."""

    rechannel: Array
    """[channels, inputs + 1]"""
    runs: tuple[WaveNetLayerWeights, ...]
    """For each of `WaveNetArray.runs` the weights of its layers, stacked."""
    head: Array
    """[head outputs, head kernel * head inputs + 1]"""


class WaveNetWeights(NamedTuple):
    """Weights of a `WaveNet`."""

    arrays: tuple[WaveNetArrayWeights, ...]
    scale: Array
    """[]: factor of the last array's head."""
    condition: Weights
    """Of `condition`, or ()."""
    head: Weights
    """Of `head`, or ()."""
