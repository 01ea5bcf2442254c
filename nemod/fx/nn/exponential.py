"""The exponential that activation functions are made from, and what is made from it at once.

e^x = s + s p, where s is a power of two and |p| at most 0.42. So 1 - e^x = (1 - s) - s p is rounded
only once and keeps its precision near 0. The reduction is that of W. J. Cody and W. Waite,
"Software Manual for the Elementary Functions", 1980; the polynomial is a minimax fit. XLA's own
exponential handles all of float32; these functions take what a gate needs.
"""

import jax
import jax.numpy as jnp
import numpy as np

FARTHEST = np.float32(40.0)
"""Largest argument: e^40 is 2e17, so that the product of two such numbers is still finite."""
_ONE = np.float32(1.0)
_LOG2_E = np.log2(np.e)
_LN_2 = np.log(2.0)
_POLYNOMIAL = (0.5, 0.1666654795, 0.041666854173, 0.008366066962, 0.001389823155)
"""e^r - 1 = r + r r q(r): coefficients of q, fitted for |r| <= ln(2) / 2: relative error 1.4e-8."""
_TO_EXPONENT = np.float32(1.5 * 2.0**23 + 127.0)
"""A whole number plus this has the biased exponent of 2 to that number in its lowest bits."""
_MANTISSA_BITS = 23
_SIGN = np.int32(np.iinfo(np.int32).min)
"""The sign bit of a float32."""


def scaled_power(x: jax.Array, factor: float) -> tuple[jax.Array, jax.Array]:
    """Return s and s p with s + s p = e^(factor x), for |factor x| <= 2 `FARTHEST`.

    `factor` is 1 or -1, or twice that.
    """
    count = jnp.round(x * np.float32(factor * _LOG2_E))
    # What is left of the exponent, over `factor`, which is part of the coefficients instead.
    r = x - count * np.float32(_LN_2 / factor)
    c = [np.float32(value * factor ** (at + 2)) for at, value in enumerate(_POLYNOMIAL)]
    square = r * r
    # In pairs, not from the inside out: shorter chains, and fewer copies of coefficients.
    q = (c[0] + c[1] * r) + square * ((c[2] + c[3] * r) + square * c[4])
    p = square * q + r * np.float32(factor)
    bits = jax.lax.bitcast_convert_type(count + _TO_EXPONENT, jnp.int32)
    s = jax.lax.bitcast_convert_type(bits << _MANTISSA_BITS, jnp.float32)
    return s, s * p


def exponential(x: jax.Array, factor: float) -> jax.Array:
    """Return e^(factor x), with x limited to +-`FARTHEST`."""
    s, sp = scaled_power(jnp.clip(x, -FARTHEST, FARTHEST), factor)
    return s + sp


def tanh_parts(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Return n and e with tanh(x) = n / (1 + e): e = e^(-2 |x|), and n = 1 - e with x's sign."""
    s, sp = scaled_power(jnp.minimum(jnp.abs(x), FARTHEST / 2), -2.0)
    size = jax.lax.bitcast_convert_type((_ONE - s) - sp, jnp.int32)
    signed = size | (jax.lax.bitcast_convert_type(x, jnp.int32) & _SIGN)
    return jax.lax.bitcast_convert_type(signed, jnp.float32), s + sp
