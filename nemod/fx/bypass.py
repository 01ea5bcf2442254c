"""Two switches without a click: past an effect, and silence."""

import jax

from nemod.fx.effect import Block, Controls, Effect, State, Weights

BYPASS = "bypass"
MUTE = "mute"


def past(around: jax.Array, block: Block, wet: Block) -> Block:
    """Return the mix of what goes past effects, `block`, and what comes out of them, `wet`.

    At `around` 0 the output is the effects', at 1 the input, both to the bit. In between the two
    weights add up to one: both sides are one guitar at one moment, so their amplitudes add. A
    non-finite output of the effects shows through the bypass too.
    """
    return (1.0 - around) * wet + around * block


def mute() -> Effect:
    """Return an effect that fades to silence as the control `mute` goes from 0 to 1.

    A non-finite sample stays non-finite: muted is not mended.
    """

    def init(_weights: Weights, _controls: jax.Array) -> State:
        return ()

    def process(
        _weights: Weights, controls: Controls, state: State, block: Block
    ) -> tuple[State, Block]:
        return state, block * (1.0 - controls[0])

    return Effect(name=MUTE, controls=(MUTE,), init=init, process=process)
