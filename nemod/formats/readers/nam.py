"""Reader of Neural Amp Modeler's files (`.nam`), versions 0.5 to 0.7.

`architecture` and `config` state the sizes, `weights` is one flat list. Where NAM's trainer and its
player (NeuralAmpModelerCore) differ, this follows the player: the head's scale is the last weight,
not `config.head_scale`.
"""

import re
from collections.abc import Callable, Mapping
from math import ceil

import numpy as np

from nemod.formats.network import Conv1d, Dense, Lstm, Network, Scale, Stack
from nemod.formats.readers.common import (
    MAX_HIDDEN,
    MAX_LAYERS,
    MAX_OUTPUTS,
    Layer,
    check_state,
    curve_layer,
    refuse_outputs,
    single,
)
from nemod.formats.readers.document import Json, Node
from nemod.formats.readers.info_reader import read_info
from nemod.formats.readers.nam_curves import curve
from nemod.formats.readers.nam_sizes import size_starts
from nemod.formats.readers.nam_wavenet import wavenet
from nemod.formats.readers.nam_wavenet_config import array_sizes
from nemod.formats.readers.reading import Reading, Source
from nemod.formats.readers.weight_reader import WeightReader
from nemod.formats.weights import (
    ConvWeights,
    DenseWeights,
    LstmWeights,
    ScaleWeights,
    Weights,
)

PREWARM_BLOCK = 64
"""[frames] NAM's player processes silence in blocks of this size before it plays."""

MAX_DEPTH = 4
"""Models inside models: containers and conditions."""


_PARAMETRIC = re.compile(r"(concat|cat|film|hyper|\w*parametric)\w*", re.IGNORECASE)
"""Names of the architectures of NAM's parametric trainers, from 2022 (`CatLSTM`, `HyperConvNet`) to
today (`ConcatWaveNet`, `FiLMWaveNet`, `HyperWaveNet`, `ParametricWaveNet`)."""
_NO_METADATA = {"architecture", "config", "weights", "metadata", "sample_rate"}


def matches(root: Node) -> bool:
    """Return whether a JSON object is of this dialect."""
    members = root.mapping()
    return "architecture" in members and ("config" in members or "weights" in members)


def read(source: Source) -> Reading:
    """Return the model of a document of this dialect."""
    root, extras, size = source
    _refuse_parametric(root)
    version = root.optional("version")
    # A version that cannot be read is no reason to refuse: the weights are counted in any case.
    found = extras.get(version, _version)
    if version and found and not (0, 5) <= found <= (0, 7):
        version.fail(f"{version.text()[:40]!r}, expected 0.5 to 0.7")
    rate = extras.rate(root.optional("sample_rate"))
    layer, prewarm = _model(root, size, rate, MAX_DEPTH)
    check_state(root.child("config"), layer.network)
    metadata = extras.object(root.optional("metadata"))
    return Reading(
        network=layer.network,
        weights=layer.weights,
        sample_rate=rate,
        prewarm_frames=ceil(prewarm / PREWARM_BLOCK) * PREWARM_BLOCK,
        sizes=_sizes(root),
        info=read_info([metadata, root] if metadata else [root], extras, without=_NO_METADATA),
        size_starts=size_starts(root),
    )


def _version(node: Node) -> tuple[int, int]:
    found = re.fullmatch(r"(\d{1,4})\.(\d{1,4})(\..{0,20})?", node.text())
    if not found:
        node.expected("a version as 0.5.4")
    return int(found[1]), int(found[2])


def _refuse_parametric(root: Node) -> None:
    """Raise ModelError for a model whose knobs are inputs of the network.

    Such files have versions and layouts of their own, so this is checked before anything else.
    """
    named = root.child("architecture")
    word = named.text()
    is_parametric = bool(_PARAMETRIC.fullmatch(word))
    config = {} if is_parametric else root.child("config").mapping()
    if is_parametric or any(config.get(key) for key in ("params", "parametric")):
        named.fail(f"a parametric NAM model ({word[:60]}), which nemod does not play")
    inputs = config.get("input_size") if word == "LSTM" else _condition_size(config)
    if isinstance(inputs, (int, float)) and inputs > 1:
        named.fail(
            f"a parametric NAM model ({word[:60]} of audio and {inputs - 1:.0f} knobs), which "
            "nemod does not play"
        )


def _condition_size(config: Mapping[str, Json]) -> Json:
    """Return how many channels condition a WaveNet that has no condition network."""
    layers = config.get("layers")
    first = layers[0] if isinstance(layers, list) and layers else None
    if config.get("condition_dsp") is not None or not isinstance(first, dict):
        return None
    return first.get("condition_size")


def _model(root: Node, size: float | None, rate: int | None, depth: int) -> tuple[Layer, int]:
    """Return a model and the frames of silence that NAM's player processes first."""
    if depth == 0:
        root.fail(f"models inside models more than {MAX_DEPTH} deep")
    _refuse_parametric(root)
    named = root.child("architecture")
    word = named.text()
    if word == "SlimmableContainer":
        return _container(root, size, rate, depth)
    if word in ("WaveNet", "SlimmableWavenet"):
        config = root.child("config")
        if word == "SlimmableWavenet":
            config = config.optional("model") or config
        inner = config.optional("condition_dsp")
        condition, prewarm = _model(inner, None, rate, depth - 1) if inner else (None, 1)
        weights = WeightReader(root.child("weights"))
        layer, own = wavenet(config, weights, condition, size)
        prewarm += own
    elif word in _READERS:
        config = root.child("config")
        outputs = config.optional("out_channels")
        if outputs:
            refuse_outputs(outputs, outputs.integer(1, MAX_OUTPUTS))
        weights = WeightReader(root.child("weights"))
        layer, prewarm = _READERS[word](config, weights, rate)
    else:
        known = ", ".join(["WaveNet", "SlimmableContainer", *_READERS])
        named.fail(f"an unknown architecture {word[:60]!r}, expected {known}")
    weights.finish()
    return layer, prewarm


def _container(root: Node, size: float | None, rate: int | None, depth: int) -> tuple[Layer, int]:
    """Return the submodel for a size: the first whose `max_value` is larger, else the last."""
    if root.has("weights"):
        root.child("weights").sequence(0, 0)
    members = root.child("config").child("submodels").sequence(1, MAX_LAYERS)
    limits = [member.child("max_value").number(0.0, 1e6) for member in members]
    # All are read, so that a broken one is found now and not when its size is requested.
    read = [_model(member.child("model"), None, rate, depth - 1) for member in members]
    place = len(members) - 1
    if size is not None:
        place = next((at for at, limit in enumerate(limits) if size < limit), place)
    return read[place][0], max(prewarm for _, prewarm in read)


def _sizes(root: Node) -> int:
    """Return how many sizes a document that could be read holds."""
    config = root.child("config")
    word = root.child("architecture").text()
    if word == "SlimmableContainer":
        return len(config.child("submodels").sequence(1, MAX_LAYERS))
    if word == "SlimmableWavenet":
        config = config.optional("model") or config
    if word not in ("WaveNet", "SlimmableWavenet"):
        return 1
    return max(array_sizes(array) for array in config.child("layers").sequence(1, MAX_LAYERS))


def _lstm(config: Node, reader: WeightReader, rate: int | None) -> tuple[Layer, int]:
    config_inputs = config.optional("input_size")
    inputs = config_inputs.integer(1, 1) if config_inputs else 1
    hidden = config.child("hidden_size").integer(1, MAX_HIDDEN)
    count = config.child("num_layers").integer(1, MAX_LAYERS)
    networks: list[Network] = []
    weights: list[Weights] = []
    for layer in range(count):
        width = hidden if layer else inputs
        # Columns are the input, then the hidden state; both start states follow the weights.
        w = reader.take(4 * hidden, width + hidden)
        bias = reader.take(4 * hidden)
        start = reader.take(2, hidden)
        w_x, w_h = (np.ascontiguousarray(part) for part in (w[:, :width], w[:, width:]))
        networks.append(Lstm(width, hidden))
        weights.append(LstmWeights(w_x, w_h, bias, start))
    head = reader.take(1, hidden)
    networks.append(Dense(hidden, 1))
    weights.append(DenseWeights(head, reader.take(1)))
    return Layer(Stack(tuple(networks)), tuple(weights)), rate // 2 if rate else 1


def _conv_net(config: Node, reader: WeightReader, rate: int | None) -> tuple[Layer, int]:
    channels = config.child("channels").integer(1, MAX_HIDDEN)
    dilations = [node.integer(1, 65_536) for node in config.child("dilations").sequence(1, 64)]
    normalised = config.child("batchnorm").flag()
    shape = curve(config.child("activation"), channels)
    grouped = config.optional("groups")
    groups = grouped.integer(1, channels) if grouped else 1
    built: list[Layer] = []
    for place, dilation in enumerate(dilations):
        inputs = channels if place else 1
        if grouped and (inputs % groups or channels % groups):
            grouped.fail(f"{groups}, which must divide {inputs} inputs and {channels} channels")
        w = reader.conv(channels, inputs, 2, groups).reshape(channels, -1)
        bias = np.zeros(channels, np.float32) if normalised else reader.take(channels)
        built.append(Layer(Conv1d(inputs, channels, 2, dilation), ConvWeights(w, bias)))
        if normalised:
            built.append(_batch_norm(config, reader, channels))
        built += curve_layer(shape, channels)
    head = reader.take(1, channels)
    built.append(Layer(Dense(channels, 1), DenseWeights(head, reader.take(1))))
    network = Stack(tuple(layer.network for layer in built))
    return Layer(network, tuple(layer.weights for layer in built)), 1 + sum(dilations)


def _batch_norm(config: Node, reader: WeightReader, channels: int) -> Layer:
    mean, variance, gamma, beta = (reader.take(channels).astype(np.float64) for _ in range(4))
    spread = variance + float(reader.take(1)[0])
    if np.any(spread <= 0.0):
        config.child("batchnorm").fail("a variance in the weights is not positive")
    factor = gamma / np.sqrt(spread)
    return Layer(Scale(channels), ScaleWeights(single(factor), single(beta - mean * factor)))


def _linear(config: Node, reader: WeightReader, rate: int | None) -> tuple[Layer, int]:
    taps = config.child("receptive_field").integer(1, 65_536)
    # The newest sample's weight comes first.
    w = np.ascontiguousarray(reader.take(1, taps)[:, ::-1])
    bias = reader.take(1) if config.child("bias").flag() else np.zeros(1, np.float32)
    return Layer(Conv1d(1, 1, taps), ConvWeights(w, bias)), 0


_READERS: dict[str, Callable[[Node, WeightReader, int | None], tuple[Layer, int]]] = {
    "LSTM": _lstm,
    "ConvNet": _conv_net,
    "Linear": _linear,
}
