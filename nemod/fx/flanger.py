"""Flanger: the sound mixed with a copy that is late by a moving short time, with feedback.

The comb filter and its sweep: U. Zolzer (ed.), "DAFX: Digital Audio Effects", 2nd edition, chapter
2. Through zero, as with two tape machines, the copy is at times ahead of the sound: W. M.
Hartmann, "Flanging and phasers", Journal of the Audio Engineering Society 26(6), 1978.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from nemod.fx.effect import Block, Controls, Effect, Nothing, per_frame
from nemod.fx.tools import lfo
from nemod.fx.tools.moving_tap import PIECE_FRAMES, SHORTEST, MovingTap, frames_on, read, taps_of
from nemod.fx.tools.ring import in_even_pieces
from nemod.fx.tools.switch import dry_wet, switched
from nemod.parameters.table import param

DELAY = "flanger/delay"
SWING = 0.95
"""At full depth the delay moves by this share of its mean, both ways."""


class FlangerState(NamedTuple):
    """The state of a flanger."""

    loops: jax.Array
    """float32 [channels, frames]: the delay lines with feedback, as rings."""
    dry: jax.Array
    """float32: the ring of the lines that delay the dry sound."""
    positions: jax.Array
    """int32 [2]: where both are written next."""
    moving: jax.Array
    """int32 [4]: the oscillator, and for how many frames the effect has been on."""


def flanger(rate_hz: float, channels: int = 1) -> Effect[Nothing, FlangerState]:
    """Return a flanger: (1 - mix) * dry + mix * wet.

    wet is the line, delayed by `flanger/delay` [ms] times (1 + `SWING` * `flanger/depth` *
    oscillator), at least `SHORTEST` frames; into the line goes in + `flanger/feedback` * wet.
    dry is the input, or with `flanger/through_zero` the input delayed by `flanger/delay`: the
    difference of both delays then passes through zero. With two channels each has its lines, and
    the oscillator of the right one is ahead by `flanger/spread` [degrees]. Off, the output is the
    input, bit for bit; switched on, the oscillator begins its first cycle.
    """
    longest = int(param(DELAY).high * (1.0 + SWING) * rate_hz / 1000.0) + 1
    length = 1 << (longest + 3).bit_length()
    dry_tap = MovingTap(longest=longest, channels=channels)
    frames_per_ms = np.float32(rate_hz / 1000.0)

    def init(_weights: Nothing, _controls: jax.Array) -> FlangerState:
        return FlangerState(
            jnp.zeros((channels, length), jnp.float32),
            jnp.zeros(dry_tap.ring.stop, jnp.float32),
            jnp.zeros(2, jnp.int32),
            jnp.zeros(4, jnp.int32),
        )

    def loop(
        loop: jax.Array,
        position: jax.Array,
        sound: jax.Array,
        delays: jax.Array,
        feedback: jax.Array,
        counts: jax.Array,
    ) -> tuple[jax.Array, jax.Array]:
        """Return a line and its output, frame by frame: it may be shorter than a block."""

        def step(
            carry: tuple[jax.Array, jax.Array], frame: tuple[jax.Array, ...]
        ) -> tuple[tuple[jax.Array, jax.Array], jax.Array]:
            line, at = carry
            sample, back, count, *taps = frame

            def frame_of_age(age: jax.Array) -> jax.Array:
                place = (at - age) & (length - 1)
                found: jax.Array = jax.lax.dynamic_index_in_dim(line, place, keepdims=False)
                return found

            # This frame is not in the line yet: the newest there is one frame old.
            wet = read((taps[:4], taps[4:]), count, frame_of_age)
            fed = (sample + back * wet)[None]
            line = jax.lax.dynamic_update_slice(line, fed, (at,))
            return (line, (at + 1) & (length - 1)), wet

        ages, weights = taps_of(delays)
        frames = (sound, feedback, counts, *ages, *weights)
        (loop, _), wet = jax.lax.scan(step, (loop, position), frames)
        return loop, wet

    def process(
        _weights: Nothing, controls: Controls, state: FlangerState, block: Block
    ) -> tuple[FlangerState, Block]:
        enable, rate, depth, shape, spread, delay_ms, feedback, through_zero, mix = controls

        def play(is_off: jax.Array) -> tuple[FlangerState, Block]:
            moving, at = lfo.turn(state.moving[:3], rate, shape, rate_hz, is_off)
            count, counts = frames_on(state.moving[3], is_off, length)
            mean = jnp.clip(delay_ms * frames_per_ms, SHORTEST, np.float32(longest))
            waves = lfo.channel_waves(at, shape, rate, spread, channels)
            swing = 1.0 + np.float32(SWING) * per_frame(depth, block) * waves
            delays = jnp.clip(per_frame(mean, block) * swing, SHORTEST, np.float32(longest))
            sides = block[None] if channels == 1 else block
            each = [
                loop(state.loops[n], state.positions[0], sides[n], own, feedback, counts)
                for n, own in enumerate(delays[None] if channels == 1 else delays)
            ]
            wet = each[0][1] if channels == 1 else jnp.stack([each[0][1], each[1][1]])
            means = jnp.broadcast_to(per_frame(mean, block), block.shape)
            dry_line, dry_at, late = dry_tap.play(
                state.dry, state.positions[1], block, means, counts
            )
            dry = block + per_frame(through_zero, block) * (late - block)
            loop_at = (state.positions[0] + block.shape[-1]) & (length - 1)
            after = FlangerState(
                jnp.stack([line for line, _ in each]),
                dry_line,
                jnp.stack([loop_at, dry_at]),
                jnp.append(moving, count),
            )
            return after, dry_wet(mix, dry, wet)

        at_rest = state._replace(moving=jnp.zeros_like(state.moving))
        return switched(enable, block, at_rest, play)

    effect = Effect(
        name="flanger",
        controls=(
            "flanger/enable",
            "flanger/rate",
            "flanger/depth",
            "flanger/shape",
            "flanger/spread",
            DELAY,
            "flanger/feedback",
            "flanger/through_zero",
            "flanger/mix",
        ),
        weights=(),
        init=init,
        process=process,
        tails=lambda state: {"flanger": state},
        in_stereo=lambda: flanger(rate_hz, channels=2),
        makes_stereo=True,
    )
    return in_even_pieces(effect, PIECE_FRAMES)
