"""The config of Neural Amp Modeler's WaveNet: one `ArraySpec` per layer array."""

from dataclasses import dataclass

from nemod.formats.network import FILM_SITES, Curve, Film, WaveNetLayer
from nemod.formats.readers.common import Layer
from nemod.formats.readers.document import Node
from nemod.formats.readers.nam_curves import curve

MAX_CHANNELS = 256
MAX_ARRAYS = 16
MAX_ARRAY_LAYERS = 128
MAX_KERNEL = 1024
MAX_DILATION = 65_536
SLIMMABLE = "slice_channels_uniform"
GATES = ("none", "gated", "blended")


@dataclass(frozen=True, slots=True)
class Grouped:
    """A 1x1 convolution that may be absent."""

    active: bool
    outputs: int
    groups: int


@dataclass(frozen=True, slots=True)
class ArraySpec:
    """One array as its config describes it, and how many of its channels are kept."""

    node: Node
    inputs: int
    condition: int
    channels: int
    kept: int
    """Channels that are kept of a slimmable array; all of another."""
    bottleneck: int
    kept_bottleneck: int
    layers: tuple[WaveNetLayer, ...]
    film_groups: dict[str, int]
    groups_input: int
    groups_mixin: int
    residual: Grouped
    head1x1: Grouped
    head_outputs: int
    head_kernel: int
    head_dilation: int
    head_bias: bool


def optional_integer(node: Node, key: str, low: int, high: int, default: int) -> int:
    """Return a whole number in a range, or the default where the file states none."""
    member = node.optional(key)
    return member.integer(low, high) if member else default


def array_spec(
    node: Node, before: ArraySpec | None, condition: Layer | None, size: float | None
) -> ArraySpec:
    """Return the array of a config; `before` is the one whose output it takes, if any.

    `size` is the share of the channels that is kept of a slimmable array.
    """
    channels_node = node.child("channels")
    channels = channels_node.integer(1, MAX_CHANNELS)
    bottleneck = optional_integer(node, "bottleneck", 1, MAX_CHANNELS, channels)
    inputs = node.child("input_size").integer(1, MAX_CHANNELS)
    expected = before.channels if before else 1
    if inputs != expected:
        node.child("input_size").fail(f"{inputs}, but its input has {expected} channels")
    if before and channels != before.head_outputs:
        channels_node.fail(f"{channels}, but the previous head has {before.head_outputs} outputs")
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
    spec = ArraySpec(
        node=node,
        inputs=inputs,
        condition=width,
        channels=channels,
        kept=kept,
        bottleneck=bottleneck,
        kept_bottleneck=kept_bottleneck,
        layers=_layers(node, kept_bottleneck, residual, head1x1),
        film_groups={
            site: optional_integer(film, "groups", 1, MAX_CHANNELS, 1)
            for site in FILM_SITES
            if (film := node.optional(f"{site}_film")) and isinstance(film.value, dict)
        },
        groups_input=optional_integer(node, "groups_input", 1, MAX_CHANNELS, 1),
        groups_mixin=optional_integer(node, "groups_input_mixin", 1, MAX_CHANNELS, 1),
        residual=residual,
        head1x1=head1x1,
        head_outputs=head_outputs,
        head_kernel=head_kernel,
        head_dilation=head_dilation,
        head_bias=head_bias,
    )
    _check_slice(spec)
    return spec


def array_sizes(node: Node) -> int:
    """Return how many sizes a slimmable array has; 1 for any other."""
    return len(_allowed(node, node.child("channels").integer(1, MAX_CHANNELS)))


def _allowed(node: Node, channels: int) -> list[int]:
    """Return the numbers of channels that an array can be cut to, all of its own last."""
    slim = node.optional("slimmable")
    if not slim or slim.value is False:
        return [channels]
    slim.child("method").choice([SLIMMABLE])
    details = slim.optional("kwargs") or slim
    members = details.child("allowed_channels").sequence(1, MAX_CHANNELS)
    allowed = [member.integer(1, channels) for member in members]
    if sorted(set(allowed)) != allowed or allowed[-1] != channels:
        details.child("allowed_channels").fail(f"expected rising numbers up to {channels}")
    return allowed


def _kept(node: Node, channels: int, size: float | None) -> int:
    """Return how many channels are kept for a size."""
    allowed = _allowed(node, channels)
    if size is None:
        return channels
    return allowed[min(int(size * len(allowed)), len(allowed) - 1)]


def _check_slice(spec: ArraySpec) -> None:
    if spec.kept == spec.channels:
        return
    groups = (spec.groups_input, spec.groups_mixin, spec.residual.groups, spec.head1x1.groups)
    if any(count != 1 for count in groups) or spec.head_kernel != 1:
        spec.node.child("slimmable").fail("a slice of groups or of a long head is not defined")


def _grouped(node: Node, key: str, channels: int, active: bool) -> Grouped:
    member = node.optional(key)
    if not member:
        return Grouped(active, channels, 1)
    return Grouped(
        active=member.child("active").flag(),
        outputs=optional_integer(member, "out_channels", 1, MAX_CHANNELS, channels),
        groups=optional_integer(member, "groups", 1, MAX_CHANNELS, 1),
    )


def _array_head(node: Node) -> tuple[int, int, int, bool]:
    """Return channels, kernel, dilation and whether there is a bias."""
    head = node.optional("head")
    if head:
        return (
            head.child("out_channels").integer(1, MAX_CHANNELS),
            head.child("kernel_size").integer(1, MAX_KERNEL),
            optional_integer(head, "head_dilation", 1, MAX_DILATION, 1),
            head.child("bias").flag(),
        )
    return node.child("head_size").integer(1, MAX_CHANNELS), 1, 1, node.child("head_bias").flag()


def _layers(
    node: Node, bottleneck: int, residual: Grouped, head1x1: Grouped
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
    """Return one value per layer: those of a list, or one value for all."""
    return node.sequence(count, count) if isinstance(node.value, list) else [node] * count


def _kernels(node: Node, count: int) -> list[int]:
    if node.has("kernel_sizes"):
        if node.has("kernel_size"):
            node.child("kernel_sizes").fail(
                "given together with 'kernel_size', expected one of the two"
            )
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


def _films(node: Node, residual: Grouped, head1x1: Grouped) -> tuple[Film, ...]:
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
