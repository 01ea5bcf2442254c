"""Phaser: the sound mixed with a copy whose phase is turned by a chain of moving all-pass filters.

W. M. Hartmann, "Flanging and phasers", Journal of the Audio Engineering Society 26(6), 1978; J. O.
Smith, "An allpass approach to digital phasing and flanging" (ICMC 1984). The filters are of first
order under the trapezoidal rule, and the loop of the feedback has no delay of its own (V.
Zavalishin, "The Art of VA Filter Design"): the response is that of the analogue circuit with its
frequencies warped, and its states mean the same for any coefficients.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from nemod.fx.effect import Block, Controls, Effect, Nothing, per_frame
from nemod.fx.tools import lfo
from nemod.fx.tools.switch import dry_wet, switched
from nemod.parameters.modulation_table import PHASER_STAGES

SWEEP_OCTAVES = 2.0
"""[octaves] At full depth the notches move so far, both ways."""
LOWEST_HZ = 20.0
HIGHEST = 0.45
"""Highest frequency of the filters, as a share of the sample rate."""
_COUNT = PHASER_STAGES[-1]


class PhaserState(NamedTuple):
    """The state of a phaser."""

    moving: jax.Array
    """int32 [3]: the oscillator."""
    filters: jax.Array
    """float32 [10 * channels]: the filters of the left channel, then of the right one."""


def _step(
    states: tuple[jax.Array, ...], frame: tuple[jax.Array, ...]
) -> tuple[tuple[jax.Array, ...], jax.Array]:
    """Filter one frame of one channel.

    A filter with state s and input x gives r x + c s. The chain is linear, so with u at its input
    it gives A u + B, where B is its output for silence. With u = x + k y the output y follows, and
    from it what every filter gets.
    """
    sample, is_off, half_gain, back, *shares = frame
    ratio, share = 2.0 * half_gain - 1.0, 2.0 * (1.0 - half_gain)
    silent, power = jnp.zeros_like(sample), jnp.ones_like(sample)
    given = []
    total_a, total_b = jnp.zeros_like(sample), jnp.zeros_like(sample)
    for number, state in enumerate(states):
        given.append((silent, power))
        silent, power = ratio * silent + share * state, power * ratio
        if number + 1 in PHASER_STAGES:
            weight = shares[PHASER_STAGES.index(number + 1)]
            total_a, total_b = total_a + weight * power, total_b + weight * silent
    turned = (total_a * sample + total_b) / (1.0 - back * total_a)
    first = sample + back * turned
    after = tuple(
        jnp.where(is_off, 0.0, state + 2.0 * half_gain * (of_silence + factor * first - state))
        for state, (of_silence, factor) in zip(states, given, strict=True)
    )
    return after, turned


def phaser(rate_hz: float, channels: int = 1) -> Effect[Nothing, PhaserState]:
    """Return a phaser: (1 - mix) * in + mix * y, y = the all-pass chain of (in + feedback * y).

    Each of the `phaser/stages` filters turns the phase by 90 degrees at `phaser/frequency` times
    2^(`SWEEP_OCTAVES` * `phaser/depth` * oscillator). At half mix there is a notch wherever the
    chain turns it by an odd multiple of 180 degrees. With two channels each has its filters, and
    the oscillator of the right one is ahead by `phaser/spread` [degrees]. Off, the output is the
    input, bit for bit; switched on, the oscillator begins its first cycle.
    """

    def init(_weights: Nothing, _controls: jax.Array) -> PhaserState:
        return PhaserState(lfo.rest(), jnp.zeros(_COUNT * channels, jnp.float32))

    def process(
        _weights: Nothing, controls: Controls, state: PhaserState, block: Block
    ) -> tuple[PhaserState, Block]:
        enable, rate, depth, shape, spread, frequency, stages, feedback, mix = controls

        def play(is_off: jax.Array) -> tuple[PhaserState, Block]:
            moving, at = lfo.turn(state.moving, rate, shape, rate_hz, is_off)
            waves = lfo.channel_waves(at, shape, rate, spread, channels)
            octaves = per_frame(np.float32(SWEEP_OCTAVES) * depth, block) * waves
            corner_hz = per_frame(frequency, block) * jnp.exp2(octaves)
            corner_hz = jnp.clip(corner_hz, LOWEST_HZ, np.float32(HIGHEST * rate_hz))
            warped = jnp.tan(corner_hz * np.float32(math.pi / rate_hz))
            half_gain = warped / (1.0 + warped)
            # A smoothed number of stages lies between two: both chains are mixed.
            shares = [
                jnp.maximum(0.0, 1.0 - jnp.abs(stages - float(number)))
                for number in range(len(PHASER_STAGES))
            ]
            sides = [(block, half_gain)]
            if channels == 2:
                sides = [(block[n], half_gain[n]) for n in (0, 1)]
            filters: list[jax.Array] = []
            outs = []
            for number, (sound, own_gain) in enumerate(sides):
                own = tuple(state.filters[_COUNT * number : _COUNT * (number + 1)])
                own, turned = jax.lax.scan(_step, own, (sound, is_off, own_gain, feedback, *shares))
                filters += own
                outs.append(turned)
            turned = outs[0] if channels == 1 else jnp.stack(outs)
            return PhaserState(moving, jnp.stack(filters)), dry_wet(mix, block, turned)

        at_rest = jax.tree.map(jnp.zeros_like, state)
        return switched(enable, block, at_rest, play)

    return Effect(
        name="phaser",
        controls=(
            "phaser/enable",
            "phaser/rate",
            "phaser/depth",
            "phaser/shape",
            "phaser/spread",
            "phaser/frequency",
            "phaser/stages",
            "phaser/feedback",
            "phaser/mix",
        ),
        weights=(),
        init=init,
        process=process,
        tails=lambda state: {"phaser": state},
        in_stereo=lambda: phaser(rate_hz, channels=2),
        makes_stereo=True,
    )
