"""Reader of Neural Amp Modeler's files (`.nam`), versions 0.5 to 0.7.

`architecture` and `config` say the sizes, `weights` is one flat list. Where NAM's trainer and its
player (NeuralAmpModelerCore) differ, this follows the player: the head's scale is the last weight,
not `config.head_scale`.
"""

import re
from collections.abc import Callable
from math import ceil

import numpy as np

from nemod.common.errors import did_you_mean
from nemod.formats.common import (
    MAX_HIDDEN,
    MAX_LAYERS,
    Layer,
    check_memory,
    curve_layer,
    single,
    unnamed_knobs,
)
from nemod.formats.document import Node
from nemod.formats.model import Model
from nemod.formats.nam_curves import curve
from nemod.formats.nam_wavenet import wavenet
from nemod.formats.network import (
    Conv1d,
    ConvWeights,
    Dense,
    DenseWeights,
    Lstm,
    LstmWeights,
    Network,
    Scale,
    ScaleWeights,
    Stack,
)
from nemod.formats.weight_reader import Tape

SAMPLE_RATE = 48_000
"""[Hz] Rate of a file that states none: NAM's convention."""

PREWARM_BLOCK = 64
"""[frames] NAM's player is warmed in blocks of this size."""

MAX_DEPTH = 4
"""Models inside models: containers and conditions."""


def matches(root: Node) -> bool:
    """Whether the document is of this dialect."""
    return "architecture" in root.value and "config" in root.value


def read(root: Node, name: str, size: float | None = None) -> Model:
    """Return the model of a document of this dialect.

    `size` (0 to 1) picks the size of one that has several; the full one if absent.
    """
    _check_version(root)
    rate = _rate(root)
    layer, prewarm = _model(root, size, rate, MAX_DEPTH)
    if layer.network.outputs != 1:
        root.child("config").fail(f"gives {layer.network.outputs} channels, expected 1")
    check_memory(root.child("config"), layer.network)
    return Model(
        name=name,
        dialect="nam",
        network=layer.network,
        weights=layer.weights,
        knobs=unnamed_knobs(layer.network.inputs - 1),
        sample_rate=rate or SAMPLE_RATE,
        rate_stated=rate is not None,
        prewarm_frames=ceil(prewarm / PREWARM_BLOCK) * PREWARM_BLOCK,
        metadata=_metadata(root),
    )


def _check_version(root: Node) -> None:
    version = root.optional("version")
    if not version:
        return
    found = re.fullmatch(r"(\d{1,4})\.(\d{1,4})(\..{0,20})?", version.text())
    if not found or not (0, 5) <= (int(found[1]), int(found[2])) <= (0, 7):
        version.fail(f"{version.text()[:40]!r}, expected 0.5 to 0.7")


def _rate(root: Node) -> int | None:
    rate = root.optional("sample_rate")
    return rate.integer(8_000, 384_000) if rate else None


def _metadata(root: Node) -> dict[str, object]:
    node = root.optional("metadata")
    found: dict[str, object] = {}
    if node:
        found = {key: node.child(key).plain() for key in node.mapping()}
    for key in ("version", "notes"):
        if root.has(key):
            found[key] = root.child(key).plain()
    return found


def _model(root: Node, size: float | None, rate: int | None, depth: int) -> tuple[Layer, int]:
    """Return a model and the samples for which NAM's player warms it."""
    if depth == 0:
        root.fail(f"models inside models more than {MAX_DEPTH} deep")
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
        tape = Tape(root.child("weights"))
        layer, own = wavenet(config, tape, condition, size)
        prewarm += own
    elif word in _READERS:
        tape = Tape(root.child("weights"))
        layer, prewarm = _READERS[word](root.child("config"), tape, rate)
    else:
        known = ["WaveNet", "SlimmableContainer", *_READERS]
        near = did_you_mean(word, known)
        named.fail(f"an unknown architecture {word[:60]!r}, expected {', '.join(known)}{near}")
    tape.finish()
    return layer, prewarm


def _container(root: Node, size: float | None, rate: int | None, depth: int) -> tuple[Layer, int]:
    """Return the submodel for a size: the first that reaches further, else the last."""
    if root.has("weights"):
        root.child("weights").sequence(0, 0)
    members = root.child("config").child("submodels").sequence(1, MAX_LAYERS)
    limits = [member.child("max_value").number(0.0, 1e6) for member in members]
    # All are read, so that a broken one is found before somebody asks for it.
    read = [_model(member.child("model"), None, rate, depth - 1) for member in members]
    place = len(members) - 1
    if size is not None:
        place = next((at for at, limit in enumerate(limits) if size < limit), place)
    return read[place][0], max(prewarm for _, prewarm in read)


def _lstm(config: Node, tape: Tape, rate: int | None) -> tuple[Layer, int]:
    config_inputs = config.optional("input_size")
    inputs = config_inputs.integer(1, 1) if config_inputs else 1
    hidden = config.child("hidden_size").integer(1, MAX_HIDDEN)
    count = config.child("num_layers").integer(1, MAX_LAYERS)
    networks: list[Network] = []
    weights: list[object] = []
    for layer in range(count):
        width = hidden if layer else inputs
        # Columns are the input, then the hidden state; both start values follow the numbers.
        w = tape.take(4 * hidden, width + hidden)
        bias = tape.take(4 * hidden)
        start = tape.take(2, hidden)
        w_x, w_h = (np.ascontiguousarray(part) for part in (w[:, :width], w[:, width:]))
        networks.append(Lstm(width, hidden))
        weights.append(LstmWeights(w_x, w_h, bias, start))
    head = tape.take(1, hidden)
    networks.append(Dense(hidden, 1))
    weights.append(DenseWeights(head, tape.take(1)))
    return Layer(Stack(tuple(networks)), tuple(weights)), rate // 2 if rate else 1


def _conv_net(config: Node, tape: Tape, rate: int | None) -> tuple[Layer, int]:
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
        w = tape.conv(channels, inputs, 2, groups).reshape(channels, -1)
        bias = np.zeros(channels, np.float32) if normalised else tape.take(channels)
        built.append(Layer(Conv1d(inputs, channels, 2, dilation), ConvWeights(w, bias)))
        if normalised:
            built.append(_batch_norm(config, tape, channels))
        built += curve_layer(shape, channels)
    head = tape.take(1, channels)
    built.append(Layer(Dense(channels, 1), DenseWeights(head, tape.take(1))))
    network = Stack(tuple(layer.network for layer in built))
    return Layer(network, tuple(layer.weights for layer in built)), 1 + sum(dilations)


def _batch_norm(config: Node, tape: Tape, channels: int) -> Layer:
    mean, variance, gamma, beta = (tape.take(channels).astype(np.float64) for _ in range(4))
    spread = variance + float(tape.take(1)[0])
    if np.any(spread <= 0.0):
        config.child("batchnorm").fail("a variance in the weights is not positive")
    factor = gamma / np.sqrt(spread)
    return Layer(Scale(channels), ScaleWeights(single(factor), single(beta - mean * factor)))


def _linear(config: Node, tape: Tape, rate: int | None) -> tuple[Layer, int]:
    taps = config.child("receptive_field").integer(1, 65_536)
    # The newest sample's weight comes first.
    w = np.ascontiguousarray(tape.take(1, taps)[:, ::-1])
    bias = tape.take(1) if config.child("bias").flag() else np.zeros(1, np.float32)
    return Layer(Conv1d(1, 1, taps), ConvWeights(w, bias)), 0


_READERS: dict[str, Callable[[Node, Tape, int | None], tuple[Layer, int]]] = {
    "LSTM": _lstm,
    "ConvNet": _conv_net,
    "Linear": _linear,
}
