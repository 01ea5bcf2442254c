"""The last effect: whatever happens before it, the loudspeaker gets no more than -1 dBFS."""

import math

import jax
import jax.numpy as jnp
import numpy as np

from nemod.common.units import db_to_amplitude
from nemod.fx.effect import Block, Controls, Effect, State, Weights

CEILING_DB = -1.0
"""[dBFS] Highest sample that leaves."""
CEILING = float(np.float32(db_to_amplitude(CEILING_DB)))
RELEASE_S = 0.08
"""[s] Time constant of the envelope after a peak: the gain comes back by 109 dB a second."""


def limiter(rate_hz: float) -> Effect:
    """Return a peak limiter without latency: instant attack, exponential release.

    The envelope jumps to every peak and falls exponentially after it; where it is above the
    ceiling, the gain is what brings it down to the ceiling. Below the ceiling no bit changes. A
    non-finite sample leaves as NaN, so that whoever watches the output sees it.
    """
    release = math.exp(-1.0 / (RELEASE_S * rate_hz))

    def init(_weights: Weights, _controls: jax.Array) -> State:
        return jnp.zeros((), jnp.float32)

    def process(
        _weights: Weights, _controls: Controls, state: State, block: Block
    ) -> tuple[State, Block]:
        def follow(envelope: jax.Array, level: jax.Array) -> tuple[jax.Array, jax.Array]:
            envelope = jnp.maximum(level, release * envelope)
            return envelope, envelope

        state, envelope = jax.lax.scan(follow, state, jnp.abs(block))
        held = block * (CEILING / jnp.maximum(envelope, CEILING))
        # Rounding of the quotient and the product may end one step above the ceiling.
        return state, jnp.clip(held, -CEILING, CEILING)

    return Effect(name="limiter", init=init, process=process)
