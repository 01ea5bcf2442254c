"""Chorus: a copy of the sound whose delay moves, and so its pitch; with full mix a vibrato.

J. Dattorro, "Effect design, part 2: delay-line modulation and chorus", Journal of the Audio
Engineering Society 45(10), 1997, without its feedback.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from nemod.fx.effect import Block, Controls, Effect, Nothing, per_frame
from nemod.fx.tools import lfo
from nemod.fx.tools.moving_tap import PIECE_FRAMES, SHORTEST, MovingTap, frames_on
from nemod.fx.tools.ring import in_even_pieces
from nemod.fx.tools.switch import dry_wet, switched
from nemod.parameters.table import param

DELAY = "chorus/delay"
SWING = 0.4
"""At full depth the delay moves by this share of its mean, both ways."""


class ChorusState(NamedTuple):
    """The state of a chorus."""

    line: jax.Array
    """float32: the ring of the delay lines."""
    position: jax.Array
    """int32 [1]: where the ring is written next."""
    moving: jax.Array
    """int32 [4]: the oscillator, and for how many frames the effect has been on."""


def chorus(rate_hz: float, channels: int = 1) -> Effect[Nothing, ChorusState]:
    """Return a chorus: (1 - mix) * in + mix * the input, delayed by a moving time.

    The time is `chorus/delay` [ms] times (1 + `SWING` * `chorus/depth` * oscillator). With two
    channels each has its delay line, and the oscillator of the right one is ahead by
    `chorus/spread` [degrees]. Off, the output is the input, bit for bit; switched on, the
    oscillator begins its first cycle.
    """
    longest = int(param(DELAY).high * (1.0 + SWING) * rate_hz / 1000.0) + 1
    tap = MovingTap(longest=longest, channels=channels)
    oldest = longest + PIECE_FRAMES
    frames_per_ms = np.float32(rate_hz / 1000.0)

    def init(_weights: Nothing, _controls: jax.Array) -> ChorusState:
        return ChorusState(
            jnp.zeros(tap.ring.stop, jnp.float32),
            jnp.zeros(1, jnp.int32),
            jnp.zeros(4, jnp.int32),
        )

    def process(
        _weights: Nothing, controls: Controls, state: ChorusState, block: Block
    ) -> tuple[ChorusState, Block]:
        enable, rate, depth, shape, spread, delay_ms, mix = controls

        def play(is_off: jax.Array) -> tuple[ChorusState, Block]:
            moving, at = lfo.turn(state.moving[:3], rate, shape, rate_hz, is_off)
            count, counts = frames_on(state.moving[3], is_off, oldest)
            waves = lfo.channel_waves(at, shape, rate, spread, channels)
            swing = 1.0 + np.float32(SWING) * per_frame(depth, block) * waves
            delays = per_frame(delay_ms * frames_per_ms, block) * swing
            delays = jnp.clip(delays, SHORTEST, np.float32(longest))
            line, position, wet = tap.play(state.line, state.position[0], block, delays, counts)
            after = ChorusState(line, position[None], jnp.append(moving, count))
            return after, dry_wet(mix, block, wet)

        at_rest = state._replace(moving=jnp.zeros_like(state.moving))
        return switched(enable, block, at_rest, play)

    effect = Effect(
        name="chorus",
        controls=(
            "chorus/enable",
            "chorus/rate",
            "chorus/depth",
            "chorus/shape",
            "chorus/spread",
            DELAY,
            "chorus/mix",
        ),
        weights=(),
        init=init,
        process=process,
        tails=lambda state: {"chorus": state},
        in_stereo=lambda: chorus(rate_hz, channels=2),
        makes_stereo=True,
    )
    return in_even_pieces(effect, PIECE_FRAMES)
