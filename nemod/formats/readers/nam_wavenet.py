"""Neural Amp Modeler's WaveNet, first and second generation, and slices of slimmable ones."""

import numpy as np

from nemod.formats.network import Conv1d, Film, Stack, WaveNet, WaveNetArray, WaveNetLayer
from nemod.formats.readers.common import Layer, curve_layer, single, stack_runs
from nemod.formats.readers.document import Array, Node
from nemod.formats.readers.nam_curves import curve
from nemod.formats.readers.nam_wavenet_config import (
    MAX_ARRAY_LAYERS,
    MAX_ARRAYS,
    MAX_CHANNELS,
    MAX_KERNEL,
    ArraySpec,
    Grouped,
    array_spec,
)
from nemod.formats.readers.weight_reader import WeightReader
from nemod.formats.weights import (
    ConvWeights,
    FilmWeights,
    WaveNetArrayWeights,
    WaveNetLayerWeights,
    WaveNetWeights,
)


def wavenet(
    config: Node, reader: WeightReader, condition: Layer | None, size: float | None
) -> tuple[Layer, int]:
    """Return a WaveNet, and the frames of silence by which it lengthens the player's warm-up.

    `size` is the share of the channels that is kept of a slimmable one.
    """
    inputs = config.optional("in_channels")
    if inputs:
        inputs.integer(1, 1)
    nodes = config.child("layers").sequence(1, MAX_ARRAYS)
    specs: list[ArraySpec] = []
    for node in nodes:
        specs.append(array_spec(node, specs[-1] if specs else None, condition, size))
    arrays: list[WaveNetArray] = []
    weights: list[WaveNetArrayWeights] = []
    frames = 0
    for place, spec in enumerate(specs):
        before = specs[place - 1].kept if place else spec.inputs
        after = specs[place + 1].kept if place + 1 < len(specs) else spec.head_outputs
        array, own = _array(spec, reader, before, after)
        arrays.append(array)
        weights.append(own)
        frames += array.past + array.head_past
    head = _head(config, reader, specs[-1].head_outputs)
    scale = reader.take(1)[0]
    network = WaveNet(
        arrays=tuple(arrays),
        condition=condition.network if condition else None,
        head=head.network if head else None,
    )
    if head:
        frames += sum(layer.past for layer in _convolutions(head))
    return (
        Layer(
            network,
            WaveNetWeights(
                arrays=tuple(weights),
                scale=single(scale),
                condition=condition.weights if condition else (),
                head=head.weights if head else (),
            ),
        ),
        frames,
    )


def _convolutions(head: Layer) -> list[Conv1d]:
    layers = head.network.layers if isinstance(head.network, Stack) else ()
    return [layer for layer in layers if isinstance(layer, Conv1d)]


def _array(
    spec: ArraySpec, reader: WeightReader, before: int, after: int
) -> tuple[WaveNetArray, WaveNetArrayWeights]:
    """Return an array, cut to `before` input channels and `after` outputs of its head."""
    rechannel = reader.conv(spec.channels, spec.inputs)[: spec.kept, 0, :before]
    layers = [_layer(spec, layer, reader) for layer in spec.layers]
    given = spec.head1x1.outputs if spec.head1x1.active else spec.bottleneck
    kept = spec.head1x1.outputs if spec.head1x1.active else spec.kept_bottleneck
    head = reader.conv(spec.head_outputs, given, spec.head_kernel)[:after, :, :kept]
    bias = reader.take(spec.head_outputs, 1) if spec.head_bias else _zeros(spec.head_outputs)
    network = WaveNetArray(
        inputs=before,
        channels=spec.kept,
        bottleneck=spec.kept_bottleneck,
        layers=spec.layers,
        head_outputs=after,
        head_kernel=spec.head_kernel,
        head_dilation=spec.head_dilation,
    )
    weights = WaveNetArrayWeights(
        rechannel=_beside(rechannel, _zeros(spec.kept)),
        runs=stack_runs(network, layers),
        head=_beside(head.reshape(after, -1), bias[:after]),
    )
    return network, weights


def _layer(spec: ArraySpec, layer: WaveNetLayer, reader: WeightReader) -> WaveNetLayerWeights:
    double = 1 if layer.gate == "none" else 2
    wide, kept = double * spec.bottleneck, double * spec.kept_bottleneck
    _divides(spec, "groups_input", spec.groups_input, spec.channels, wide)
    _divides(spec, "groups_input_mixin", spec.groups_mixin, spec.condition, wide)
    conv = reader.conv(wide, spec.channels, layer.kernel, spec.groups_input)
    taps = conv[:kept, :, : spec.kept].reshape(kept, -1)
    bias = reader.take(wide, 1)[:kept]
    mixin = reader.conv(wide, spec.condition, groups=spec.groups_mixin)[:kept, 0]
    residual = head = None
    if spec.residual.active:
        residual = _pointwise(spec, "layer1x1", spec.residual, spec.channels, reader)[: spec.kept]
    if spec.head1x1.active:
        head = _pointwise(spec, "head1x1", spec.head1x1, spec.head1x1.outputs, reader)
    heights = {
        "conv_pre": (spec.channels, spec.kept),
        "conv_post": (wide, kept),
        "input_mixin_pre": (spec.condition, spec.condition),
        "input_mixin_post": (wide, kept),
        "activation_pre": (wide, kept),
        "activation_post": (spec.bottleneck, spec.kept_bottleneck),
        "layer1x1_post": (spec.channels, spec.kept),
        "head1x1_post": (spec.head1x1.outputs, spec.head1x1.outputs),
    }
    films = tuple(_film(spec, film, *heights[film.site], reader) for film in layer.films)
    joined = [taps, mixin, bias] if layer.joined else [taps, bias]
    return WaveNetLayerWeights(
        conv=np.concatenate(joined, axis=1),
        mixin=None if layer.joined else np.ascontiguousarray(mixin),
        residual=residual,
        head=head,
        films=films,
    )


def _pointwise(
    spec: ArraySpec, key: str, inner: Grouped, outputs: int, reader: WeightReader
) -> Array:
    """Return a 1x1 convolution [outputs, kept bottleneck + 1] with its bias."""
    if inner.groups != 1:
        _divides(spec.node.child(key), "groups", inner.groups, spec.bottleneck, outputs)
    w = reader.conv(outputs, spec.bottleneck, groups=inner.groups)[:, 0, : spec.kept_bottleneck]
    return _beside(w, reader.take(outputs, 1))


def _film(spec: ArraySpec, film: Film, full: int, kept: int, reader: WeightReader) -> FilmWeights:
    times = 2 if film.shift else 1
    groups = spec.film_groups.get(film.site, 1)
    if groups != 1:
        member = spec.node.child(f"{film.site}_film")
        _divides(member, "groups", groups, spec.condition, times * full)
    w = reader.conv(times * full, spec.condition, groups=groups)[: times * kept, 0]
    bias = reader.take(times * full, 1)[: times * kept]
    return FilmWeights(np.ascontiguousarray(w), np.ascontiguousarray(bias))


def _divides(where: ArraySpec | Node, key: str, groups: int, inputs: int, outputs: int) -> None:
    node = where.node if isinstance(where, ArraySpec) else where
    if inputs % groups or outputs % groups:
        node.child(key).fail(f"{groups}, which must divide {inputs} inputs and {outputs} outputs")


def _beside(w: Array, bias: Array) -> Array:
    return np.concatenate([w, bias], axis=1)


def _zeros(rows: int) -> Array:
    return np.zeros((rows, 1), np.float32)


def _head(config: Node, reader: WeightReader, inputs: int) -> Layer | None:
    """Return what follows the arrays: activations and convolutions in turn."""
    node = config.optional("head")
    if not node:
        return None
    stated = node.optional("in_channels")
    if stated and stated.integer(1, MAX_CHANNELS) != inputs:
        stated.fail(f"{stated.value}, but the last array's head has {inputs} outputs")
    channels = node.child("channels").integer(1, MAX_CHANNELS)
    outputs = node.child("out_channels").integer(1, MAX_CHANNELS)
    kernels = [
        member.integer(1, MAX_KERNEL)
        for member in node.child("kernel_sizes").sequence(1, MAX_ARRAY_LAYERS)
    ]
    built: list[Layer] = []
    width = inputs
    for place, kernel in enumerate(kernels):
        made = outputs if place + 1 == len(kernels) else channels
        built += curve_layer(curve(node.child("activation"), width), width)
        w = reader.conv(made, width, kernel).reshape(made, -1)
        built.append(Layer(Conv1d(width, made, kernel), ConvWeights(w, reader.take(made))))
        width = made
    network = Stack(tuple(layer.network for layer in built))
    return Layer(network, tuple(layer.weights for layer in built))
