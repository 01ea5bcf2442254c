"""A knob that multiplies: trims, drive and level are this effect with another path."""

import jax

from nemod.fx.effect import Block, Controls, Effect, State, Weights


def gain(path: str) -> Effect:
    """Return an effect that multiplies the block by the control of `path`, an amplitude ratio.

    The row of `path` has `is_gain` set, so that 0 is silence and 1 leaves every bit as it is.
    """

    def init(_weights: Weights, _controls: jax.Array) -> State:
        return ()

    def process(
        _weights: Weights, controls: Controls, state: State, block: Block
    ) -> tuple[State, Block]:
        return state, block * controls[0]

    return Effect(name=f"gain:{path}", controls=(path,), init=init, process=process)
