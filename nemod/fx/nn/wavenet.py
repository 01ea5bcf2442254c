"""WaveNets: stacks of dilated convolutions with gates, conditions and heads.

One kernel for the first and second generation of Neural Amp Modeler (FiLM after E. Perez et al.,
"FiLM: Visual Reasoning with a General Conditioning Layer", 2018) and for PedalNet. Where the
trainer and the player of NAM differ (FiLM after the 1x1 convolution, which the player applies to
blended layers only), this follows the player.

Arrays are [channels, frames]. A convolution is one matrix product: its taps are copied one below
the other into a window, whose last rows hold condition and bias, because XLA's CPU code is fast at
few, larger operations. Layers that differ only in their dilation are one loop, which compiles once.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from nemod.formats.network import Run, WaveNet, WaveNetArray, WaveNetLayer
from nemod.formats.weights import FilmWeights, WaveNetArrayWeights
from nemod.fx.nn.conv import Past, past_of, silence, windows
from nemod.fx.nn.curves import apply
from nemod.fx.nn.past_ring import Rings, advance, read, rings_of, write

PIECE_FRAMES = 64
"""[frames] Longest block that is computed at once; longer ones are cut into pieces."""
Matrix = jax.Array | NDArray[np.float32]
"""Weights, which are tracers inside a compiled function."""


class ArrayState(NamedTuple):
    """The state of an array."""

    layers: jax.Array
    """[channels, frames]: the rings of the layers' inputs."""
    positions: jax.Array
    """int32 [layers]: where the next block is written in each ring."""
    head: Past
    """The past of the head's convolution, [head inputs, frames]."""


class Affine(NamedTuple):
    """A matrix and a bias."""

    matrix: Matrix
    """[rows, columns]"""
    bias: Matrix
    """[rows, 1]"""


class ArrangedLayer(NamedTuple):
    """Weights of a layer, or of the layers of a run with one more axis in front, as played."""

    conv: Matrix
    mixin: Matrix | None
    residual: Affine | None
    head: Affine | None
    films: tuple[FilmWeights, ...]


class ArrangedArray(NamedTuple):
    """Weights of an array as played."""

    rechannel: Affine
    runs: tuple[ArrangedLayer, ...]
    head: Affine


AnyArray = WaveNetArrayWeights | ArrangedArray


def arrange_arrays(weights: Sequence[AnyArray]) -> tuple[ArrangedArray, ...]:
    """Return the weights of arrays as they are played."""
    return tuple(_arranged_array(array) for array in weights)


def _arranged_array(array: AnyArray) -> ArrangedArray:
    if isinstance(array, ArrangedArray):
        return array
    runs = tuple(
        ArrangedLayer(
            run.conv,
            run.mixin,
            None if run.residual is None else _affine(run.residual),
            None if run.head is None else _affine(run.head),
            run.films,
        )
        for run in array.runs
    )
    return ArrangedArray(_affine(array.rechannel), runs, _affine(array.head))


def _affine(joined: Matrix) -> Affine:
    """Return a matrix whose last column is the bias as the two."""
    return Affine(joined[..., :-1], joined[..., -1:])


def _rings(array: WaveNetArray) -> tuple[Rings, int]:
    return rings_of([(one.kernel - 1) * one.dilation for one in array.layers], PIECE_FRAMES)


def array_init(array: WaveNetArray) -> ArrayState:
    """Return silence."""
    _, frames = _rings(array)
    return ArrayState(
        jnp.zeros((array.channels, frames), jnp.float32),
        jnp.zeros(len(array.layers), jnp.int32),
        silence(array.head_inputs, array.head_past),
    )


def wavenet_arrays(
    network: WaveNet,
    weights: Sequence[AnyArray],
    states: tuple[ArrayState, ...],
    sound: jax.Array,
    condition: jax.Array,
) -> tuple[tuple[ArrayState, ...], jax.Array]:
    """Return the states after a block and the head of the last array [head outputs, frames].

    `sound` is [inputs, frames], `condition` is [condition, frames], with no rows without a
    condition; frames are at most `PIECE_FRAMES`.
    """
    after = []
    head: jax.Array | None = None
    for array, own, state in zip(network.arrays, arrange_arrays(weights), states, strict=True):
        memory, sound, head = _array(array, own, state, sound, head, condition)
        after.append(memory)
    assert head is not None
    return tuple(after), head


class _Carry(NamedTuple):
    """What the loop over the layers of a run changes."""

    buffer: jax.Array
    window: jax.Array
    """[kernel channels + condition + 1, frames]: the taps, the oldest first; condition, ones."""
    sound: jax.Array
    """Input of the next layer."""
    total: jax.Array
    """Sum of the activations."""


_Layer = tuple[ArrangedLayer, Rings, jax.Array, jax.Array | NDArray[np.int32]]
"""Weights of a layer, its ring and the position in it, its dilation."""


def _array(
    array: WaveNetArray,
    weights: ArrangedArray,
    state: ArrayState,
    sound: jax.Array,
    head: jax.Array | None,
    condition: jax.Array,
) -> tuple[ArrayState, jax.Array, jax.Array]:
    frames = sound.shape[1]
    sound = _times(weights.rechannel, sound)
    buffer = state.layers
    total = jnp.zeros((array.head_inputs, frames), jnp.float32) if head is None else head
    rings, _ = _rings(array)
    activations = []
    first = 0
    for run, own in zip(array.runs, weights.runs, strict=True):
        kernel = run.layer.kernel

        def step(carry: _Carry, layer: _Layer, run: Run = run) -> tuple[_Carry, jax.Array | None]:
            weights, ring, position, dilation = layer
            inputs = _film(_films(run, weights).get("conv_pre"), carry.sound, condition)
            buffer, window = _taps(run.layer.kernel, carry, inputs, ring, position, dilation)
            activated, sound = _layer(run, weights, window, carry.sound, condition)
            if array.concatenated:
                return _Carry(buffer, window, sound, carry.total), activated
            return _Carry(buffer, window, sound, carry.total + activated), None

        one = jnp.ones((1, frames), jnp.float32)
        extra = (condition, one) if run.layer.joined else (one,)
        room = jnp.zeros((kernel * array.channels, frames), jnp.float32)
        layers = slice(first, first + len(run.dilations))
        carry, each = jax.lax.scan(
            step,
            _Carry(buffer, jnp.concatenate([room, *extra]), sound, total),
            (own, rings.of(layers), state.positions[layers], np.array(run.dilations, np.int32)),
        )
        first = layers.stop
        buffer, sound, total = carry.buffer, carry.sound, carry.total
        if each is not None:
            activations.append(each.reshape(-1, frames))
    given = jnp.concatenate(activations, 0) if array.concatenated else total
    signal = jnp.concatenate([past_of(state.head, array.head_inputs), given], 1)
    window = windows(signal, array.head_kernel, array.head_dilation, frames)
    after = ArrayState(
        buffer,
        advance(rings, state.positions, frames),
        signal[:, frames:] if array.head_past else (),
    )
    return after, sound, _times(weights.head, window)


def _taps(
    kernel: int,
    carry: _Carry,
    block: jax.Array,
    ring: Rings,
    position: jax.Array,
    dilation: jax.Array | NDArray[np.int32],
) -> tuple[jax.Array, jax.Array]:
    """Return the buffer with the block in it, and the window with the taps of the layer."""
    buffer, window = carry.buffer, carry.window
    channels, frames = block.shape
    if kernel == 1:
        return buffer, jax.lax.dynamic_update_slice(window, block, (0, 0))
    buffer = write(buffer, ring, position, block, PIECE_FRAMES)

    def copy(tap: jax.Array, window: jax.Array) -> jax.Array:
        taken = read(buffer, ring, position, (kernel - 1 - tap) * dilation, frames)
        return jax.lax.dynamic_update_slice(window, taken, (tap * channels, np.int32(0)))

    return buffer, jax.lax.fori_loop(np.int32(0), np.int32(kernel), copy, window)


def _layer(
    run: Run,
    weights: ArrangedLayer,
    window: jax.Array,
    sound: jax.Array,
    condition: jax.Array,
) -> tuple[jax.Array, jax.Array]:
    """Return the inputs of the head and of the next layer."""
    films = _films(run, weights)
    z = jnp.asarray(weights.conv) @ window
    if weights.mixin is not None:
        z = _film(films.get("conv_post"), z, condition)
        mixed = jnp.asarray(weights.mixin) @ _film(
            films.get("input_mixin_pre"), condition, condition
        )
        z = z + _film(films.get("input_mixin_post"), mixed, condition)
    z = _film(films.get("activation_pre"), z, condition)
    a = _film(films.get("activation_post"), _gate(run.layer, z), condition)
    following = sound
    if weights.residual is not None:
        added = _times(weights.residual, a)
        if run.layer.gate == "blended":
            added = _film(films.get("layer1x1_post"), added, condition)
        following = sound + added
    if weights.head is not None:
        a = _film(films.get("head1x1_post"), _times(weights.head, a), condition)
    return a, following


def _films(run: Run, weights: ArrangedLayer) -> Mapping[str, FilmWeights]:
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


def _times(weights: Affine, x: jax.Array) -> jax.Array:
    matrix = jnp.asarray(weights.matrix)
    return (matrix * x if x.shape[0] == 1 else matrix @ x) + weights.bias


def _film(weights: FilmWeights | None, x: jax.Array, condition: jax.Array) -> jax.Array:
    if weights is None:
        return x
    rows = x.shape[0]
    film = jnp.asarray(weights.w) @ condition + jnp.asarray(weights.bias)
    scaled = x * film[:rows]
    return scaled if film.shape[0] == rows else scaled + film[rows:]
