"""Reader of RTNeural's keras-style JSON, and of AIDA-X files, which are that with extras.

`layers` is a list of keras layers in any order. Gate rows and axes differ from PyTorch's and are
reordered here: LSTM rows are i, f, c, o, GRU rows z, r, h, matrices [inputs, outputs].
"""

from collections.abc import Callable

import numpy as np

from nemod.common.units import db_to_amplitude
from nemod.formats.model import Probe
from nemod.formats.network import (
    Conv1d,
    Curve,
    Gains,
    Network,
    Prelu,
    Residual,
    Scale,
    Stack,
)
from nemod.formats.readers.common import (
    MAX_HIDDEN,
    MAX_INPUTS,
    MAX_LAYERS,
    Layer,
    check_state,
    curve_layer,
    dense_layer,
    gru_layer,
    lstm_layer,
    refuse_outputs,
    single,
)
from nemod.formats.readers.document import Array, Json, Node
from nemod.formats.readers.extras import MAX_PROBE_FRAMES
from nemod.formats.readers.info_reader import read_info
from nemod.formats.readers.reading import Reading, Source
from nemod.formats.weights import (
    ConvWeights,
    GainsWeights,
    PreluWeights,
    ScaleWeights,
    Weights,
)

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
    """Return whether a JSON object is of this dialect."""
    members = root.mapping()
    return isinstance(members.get("layers"), list) and "in_shape" in members


def read(source: Source) -> Reading:
    """Return the model of a document of this dialect."""
    root, extras, _ = source
    inputs = _channels(root.child("in_shape"), MAX_INPUTS)
    network, weights = _layers(root.child("layers"), inputs)
    refuse_outputs(root.child("layers"), network.outputs)
    # AIDA-X writes what follows beside the layers or in `metadata`.
    metadata = extras.object(root.optional("metadata"))
    places = [root, metadata] if metadata else [root]
    skip = _find(places, "in_skip")
    skips = skip.integer(0, 1) == 1 if skip else False
    if skips:
        network = Residual(network)
    in_gain, out_gain = _gain(places, "in_gain"), _gain(places, "out_gain")
    vectors = Node(root.file, "", [root.mapping().get(key) for key in _PROBE])
    probe = extras.get(vectors, lambda node: _probe(node, inputs, skips, in_gain, out_gain))
    if (in_gain, out_gain) != (1.0, 1.0):
        weights = GainsWeights(single(in_gain), single(out_gain), weights)
        network = Gains(network)
    rates = [place.optional(key) for key in _RATES for place in places]
    return Reading(
        network=network,
        weights=weights,
        knobs=extras.knobs(metadata, inputs - 1),
        sample_rate=extras.rate(*rates),
        in_gain=in_gain,
        out_gain=out_gain,
        probe=probe,
        info=read_info(places, extras, without=_USED),
    )


_PROBE = ("input_batch", "output_batch")
_RATES = ("samplerate", "sample_rate")
_USED = {
    *("layers", "in_shape", "metadata", "knobs", "in_skip", "in_gain", "out_gain"),
    *(*_PROBE, *_RATES),
}
"""Keys that are no metadata."""


def _find(places: list[Node], key: str) -> Node | None:
    return next((place.child(key) for place in places if place.has(key)), None)


def _gain(places: list[Node], key: str) -> float:
    node = _find(places, key)
    return db_to_amplitude(node.number(-120.0, 120.0)) if node else 1.0


def _channels(shape: Node, high: int) -> int:
    """Return the last number of a shape: a list, a list in a list, or the number itself."""
    while isinstance(shape.value, list):
        shape = shape.sequence(1, 8)[-1]
    return shape.integer(1, high)


def _layers(layers: Node, inputs: int) -> tuple[Network, Weights]:
    built: list[Layer] = []
    channels = inputs
    for place, node in enumerate(layers.sequence(1, MAX_LAYERS)):
        kind = node.child("type")
        word = kind.text()
        if word == "unknown" and place == 0 and not node.mapping().get("weights"):
            # Keras's input layer, which repeats the shape.
            continue
        if word not in _READERS:
            kind.fail(f"an unknown layer {word[:60]!r}, expected {', '.join(_READERS)}")
        built += _READERS[word](node, channels)
        channels = built[-1].network.outputs if built else channels
        stated = node.optional("shape")
        if stated and (width := _channels(stated, MAX_HIDDEN)) != channels:
            stated.fail(f"{width} channels, but the layer has {channels} outputs")
    if not built:
        layers.fail("has no layer that computes anything")
    network = Stack(tuple(layer.network for layer in built))
    check_state(layers, network)
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
    """Return the value without the leading axes of length 1 of a batch."""
    depth, inner = 0, node
    while isinstance(inner.value, list) and inner.value:
        depth, inner = depth + 1, Node(node.file, f"{inner.key}[0]", inner.value[0])
    while depth > axes and len(members := node.sequence()) == 1:
        node, depth = members[0], depth - 1
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
    reordered = (
        _reordered(w_x.array(inputs, 3 * hidden).T),
        _reordered(w_h.array(hidden, 3 * hidden).T),
        _reordered(both[0]),
        _reordered(both[1]),
    )
    return [gru_layer(*reordered)]


def _reordered(rows: Array) -> Array:
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
    """Return a size, a number or a list of one number."""
    return (node.sequence(1, 1)[0] if isinstance(node.value, list) else node).integer(1, high)


def dense_taps(taps: Array, groups: int) -> Array:
    """Return [outputs, kernel, inputs / groups] as [outputs, kernel * inputs], zeros elsewhere."""
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


def _probe(node: Node, inputs: int, skip: bool, in_gain: float, out_gain: float) -> Probe | None:
    """Return the stored test vectors of the bare network as a probe of the whole model."""
    given, made = node.sequence(2, 2)
    if given.value is None or made.value is None:
        return None
    audio, output = _flat(given, _PROBE[0]), _flat(made, _PROBE[1])
    if audio.size != output.size:
        # Some trainers store the knobs beside the audio, in no stated order.
        return None
    columns = np.zeros((audio.size, inputs), np.float32)
    with np.errstate(over="ignore"):
        columns[:, 0] = audio / in_gain
        whole = single((output + audio if skip else output) * out_gain)
    if not (np.isfinite(columns).all() and np.isfinite(whole).all()):
        Node(node.file, _PROBE[0], None).fail("the test vectors exceed float32")
    return Probe(columns, whole)


def _flat(node: Node, key: str) -> Array:
    """Return nested lists of one number each, however deep, as samples."""
    flat: list[Json] = [node.value]
    while flat and all(isinstance(member, list) for member in flat):
        flat = [inner for member in flat if isinstance(member, list) for inner in member]
    return Node(node.file, key, flat).vector(MAX_PROBE_FRAMES)
