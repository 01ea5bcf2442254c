"""Reader of RTNeural's keras-style JSON, and of AIDA-X files, which are that with extras.

`layers` is a list of keras layers in any order. Gate rows and axes differ from PyTorch's and are
turned here: LSTM rows come as i, f, c, o, GRU rows as z, r, h, matrices as [inputs, outputs].
"""

from collections.abc import Callable

import numpy as np

from nemod.common.errors import did_you_mean
from nemod.common.units import db_to_amplitude
from nemod.formats.common import (
    MAX_HIDDEN,
    MAX_INPUTS,
    MAX_LAYERS,
    MAX_PROBE_FRAMES,
    Layer,
    check_memory,
    curve_layer,
    dense_layer,
    gru_layer,
    knowledge,
    lstm_layer,
    single,
    unnamed_knobs,
)
from nemod.formats.document import Array, Node
from nemod.formats.model import Knob, Model, Probe
from nemod.formats.network import (
    Conv1d,
    ConvWeights,
    Curve,
    Gains,
    GainsWeights,
    Network,
    Prelu,
    PreluWeights,
    Residual,
    Scale,
    ScaleWeights,
    Stack,
)

SAMPLE_RATE = 48_000
"""[Hz] Rate of a file that states none, where one must be told: these programs play such a file at
whatever rate the device has; most of the files that state a rate were trained at this one."""

MAX_KERNEL = 4096
MAX_DILATION = 65_536
ACTIVATIONS = {
    "": "linear",
    "linear": "linear",
    "tanh": "tanh",
    "relu": "relu",
    "sigmoid": "sigmoid",
    "softmax": "softmax",
    "elu": "elu",
}


def matches(root: Node) -> bool:
    """Whether the document is of this dialect."""
    return isinstance(root.value.get("layers"), list) and "in_shape" in root.value


def read(root: Node, name: str) -> Model:
    """Return the model of a document of this dialect."""
    inputs = _channels(root.child("in_shape"), MAX_INPUTS)
    network, weights = _layers(root.child("layers"), inputs)
    extras = _Extras(root)
    skip = extras.find("in_skip")
    skips = skip.integer(0, 1) == 1 if skip else False
    if skips:
        network = Residual(network)
    in_gain, out_gain = extras.gain("in_gain"), extras.gain("out_gain")
    probe = _probe(root, inputs, skips, in_gain, out_gain)
    if (in_gain, out_gain) != (1.0, 1.0):
        weights = GainsWeights(single(in_gain), single(out_gain), weights)
        network = Gains(network)
    knobs = _knobs(root, inputs - 1)
    rate = extras.find("samplerate") or extras.find("sample_rate")
    return Model(
        name=name,
        dialect="rtneural",
        network=network,
        weights=weights,
        knobs=unnamed_knobs(inputs - 1) if knobs is None else knobs,
        sample_rate=rate.integer(8_000, 384_000) if rate else SAMPLE_RATE,
        rate_stated=rate is not None,
        rate_follows_device=rate is None,
        in_gain=in_gain,
        out_gain=out_gain,
        probe=probe,
        metadata={
            key: value
            for key, value in extras.metadata().items()
            if knobs is None or key != "knobs"
        },
    )


def _knobs(root: Node, count: int) -> tuple[Knob, ...] | None:
    """Return the knobs that this project's export names in `metadata`; None for other files."""
    metadata = root.optional("metadata")
    if metadata is None or not isinstance(metadata.value, dict):
        return None
    found = metadata.value.get("knobs")
    if not isinstance(found, list) or len(found) != count:
        return None
    if not all(isinstance(one, dict) and isinstance(one.get("name"), str) for one in found):
        return None
    # Nothing but the knobs: the rest of the metadata has other names in this dialect.
    return knowledge(Node(root.file, root.key, {"metadata": {"knobs": found}}), count).knobs


_USED = {
    *("layers", "in_shape", "input_batch", "output_batch", "metadata"),
    *("in_skip", "in_gain", "out_gain", "samplerate", "sample_rate"),
}


class _Extras:
    """What AIDA-X writes beside the layers: at the top, or in `metadata`."""

    def __init__(self, root: Node) -> None:
        metadata = root.optional("metadata")
        self.places = [root, metadata] if metadata else [root]

    def find(self, key: str) -> Node | None:
        for place in self.places:
            if place.has(key):
                return place.child(key)
        return None

    def gain(self, key: str) -> float:
        node = self.find(key)
        return db_to_amplitude(node.number(-120.0, 120.0)) if node else 1.0

    def metadata(self) -> dict[str, object]:
        found: dict[str, object] = {}
        for place in reversed(self.places):
            for key in place.keys():  # noqa: SIM118 - a node is no mapping
                if key not in _USED:
                    found["licence" if key == "license" else key] = place.child(key).plain()
        return found


def _channels(shape: Node, high: int) -> int:
    """Return the last number of a shape: a list, a list in a list, or the number itself."""
    while isinstance(shape.value, list):
        shape = shape.sequence(1, 8)[-1]
    return shape.integer(1, high)


def _layers(layers: Node, inputs: int) -> tuple[Network, object]:
    built: list[Layer] = []
    channels = inputs
    for place, node in enumerate(layers.sequence(1, MAX_LAYERS)):
        kind = node.child("type")
        word = kind.text()
        if word == "unknown" and place == 0 and not node.value.get("weights"):
            # Keras's input layer, which says the shape once more.
            continue
        if word not in _READERS:
            near = did_you_mean(word, _READERS)
            kind.fail(f"an unknown layer {word[:60]!r}, expected {', '.join(_READERS)}{near}")
        built += _READERS[word](node, channels)
        channels = built[-1].network.outputs if built else channels
        stated = node.optional("shape")
        if stated and (width := _channels(stated, MAX_HIDDEN)) != channels:
            stated.fail(f"{width} channels, but the layer gives {channels}")
    if not built:
        layers.fail("has no layer that computes anything")
    network = Stack(tuple(layer.network for layer in built))
    check_memory(layers, network)
    return network, tuple(layer.weights for layer in built)


def _activation(node: Node, channels: int, recurrent: bool = False) -> list[Layer]:
    """Return the activation that a layer names, as a layer, or nothing for none."""
    named = node.optional("activation")
    word = named.text() if named else ""
    if recurrent:
        if named and word not in ("", "tanh"):
            named.fail(f"{word!r}, expected 'tanh' for a recurrent layer")
        return []
    if named and word not in ACTIVATIONS:
        allowed = ", ".join(repr(known) for known in ACTIVATIONS)
        named.fail(f"an unknown activation {word!r}, expected {allowed}")
    return curve_layer(Curve(ACTIVATIONS[word]), channels)


def _weights(node: Node, low: int, high: int) -> list[Node]:
    return node.child("weights").sequence(low, high)


def _outputs(node: Node) -> int:
    return _channels(node.child("shape"), MAX_HIDDEN)


def _squeezed(node: Node, axes: int) -> Node:
    """Return the value without leading axes of one that a batch left behind."""
    depth, inner = 0, node
    while isinstance(inner.value, list) and inner.value:
        depth, inner = depth + 1, Node(node.file, f"{inner.key}[0]", inner.value[0])
    while depth > axes and len(node.value) == 1:
        node, depth = node.sequence(1, 1)[0], depth - 1
    return node


def _dense(node: Node, inputs: int) -> list[Layer]:
    outputs = _outputs(node)
    parts = _weights(node, 1, 2)
    w = _squeezed(parts[0], 2).array(inputs, outputs)
    bias = np.zeros(outputs, np.float32)
    if len(parts) == 2:
        bias = _squeezed(parts[1], 1).array(outputs)
    return [dense_layer(np.ascontiguousarray(w.T), bias), *_activation(node, outputs)]


def _lstm(node: Node, inputs: int) -> list[Layer]:
    hidden = _outputs(node)
    _activation(node, hidden, recurrent=True)
    w_x, w_h, bias = _weights(node, 3, 3)
    return [
        lstm_layer(
            np.ascontiguousarray(w_x.array(inputs, 4 * hidden).T),
            np.ascontiguousarray(w_h.array(hidden, 4 * hidden).T),
            bias.array(4 * hidden),
            np.zeros(4 * hidden, np.float32),
        )
    ]


def _gru(node: Node, inputs: int) -> list[Layer]:
    hidden = _outputs(node)
    _activation(node, hidden, recurrent=True)
    w_x, w_h, bias = _weights(node, 3, 3)
    both = bias.array(2, 3 * hidden)
    turned = (
        _turned(w_x.array(inputs, 3 * hidden).T),
        _turned(w_h.array(hidden, 3 * hidden).T),
        _turned(both[0]),
        _turned(both[1]),
    )
    return [gru_layer(*turned)]


def _turned(rows: Array) -> Array:
    """Return rows z, r, h as r, z, h."""
    z, r, h = np.split(rows, 3)
    return np.concatenate([r, z, h])


def _conv1d(node: Node, inputs: int) -> list[Layer]:
    outputs = _outputs(node)
    kernel = _first(node.child("kernel_size"), MAX_KERNEL)
    spread = node.optional("dilation")
    dilation = _first(spread, MAX_DILATION) if spread else 1
    stride = node.optional("strides") or node.optional("stride")
    if stride:
        _first(stride, 1)
    padding = node.optional("padding")
    if padding:
        padding.choice(("causal", "valid"))
    grouped = node.optional("groups")
    groups = grouped.integer(1, MAX_HIDDEN) if grouped else 1
    if grouped and (inputs % groups or outputs % groups):
        grouped.fail(f"{groups}, which must divide {inputs} inputs and {outputs} outputs")
    parts = _weights(node, 1, 2)
    taps = parts[0].array(kernel, inputs // groups, outputs)
    bias = parts[1].array(outputs) if len(parts) == 2 else np.zeros(outputs, np.float32)
    w = dense_taps(np.transpose(taps, (2, 0, 1)), groups)
    network = Conv1d(inputs, outputs, kernel, dilation)
    return [Layer(network, ConvWeights(w, bias)), *_activation(node, outputs)]


def _first(node: Node, high: int) -> int:
    """Return a size that stands alone or in a list of one."""
    return (node.sequence(1, 1)[0] if isinstance(node.value, list) else node).integer(1, high)


def dense_taps(taps: Array, groups: int) -> Array:
    """Return [outputs, kernel, inputs / groups] as [outputs, kernel * inputs], zeros between."""
    outputs, kernel, width = taps.shape
    dense = np.zeros((outputs, kernel, width * groups), np.float32)
    rows = outputs // groups
    for group in range(groups):
        own = slice(group * rows, (group + 1) * rows)
        dense[own, :, group * width : (group + 1) * width] = taps[own]
    return dense.reshape(outputs, -1)


def _batchnorm(node: Node, inputs: int) -> list[Layer]:
    parts = [part.array(inputs).astype(np.float64) for part in _weights(node, 2, 4)]
    if len(parts) == 3:
        node.child("weights").fail(
            "a list of 3, expected 2 (mean, variance) or 4 (with gamma, beta)"
        )
    given = node.optional("epsilon")
    epsilon = given.number(0.0, 1e6) if given else 1e-3
    mean, variance = parts[-2:]
    gamma, beta = parts[:2] if len(parts) == 4 else (np.ones(inputs), np.zeros(inputs))
    if np.any(variance + epsilon <= 0.0):
        node.child("weights").fail("a variance that is not positive")
    factor = gamma / np.sqrt(variance + epsilon)
    weights = ScaleWeights(single(factor), single(beta - mean * factor))
    return [Layer(Scale(inputs), weights), *_activation(node, inputs)]


def _prelu(node: Node, inputs: int) -> list[Layer]:
    (slopes,) = _weights(node, 1, 1)
    row = _squeezed(slopes, 1)
    if isinstance(row.value, list) and len(row.value) == 1:
        values = np.repeat(row.array(1), inputs)
    else:
        values = row.array(inputs)
    return [Layer(Prelu(inputs), PreluWeights(values)), *_activation(node, inputs)]


def _curve(node: Node, inputs: int) -> list[Layer]:
    return _activation(node, inputs)


def _relu(node: Node, inputs: int) -> list[Layer]:
    return curve_layer(Curve("relu"), inputs)


_READERS: dict[str, Callable[[Node, int], list[Layer]]] = {
    "dense": _dense,
    "time-distributed-dense": _dense,
    "lstm": _lstm,
    "gru": _gru,
    "conv1d": _conv1d,
    "batchnorm": _batchnorm,
    "prelu": _prelu,
    "activation": _curve,
    "relu": _relu,
}


def _probe(root: Node, inputs: int, skip: bool, in_gain: float, out_gain: float) -> Probe | None:
    """Return the embedded test vectors, which are of the bare network, as of the whole model."""
    given, made = root.optional("input_batch"), root.optional("output_batch")
    if not given or not made:
        return None
    sound, output = (_flat(node) for node in (given, made))
    if sound.size != output.size:
        # Some trainers store the knobs beside the sound; then it is no plain test vector.
        return None
    whole = output + sound if skip else output
    columns = np.zeros((sound.size, inputs), np.float32)
    columns[:, 0] = sound / in_gain
    return Probe(columns, single(whole * out_gain))


def _flat(node: Node) -> Array:
    """Return nested lists of one number each, in any wrapping, as one run of samples."""
    flat: list[object] = [node.value]
    while flat and all(isinstance(member, list) for member in flat):
        flat = [inner for member in flat if isinstance(member, list) for inner in member]
    return Node(node.file, node.key, flat).vector(MAX_PROBE_FRAMES)
