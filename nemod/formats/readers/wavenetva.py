"""Reader of PedalNet's, SmartGuitarAmp's and WaveNetVA's JSON: one gated WaveNet.

PedalNet's programs write numbers as text. `level_adjust`, a gain that SmartGuitarAmp applies to the
model's output, is kept as metadata: it is the player's volume and no part of the model.
"""

import numpy as np

from nemod.formats.network import Curve, WaveNet, WaveNetArray, WaveNetLayer
from nemod.formats.readers.common import (
    MAX_OUTPUTS,
    check_state,
    refuse_outputs,
    single,
    stack_runs,
)
from nemod.formats.readers.document import Array, Node
from nemod.formats.readers.info_reader import read_info
from nemod.formats.readers.reading import Reading, Source
from nemod.formats.weights import WaveNetArrayWeights, WaveNetLayerWeights, WaveNetWeights

MAX_CHANNELS = 256
MAX_WIDTH = 1024
MAX_DILATION = 65_536
MAX_DILATIONS = 256
PLAYER_KEYS = ("level_adjust", "gain_max")
"""Settings of the player that a file may hold; they are kept as metadata."""


def matches(root: Node) -> bool:
    """Return whether a JSON object is of this dialect."""
    return {"variables", "residual_channels"} <= root.mapping().keys()


def read(source: Source) -> Reading:
    """Return the model of a document of this dialect."""
    root, extras, _ = source
    kind = root.optional("activation")
    if kind:
        kind.choice(["gated"])
    inputs, outputs = root.optional("input_channels"), root.optional("output_channels")
    if inputs:
        inputs.integer(1, 1)
    if outputs:
        refuse_outputs(outputs, outputs.integer(1, MAX_OUTPUTS))
    channels = root.child("residual_channels").integer(1, MAX_CHANNELS)
    kernel = root.child("filter_width").integer(1, MAX_WIDTH)
    dilations = [
        node.integer(1, MAX_DILATION) for node in root.child("dilations").sequence(1, MAX_DILATIONS)
    ]
    variables = _Variables(root.child("variables"))
    layers, weights = [], []
    for place, dilation in enumerate(dilations):
        layers.append(WaveNetLayer(kernel, dilation, Curve("tanh"), gate="gated"))
        weights.append(_layer(variables, place, kernel, channels))
    count = len(dilations)
    rechannel = variables.get(-1, "W", channels).reshape(channels, 1)
    head = variables.get(count, "W", count * channels).reshape(1, -1)
    array = WaveNetArray(
        inputs=1,
        channels=channels,
        bottleneck=channels,
        layers=tuple(layers),
        head_outputs=1,
        concatenated=True,
    )
    own = WaveNetArrayWeights(
        rechannel=_beside(rechannel, variables.get(-1, "b", channels)),
        runs=stack_runs(array, weights),
        head=_beside(head, variables.get(count, "b", 1)),
    )
    variables.all_used()
    network = WaveNet(arrays=(array,), conditioned=False)
    check_state(root.child("dilations"), network)
    metadata = extras.object(root.optional("metadata"))
    player = Node(root.file, "", {key: root.mapping().get(key) for key in PLAYER_KEYS})
    return Reading(
        network=network,
        weights=WaveNetWeights((own,), single(1.0), (), ()),
        sample_rate=extras.rate(root.optional("sample_rate")),
        info=read_info([player, metadata] if metadata else [player], extras),
    )


class _Variables:
    """The tensors by layer and name. It records which were read, so that none is ignored."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self._left: dict[tuple[int, str], Node] = {}
        for member in node.sequence(1, 4 * MAX_DILATIONS):
            key = (
                member.child("layer_idx").integer(-1, MAX_DILATIONS),
                member.child("name").text(),
            )
            if key in self._left:
                member.fail(f"names layer {key[0]} {key[1]!r} a second time")
            self._left[key] = member.child("data")

    def get(self, layer: int, name: str, count: int) -> Array:
        data = self._left.pop((layer, name), None)
        if data is None:
            self.node.fail(f"has no {name!r} of layer {layer}")
        numbers = data.vector(count)
        if numbers.size != count:
            data.fail(f"a list of {numbers.size}, expected {count}")
        return numbers

    def all_used(self) -> None:
        for (layer, name), data in self._left.items():
            data.fail(f"{name!r} of layer {layer}, which no such model has")


def _layer(variables: _Variables, place: int, kernel: int, channels: int) -> WaveNetLayerWeights:
    rows = 2 * channels
    taps = variables.get(place, "W_conv", kernel * channels * rows)
    conv = np.ascontiguousarray(taps.reshape(kernel * channels, rows).T)
    out = variables.get(place, "W_out", channels * channels).reshape(channels, channels).T
    return WaveNetLayerWeights(
        conv=_beside(conv, variables.get(place, "b_conv", rows)),
        mixin=None,
        residual=_beside(out, variables.get(place, "b_out", channels)),
        head=None,
        films=(),
    )


def _beside(w: Array, bias: Array) -> Array:
    return np.concatenate([w, bias[:, np.newaxis]], axis=1)
