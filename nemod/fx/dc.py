"""A high-pass far below the guitar, for the offset that a learnt model may add."""

import math

import jax
import jax.numpy as jnp
import numpy as np

from nemod.fx.effect import Block, Controls, Effect, State, Weights

CORNER_HZ = 5.0
"""[Hz] Where the level is down by 3 dB; the lowest string of a bass is at 41 Hz."""


def dc_blocker(rate_hz: float) -> Effect:
    """Return a first-order high-pass with its corner at `CORNER_HZ`: 6 dB per octave below.

    The bilinear transform of s / (s + w): y[n] = gain * (x[n] - x[n - 1]) + keep * y[n - 1].
    Written with differences an offset of the input is gone exactly, however large it is. The
    state is the last input and the last output, float32 [2].
    """
    warped = math.tan(math.pi * CORNER_HZ / rate_hz)
    gain = 1.0 / (1.0 + warped)
    # What leaves per frame is far below one; kept apart, it does not lose its digits.
    loss = 2.0 * warped / (1.0 + warped)

    def init(_weights: Weights, _controls: jax.Array) -> State:
        return jnp.zeros(2, jnp.float32)

    def process(
        _weights: Weights, _controls: Controls, state: State, block: Block
    ) -> tuple[State, Block]:
        def step(last: jax.Array, change: jax.Array) -> tuple[jax.Array, jax.Array]:
            last = last + (gain * change - loss * last)
            return last, last

        before = jnp.concatenate([state[:1], block[:-1]])
        last, out = jax.lax.scan(step, state[1], block - before)
        return jnp.stack([block[-1], last]), out

    return Effect(name="dc_blocker", init=init, process=process)


def settled(state: State) -> State:
    """Return the state in which an offset as large as the last input has been heard for ever."""
    return state * np.array([1.0, 0.0], np.float32)
