"""WaveNets: stacks of dilated convolutions with gates, conditions and heads.

The first and second generation of Neural Amp Modeler's (FiLM after E. Perez et al., "FiLM: Visual
Reasoning with a General Conditioning Layer", 2018) and PedalNet's are one kernel. Where NAM's
trainer and its player differ (FiLM after the 1x1 convolution, which the player applies to blended
layers only), this follows the player.

Arrays are [channels, frames]. Bias and condition are rows of the matrix product that convolves:
a call of few, larger operations is what XLA's CPU code is fast at. Layers that differ only in their
dilation are one loop, which compiles once. They share one buffer, in which every layer has a
stretch: what it remembers, then room for a block. The block is written behind the past, so each tap
is a plain slice of the stretch, and afterwards the whole buffer moves by the block's length.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from nemod.formats.network import Run, WaveNet, WaveNetArray, WaveNetLayer
from nemod.fx.nn.conv import gather, past_of, remember, silence, windows
from nemod.fx.nn.curves import apply

PIECE_FRAMES = 64
"""Longest block that is computed at once; longer ones go piece by piece."""


LONG_KERNEL = 8
"""Taps from which on a kernel's window is taken as one operation."""


class ArrayState(NamedTuple):
    """What an array remembers."""

    layers: jax.Array
    """[channels, frames]: every layer's past and room, one after the other."""
    head: Any
    """[head inputs, frames], or () where the head remembers nothing."""


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
    weights: Any,
    states: tuple[ArrayState, ...],
    sound: jax.Array,
    condition: jax.Array,
) -> tuple[tuple[ArrayState, ...], jax.Array]:
    """Return the states after a block and the last array's head [head outputs, frames].

    `weights` is a `WaveNetArrayWeights` per array; `sound` is [inputs, frames], `condition`
    [condition, frames], with no rows where there is none; frames are at most `PIECE_FRAMES`.
    """
    one = jnp.ones((1, sound.shape[1]), jnp.float32)
    beside = jnp.concatenate([condition, one], 0)
    after = []
    head: jax.Array | None = None
    for array, own, state in zip(network.arrays, weights, states, strict=True):
        memory, sound, head = _array(array, own, state, sound, head, condition, beside)
        after.append(memory)
    assert head is not None
    return tuple(after), head


def _array(
    array: WaveNetArray,
    weights: Any,
    state: ArrayState,
    sound: jax.Array,
    head: jax.Array | None,
    condition: jax.Array,
    beside: jax.Array,
) -> tuple[ArrayState, jax.Array, jax.Array]:
    frames = sound.shape[1]
    sound = _affine(weights.rechannel, sound)
    buffer = state.layers
    total = jnp.zeros((array.head_inputs, frames), jnp.float32) if head is None else head
    side_by_side = []
    start = 0
    for run, own in zip(array.runs, weights.runs, strict=True):
        starts, start = _starts(run, start)

        def step(carry: Any, layer: Any, run: Run = run) -> Any:
            buffer, sound, total = carry
            weights, place, dilation = layer
            fed = _film(_films(run, weights).get("conv_pre"), sound, condition)
            buffer, taps = _taps(run.layer.kernel, buffer, fed, place, dilation)
            activated, sound = _layer(run, weights, taps, sound, condition, beside)
            if array.concatenated:
                return (buffer, sound, total), activated
            return (buffer, sound, total + activated), None

        along = (own, starts, np.array(run.dilations, np.int32))
        (buffer, sound, total), each = jax.lax.scan(step, (buffer, sound, total), along)
        if array.concatenated:
            side_by_side.append(each.reshape(-1, frames))
    given = jnp.concatenate(side_by_side, 0) if array.concatenated else total
    past = past_of(state.head, array.head_inputs)
    if array.head_kernel >= LONG_KERNEL:
        joined = jnp.concatenate([past, given], 1)
        seen = windows(joined, 0, array.head_kernel, array.head_dilation, frames)
    else:
        taps = gather(past, given, array.head_kernel, array.head_dilation)
        seen = jnp.concatenate(taps, 0)
    head = _affine(weights.head, seen)
    after = ArrayState(
        jnp.concatenate([buffer[:, frames:], buffer[:, :frames]], 1),
        jnp.concatenate(remember(past, given), 1) if array.head_past else (),
    )
    return after, sound, head


def _starts(run: Run, start: int) -> tuple[np.ndarray[Any, np.dtype[np.int32]], int]:
    """Return where the stretches of a run begin in the buffer, and where the next run's do."""
    starts = []
    for dilation in run.dilations:
        starts.append(start)
        start += (run.layer.kernel - 1) * dilation + PIECE_FRAMES
    return np.array(starts, np.int32), start


def _taps(
    kernel: int, buffer: jax.Array, fed: jax.Array, place: jax.Array, dilation: jax.Array
) -> tuple[jax.Array, list[jax.Array]]:
    """Return the buffer with the block behind its past, and the taps, the oldest first."""
    if kernel == 1:
        return buffer, [fed]
    row = np.int32(0)
    buffer = jax.lax.dynamic_update_slice(buffer, fed, (row, place + (kernel - 1) * dilation))
    if kernel >= LONG_KERNEL:
        return buffer, [windows(buffer, place, kernel, dilation, fed.shape[1])]
    old = [
        jax.lax.dynamic_slice(buffer, (row, place + tap * dilation), fed.shape)
        for tap in range(kernel - 1)
    ]
    return buffer, [*old, fed]


def _layer(
    run: Run,
    weights: Any,
    taps: list[jax.Array],
    sound: jax.Array,
    condition: jax.Array,
    beside: jax.Array,
) -> tuple[jax.Array, jax.Array]:
    """Return what goes to the head and what goes to the next layer."""
    films = _films(run, weights)
    if weights.mixin is None:
        z = weights.conv @ jnp.concatenate([*taps, beside], 0)
    else:
        z = weights.conv @ jnp.concatenate([*taps, beside[-1:]], 0)
        z = _film(films.get("conv_post"), z, condition)
        mixed = weights.mixin @ _film(films.get("input_mixin_pre"), condition, condition)
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


def _films(run: Run, weights: Any) -> dict[str, Any]:
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


def _affine(weights: jax.Array, x: jax.Array) -> jax.Array:
    """Return the product with a matrix whose last column is the bias."""
    w, bias = weights[:, :-1], weights[:, -1:]
    product: jax.Array = w * x if x.shape[0] == 1 else w @ x
    return product + bias


def _film(weights: Any, x: jax.Array, condition: jax.Array) -> jax.Array:
    if weights is None:
        return x
    rows = x.shape[0]
    made: jax.Array = weights.w @ condition + weights.bias
    scaled = x * made[:rows]
    return scaled if made.shape[0] == rows else scaled + made[rows:]
