"""A network in a few words, for people."""

from typing import Any

from nemod.formats.network import Dense, Gains, Gru, Lstm, Network, Residual, Stack


def summary(network: Network) -> str:
    """Return what a network is, as `LSTM 20, dense 1, skip`."""
    return _summary(network)


def _summary(network: Any) -> str:
    match network:
        case Lstm(hidden=hidden):
            return f"LSTM {hidden}"
        case Gru(hidden=hidden):
            return f"GRU {hidden}"
        case Dense(outputs=outputs):
            return f"dense {outputs}"
        case Stack(layers=layers):
            return ", ".join(summary(layer) for layer in layers)
        case Residual(body=body):
            return f"{summary(body)}, skip"
        case Gains(body=body):
            return summary(body)
        case _:
            return type(network).__name__


def parameters(weights: Any) -> int:
    """Return how many numbers a network's weights (a pytree of arrays) hold."""
    if hasattr(weights, "size"):
        return int(weights.size)
    return sum(parameters(member) for member in weights)
