"""Peak limiter: the last effect of the chain keeps the output at or below -1 dBFS."""

import math

import jax
import jax.numpy as jnp

from nemod.fx.effect import Block, Controls, Effect, Nothing, magnitude, per_frame
from nemod.fx.tools.ceiling import CEILING

RELEASE_S = 0.08
"""[s] Time constant of the envelope after a peak: the gain recovers by 109 dB per second."""


def limiter(rate_hz: float) -> Effect[Nothing, jax.Array]:
    """Return a peak limiter without latency: instant attack, exponential release.

    The envelope jumps to every peak and falls exponentially after it; while it is above the
    ceiling, the gain is `CEILING / envelope`. Below the ceiling no bit changes. A non-finite
    sample stays non-finite, so that the engine detects it. Two channels have one envelope and one
    gain, from the louder one. The state is the envelope, float32 [].
    """
    release = math.exp(-1.0 / (RELEASE_S * rate_hz))

    def init(_weights: Nothing, _controls: jax.Array) -> jax.Array:
        return jnp.zeros((), jnp.float32)

    def process(
        _weights: Nothing, _controls: Controls, state: jax.Array, block: Block
    ) -> tuple[jax.Array, Block]:
        def follow(envelope: jax.Array, level: jax.Array) -> tuple[jax.Array, jax.Array]:
            envelope = jnp.maximum(level, release * envelope)
            return envelope, envelope

        state, envelope = jax.lax.scan(follow, state, magnitude(block))
        held = block * per_frame(CEILING / jnp.maximum(envelope, CEILING), block)
        # Rounding in the quotient and the product may end one step above the ceiling.
        return state, jnp.clip(held, -CEILING, CEILING)

    return Effect(
        name="limiter",
        weights=(),
        init=init,
        process=process,
        in_stereo=lambda: limiter(rate_hz),
    )
