"""Two switches without a click: past an effect, and silence."""

import jax

from nemod.fx.effect import Block, Controls, Effect, State, Weights

BYPASS = "bypass"
MUTE = "mute"


def past(around: jax.Array, block: Block, wet: Block) -> Block:
    """Return the mix of what goes past an effect and what comes out of it; see `bypassable`."""
    return (1.0 - around) * wet + around * block


def bypassable(effect: Effect) -> Effect:
    """Return the effect with a way around it, taken as far as the control `bypass` says (0..1).

    At 0 the output is the effect's, at 1 the input, both to the bit. In between the two weights
    add up to one: both sides are one guitar at one moment, so their amplitudes add. The effect
    goes on hearing the input, so its tails are where they should be when it comes back, and a
    non-finite output of the effect shows through the bypass too. The way around has no latency.
    """

    def init(weights: Weights, controls: jax.Array) -> State:
        return effect.init(weights, controls[:-1])

    def process(
        weights: Weights, controls: Controls, state: State, block: Block
    ) -> tuple[State, Block]:
        state, wet = effect.process(weights, controls[:-1], state, block)
        return state, past(controls[-1], block, wet)

    return Effect(
        name=effect.name,
        controls=(*effect.controls, BYPASS),
        init=init,
        process=process,
        latency_frames=effect.latency_frames,
    )


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
