"""Exports a trained network with its metadata to a file that other players can read."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from nemod.common.errors import ModelError
from nemod.common.files import replacing
from nemod.formats import Knob, Model, Probe, save_model
from nemod.formats.network import Activation, Conv1d, Dense, Network, Residual, Stack
from nemod.formats.readers.document import Json
from nemod.formats.readers.info_reader import info_of
from nemod.formats.weights import Weights
from trainer.data.dataset import Dataset, Pair
from trainer.learn.evaluate import play
from trainer.learn.segments import inputs_of

PROBE_FRAMES = 2048


def as_model(
    name: str, network: Network, weights: Weights, dataset: Dataset, metadata: Mapping[str, Json]
) -> Model:
    """Return the model with its knobs, its sample rate and a probe from the data set.

    The probe of a CNN has all knobs at 0: RTNeural test vectors do not state knob positions.
    """
    pair = _loudest((dataset.test or dataset.validation or dataset.train)[0])
    if _convolutional(network):
        pair = replace(pair, knobs=(0.0,) * len(pair.knobs))
    (output,) = play(network, weights, [pair])
    return Model(
        name=name,
        dialect="guitarml",
        network=network,
        weights=weights,
        knobs=tuple(_knob(knob, dataset) for knob in dataset.knobs),
        sample_rate=dataset.rate,
        rate_stated=True,
        probe=Probe(inputs_of(pair), output),
        info=info_of(metadata),
    )


def _knob(name: str, dataset: Dataset) -> Knob:
    if name in dataset.defaults:
        return Knob(name, default=dataset.defaults[name])
    return Knob(name)


def _loudest(pair: Pair) -> Pair:
    """Return the part of a recording with the most energy, of the length of a probe."""
    count = pair.dry.size // PROBE_FRAMES
    if count < 2:
        return Pair(pair.name, pair.dry[:PROBE_FRAMES], pair.wet[:PROBE_FRAMES], pair.knobs)
    energy = np.square(pair.dry[: count * PROBE_FRAMES]).reshape(count, -1).sum(1)
    at = int(energy.argmax()) * PROBE_FRAMES
    span = slice(at, at + PROBE_FRAMES)
    return Pair(pair.name, pair.dry[span], pair.wet[span], pair.knobs)


def write(model: Model, path: Path) -> None:
    """Write a recurrent model as GuitarML JSON and others as RTNeural JSON, atomically.

    Raises: ModelError for a network that neither format supports; OSError if writing fails.
    """
    body = _convolutional(model.network)
    if body is None:
        save_model(model, path)
        return
    text = json.dumps(_rtneural(model, body, str(path)), allow_nan=False)
    with replacing(path) as draft:
        draft.write_text(text + "\n", encoding="utf-8")


def _convolutional(network: Network) -> Stack | None:
    """Return the layers of a CNN without the skip connection, or None for other networks."""
    body = network.body if isinstance(network, Residual) else network
    return body if isinstance(body, Stack) and isinstance(body.layers[0], Conv1d) else None


def _rtneural(model: Model, body: Stack, path: str) -> dict[str, Any]:
    """Return keras-style layers: matrices are [inputs, outputs], kernels [taps, inputs, outputs].

    Skip connection, rate and test vector are written as in AIDA-X files; the test vector is of the
    network without the skip connection, with all knobs at 0, because it cannot state others.
    """
    document: dict[str, Any] = {
        "in_shape": [None, None, model.network.inputs],
        "layers": _layers(body, model.weights, path),
        "in_skip": int(isinstance(model.network, Residual)),
        "samplerate": model.sample_rate,
        "metadata": {
            "knobs": [
                {"name": k.name, "low": k.low, "high": k.high, "default": k.default}
                for k in model.knobs
            ],
            **model.info.plain(),
        },
    }
    if model.probe and not model.probe.inputs[:, 1:].any():
        sound = model.probe.inputs[:, 0]
        bare = model.probe.output - (sound if document["in_skip"] else np.float32(0.0))
        document["input_batch"] = sound.tolist()
        document["output_batch"] = bare.tolist()
    return document


def _layers(body: Stack, weights: Sequence[Any], path: str) -> list[dict[str, Any]]:
    layers: list[dict[str, Any]] = []
    for layer, own in zip(body.layers, weights, strict=True):
        shape = [None, None, layer.outputs]
        match layer:
            case Conv1d(inputs=inputs, outputs=outputs, kernel=taps, dilation=dilation):
                kernel = np.asarray(own.w).reshape(outputs, taps, inputs).transpose(1, 2, 0)
                layers.append(
                    {
                        "type": "conv1d",
                        "activation": "",
                        "shape": shape,
                        "kernel_size": [taps],
                        "dilation": [dilation],
                        "groups": 1,
                        "weights": [kernel.tolist(), np.asarray(own.bias).tolist()],
                    }
                )
            case Dense():
                numbers = [np.asarray(own.w).T.tolist(), np.asarray(own.bias).tolist()]
                layers.append(
                    {"type": "dense", "activation": "", "shape": shape, "weights": numbers}
                )
            case Activation(curve=curve):
                layers.append(
                    {
                        "type": "activation",
                        "activation": curve.kind,
                        "shape": shape,
                        "weights": [],
                    }
                )
            case _:
                raise ModelError(path, f"RTNeural JSON does not support {layer}")
    return layers
