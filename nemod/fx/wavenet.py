"""WaveNets: stacks of dilated convolutions with gates, conditions and heads.

The first and second generation of Neural Amp Modeler's (FiLM after E. Perez et al., "FiLM: Visual
Reasoning with a General Conditioning Layer", 2018) and PedalNet's are one kernel. Where NAM's
trainer and its player differ (FiLM after the 1x1 convolution, which the player applies to blended
layers only), this follows the player.

Arrays are [channels, frames]. Bias and condition are rows of the matrix product that convolves:
a call of few, larger operations is what XLA's CPU code is fast at. What all layers of an array
remember lies in one buffer, because each buffer that crosses the call costs over a microsecond.
"""

from functools import reduce
from operator import add
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from nemod.formats.network import WaveNet, WaveNetArray, WaveNetLayer
from nemod.fx.conv import gather, past_of, remember, silence
from nemod.fx.curves import apply


class ArrayState(NamedTuple):
    """What an array remembers."""

    layers: Any
    """[channels, frames of all layers one after the other]"""
    head: Any
    """[head inputs, frames]"""


def array_init(array: WaveNetArray) -> ArrayState:
    """Return silence."""
    return ArrayState(
        silence(array.channels, array.past), silence(array.head_inputs, array.head_past)
    )


def wavenet_arrays(
    network: WaveNet,
    weights: Any,
    states: tuple[ArrayState, ...],
    sound: jax.Array,
    condition: jax.Array,
) -> tuple[tuple[ArrayState, ...], jax.Array]:
    """Return the states after a block and the last array's head [head outputs, frames].

    `weights` is a `WaveNetArrayWeights` per array.
    `sound` is [inputs, frames], `condition` [condition, frames], with no rows where there is none.
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
    sound = _affine(weights.rechannel, sound)
    past = past_of(state.layers, array.channels)
    heads = [] if head is None else [head]
    pieces: list[jax.Array] = []
    start = 0
    for layer, own in zip(array.layers, weights.layers, strict=True):
        end = start + (layer.kernel - 1) * layer.dilation
        fed, activated, sound = _layer(layer, own, past[:, start:end], sound, condition, beside)
        pieces += remember(past[:, start:end], fed) if end > start else []
        heads.append(activated)
        start = end
    given = jnp.concatenate(heads, 0) if array.concatenated else reduce(add, heads)
    head_past = past_of(state.head, array.head_inputs)
    taps = gather(head_past, given, array.head_kernel, array.head_dilation)
    head = _affine(weights.head, jnp.concatenate(taps, 0))
    after = ArrayState(
        jnp.concatenate(pieces, 1) if pieces else (),
        jnp.concatenate(remember(head_past, given), 1) if array.head_past else (),
    )
    return after, sound, head


def _layer(
    layer: WaveNetLayer,
    weights: Any,
    past: jax.Array,
    sound: jax.Array,
    condition: jax.Array,
    beside: jax.Array,
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Return what the convolution was fed, what goes to the head, and to the next layer."""
    films = {film.site: own for film, own in zip(layer.films, weights.films, strict=True)}
    fed = _film(films.get("conv_pre"), sound, condition)
    taps = gather(past, fed, layer.kernel, layer.dilation)
    if weights.mixin is None:
        z = weights.conv @ jnp.concatenate([*taps, beside], 0)
    else:
        z = weights.conv @ jnp.concatenate([*taps, beside[-1:]], 0)
        z = _film(films.get("conv_post"), z, condition)
        mixed = weights.mixin @ _film(films.get("input_mixin_pre"), condition, condition)
        z = z + _film(films.get("input_mixin_post"), mixed, condition)
    z = _film(films.get("activation_pre"), z, condition)
    a = _film(films.get("activation_post"), _gate(layer, z), condition)
    following = sound
    if weights.residual is not None:
        added = _affine(weights.residual, a)
        if layer.gate == "blended":
            added = _film(films.get("layer1x1_post"), added, condition)
        following = sound + added
    if weights.head is not None:
        a = _film(films.get("head1x1_post"), _affine(weights.head, a), condition)
    return fed, a, following


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
