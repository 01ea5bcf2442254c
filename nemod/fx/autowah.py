"""Auto-wah: a resonant filter that opens the more the louder the guitar is.

U. Zolzer (ed.), "DAFX: Digital Audio Effects", 2nd edition, chapters 2 (wah-wah) and 4 (envelope
follower). The filter is the state-variable filter of `nemod.fx.eq`, whose frequency may move at
every frame.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from nemod.fx.effect import Block, Controls, Effect, Nothing, magnitude
from nemod.fx.tools.switch import dry_wet, switched

LOWEST_HZ = 20.0
HIGHEST = 0.45
"""Highest resonance, as a share of the sample rate."""


class AutowahState(NamedTuple):
    """The state of an auto-wah."""

    level: jax.Array
    """float32 [1]: the envelope follower."""
    filters: jax.Array
    """float32 [2 * channels]: the filters of the left channel, then of the right one."""


def autowah(rate_hz: float, channels: int = 1) -> Effect[Nothing, AutowahState]:
    """Return an auto-wah: (1 - mix) * in + mix * the band-pass of in.

    The level follows the magnitude of the input with the time constants `autowah/attack` and
    `autowah/release` [ms]. The resonance is at `autowah/frequency` times 2^(range * min(1,
    sensitivity * level)); there the gain is Q, `autowah/resonance`, and far from it that of a
    filter of first order, whatever Q is. Two channels have one level, that of the louder one. Off,
    the output is the input, bit for bit.
    """
    exponent = np.float32(-1000.0 / rate_hz)

    def follow(level: jax.Array, frame: tuple[jax.Array, ...]) -> tuple[jax.Array, jax.Array]:
        size, is_off, rise, fall = frame
        level = level + jnp.where(size > level, rise, fall) * (size - level)
        return jnp.where(is_off, 0.0, level), level

    def filter_frame(
        states: tuple[jax.Array, jax.Array], frame: tuple[jax.Array, ...]
    ) -> tuple[tuple[jax.Array, jax.Array], jax.Array]:
        sample, is_off, a1, a2, a3 = frame
        s1, s2 = states
        error = sample - s2
        band = a1 * s1 + a2 * error
        low = s2 + a2 * s1 + a3 * error
        after = 2.0 * band - s1, 2.0 * low - s2
        return (jnp.where(is_off, 0.0, after[0]), jnp.where(is_off, 0.0, after[1])), band

    def init(_weights: Nothing, _controls: jax.Array) -> AutowahState:
        return AutowahState(jnp.zeros(1, jnp.float32), jnp.zeros(2 * channels, jnp.float32))

    def process(
        _weights: Nothing, controls: Controls, state: AutowahState, block: Block
    ) -> tuple[AutowahState, Block]:
        enable, sensitivity, frequency, octaves, q, attack_ms, release_ms, mix = controls

        def play(is_off: jax.Array) -> tuple[AutowahState, Block]:
            rise = -jnp.expm1(exponent / attack_ms)
            fall = -jnp.expm1(exponent / release_ms)
            level, levels = jax.lax.scan(
                follow, state.level[0], (magnitude(block), is_off, rise, fall)
            )
            opened = jnp.minimum(sensitivity * levels, 1.0)
            resonance_hz = jnp.clip(
                frequency * jnp.exp2(octaves * opened), LOWEST_HZ, np.float32(HIGHEST * rate_hz)
            )
            g = jnp.tan(resonance_hz * np.float32(math.pi / rate_hz))
            a1 = 1.0 / (1.0 + g * (g + 1.0 / q))
            a2 = g * a1
            frames = (is_off, a1, a2, g * a2)
            sides = [block] if channels == 1 else [block[0], block[1]]
            filters: list[jax.Array] = []
            bands = []
            for number, sound in enumerate(sides):
                own = state.filters[2 * number], state.filters[2 * number + 1]
                own, band = jax.lax.scan(filter_frame, own, (sound, *frames))
                filters += own
                bands.append(band)
            wet = bands[0] if channels == 1 else jnp.stack(bands)
            return AutowahState(level[None], jnp.stack(filters)), dry_wet(mix, block, wet)

        at_rest = jax.tree.map(jnp.zeros_like, state)
        return switched(enable, block, at_rest, play)

    return Effect(
        name="autowah",
        controls=(
            "autowah/enable",
            "autowah/sensitivity",
            "autowah/frequency",
            "autowah/range",
            "autowah/resonance",
            "autowah/attack",
            "autowah/release",
            "autowah/mix",
        ),
        weights=(),
        init=init,
        process=process,
        tails=lambda state: {"autowah": state},
        in_stereo=lambda: autowah(rate_hz, channels=2),
    )
