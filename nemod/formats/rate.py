"""Recurrent networks at another sample rate than their own, and which networks these are."""

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
from nemod.formats.state_delay import state_taps


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


def with_state_delay(network: Network, ratio: float) -> Network:
    """Return a recurrent network for a device whose rate is `ratio` times the model's, at least 1.

    Its state is fed back after `ratio` frames instead of one. Where that is between frames the
    result is accurate only at some ratios; see `nemod.builder.rate_policy`.
    """
    return with_taps(network, state_taps(ratio))


def with_taps(network: Network, taps: tuple[float, ...]) -> Network:
    """Return a network whose recurrences see their last states together, weighted by `taps`."""
    match network:
        case Lstm() | Gru():
            return replace(network, taps=taps)
        case Stack(layers=layers):
            return replace(network, layers=tuple(with_taps(layer, taps) for layer in layers))
        case Residual() | Gains():
            return replace(network, body=with_taps(network.body, taps))
        case _:
            return network
