"""From one channel to two: which effects of a chain are mono, and which play left and right.

Up to the first effect that makes two channels the signal is mono, and costs what it costs in a mono
rig; from there on blocks are [2, frames].
"""

from collections.abc import Sequence

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


def with_outputs(effects: Sequence[AnyEffect], outputs: int) -> list[AnyEffect]:
    """Return the effects, which take a mono block, in the forms that give one output or two.

    With one they are unchanged. With two, the first that makes two channels and all that follow it
    are in their stereo form; where none makes two, both outputs are equal.
    """
    if outputs == 1:
        return list(effects)
    found = (n for n, effect in enumerate(effects) if effect.makes_stereo)
    first = next(found, len(effects))
    return [*effects[:first], both_channels(), *map(stereo_form, effects[first:])]


def in_channels(effect: AnyEffect, channels: int) -> AnyEffect:
    """Return the form of an effect that takes and gives blocks of one channel or of two."""
    return effect if channels == 1 else stereo_form(effect)
