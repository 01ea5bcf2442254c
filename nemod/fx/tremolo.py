"""Tremolo: the sound becomes louder and quieter; in harmonic mode treble and bass take turns.

U. Zolzer (ed.), "DAFX: Digital Audio Effects", 2nd edition, chapter 3 (amplitude modulation); the
harmonic mode is that of the Fender amplifiers of 1959 to 1963 (circuit 6G8 and others), which
modulate what a crossover divides, in opposite phase.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from nemod.fx.effect import Block, Controls, Effect, Nothing, per_frame
from nemod.fx.tools import lfo
from nemod.fx.tools.switch import switched

CROSSOVER_HZ = 700.0
"""[Hz] Where harmonic mode divides the sound, with filters of first order."""


class TremoloState(NamedTuple):
    """The state of a tremolo."""

    moving: jax.Array
    """int32 [3]: the oscillator."""
    low: jax.Array
    """float32 [channels]: the low-pass of the crossover."""


def tremolo(rate_hz: float, channels: int = 1) -> Effect[Nothing, TremoloState]:
    """Return a tremolo: gain 1 - depth * (1 - oscillator) / 2, so from 1 - depth to 1.

    With `tremolo/harmonic` this is the gain of what is below `CROSSOVER_HZ`, and what is above has
    that of the inverted oscillator. Both add up to the input where their gains are equal. With two
    channels the oscillator of the right one is ahead by `tremolo/spread` [degrees]. Off, the output
    is the input, bit for bit; switched on, the oscillator begins its first cycle.
    """
    warped = math.tan(math.pi * CROSSOVER_HZ / rate_hz)
    half_gain = np.float32(warped / (1.0 + warped))

    def filter_frame(
        state: jax.Array, frame: tuple[jax.Array, jax.Array]
    ) -> tuple[jax.Array, jax.Array]:
        sample, is_off = frame
        moved = half_gain * (sample - state)
        return jnp.where(is_off, 0.0, state + 2.0 * moved), state + moved

    def init(_weights: Nothing, _controls: jax.Array) -> TremoloState:
        return TremoloState(lfo.rest(), jnp.zeros(channels, jnp.float32))

    def process(
        _weights: Nothing, controls: Controls, state: TremoloState, block: Block
    ) -> tuple[TremoloState, Block]:
        enable, rate, depth, shape, spread, harmonic = controls

        def play(is_off: jax.Array) -> tuple[TremoloState, Block]:
            moving, at = lfo.turn(state.moving, rate, shape, rate_hz, is_off)
            waves = lfo.channel_waves(at, shape, rate, spread, channels)
            half_depth = per_frame(0.5 * depth, block)
            gain = 1.0 - half_depth + half_depth * waves
            sides = [block] if channels == 1 else [block[0], block[1]]
            memory, lows = [], []
            for number, sound in enumerate(sides):
                after, low = jax.lax.scan(filter_frame, state.low[number], (sound, is_off))
                memory.append(after)
                lows.append(low)
            low = lows[0] if channels == 1 else jnp.stack(lows)
            # What the treble's gain is above that of the bass: nothing, except in harmonic mode.
            above = -2.0 * per_frame(harmonic, block) * half_depth * waves
            wet = gain * block + above * (block - low)
            return TremoloState(moving, jnp.stack(memory)), wet

        at_rest = jax.tree.map(jnp.zeros_like, state)
        return switched(enable, block, at_rest, play)

    return Effect(
        name="tremolo",
        controls=(
            "tremolo/enable",
            "tremolo/rate",
            "tremolo/depth",
            "tremolo/shape",
            "tremolo/spread",
            "tremolo/harmonic",
        ),
        weights=(),
        init=init,
        process=process,
        tails=lambda state: {"tremolo": state},
        in_stereo=lambda: tremolo(rate_hz, channels=2),
        makes_stereo=True,
    )
