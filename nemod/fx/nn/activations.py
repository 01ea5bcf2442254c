"""Activation functions: tanh and sigmoid, each in two forms.

`tanh` and `sigmoid` are accurate to half a unit in the last place near 1: both are 1 minus a small
number that is computed from exp(-|x|), and tanh is a polynomial near 0, as in mathematical
libraries (W. J. Cody and W. Waite, "Software Manual for the Elementary Functions", 1980).
`quick_tanh` and `quick_sigmoid` are off by up to three units and take half the instructions: for
layers without feedback, where errors do not accumulate. (XLA's float32 tanh is off by up to four
units near +-1, always to the same side.) The derivatives are given in closed form: they are shorter
to compute and contain no branch that is not taken.
"""

import jax
import jax.numpy as jnp
import numpy as np

from nemod.fx.nn.exponential import exponential, tanh_parts

_NEAR = np.float32(0.625)
"""Below this magnitude tanh is computed by the polynomial."""
_POLYNOMIAL = tuple(
    np.float32(c)
    for c in (-0.005704986327, 0.020639086568, -0.053739714846, 0.133314421947, -0.333332819419)
)
"""tanh(x) = x + x z p(z) with z = x x: minimax fit of relative error 4e-9 up to `_NEAR`."""
_ONE = np.float32(1.0)
_TWO = np.float32(2.0)


def _missing(size: jax.Array) -> jax.Array:
    """Return 1 - sigmoid(size) for size >= 0."""
    e = jnp.exp(-size)
    return e / (_ONE + e)


def _sigmoid_from(x: jax.Array, missing: jax.Array) -> jax.Array:
    return jnp.where(x > 0.0, _ONE - missing, missing)


def _tanh_from(x: jax.Array, missing: jax.Array) -> jax.Array:
    """Return tanh(x) = 2 sigmoid(2 x) - 1, where `missing` is `_missing(2 |x|)`."""
    z = x * x
    p = jnp.full_like(x, _POLYNOMIAL[0])
    for c in _POLYNOMIAL[1:]:
        p = p * z + c
    far = _ONE - _TWO * missing
    return jnp.where(z < _NEAR * _NEAR, p * z * x + x, jnp.where(x < 0.0, -far, far))


@jax.custom_jvp
def tanh(x: jax.Array) -> jax.Array:
    """Return the hyperbolic tangent, float32, any shape."""
    return _tanh_from(x, _missing(_TWO * jnp.abs(x)))


@tanh.defjvp
def _tanh_jvp(primals: tuple[jax.Array], tangents: tuple[jax.Array]) -> tuple[jax.Array, jax.Array]:
    y = tanh(primals[0])
    return y, tangents[0] * (_ONE - y * y)


@jax.custom_jvp
def sigmoid(x: jax.Array) -> jax.Array:
    """Return the logistic function 1 / (1 + exp(-x)), float32, any shape."""
    return _sigmoid_from(x, _missing(jnp.abs(x)))


@sigmoid.defjvp
def _sigmoid_jvp(
    primals: tuple[jax.Array], tangents: tuple[jax.Array]
) -> tuple[jax.Array, jax.Array]:
    y = sigmoid(primals[0])
    return y, tangents[0] * y * (_ONE - y)


@jax.custom_jvp
def quick_tanh(x: jax.Array) -> jax.Array:
    """Return the hyperbolic tangent, float32, any shape, within 3 units in the last place."""
    size, e = tanh_parts(x)
    return size / (_ONE + e)


@quick_tanh.defjvp
def _quick_tanh_jvp(
    primals: tuple[jax.Array], tangents: tuple[jax.Array]
) -> tuple[jax.Array, jax.Array]:
    y = quick_tanh(primals[0])
    return y, tangents[0] * (_ONE - y * y)


@jax.custom_jvp
def quick_sigmoid(x: jax.Array) -> jax.Array:
    """Return the logistic function, float32, any shape, within 3 units in the last place."""
    return _ONE / (_ONE + exponential(x, -1.0))


@quick_sigmoid.defjvp
def _quick_sigmoid_jvp(
    primals: tuple[jax.Array], tangents: tuple[jax.Array]
) -> tuple[jax.Array, jax.Array]:
    y = quick_sigmoid(primals[0])
    return y, tangents[0] * y * (_ONE - y)
