"""Noise gate: silences hum and hiss while nothing is played.

A Schmitt trigger with hold on the magnitude of the input, frame by frame. The gate stands before
the model, so that its key is the dry guitar: after a distortion noise and notes are equally loud.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np

from nemod.fx.effect import Block, Controls, Effect, Nothing, magnitude, per_frame

ENABLE = "gate/enable"
THRESHOLD = "gate/threshold"
ATTACK = "gate/attack"
HOLD = "gate/hold"
RELEASE = "gate/release"

HYSTERESIS_DB = 6.0
"""[dB] The gate opens at the threshold and closes this far below it."""
WINDOW_S = 0.02
"""[s] The level is the highest magnitude of this time: half a period of the low B of a bass is
16 ms, and the gate must not close between two of its peaks."""
COURSE_DB = 60.0
"""[dB] By this much the gain falls in the release time, and its distance from 1 in the attack
time."""
FLOOR_DB = -80.0
"""[dB] A gain below this becomes 0, a distance from 1 below this becomes none."""


def gate(rate_hz: float) -> Effect[Nothing, jax.Array]:
    """Return a noise gate without latency.

    The gate opens when the magnitude of the input reaches the threshold (an amplitude). It is then
    open until the level, the peak of the last `WINDOW_S`, has been more than `HYSTERESIS_DB` below
    the threshold for `gate/hold` [ms]. Both ways the gain moves exponentially: opening, it comes
    within -60 dB of 1 in `gate/attack` [ms], most of it in the first fifth, since what is lost of a
    note is its pick; closing, it falls to -60 dB in `gate/release` [ms]. From `FLOOR_DB` on it has
    arrived. A change of direction continues from the gain of the moment.

    At `gate/enable` 0 the output is the input, bit for bit, and the gate is open; in between, the
    gain is mixed with 1. So a gate that is switched on closes only after hold and release; one that
    is on from the start is closed at first. Two channels have one gain; their magnitude is that of
    the louder one. The state is float32 [2]: the frames for which it stays open, and the gain. The
    next rig continues it.
    """
    frames_per_ms = rate_hz / 1000.0
    closing = np.float32(10.0 ** (-HYSTERESIS_DB / 20.0))
    floor = np.float32(10.0 ** (FLOOR_DB / 20.0))
    window = round(WINDOW_S * rate_hz)
    course = -COURSE_DB * math.log(10.0) / 20.0 / frames_per_ms

    def longest_frames(hold_ms: jax.Array) -> jax.Array:
        return window + jnp.round(hold_ms * frames_per_ms)

    def init(_weights: Nothing, controls: jax.Array) -> jax.Array:
        # At rest on silence: open for as long as it is off, else closed.
        opened = jnp.stack([longest_frames(controls[3]), jnp.float32(1.0)])
        return jnp.where(controls[0] == 0.0, opened, jnp.zeros_like(opened))

    def step(
        state: tuple[jax.Array, jax.Array], frame: tuple[jax.Array, ...]
    ) -> tuple[tuple[jax.Array, jax.Array], jax.Array]:
        left, gain = state
        level, enable, threshold, longest, rise, loss = frame
        is_over = level >= threshold * jnp.where(left > 0.0, closing, jnp.float32(1.0))
        left = jnp.where(is_over, longest, jnp.maximum(left - 1.0, 0.0))
        # Not as a factor: one that is nearly 1 would be rounded, and the release time with it.
        fallen = gain + loss * gain
        risen = gain + rise * (1.0 - gain)
        gain = jnp.where(
            left > 0.0,
            jnp.where(1.0 - risen < floor, 1.0, risen),
            jnp.where(fallen < floor, 0.0, fallen),
        )
        is_off = enable == 0.0
        left = jnp.where(is_off, longest, left)
        gain = jnp.where(is_off, 1.0, gain)
        return (left, gain), gain

    def process(
        _weights: Nothing, controls: Controls, state: jax.Array, block: Block
    ) -> tuple[jax.Array, Block]:
        enable, threshold, attack_ms, hold_ms, release_ms = controls

        def follow() -> tuple[jax.Array, Block]:
            longest = longest_frames(hold_ms)
            rise = -jnp.expm1(course / attack_ms)
            loss = jnp.expm1(course / release_ms)
            frames = (magnitude(block), enable, threshold, longest, rise, loss)
            (left, gain), gains = jax.lax.scan(step, (state[0], state[1]), frames)
            mixed = block * per_frame(1.0 + enable * (gains - 1.0), block)
            # A product would flush denormal numbers.
            is_off = per_frame(enable == 0.0, block)
            return jnp.stack([left, gain]), jnp.where(is_off, block, mixed)

        def stay_open() -> tuple[jax.Array, Block]:
            return jnp.stack([longest_frames(hold_ms[-1]), jnp.float32(1.0)]), block

        # Off for the whole block, it does nothing: a knob that moves is not 0 at some frame.
        out: tuple[jax.Array, Block] = jax.lax.cond(jnp.any(enable != 0.0), follow, stay_open)
        return out

    return Effect(
        name="gate",
        controls=(ENABLE, THRESHOLD, ATTACK, HOLD, RELEASE),
        weights=(),
        init=init,
        process=process,
        tails=lambda state: {"gate": state},
        in_stereo=lambda: gate(rate_hz),
    )
