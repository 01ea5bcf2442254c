"""Split: the mix of two branches of a chain, at the place where they meet again."""

import jax
import jax.numpy as jnp

from nemod.fx.effect import Block, Controls, Effect, Nothing

MIX = "split/mix"
LEVEL_A = "split/level_a"
LEVEL_B = "split/level_b"


def branch_mix() -> Effect[Nothing, Nothing]:
    """Return an effect that mixes the branches a and b, a block [2, frames], to one [frames].

    out = level_a * min(1, 2 (1 - mix)) * a + level_b * min(1, 2 mix) * b: at 0 branch a alone, at 1
    branch b alone, in the middle both at full level, so that two amps played side by side are as
    loud as each of them is. A non-finite sample stays non-finite at every mix.
    """

    def init(_weights: Nothing, _controls: jax.Array) -> Nothing:
        return ()

    def process(
        _weights: Nothing, controls: Controls, state: Nothing, branches: Block
    ) -> tuple[Nothing, Block]:
        mix, level_a, level_b = controls[0], controls[1], controls[2]
        share_a = jnp.minimum(1.0, 2.0 * (1.0 - mix))
        share_b = jnp.minimum(1.0, 2.0 * mix)
        return state, level_a * share_a * branches[0] + level_b * share_b * branches[1]

    return Effect(
        name="branch_mix",
        controls=(MIX, LEVEL_A, LEVEL_B),
        weights=(),
        init=init,
        process=process,
    )
