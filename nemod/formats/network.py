"""What a model computes: frozen classes with the sizes. The numbers are in `formats.weights`.

A `Network` maps [frames, channels] to [frames, channels]. It is hashable and holds sizes only, so
it is the key of a compiled program. State between blocks belongs to the kernels in `nemod.fx.nn`.
"""

from dataclasses import dataclass, replace
from itertools import groupby
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Lstm:
    """One layer of long short-term memory [hidden]. Weights: `LstmWeights`."""

    inputs: int
    hidden: int
    taps: tuple[float, ...] = ()
    """Weights of the states 1, 2, ... frames ago, whose sum is fed back; none: the last state only.
    See `nemod.formats.state_delay`."""

    @property
    def outputs(self) -> int:
        """Output channels."""
        return self.hidden


@dataclass(frozen=True, slots=True)
class Gru:
    """One layer of gated recurrent units [hidden]. Weights: `GruWeights`."""

    inputs: int
    hidden: int
    taps: tuple[float, ...] = ()
    """Weights of the states 1, 2, ... frames ago, whose sum is fed back; none: the last state only.
    See `nemod.formats.state_delay`."""

    @property
    def outputs(self) -> int:
        """Output channels."""
        return self.hidden


@dataclass(frozen=True, slots=True)
class Dense:
    """An affine map, applied to every frame. Weights: `DenseWeights`."""

    inputs: int
    outputs: int


@dataclass(frozen=True, slots=True)
class Stack:
    """Layers one after the other. Weights: a tuple, one member per layer."""

    layers: tuple["Network", ...]

    @property
    def inputs(self) -> int:
        """Input channels."""
        return self.layers[0].inputs

    @property
    def outputs(self) -> int:
        """Output channels."""
        return self.layers[-1].outputs


@dataclass(frozen=True, slots=True)
class Residual:
    """A body whose output channels get the leading input channels added. Weights: the body's."""

    body: "Network"

    @property
    def inputs(self) -> int:
        """Input channels."""
        return self.body.inputs

    @property
    def outputs(self) -> int:
        """Output channels."""
        return self.body.outputs


@dataclass(frozen=True, slots=True)
class Gains:
    """A body between two gains that its file asks for. Weights: `GainsWeights`."""

    body: "Network"

    @property
    def inputs(self) -> int:
        """Input channels."""
        return self.body.inputs

    @property
    def outputs(self) -> int:
        """Output channels."""
        return self.body.outputs


@dataclass(frozen=True, slots=True)
class Curve:
    """A function of every number, or of every frame's channels, without weights."""

    kind: str
    """One of `nemod.formats.network.CURVES`."""
    values: tuple[float, ...] = ()
    """`leaky_relu`: slope below 0, one for all or one per channel. `leaky_hard_tanh`: lower and
    upper bound, slope below and above them."""


CURVES = (
    "linear",
    "tanh",
    "hard_tanh",
    "fast_tanh",
    "leaky_hard_tanh",
    "relu",
    "leaky_relu",
    "elu",
    "sigmoid",
    "silu",
    "hard_swish",
    "softsign",
    "softmax",
)


@dataclass(frozen=True, slots=True)
class Activation:
    """A curve as a layer. Weights: ()."""

    curve: Curve
    channels: int

    @property
    def inputs(self) -> int:
        """Input channels."""
        return self.channels

    @property
    def outputs(self) -> int:
        """Output channels."""
        return self.channels


@dataclass(frozen=True, slots=True)
class Prelu:
    """Negative values are multiplied by a learnt slope per channel. Weights: `PreluWeights`."""

    channels: int

    @property
    def inputs(self) -> int:
        """Input channels."""
        return self.channels

    @property
    def outputs(self) -> int:
        """Output channels."""
        return self.channels


@dataclass(frozen=True, slots=True)
class Scale:
    """A factor and an offset per channel: batch normalisation at rest. Weights: `ScaleWeights`."""

    channels: int

    @property
    def inputs(self) -> int:
        """Input channels."""
        return self.channels

    @property
    def outputs(self) -> int:
        """Output channels."""
        return self.channels


@dataclass(frozen=True, slots=True)
class Conv1d:
    """A causal dilated convolution; groups are written out as zeros. Weights: `ConvWeights`."""

    inputs: int
    outputs: int
    kernel: int
    dilation: int = 1

    @property
    def past(self) -> int:
        """Past frames on which the output depends."""
        return (self.kernel - 1) * self.dilation


@dataclass(frozen=True, slots=True)
class Film:
    """A place in a `WaveNetLayer` where the condition scales (and shifts) the channels."""

    site: str
    """One of `FILM_SITES`."""
    shift: bool


FILM_SITES = (
    "conv_pre",
    "conv_post",
    "input_mixin_pre",
    "input_mixin_post",
    "activation_pre",
    "activation_post",
    "layer1x1_post",
    "head1x1_post",
)


@dataclass(frozen=True, slots=True)
class WaveNetLayer:
    """One dilated convolution with its activation and its residual and head outputs."""

    kernel: int
    dilation: int
    curve: Curve
    gate: str = "none"
    """`none`; `gated`: a(z1) b(z2); `blended`: b(z2) a(z1) + (1 - b(z2)) z1."""
    second: Curve = Curve("sigmoid")
    """b, where there is a gate."""
    residual: bool = True
    """Whether a 1x1 convolution of the activation is added to the next layer's input."""
    head_channels: int = 0
    """Channels of a 1x1 convolution before the head; 0: none."""
    films: tuple[Film, ...] = ()

    @property
    def joined(self) -> bool:
        """Whether convolution and mixing of the condition are one matrix product."""
        apart = {"conv_post", "input_mixin_pre", "input_mixin_post"}
        return not any(film.site in apart for film in self.films)


class Run(NamedTuple):
    """Consecutive layers that differ in their dilation only; they are computed in one loop."""

    layer: WaveNetLayer
    dilations: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class WaveNetArray:
    """Layers of one width, and a convolution from their outputs to the head's channels."""

    inputs: int
    channels: int
    bottleneck: int
    layers: tuple[WaveNetLayer, ...]
    head_outputs: int
    head_kernel: int = 1
    head_dilation: int = 1
    concatenated: bool = False
    """Whether the head gets all layers' activations side by side instead of their sum."""

    @property
    def runs(self) -> tuple[Run, ...]:
        """The layers, in runs."""
        alike = groupby(self.layers, key=lambda layer: replace(layer, dilation=1))
        return tuple(Run(one, tuple(layer.dilation for layer in all_)) for one, all_ in alike)

    @property
    def past(self) -> int:
        """Past frames on which the output of its layers depends."""
        return sum((layer.kernel - 1) * layer.dilation for layer in self.layers)

    @property
    def head_inputs(self) -> int:
        """Input channels of the head's convolution."""
        width = self.layers[0].head_channels or self.bottleneck
        return width * (len(self.layers) if self.concatenated else 1)

    @property
    def head_past(self) -> int:
        """Past frames on which the head's convolution depends."""
        return (self.head_kernel - 1) * self.head_dilation


@dataclass(frozen=True, slots=True)
class WaveNet:
    """Arrays of dilated convolutions whose heads are summed. Weights: `WaveNetWeights`."""

    arrays: tuple[WaveNetArray, ...]
    conditioned: bool = True
    """Whether layers get the condition: the input, or the output of `condition` for it."""
    condition: "Network | None" = None
    head: "Network | None" = None
    """What follows the last array's head."""

    @property
    def inputs(self) -> int:
        """Input channels."""
        return self.arrays[0].inputs

    @property
    def outputs(self) -> int:
        """Output channels."""
        return self.head.outputs if self.head else self.arrays[-1].head_outputs


Network = (
    Lstm | Gru | Dense | Activation | Prelu | Scale | Conv1d | WaveNet | Stack | Residual | Gains
)


def memory_frames(network: Network) -> int | None:
    """Return on how many past frames the output depends; None: on all (recurrent)."""
    match network:
        case Lstm() | Gru():
            return None
        case Conv1d():
            return network.past
        case Stack():
            return _total([memory_frames(layer) for layer in network.layers])
        case Residual() | Gains():
            return memory_frames(network.body)
        case WaveNet():
            own = sum(array.past + array.head_past for array in network.arrays)
            inner = [memory_frames(part) for part in (network.condition, network.head) if part]
            return _total([own, *inner])
        case Dense() | Activation() | Prelu() | Scale():
            return 0


def _total(frames: list[int | None]) -> int | None:
    return None if None in frames else sum(count for count in frames if count is not None)
