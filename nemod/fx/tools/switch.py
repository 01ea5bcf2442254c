"""The switch of an effect that is off by default."""

from collections.abc import Callable
from typing import TypeVar

import jax
import jax.numpy as jnp

from nemod.fx.effect import Block, per_frame

S = TypeVar("S")


def switched(
    enable: jax.Array, block: Block, at_rest: S, play: Callable[[jax.Array], tuple[S, Block]]
) -> tuple[S, Block]:
    """Return state and sound of an effect that is crossfaded in by `enable` (0 to 1, [frames]).

    `play(is_off)` returns the state and the effect alone; in the frames in which it is off its
    state has to be `at_rest`. Where it is off for the whole block nothing is computed. Off, the
    output is the input, bit for bit.
    """

    def crossfaded() -> tuple[S, Block]:
        is_off = enable == 0.0
        state, wet = play(is_off)
        mixed = block + per_frame(enable, block) * (wet - block)
        return state, jnp.where(per_frame(is_off, block), block, mixed)

    out: tuple[S, Block] = jax.lax.cond(
        jnp.any(enable != 0.0), crossfaded, lambda: (at_rest, block)
    )
    return out


def dry_wet(mix: jax.Array, dry: Block, wet: Block) -> Block:
    """Return the mix of two signals, at 0 the dry one; a non-finite dry sample stays non-finite."""
    share = per_frame(mix, dry)
    return (1.0 - share) * dry + share * wet
