"""DC blocker: a high-pass far below the guitar, for the offset that a learnt model may add."""

import math

import jax
import jax.numpy as jnp
import numpy as np

from nemod.fx.effect import Block, Controls, Effect, Nothing

CORNER_HZ = 5.0
"""[Hz] Where the level is down by 3 dB; the lowest string of a bass is at 41 Hz."""


def dc_blocker(rate_hz: float) -> Effect[Nothing, jax.Array]:
    """Return a first-order high-pass with its corner at `CORNER_HZ`: 6 dB per octave below.

    The bilinear transform of s / (s + w): y[n] = gain * (x[n] - x[n - 1]) + keep * y[n - 1].
    Written with differences, it removes an offset of the input exactly, however large. The state
    is the last input and the last output, float32 [2].

    After a warm-up it starts as if its last input had been constant for ever, so the offset at
    which the model rests is blocked from the first frame.
    """
    warped = math.tan(math.pi * CORNER_HZ / rate_hz)
    gain = 1.0 / (1.0 + warped)
    # 1 - keep is far below one; computed on its own it keeps its digits in float32.
    loss = 2.0 * warped / (1.0 + warped)

    def init(_weights: Nothing, _controls: jax.Array) -> jax.Array:
        return jnp.zeros(2, jnp.float32)

    def process(
        _weights: Nothing, _controls: Controls, state: jax.Array, block: Block
    ) -> tuple[jax.Array, Block]:
        def step(last: jax.Array, change: jax.Array) -> tuple[jax.Array, jax.Array]:
            last = last + (gain * change - loss * last)
            return last, last

        before = jnp.concatenate([state[:1], block[:-1]])
        last, out = jax.lax.scan(step, state[1], block - before)
        return jnp.stack([block[-1], last]), out

    def settle(warm: jax.Array, _fresh: jax.Array) -> jax.Array:
        return warm * np.array([1.0, 0.0], np.float32)

    return Effect(name="dc_blocker", weights=(), init=init, process=process, settle=settle)
