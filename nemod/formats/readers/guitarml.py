"""Reader of GuitarML's JSON, of the paper's own, and of what this project's trainer writes.

`model_data` holds the sizes, `state_dict` PyTorch's tensors: a recurrent part (`rec`, `lstm` or
`gru`) and a linear head (`lin` or `dense`). RecNet files chain several such blocks.
"""

from collections.abc import Callable

import numpy as np

from nemod.formats.network import Network, Residual, Stack
from nemod.formats.readers.common import (
    MAX_HIDDEN,
    MAX_INPUTS,
    MAX_LAYERS,
    MAX_OUTPUTS,
    Layer,
    dense_layer,
    gru_layer,
    lstm_layer,
    refuse_outputs,
)
from nemod.formats.readers.document import Array, Node
from nemod.formats.readers.info_reader import read_info
from nemod.formats.readers.reading import Reading, Source
from nemod.formats.weights import Weights

RECURRENT_KEYS = ("rec", "lstm", "gru")
HEAD_KEYS = ("lin", "dense")
UNITS = {"LSTM": 4, "GRU": 3}
"""Kinds of recurrent unit, and the number of gates of each."""


def matches(root: Node) -> bool:
    """Return whether a JSON object is of this dialect."""
    return root.has("model_data") and (root.has("state_dict") or root.has("blocks"))


def read(source: Source) -> Reading:
    """Return the model of a document of this dialect."""
    root, extras, _ = source
    data = root.child("model_data")
    for key in ("model_type", "model"):
        kind = data.optional(key)
        word = extras.get(kind, Node.text) or ""
        if kind and word.lower() in ("gcntf", "gcn", "tcn", "convnet", "wavenet"):
            kind.fail(
                f"{word!r} is a convolutional model, expected a recurrent one (SimpleRNN, RecNet)"
            )
    if not root.has("state_dict"):
        root.fail("has no 'state_dict': this describes a model without its weights")
    tensors = _Tensors(root.child("state_dict"))
    if root.has("blocks"):
        network, weights = _rec_net(root.child("blocks"), tensors)
    else:
        network, weights = _simple_rnn(data, tensors)
    tensors.all_used()
    metadata = extras.object(root.optional("metadata"))
    knobs = network.inputs - 1
    return Reading(
        network=network,
        weights=weights,
        knobs=extras.knobs(metadata, knobs),
        sample_rate=extras.rate(
            data.optional("sample_rate"), metadata.optional("sample_rate") if metadata else None
        ),
        probe=extras.probe(root.optional("probe"), knobs),
        info=read_info([metadata] if metadata else [], extras, without=("knobs", "sample_rate")),
    )


class _Tensors:
    """The state dict. It records which tensors were read, so that none is silently ignored."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self._left = set(node.keys())

    def prefix(self, start: str, allowed: tuple[str, ...], tail: str) -> str:
        for word in allowed:
            if f"{start}{word}.{tail}" in self._left:
                return f"{start}{word}."
        names = " or ".join(repr(f"{start}{word}.{tail}") for word in allowed)
        return self.node.fail(f"has no {names}")

    def get(self, key: str) -> Node:
        node = self.node.child(key)
        self._left.discard(key)
        return node

    def has(self, key: str) -> bool:
        return self.node.has(key)

    def optional(self, key: str, *shape: int) -> Array:
        """Return a bias, zero where the file has none."""
        return self.get(key).array(*shape) if self.has(key) else np.zeros(shape, np.float32)

    def all_used(self) -> None:
        for key in sorted(self._left):
            self.node.child(key).fail("a tensor that no SimpleRNN or RecNet has")


def _simple_rnn(data: Node, tensors: _Tensors) -> tuple[Network, Weights]:
    outputs = data.optional("output_size")
    if outputs:
        refuse_outputs(outputs, outputs.integer(1, MAX_OUTPUTS))
    layers = data.optional("num_layers")
    bias = data.optional("bias_fl")
    has_bias = bias.flag() if bias else True
    skip = data.optional("skip")
    return _block(
        tensors,
        "",
        unit=data.optional("unit_type"),
        inputs=data.child("input_size").integer(1, MAX_INPUTS),
        outputs=1,
        hidden=data.child("hidden_size").integer(1, MAX_HIDDEN),
        layers=layers.integer(1, MAX_LAYERS) if layers else 1,
        rec_bias=has_bias,
        lin_bias=has_bias,
        skip=skip.flag() if skip else True,
    )


def _rec_net(blocks: Node, tensors: _Tensors) -> tuple[Network, Weights]:
    count = len(blocks.keys())
    if not 1 <= count <= MAX_LAYERS:
        blocks.fail(f"{count} blocks, expected 1 to {MAX_LAYERS}")
    networks: list[Network] = []
    weights: list[Weights] = []
    for number in range(count):
        block = blocks.child(str(number))
        inputs = block.child("input_size")
        outputs = block.optional("output_size")
        lin_bias = block.optional("lin_bias")
        # CoreAudioML uses the block's own skip, 1 if absent; it ignores `model_data.skip`, which
        # is 0 in these files.
        skip = block.optional("skip")
        layers = block.optional("num_layers")
        network, own = _block(
            tensors,
            f"layers.block_{number + 1}.",
            unit=block.optional("block_type"),
            inputs=inputs.integer(1, MAX_INPUTS),
            outputs=outputs.integer(1, MAX_OUTPUTS) if outputs else 1,
            hidden=block.child("hidden_size").integer(1, MAX_HIDDEN),
            layers=layers.integer(1, MAX_LAYERS) if layers else 1,
            rec_bias=True,
            lin_bias=lin_bias.flag() if lin_bias else False,
            skip=skip.flag() if skip else True,
        )
        if networks and networks[-1].outputs != network.inputs:
            inputs.fail(
                f"{network.inputs}, but the previous block has {networks[-1].outputs} outputs"
            )
        networks.append(network)
        weights.append(own)
    refuse_outputs(blocks, networks[-1].outputs)
    if count == 1:
        return networks[0], weights[0]
    return Stack(tuple(networks)), tuple(weights)


def _block(
    tensors: _Tensors,
    start: str,
    *,
    unit: Node | None,
    inputs: int,
    outputs: int,
    hidden: int,
    layers: int,
    rec_bias: bool,
    lin_bias: bool,
    skip: bool,
) -> tuple[Network, Weights]:
    prefix = tensors.prefix(start, RECURRENT_KEYS, "weight_hh_l0")
    gates = _gates(
        unit, prefix.removeprefix(start), tensors.node.child(f"{prefix}weight_hh_l0"), hidden
    )
    build: Callable[..., Layer] = lstm_layer if gates == 4 else gru_layer
    built: list[Layer] = []
    channels = inputs
    for layer in range(layers):
        biases = []
        for side in ("ih", "hh"):
            key = f"{prefix}bias_{side}_l{layer}"
            wanted = rec_bias or tensors.has(key)
            biases.append(
                tensors.get(key).array(gates * hidden)
                if wanted
                else np.zeros(gates * hidden, np.float32)
            )
        w_x = tensors.get(f"{prefix}weight_ih_l{layer}").array(gates * hidden, channels)
        w_h = tensors.get(f"{prefix}weight_hh_l{layer}").array(gates * hidden, hidden)
        built.append(build(w_x, w_h, *biases))
        channels = hidden
    head = tensors.prefix(start, HEAD_KEYS, "weight")
    w = tensors.get(f"{head}weight").array(outputs, hidden)
    if lin_bias:
        lin = tensors.get(f"{head}bias").array(outputs)
    else:
        lin = tensors.optional(f"{head}bias", outputs)
    built.append(dense_layer(w, lin))
    network: Network = Stack(tuple(layer.network for layer in built))
    weights = tuple(layer.weights for layer in built)
    return (Residual(network) if skip else network), weights


def _gates(unit: Node | None, prefix: str, w_h: Node, hidden: int) -> int:
    """Return 4 for an LSTM, 3 for a GRU: as stated, or by the key's name, or by the rows."""
    if unit:
        word = unit.text().upper()
        if word not in UNITS:
            unit.expected(" or ".join(UNITS))
        return UNITS[word]
    if prefix in ("lstm.", "gru."):
        return UNITS[prefix[:-1].upper()]
    rows = len(w_h.sequence())
    for gates in UNITS.values():
        if rows == gates * hidden:
            return gates
    return w_h.fail(f"{rows} rows, expected {4 * hidden} (LSTM) or {3 * hidden} (GRU)")
