"""Activation functions of convolutional and dense layers, by the names that networks use."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from nemod.formats.network import Curve
from nemod.fx.nn.activations import quick_sigmoid, quick_tanh


def apply(curve: Curve, x: jax.Array, channels_last: bool = False) -> jax.Array:
    """Return the curve of x: [channels, frames], or [frames, channels] if `channels_last`."""
    values = curve.values
    match curve.kind:
        case "leaky_relu":
            slope = np.array(values, np.float32)
            slopes = slope[np.newaxis] if channels_last else slope[:, np.newaxis]
            return jnp.where(x > 0.0, x, slopes * x)
        case "leaky_hard_tanh":
            low, high, below, above = values
            inside = jnp.clip(x, low, high)
            return inside + below * jnp.minimum(x - low, 0.0) + above * jnp.maximum(x - high, 0.0)
        case "softmax":
            return jax.nn.softmax(x, axis=1 if channels_last else 0)
        case kind:
            return _PLAIN[kind](x)


def _fast_tanh(x: jax.Array) -> jax.Array:
    """Return NAM's rational approximation of tanh, which some models are trained with."""
    size = jnp.abs(x)
    square = x * x
    above = 2.45550750702956 + 2.45550750702956 * size
    above = above + (0.893229853513558 + 0.821226666969744 * size) * square
    below = 2.44506634652299 + (2.44506634652299 + square) * jnp.abs(
        x + 0.814642734961073 * x * size
    )
    return x * above / below


_PLAIN: dict[str, Callable[[jax.Array], jax.Array]] = {
    "linear": lambda x: x,
    "tanh": quick_tanh,
    "hard_tanh": lambda x: jnp.clip(x, -1.0, 1.0),
    "fast_tanh": _fast_tanh,
    "relu": lambda x: jnp.maximum(x, 0.0),
    "elu": lambda x: jnp.where(x > 0.0, x, jnp.expm1(jnp.minimum(x, 0.0))),
    "sigmoid": quick_sigmoid,
    "silu": lambda x: x * quick_sigmoid(x),
    "hard_swish": lambda x: x * jnp.clip(x + 3.0, 0.0, 6.0) * (1.0 / 6.0),
    "softsign": lambda x: x / (1.0 + jnp.abs(x)),
}
