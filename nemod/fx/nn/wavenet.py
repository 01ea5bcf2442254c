"""WaveNets: stacks of dilated convolutions with gates, conditions and heads.

One kernel for the first and second generation of Neural Amp Modeler (FiLM after E. Perez et al.,
"FiLM: Visual Reasoning with a General Conditioning Layer", 2018) and for PedalNet. Where the
trainer and the player of NAM differ (FiLM after the 1x1 convolution, which the player applies to
blended layers only), this follows the player.

Arrays are [channels, frames]. Bias and condition are rows of the matrix product of the
convolution, because XLA's CPU code is fast at few, larger operations. Layers that differ only in
their dilation are one loop, which compiles once. They share one buffer, in which every layer has a
stretch: its past, then room for a block. The block is written behind the past, so each tap is a
slice of the stretch; afterwards the whole buffer is shifted by the length of the block.
"""

from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from nemod.formats.network import Run, WaveNet, WaveNetArray, WaveNetLayer
from nemod.formats.weights import FilmWeights, WaveNetArrayWeights, WaveNetLayerWeights
from nemod.fx.nn.conv import Past, gather, past_of, remember, silence, windows
from nemod.fx.nn.curves import apply

PIECE_FRAMES = 64
"""[frames] Longest block that is computed at once; longer ones are cut into pieces."""
LONG_KERNEL = 8
"""From this number of taps, the window of a kernel is read in one operation."""
Matrix = jax.Array | NDArray[np.float32]
"""Weights, which are tracers inside a compiled function."""


class ArrayState(NamedTuple):
    """The state of an array."""

    layers: jax.Array
    """[channels, frames]: the stretches of the layers, one after the other."""
    head: Past
    """The past of the head's convolution, [head inputs, frames]."""


def _stretch(layer: WaveNetLayer) -> int:
    return (layer.kernel - 1) * layer.dilation + PIECE_FRAMES


def array_init(array: WaveNetArray) -> ArrayState:
    """Return silence."""
    frames = sum(_stretch(layer) for layer in array.layers)
    return ArrayState(
        jnp.zeros((array.channels, frames), jnp.float32),
        silence(array.head_inputs, array.head_past),
    )


def wavenet_arrays(
    network: WaveNet,
    weights: tuple[WaveNetArrayWeights, ...],
    states: tuple[ArrayState, ...],
    sound: jax.Array,
    condition: jax.Array,
) -> tuple[tuple[ArrayState, ...], jax.Array]:
    """Return the states after a block and the head of the last array [head outputs, frames].

    `sound` is [inputs, frames], `condition` is [condition, frames], with no rows without a
    condition; frames are at most `PIECE_FRAMES`.
    """
    one = jnp.ones((1, sound.shape[1]), jnp.float32)
    extra = jnp.concatenate([condition, one], 0)
    after = []
    head: jax.Array | None = None
    for array, own, state in zip(network.arrays, weights, states, strict=True):
        memory, sound, head = _array(array, own, state, sound, head, condition, extra)
        after.append(memory)
    assert head is not None
    return tuple(after), head


_Carry = tuple[jax.Array, jax.Array, jax.Array]
"""Buffer, input of the next layer, sum of the activations."""
_Index = jax.Array | NDArray[np.int32]
_Step = tuple[WaveNetLayerWeights, _Index, _Index]
"""Weights of a layer, start of its stretch, dilation."""


def _array(
    array: WaveNetArray,
    weights: WaveNetArrayWeights,
    state: ArrayState,
    sound: jax.Array,
    head: jax.Array | None,
    condition: jax.Array,
    extra: jax.Array,
) -> tuple[ArrayState, jax.Array, jax.Array]:
    frames = sound.shape[1]
    sound = _affine(weights.rechannel, sound)
    buffer = state.layers
    total = jnp.zeros((array.head_inputs, frames), jnp.float32) if head is None else head
    activations = []
    start = 0
    for run, own in zip(array.runs, weights.runs, strict=True):
        starts, start = _starts(run, start)

        def step(carry: _Carry, layer: _Step, run: Run = run) -> tuple[_Carry, jax.Array | None]:
            buffer, sound, total = carry
            weights, place, dilation = layer[0], jnp.asarray(layer[1]), jnp.asarray(layer[2])
            inputs = _film(_films(run, weights).get("conv_pre"), sound, condition)
            buffer, taps = _taps(run.layer.kernel, buffer, inputs, place, dilation)
            activated, sound = _layer(run, weights, taps, sound, condition, extra)
            if array.concatenated:
                return (buffer, sound, total), activated
            return (buffer, sound, total + activated), None

        layers: _Step = (own, starts, np.array(run.dilations, np.int32))
        (buffer, sound, total), each = jax.lax.scan(step, (buffer, sound, total), layers)
        if each is not None:
            activations.append(each.reshape(-1, frames))
    given = jnp.concatenate(activations, 0) if array.concatenated else total
    past = past_of(state.head, array.head_inputs)
    if array.head_kernel >= LONG_KERNEL:
        joined = jnp.concatenate([past, given], 1)
        window = windows(joined, 0, array.head_kernel, array.head_dilation, frames)
    else:
        taps = gather(past, given, array.head_kernel, array.head_dilation)
        window = jnp.concatenate(taps, 0)
    head = _affine(weights.head, window)
    after = ArrayState(
        jnp.concatenate([buffer[:, frames:], buffer[:, :frames]], 1),
        jnp.concatenate(remember(past, given), 1) if array.head_past else (),
    )
    return after, sound, head


def _starts(run: Run, start: int) -> tuple[NDArray[np.int32], int]:
    """Return where the stretches of a run begin in the buffer, and where the next run begins."""
    starts = []
    for dilation in run.dilations:
        starts.append(start)
        start += (run.layer.kernel - 1) * dilation + PIECE_FRAMES
    return np.array(starts, np.int32), start


def _taps(
    kernel: int, buffer: jax.Array, block: jax.Array, place: jax.Array, dilation: jax.Array
) -> tuple[jax.Array, list[jax.Array]]:
    """Return the buffer with the block behind its past, and the taps, the oldest first."""
    if kernel == 1:
        return buffer, [block]
    row = np.int32(0)
    buffer = jax.lax.dynamic_update_slice(buffer, block, (row, place + (kernel - 1) * dilation))
    if kernel >= LONG_KERNEL:
        return buffer, [windows(buffer, place, kernel, dilation, block.shape[1])]
    old = [
        jax.lax.dynamic_slice(buffer, (row, place + tap * dilation), block.shape)
        for tap in range(kernel - 1)
    ]
    return buffer, [*old, block]


def _layer(
    run: Run,
    weights: WaveNetLayerWeights,
    taps: list[jax.Array],
    sound: jax.Array,
    condition: jax.Array,
    extra: jax.Array,
) -> tuple[jax.Array, jax.Array]:
    """Return the inputs of the head and of the next layer."""
    films = _films(run, weights)
    conv = jnp.asarray(weights.conv)
    if weights.mixin is None:
        z = conv @ jnp.concatenate([*taps, extra], 0)
    else:
        z = conv @ jnp.concatenate([*taps, extra[-1:]], 0)
        z = _film(films.get("conv_post"), z, condition)
        mixed = jnp.asarray(weights.mixin) @ _film(
            films.get("input_mixin_pre"), condition, condition
        )
        z = z + _film(films.get("input_mixin_post"), mixed, condition)
    z = _film(films.get("activation_pre"), z, condition)
    a = _film(films.get("activation_post"), _gate(run.layer, z), condition)
    following = sound
    if weights.residual is not None:
        added = _affine(weights.residual, a)
        if run.layer.gate == "blended":
            added = _film(films.get("layer1x1_post"), added, condition)
        following = sound + added
    if weights.head is not None:
        a = _film(films.get("head1x1_post"), _affine(weights.head, a), condition)
    return a, following


def _films(run: Run, weights: WaveNetLayerWeights) -> Mapping[str, FilmWeights]:
    return {film.site: own for film, own in zip(run.layer.films, weights.films, strict=True)}


def _gate(layer: WaveNetLayer, z: jax.Array) -> jax.Array:
    if layer.gate == "none":
        return apply(layer.curve, z)
    half = z.shape[0] // 2
    first = apply(layer.curve, z[:half])
    second = apply(layer.second, z[half:])
    if layer.gate == "gated":
        return first * second
    return second * first + (1.0 - second) * z[:half]


def _affine(weights: Matrix, x: jax.Array) -> jax.Array:
    """Return the product with a matrix whose last column is the bias."""
    matrix = jnp.asarray(weights)
    w, bias = matrix[:, :-1], matrix[:, -1:]
    return (w * x if x.shape[0] == 1 else w @ x) + bias


def _film(weights: FilmWeights | None, x: jax.Array, condition: jax.Array) -> jax.Array:
    if weights is None:
        return x
    rows = x.shape[0]
    film = jnp.asarray(weights.w) @ condition + jnp.asarray(weights.bias)
    scaled = x * film[:rows]
    return scaled if film.shape[0] == rows else scaled + film[rows:]
