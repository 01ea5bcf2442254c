"""Gain: trims, drive and level are this effect with different paths."""

import jax

from nemod.fx.effect import Block, Controls, Effect, Nothing, per_frame


def gain(path: str) -> Effect[Nothing, Nothing]:
    """Return an effect that multiplies the block by the control of `path`, an amplitude ratio.

    The row of `path` has `is_gain` set: 0 is silence, 1 leaves every bit unchanged.
    """

    def init(_weights: Nothing, _controls: jax.Array) -> Nothing:
        return ()

    def process(
        _weights: Nothing, controls: Controls, state: Nothing, block: Block
    ) -> tuple[Nothing, Block]:
        return state, block * per_frame(controls[0], block)

    return Effect(
        name=f"gain:{path}",
        controls=(path,),
        weights=(),
        init=init,
        process=process,
        in_stereo=lambda: gain(path),
    )
