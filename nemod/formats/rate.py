"""A recurrent network at another sample rate than its own: a delay-corrected state.

A recurrence feeds its state back after one frame of the rate that it was trained at. At another
rate that time is a fraction of frames, so the state is taken from between the frames by Lagrange
interpolation: A. Carson, A. Wright, J. Chowdhury, V. Valimaki and S. Bilbao, "Sample rate
independent recurrent neural networks for audio effects processing", DAFx 2024; the interpolator's
coefficients as in T. I. Laakso et al., "Splitting the unit delay", IEEE Signal Processing Magazine
13(1), 1996.
"""

import math
from dataclasses import replace

from nemod.formats.network import (
    Activation,
    Dense,
    Gains,
    Gru,
    Lstm,
    Network,
    Prelu,
    Residual,
    Scale,
    Stack,
)

ORDER = 3
"""Of the interpolator, where the delay is at least a frame and not a whole number of them."""


def state_taps(ratio: float, order: int = ORDER) -> tuple[float, ...]:
    """Return the weights of the states 1, 2, ... frames ago for a delay of `ratio` frames.

    A whole number of frames is one tap. Below one frame the newest state is a frame old already:
    the line through the last two is followed on.
    """
    if abs(ratio - round(ratio)) < 1e-9 and ratio > 0.5:
        return (*(0.0,) * (round(ratio) - 1), 1.0)
    if ratio < 1.0:
        order = 1
    # As central as the newest state allows.
    first = max(1, math.floor(ratio) - (order - 1) // 2)
    points = range(first, first + order + 1)
    weights = [
        math.prod((ratio - other) / (point - other) for other in points if other != point)
        for point in points
    ]
    return (*(0.0,) * (first - 1), *weights)


def is_recurrent(network: Network) -> bool:
    """Return whether all of a network's memory is in LSTM and GRU layers, and there is any."""
    match network:
        case Lstm() | Gru():
            return True
        case Stack(layers=layers):
            has_memory = [layer for layer in layers if not is_memoryless(layer)]
            return bool(has_memory) and all(is_recurrent(layer) for layer in has_memory)
        case Residual(body=body) | Gains(body=body):
            return is_recurrent(body)
        case _:
            return False


def is_memoryless(network: Network) -> bool:
    """Return whether a network is the same at every rate."""
    match network:
        case Dense() | Activation() | Prelu() | Scale():
            return True
        case Stack(layers=layers):
            return all(is_memoryless(layer) for layer in layers)
        case Residual(body=body) | Gains(body=body):
            return is_memoryless(body)
        case _:
            return False


def with_state_delay(network: Network, ratio: float, order: int = ORDER) -> Network:
    """Return a recurrent network for a device whose rate is `ratio` times the model's."""
    match network:
        case Lstm() | Gru():
            return replace(network, taps=state_taps(ratio, order))
        case Stack(layers=layers):
            changed = tuple(with_state_delay(layer, ratio, order) for layer in layers)
            return replace(network, layers=changed)
        case Residual() | Gains():
            return replace(network, body=with_state_delay(network.body, ratio, order))
        case _:
            return network
