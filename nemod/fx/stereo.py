"""From one channel to two: which effects of a chain are mono, and which play left and right.

Up to the first effect behind the last model that makes two channels the signal is mono, and costs
what it costs in a mono rig; from there on blocks are [2, frames] (`nemod.engine.parts`).
"""

import jax
import jax.numpy as jnp

from nemod.fx.effect import AnyEffect, Block, Controls, Effect, Nothing, stereo_form


def both_channels() -> Effect[Nothing, Nothing]:
    """Return an effect that gives a mono block [frames] to both channels [2, frames]."""

    def init(_weights: Nothing, _controls: jax.Array) -> Nothing:
        return ()

    def process(
        _weights: Nothing, _controls: Controls, state: Nothing, block: Block
    ) -> tuple[Nothing, Block]:
        return state, jnp.broadcast_to(block[None], (2, block.shape[0]))

    return Effect(name="both_channels", weights=(), init=init, process=process)


def in_channels(effect: AnyEffect, channels: int) -> AnyEffect:
    """Return the form of an effect that takes and gives blocks of one channel or of two."""
    return effect if channels == 1 else stereo_form(effect)
