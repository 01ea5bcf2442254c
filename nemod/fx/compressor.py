"""Compressor: makes loud notes quieter, so that quiet ones can be made louder.

The feed-forward compressor of D. Giannoulis, M. Massberg and J. D. Reiss, "Digital dynamic range
compressor design: a tutorial and analysis", Journal of the Audio Engineering Society 60(6), 2012:
the level is measured and the gain smoothed in dB, with their soft knee and their decoupled peak
detector.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np

from nemod.fx.effect import Block, Controls, Effect, Nothing, magnitude, per_frame

ENABLE = "comp/enable"
THRESHOLD = "comp/threshold"
RATIO = "comp/ratio"
ATTACK = "comp/attack"
RELEASE = "comp/release"
MAKEUP = "comp/makeup"

KNEE_DB = 6.0
"""[dB] Width of the range around the threshold in which the ratio goes from 1 to its value."""
FLOOR_DB = -120.0
"""[dBFS] Lowest level; silence counts as this one. It is below every threshold."""


def compressor(rate_hz: float) -> Effect[Nothing, jax.Array]:
    """Return a compressor without latency.

    The reduction that a frame's magnitude calls for is 0 below the knee, and above it what brings
    the excess over `comp/threshold` [dBFS] down to 1 / `comp/ratio`; within the knee it is a
    parabola that joins the two. A peak detector follows the reduction: up at once, down towards 0
    with the time constant `comp/release` [ms]. A low-pass with the time constant `comp/attack` [ms]
    smooths the result. The gain is `comp/makeup` minus that reduction, in dB, times `comp/enable`.

    Two channels have one gain; their magnitude is that of the louder one.

    At `comp/enable` 0 the output is the input, bit for bit, and the reduction is 0. The state is
    float32 [2]: the peak detector and the smoothed reduction [dB]. The next rig continues it.
    """
    # Of e: the decay in one frame with a time constant of 1 ms.
    exponent = np.float32(-1000.0 / rate_hz)
    decibel = np.float32(20.0 / math.log(10.0))
    neper = np.float32(math.log(10.0) / 20.0)
    floor = np.float32(10.0 ** (FLOOR_DB / 20.0))

    def init(_weights: Nothing, _controls: jax.Array) -> jax.Array:
        return jnp.zeros(2, jnp.float32)

    def wanted(level_db: jax.Array, threshold_db: jax.Array, ratio: jax.Array) -> jax.Array:
        """Return the reduction in dB of the static curve."""
        above = level_db - threshold_db + KNEE_DB / 2.0
        bent = jnp.clip(above, 0.0, KNEE_DB)
        straight = jnp.maximum(above - KNEE_DB, 0.0)
        return (1.0 - 1.0 / ratio) * (bent * bent / (2.0 * KNEE_DB) + straight)

    def step(
        state: tuple[jax.Array, jax.Array], frame: tuple[jax.Array, ...]
    ) -> tuple[tuple[jax.Array, jax.Array], jax.Array]:
        peak, smoothed = state
        reduction, rising, loss = frame
        # Not as a factor: one that is nearly 1 would be rounded, and the release time with it.
        peak = jnp.maximum(reduction, peak + loss * peak)
        smoothed = smoothed + rising * (peak - smoothed)
        return (peak, smoothed), smoothed

    def process(
        _weights: Nothing, controls: Controls, state: jax.Array, block: Block
    ) -> tuple[jax.Array, Block]:
        enable, threshold_db, ratio, attack_ms, release_ms, makeup_db = controls

        def compress() -> tuple[jax.Array, Block]:
            level_db = decibel * jnp.log(jnp.maximum(magnitude(block), floor))
            is_off = enable == 0.0
            # While it is off both states must be 0: nothing to reduce, and all of the way at once.
            reduction = jnp.where(is_off, 0.0, wanted(level_db, threshold_db, ratio))
            rising = jnp.where(is_off, 1.0, -jnp.expm1(exponent / attack_ms))
            loss = jnp.where(is_off, -1.0, jnp.expm1(exponent / release_ms))
            frames = (reduction, rising, loss)
            (peak, smoothed), reductions = jax.lax.scan(step, (state[0], state[1]), frames)
            gain = jnp.exp(neper * enable * (makeup_db - reductions))
            # A product would flush denormal numbers.
            out = jnp.where(per_frame(is_off, block), block, block * per_frame(gain, block))
            return jnp.stack([peak, smoothed]), out

        # Off for the whole block, it does nothing: a knob that moves is not 0 at some frame.
        out: tuple[jax.Array, Block] = jax.lax.cond(
            jnp.any(enable != 0.0), compress, lambda: (jnp.zeros(2, jnp.float32), block)
        )
        return out

    return Effect(
        name="compressor",
        controls=(ENABLE, THRESHOLD, RATIO, ATTACK, RELEASE, MAKEUP),
        weights=(),
        init=init,
        process=process,
        tails=lambda state: {"compressor": state},
        in_stereo=lambda: compressor(rate_hz),
    )
