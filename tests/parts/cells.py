"""Recurrent models that are sensitive to the gain inside their loop."""

import numpy as np

from nemod.formats.model import Model
from nemod.formats.network import Dense, Lstm, Stack
from nemod.formats.weights import DenseWeights, LstmWeights

HIDDEN = 6


def _lstm(name: str, input_gain: float, loop_gain: float, forget_bias: float) -> Model:
    """Return a model of one LSTM layer for 48 kHz whose recurrent weights have one singular value.

    Its gates are random rotations, scaled by `loop_gain`, so that it has modes at all frequencies.
    """
    rng = np.random.default_rng(11)
    bias = rng.normal(0.0, 0.3, (4, HIDDEN))
    bias[0] -= 1.0
    bias[1] += forget_bias
    turns = [np.linalg.qr(rng.normal(size=(HIDDEN, HIDDEN)))[0] for _ in range(4)]
    weights = LstmWeights(
        w_x=(input_gain * rng.normal(size=(4 * HIDDEN, 1))).astype(np.float32),
        w_h=(loop_gain * np.concatenate(turns)).astype(np.float32),
        bias=bias.reshape(-1).astype(np.float32),
        start=np.zeros((2, HIDDEN), np.float32),
    )
    head = DenseWeights(
        rng.normal(0.0, 0.4, (1, HIDDEN)).astype(np.float32), np.zeros(1, np.float32)
    )
    return Model(
        name=name,
        dialect="guitarml",
        network=Stack((Lstm(1, HIDDEN), Dense(HIDDEN, 1))),
        weights=(weights, head),
        sample_rate=48_000,
    )


def slow_memory() -> Model:
    """Return a model whose forget gates stay near 0.998: it remembers for about 10 ms."""
    return _lstm("slow-memory", 0.5, 0.1, 6.0)


def high_gain() -> Model:
    """Return a model that clips hard, with large recurrent weights."""
    return _lstm("high-gain", 8.0, 0.7, 1.0)
