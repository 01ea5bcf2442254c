"""Neural Amp Modeler's WaveNet, first and second generation, and slices of slimmable ones."""

from dataclasses import dataclass

import numpy as np

from nemod.formats.common import Layer, curve_layer, single, stack_runs
from nemod.formats.document import Array, Node
from nemod.formats.nam_curves import curve
from nemod.formats.network import (
    FILM_SITES,
    Conv1d,
    ConvWeights,
    Curve,
    Film,
    FilmWeights,
    Stack,
    WaveNet,
    WaveNetArray,
    WaveNetArrayWeights,
    WaveNetLayer,
    WaveNetLayerWeights,
    WaveNetWeights,
)
from nemod.formats.weight_reader import Tape

MAX_CHANNELS = 256
MAX_ARRAYS = 16
MAX_ARRAY_LAYERS = 128
MAX_KERNEL = 1024
MAX_DILATION = 65_536
SLIMMABLE = "slice_channels_uniform"
GATES = ("none", "gated", "blended")


@dataclass(frozen=True, slots=True)
class _Grouped:
    """A 1x1 convolution that may be absent."""

    active: bool
    outputs: int
    groups: int


@dataclass(frozen=True, slots=True)
class _Spec:
    """One array as its config describes it, and how much of it is kept."""

    node: Node
    inputs: int
    condition: int
    channels: int
    kept: int
    """Channels that a slice keeps."""
    bottleneck: int
    kept_bottleneck: int
    layers: tuple[WaveNetLayer, ...]
    film_groups: dict[str, int]
    groups_input: int
    groups_mixin: int
    residual: _Grouped
    head1x1: _Grouped
    head_outputs: int
    head_kernel: int
    head_dilation: int
    head_bias: bool


def wavenet(
    config: Node, tape: Tape, condition: Layer | None, size: float | None
) -> tuple[Layer, int]:
    """Return a WaveNet and the samples by which it lengthens the player's warm-up.

    `size` is the share of the channels that a slimmable one keeps.
    """
    inputs = config.optional("in_channels")
    if inputs:
        inputs.integer(1, 1)
    nodes = config.child("layers").sequence(1, MAX_ARRAYS)
    # What an array is given fits what the one before it keeps.
    specs: list[_Spec] = []
    for node in nodes:
        specs.append(_spec(node, specs[-1] if specs else None, condition, size))
    arrays: list[WaveNetArray] = []
    weights: list[WaveNetArrayWeights] = []
    frames = 0
    for place, spec in enumerate(specs):
        before = specs[place - 1].kept if place else spec.inputs
        after = specs[place + 1].kept if place + 1 < len(specs) else spec.head_outputs
        array, own = _array(spec, tape, before, after)
        arrays.append(array)
        weights.append(own)
        frames += array.past + array.head_past
    head = _head(config, tape, specs[-1].head_outputs)
    scale = tape.take(1)[0]
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


# Reading the config


def _optional(node: Node, key: str, low: int, high: int, default: int) -> int:
    member = node.optional(key)
    return member.integer(low, high) if member else default


def _spec(node: Node, before: _Spec | None, condition: Layer | None, size: float | None) -> _Spec:
    channels_node = node.child("channels")
    channels = channels_node.integer(1, MAX_CHANNELS)
    bottleneck = _optional(node, "bottleneck", 1, MAX_CHANNELS, channels)
    inputs = node.child("input_size").integer(1, MAX_CHANNELS)
    expected = before.channels if before else 1
    if inputs != expected:
        node.child("input_size").fail(f"{inputs}, but it is given {expected} channels")
    if before and channels != before.head_outputs:
        channels_node.fail(f"{channels}, but the head before gives {before.head_outputs}")
    given = condition.network.outputs if condition else 1
    width = node.child("condition_size").integer(1, MAX_CHANNELS)
    if width != given:
        node.child("condition_size").fail(f"{width}, but the condition has {given} channels")
    residual = _grouped(node, "layer1x1", channels, active=True)
    if not residual.active and bottleneck != channels:
        node.child("bottleneck").fail(f"{bottleneck}, expected {channels} without a layer1x1")
    kept = _kept(node, channels, size)
    kept_bottleneck = max(1, bottleneck * kept // channels) if residual.active else kept
    head1x1 = _grouped(node, "head1x1", channels, active=False)
    head_outputs, head_kernel, head_dilation, head_bias = _array_head(node)
    spec = _Spec(
        node=node,
        inputs=inputs,
        condition=width,
        channels=channels,
        kept=kept,
        bottleneck=bottleneck,
        kept_bottleneck=kept_bottleneck,
        layers=_layers(node, kept_bottleneck, residual, head1x1),
        film_groups={
            site: _optional(node.child(f"{site}_film"), "groups", 1, MAX_CHANNELS, 1)
            for site in FILM_SITES
            if isinstance(node.value.get(f"{site}_film"), dict)
        },
        groups_input=_optional(node, "groups_input", 1, MAX_CHANNELS, 1),
        groups_mixin=_optional(node, "groups_input_mixin", 1, MAX_CHANNELS, 1),
        residual=residual,
        head1x1=head1x1,
        head_outputs=head_outputs,
        head_kernel=head_kernel,
        head_dilation=head_dilation,
        head_bias=head_bias,
    )
    _check_slice(spec)
    return spec


def _kept(node: Node, channels: int, size: float | None) -> int:
    """Return how many channels a size keeps."""
    slim = node.optional("slimmable")
    if not slim or slim.value is False:
        return channels
    slim.child("method").choice([SLIMMABLE])
    details = slim.optional("kwargs") or slim
    members = details.child("allowed_channels").sequence(1, MAX_CHANNELS)
    allowed = [member.integer(1, channels) for member in members]
    if sorted(set(allowed)) != allowed or allowed[-1] != channels:
        details.child("allowed_channels").fail(f"expected to rise up to {channels} channels")
    if size is None:
        return channels
    return allowed[min(int(size * len(allowed)), len(allowed) - 1)]


def _check_slice(spec: _Spec) -> None:
    if spec.kept == spec.channels:
        return
    groups = (spec.groups_input, spec.groups_mixin, spec.residual.groups, spec.head1x1.groups)
    if any(count != 1 for count in groups) or spec.head_kernel != 1:
        spec.node.child("slimmable").fail("a slice of groups or of a long head is not defined")


def _grouped(node: Node, key: str, channels: int, active: bool) -> _Grouped:
    member = node.optional(key)
    if not member:
        return _Grouped(active, channels, 1)
    return _Grouped(
        active=member.child("active").flag(),
        outputs=_optional(member, "out_channels", 1, MAX_CHANNELS, channels),
        groups=_optional(member, "groups", 1, MAX_CHANNELS, 1),
    )


def _array_head(node: Node) -> tuple[int, int, int, bool]:
    """Return channels, kernel, dilation and whether there is a bias."""
    head = node.optional("head")
    if head:
        return (
            head.child("out_channels").integer(1, MAX_CHANNELS),
            head.child("kernel_size").integer(1, MAX_KERNEL),
            _optional(head, "head_dilation", 1, MAX_DILATION, 1),
            head.child("bias").flag(),
        )
    return node.child("head_size").integer(1, MAX_CHANNELS), 1, 1, node.child("head_bias").flag()


def _layers(
    node: Node, bottleneck: int, residual: _Grouped, head1x1: _Grouped
) -> tuple[WaveNetLayer, ...]:
    dilations = [
        member.integer(1, MAX_DILATION)
        for member in node.child("dilations").sequence(1, MAX_ARRAY_LAYERS)
    ]
    count = len(dilations)
    kernels = _kernels(node, count)
    curves = [curve(one, bottleneck) for one in _each(node.child("activation"), count)]
    gates = _gates(node, count)
    seconds = _seconds(node, gates, bottleneck)
    films = _films(node, residual, head1x1)
    return tuple(
        WaveNetLayer(
            kernel=kernel,
            dilation=dilation,
            curve=first,
            gate=gate,
            second=second,
            residual=residual.active,
            head_channels=head1x1.outputs if head1x1.active else 0,
            films=films,
        )
        for kernel, dilation, first, gate, second in zip(
            kernels, dilations, curves, gates, seconds, strict=True
        )
    )


def _each(node: Node, count: int) -> list[Node]:
    """Return one value per layer: those of a list, or the same for all."""
    return node.sequence(count, count) if isinstance(node.value, list) else [node] * count


def _kernels(node: Node, count: int) -> list[int]:
    if node.has("kernel_sizes"):
        if node.has("kernel_size"):
            node.child("kernel_sizes").fail("stands beside 'kernel_size', expected one of the two")
        members = node.child("kernel_sizes").sequence(count, count)
        return [member.integer(1, MAX_KERNEL) for member in members]
    return [node.child("kernel_size").integer(1, MAX_KERNEL)] * count


def _gates(node: Node, count: int) -> list[str]:
    mode = node.optional("gating_mode")
    if mode:
        return [one.choice(GATES) for one in _each(mode, count)]
    gated = node.optional("gated")
    return ["gated" if gated and gated.flag() else "none"] * count


def _seconds(node: Node, gates: list[str], bottleneck: int) -> list[Curve]:
    sigmoid = Curve("sigmoid")
    given = node.optional("secondary_activation")
    if not given or not (node.has("gating_mode") or isinstance(given.value, list)):
        return [sigmoid] * len(gates)
    return [
        sigmoid if gate == "none" else curve(one, bottleneck)
        for gate, one in zip(gates, _each(given, len(gates)), strict=True)
    ]


def _films(node: Node, residual: _Grouped, head1x1: _Grouped) -> tuple[Film, ...]:
    films = []
    for site in FILM_SITES:
        member = node.optional(f"{site}_film")
        if not member or member.value is False:
            continue
        active = member.optional("active")
        if active and not active.flag():
            continue
        for inner, name in ((residual, "layer1x1"), (head1x1, "head1x1")):
            if site == f"{name}_post" and not inner.active:
                member.fail(f"is active, but there is no {name}")
        shift = member.optional("shift")
        films.append(Film(site, shift.flag() if shift else True))
    return tuple(films)


# Taking the weights


def _array(
    spec: _Spec, tape: Tape, before: int, after: int
) -> tuple[WaveNetArray, WaveNetArrayWeights]:
    """`before` channels come in and `after` leave the head, of those that the file has."""
    rechannel = tape.conv(spec.channels, spec.inputs)[: spec.kept, 0, :before]
    layers = [_layer(spec, layer, tape) for layer in spec.layers]
    given = spec.head1x1.outputs if spec.head1x1.active else spec.bottleneck
    kept = spec.head1x1.outputs if spec.head1x1.active else spec.kept_bottleneck
    head = tape.conv(spec.head_outputs, given, spec.head_kernel)[:after, :, :kept]
    bias = tape.take(spec.head_outputs, 1) if spec.head_bias else _zeros(spec.head_outputs)
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


def _layer(spec: _Spec, layer: WaveNetLayer, tape: Tape) -> WaveNetLayerWeights:
    double = 1 if layer.gate == "none" else 2
    wide, kept = double * spec.bottleneck, double * spec.kept_bottleneck
    _divides(spec, "groups_input", spec.groups_input, spec.channels, wide)
    _divides(spec, "groups_input_mixin", spec.groups_mixin, spec.condition, wide)
    conv = tape.conv(wide, spec.channels, layer.kernel, spec.groups_input)
    taps = conv[:kept, :, : spec.kept].reshape(kept, -1)
    bias = tape.take(wide, 1)[:kept]
    mixin = tape.conv(wide, spec.condition, groups=spec.groups_mixin)[:kept, 0]
    residual = head = None
    if spec.residual.active:
        residual = _pointwise(spec, "layer1x1", spec.residual, spec.channels, tape)[: spec.kept]
    if spec.head1x1.active:
        head = _pointwise(spec, "head1x1", spec.head1x1, spec.head1x1.outputs, tape)
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
    films = tuple(_film(spec, film, *heights[film.site], tape) for film in layer.films)
    joined = [taps, mixin, bias] if layer.joined else [taps, bias]
    return WaveNetLayerWeights(
        conv=np.concatenate(joined, axis=1),
        mixin=None if layer.joined else np.ascontiguousarray(mixin),
        residual=residual,
        head=head,
        films=films,
    )


def _pointwise(spec: _Spec, key: str, inner: _Grouped, outputs: int, tape: Tape) -> Array:
    """Return a 1x1 convolution [outputs, kept bottleneck + 1] with its bias."""
    if inner.groups != 1:
        _divides(spec.node.child(key), "groups", inner.groups, spec.bottleneck, outputs)
    w = tape.conv(outputs, spec.bottleneck, groups=inner.groups)[:, 0, : spec.kept_bottleneck]
    return _beside(w, tape.take(outputs, 1))


def _film(spec: _Spec, film: Film, full: int, kept: int, tape: Tape) -> FilmWeights:
    times = 2 if film.shift else 1
    groups = spec.film_groups.get(film.site, 1)
    if groups != 1:
        member = spec.node.child(f"{film.site}_film")
        _divides(member, "groups", groups, spec.condition, times * full)
    w = tape.conv(times * full, spec.condition, groups=groups)[: times * kept, 0]
    bias = tape.take(times * full, 1)[: times * kept]
    return FilmWeights(np.ascontiguousarray(w), np.ascontiguousarray(bias))


def _divides(where: "_Spec | Node", key: str, groups: int, inputs: int, outputs: int) -> None:
    node = where.node if isinstance(where, _Spec) else where
    if inputs % groups or outputs % groups:
        node.child(key).fail(f"{groups}, which must divide {inputs} inputs and {outputs} outputs")


def _beside(w: Array, bias: Array) -> Array:
    return np.concatenate([w, bias], axis=1)


def _zeros(rows: int) -> Array:
    return np.zeros((rows, 1), np.float32)


def _head(config: Node, tape: Tape, inputs: int) -> Layer | None:
    """Return what follows the arrays: activation and convolution by turns."""
    node = config.optional("head")
    if not node:
        return None
    stated = node.optional("in_channels")
    if stated and stated.integer(1, MAX_CHANNELS) != inputs:
        stated.fail(f"{stated.value}, but the last array's head gives {inputs}")
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
        w = tape.conv(made, width, kernel).reshape(made, -1)
        built.append(Layer(Conv1d(width, made, kernel), ConvWeights(w, tape.take(made))))
        width = made
    network = Stack(tuple(layer.network for layer in built))
    return Layer(network, tuple(layer.weights for layer in built))
