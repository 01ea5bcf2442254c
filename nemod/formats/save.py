"""`save_model`: writes a recurrent model as GuitarML JSON, with the metadata that nemod reads."""

import json
from os import PathLike
from pathlib import Path

import numpy as np

from nemod.common.errors import ModelError
from nemod.common.files import replacing
from nemod.formats.model import Model
from nemod.formats.network import Dense, Gru, Lstm, Residual, Stack
from nemod.formats.readers.document import Json
from nemod.formats.weights import GruWeights, LstmWeights


def save_model(model: Model, path: str | PathLike[str]) -> None:
    """Write a model of LSTM or GRU layers with a dense head as `rec.*`, `lin.*` JSON.

    The file is replaced as a whole or not at all.

    Raises: ModelError for a model that this layout cannot hold; OSError from the disk.
    """
    file = Path(path)
    text = json.dumps(_document(model, str(file)), allow_nan=False)
    with replacing(file) as draft:
        draft.write_text(text + "\n", encoding="utf-8")


def _document(model: Model, path: str) -> dict[str, Json]:
    network = model.network
    skip = isinstance(network, Residual)
    body = network.body if isinstance(network, Residual) else network
    *recurrent, head = body.layers if isinstance(body, Stack) else (body,)
    kinds = {type(layer) for layer in recurrent}
    widths = {layer.outputs for layer in recurrent}
    if (
        not isinstance(head, Dense)
        or kinds not in ({Lstm}, {Gru})
        or len(widths) != 1
        or (model.in_gain, model.out_gain) != (1.0, 1.0)
        or any(np.any(own.start) for own in model.weights[:-1])
    ):
        raise ModelError(
            path,
            f"{model.name} ({model.dialect}) cannot be written as GuitarML JSON, which holds LSTM "
            "or GRU layers of one size that start at zero, a dense head and no gains",
        )
    tensors: dict[str, Json] = {}
    for number, own in enumerate(model.weights[:-1]):
        bias_x, bias_h = _biases(own)
        tensors[f"rec.weight_ih_l{number}"] = own.w_x.tolist()
        tensors[f"rec.weight_hh_l{number}"] = own.w_h.tolist()
        tensors[f"rec.bias_ih_l{number}"] = bias_x.tolist()
        tensors[f"rec.bias_hh_l{number}"] = bias_h.tolist()
    tensors["lin.weight"] = model.weights[-1].w.tolist()
    tensors["lin.bias"] = model.weights[-1].bias.tolist()
    document: dict[str, Json] = {
        "model_data": {
            "model": "SimpleRNN",
            "input_size": network.inputs,
            "skip": int(skip),
            "output_size": network.outputs,
            "unit_type": "LSTM" if kinds == {Lstm} else "GRU",
            "num_layers": len(recurrent),
            "hidden_size": widths.pop(),
            "bias_fl": True,
            "sample_rate": model.sample_rate,
        },
        "metadata": {
            "sample_rate": model.sample_rate,
            "knobs": [
                {"name": k.name, "low": k.low, "high": k.high, "default": k.default}
                for k in model.knobs
            ],
            **model.info.plain(),
        },
        "state_dict": tensors,
    }
    if model.probe:
        document["probe"] = {
            "input": model.probe.inputs.tolist(),
            "output": model.probe.output.tolist(),
        }
    return document


def _biases(weights: LstmWeights | GruWeights) -> tuple[np.ndarray, np.ndarray]:
    """Return PyTorch's two biases: all in the first, except the bias that a GRU's r scales."""
    second = np.zeros_like(weights.bias)
    if isinstance(weights, GruWeights):
        second[-weights.bias_n.size :] = weights.bias_n
    return weights.bias, second
