"""A network in a few words."""

from itertools import groupby

from nemod.formats.network import (
    Activation,
    Conv1d,
    Dense,
    Gains,
    Gru,
    Lstm,
    Network,
    Prelu,
    Residual,
    Scale,
    Stack,
    WaveNet,
)
from nemod.formats.weights import Weights


def summary(network: Network) -> str:
    """Return a network in words, as `LSTM 20, dense 1, skip`."""
    match network:
        case Lstm():
            return f"LSTM {network.hidden}"
        case Gru():
            return f"GRU {network.hidden}"
        case Dense():
            return f"dense {network.outputs}"
        case Activation():
            return network.curve.kind.replace("_", " ")
        case Prelu():
            return "PReLU"
        case Scale():
            return "batch norm"
        case Conv1d():
            spread = f", dilation {network.dilation}" if network.dilation > 1 else ""
            return f"conv {network.outputs} ({network.kernel} taps{spread})"
        case Stack():
            words = [
                (word, len(list(same))) for word, same in groupby(map(summary, network.layers))
            ]
            return ", ".join(f"{count} x {word}" if count > 1 else word for word, count in words)
        case Residual():
            return f"{summary(network.body)}, skip"
        case Gains():
            return f"{summary(network.body)}, gains"
        case WaveNet():
            return _wavenet(network)


def _wavenet(network: WaveNet) -> str:
    arrays = ", ".join(
        f"{len(array.layers)} layers of {array.channels} channels" for array in network.arrays
    )
    extras = {
        "gated": any(layer.gate != "none" for array in network.arrays for layer in array.layers),
        "FiLM": any(layer.films for array in network.arrays for layer in array.layers),
        "own condition": network.condition is not None,
        "own head": network.head is not None,
    }
    return ", ".join([f"WaveNet: {arrays}", *(word for word, there in extras.items() if there)])


def parameters(weights: Weights) -> int:
    """Return the number of parameters: of all numbers in a network's weights."""
    if weights is None:
        return 0
    if not isinstance(weights, tuple):
        return int(weights.size)
    return sum(parameters(member) for member in weights)
