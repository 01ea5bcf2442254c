"""The two switches that fade instead of clicking: bypass and mute."""

import jax

from nemod.fx.effect import Block, Controls, Effect, Nothing, per_frame

BYPASS = "bypass"
MUTE = "mute"


def dry_wet_mix(bypass: jax.Array, dry: Block, wet: Block) -> Block:
    """Return `wet` at `bypass` 0 and `dry` at `bypass` 1, both bit for bit, and a mix in between.

    `bypass` and `dry` are [frames]; where `wet` is [2, frames], both channels get `dry`. The two
    gains add up to one: dry and wet are one guitar at one moment, so their amplitudes add. A
    non-finite `wet` makes the output non-finite even while bypassed, so that the engine detects it.
    """
    return per_frame(1.0 - bypass, wet) * wet + per_frame(bypass * dry, wet)


def mute() -> Effect[Nothing, Nothing]:
    """Return an effect that fades to silence as the control `mute` goes from 0 to 1.

    A non-finite sample stays non-finite, so that the engine detects it while muted.
    """

    def init(_weights: Nothing, _controls: jax.Array) -> Nothing:
        return ()

    def process(
        _weights: Nothing, controls: Controls, state: Nothing, block: Block
    ) -> tuple[Nothing, Block]:
        return state, block * per_frame(1.0 - controls[0], block)

    return Effect(
        name=MUTE, controls=(MUTE,), weights=(), init=init, process=process, in_stereo=mute
    )
