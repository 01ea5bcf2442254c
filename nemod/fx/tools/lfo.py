"""Low-frequency oscillator: a phase that does not drift, and the shapes that it draws.

The phase is an integer that overflows at the end of a cycle. A cycle is a whole number of frames,
and the fraction that a frame's step leaves over is carried on as a remainder (Bresenham's
algorithm), so after any number of cycles the phase is exactly where it was: nothing is rounded that
could add up. Where the rate changes the phase goes on from where it is.

Random shapes take their values from a hash of the number of the cycle. So they need no generator in
the state, and left and right of a stereo effect draw the same values.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from nemod.parameters.lfo_shapes import LFO_SHAPES

EDGE_S = 0.004
"""[s] In this time a shape with a jump passes it: a jump of a gain or a delay would click."""
LONGEST_EDGE = 0.25
"""Share of a cycle that an edge takes at most."""
_UNEVEN = float(LFO_SHAPES.index("uneven sine"))
_LAST_FRAME = np.float32(2**24)
"""Longest cycle [frames]; a float32 counts that far."""


class Turn(NamedTuple):
    """Where an oscillator is, frame by frame."""

    phase: jax.Array
    """uint32 [frames]: the share of the cycle that is over, 2**32 being the whole."""
    cycle: jax.Array
    """uint32 [frames]: the number of the cycle."""


def rest() -> jax.Array:
    """Return the state of an oscillator at the beginning of its first cycle.

    int32 [3]: phase, remainder of the phase, number of the cycle, the bits of unsigned numbers.
    """
    return jnp.zeros(3, jnp.int32)


def turn(
    state: jax.Array,
    rate_hz: jax.Array,
    shape: jax.Array,
    sample_rate_hz: float,
    holds: jax.Array | None = None,
) -> tuple[jax.Array, Turn]:
    """Return the state after the frames of `rate_hz` [Hz] [frames], and the phases.

    The rate is rounded to a whole number of frames per cycle. With the `shape` "uneven sine"
    (index in `LFO_SHAPES`, [frames]) a cycle takes 0.8 or 1.2 times as long, by chance.
    Where `holds` (bool [frames]) is true, it stands at the beginning of its first cycle.
    """
    frames = jnp.clip(jnp.round(np.float32(sample_rate_hz) / rate_hz), 2.0, _LAST_FRAME)
    length = frames.astype(jnp.uint32)
    # 2**32 does not fit: its quotient and remainder follow from those of 2**32 - 1.
    step = jnp.uint32(0xFFFFFFFF) // length
    rest_of_step = jnp.uint32(0xFFFFFFFF) - step * length + jnp.uint32(1)
    is_whole = rest_of_step == length
    step = jnp.where(is_whole, step + 1, step)
    rest_of_step = jnp.where(is_whole, jnp.uint32(0), rest_of_step)
    is_uneven = shape > _UNEVEN - 0.5
    is_held = jnp.zeros_like(is_uneven) if holds is None else holds
    frame_inputs = (length, step, rest_of_step, is_uneven, is_held)
    start = tuple(jax.lax.bitcast_convert_type(state, jnp.uint32))
    after, phases = jax.lax.scan(_advance, start, frame_inputs)
    return jax.lax.bitcast_convert_type(jnp.stack(after), jnp.int32), phases


_Place = tuple[jax.Array, ...]
"""Phase, remainder and cycle."""


def _advance(place: _Place, frame: tuple[jax.Array, ...]) -> tuple[_Place, Turn]:
    length, step, rest_of_step, is_uneven, is_held = frame
    none = jnp.uint32(0)
    phase, remainder, cycle = (jnp.where(is_held, none, each) for each in place)
    total = remainder + rest_of_step
    carries = total >= length
    shortened = step + (step >> 2)
    stretched = step - step // 6
    random_step = jnp.where((_hash(cycle) & 1) == 1, shortened, stretched)
    moved = jnp.where(is_uneven, random_step, step + carries.astype(jnp.uint32))
    after = phase + moved
    wrapped = (after < phase).astype(jnp.uint32)
    remainder = jnp.where(carries, total - length, total)
    # A cycle that becomes shorter may leave a remainder that is longer than it.
    remainder = jnp.where(remainder >= length, none, remainder)
    moved_on = tuple(jnp.where(is_held, none, each) for each in (after, remainder, cycle + wrapped))
    return moved_on, Turn(phase, cycle)


def shifted(at: Turn, turns: jax.Array) -> Turn:
    """Return phases that are `turns` (0 to below 1, [frames]) of a cycle ahead."""
    ahead = at.phase + (turns * np.float32(2.0**32)).astype(jnp.uint32)
    return Turn(ahead, at.cycle + (ahead < at.phase).astype(jnp.uint32))


def wave(at: Turn, shape: jax.Array, rate_hz: jax.Array) -> jax.Array:
    """Return the oscillator's value [frames], -1 to 1.

    `shape` is an index in `LFO_SHAPES`; between two of them both are mixed, so that a smoothed
    index passes from one shape to another without a jump. Square, ramps and sample hold pass
    their jumps in `EDGE_S`.

    The uneven sine is quasi-periodic as in C. Mitcheltree et al., "Modulation extraction for
    LFO-driven audio effects" (DAFx 2023), who test with it whether an extractor follows more than
    a period: each cycle is by chance a fifth longer or shorter. They do so with any shape. `turn`
    changes the length, so a cycle has no jump at its ends.
    """
    x = (at.phase >> 8).astype(jnp.float32) * np.float32(2.0**-24)
    edge = jnp.minimum(rate_hz * np.float32(EDGE_S), np.float32(LONGEST_EDGE))
    sine = jnp.sin(np.float32(2.0 * np.pi) * x)
    triangle = 4.0 * jnp.abs(jnp.abs(x - 0.25) - 0.5) - 1.0
    square = _step(jnp.clip(triangle / (2.0 * edge), -1.0, 1.0))
    fall = _step(jnp.clip(2.0 * (x - 1.0) / edge + 1.0, -1.0, 1.0))
    ramp = jnp.where(x < 1.0 - edge, 2.0 * x / (1.0 - edge) - 1.0, -fall)
    before, now, after = (_noise(at.cycle + np.uint32(k)) for k in (0, 1, 2))
    smooth_random = _between(now, after, _step(2.0 * x - 1.0))
    held = _between(before, now, _step(jnp.clip(2.0 * x / edge - 1.0, -1.0, 1.0)))
    shapes = (sine, triangle, square, ramp, -ramp, smooth_random, held, sine)
    weights = [jnp.maximum(0.0, 1.0 - jnp.abs(shape - float(k))) for k in range(len(shapes))]
    total = sum((w * s for w, s in zip(weights, shapes, strict=True)), jnp.zeros_like(x))
    return jnp.clip(total, -1.0, 1.0)


def channel_waves(
    at: Turn, shape: jax.Array, rate_hz: jax.Array, spread_deg: jax.Array, channels: int
) -> jax.Array:
    """Return the oscillator's values [frames], or [2, frames] with the right one ahead."""
    left = wave(at, shape, rate_hz)
    if channels == 1:
        return left
    right = wave(shifted(at, spread_deg * np.float32(1.0 / 360.0)), shape, rate_hz)
    return jnp.stack([left, right])


def _step(x: jax.Array) -> jax.Array:
    """Return a smooth way from -1 to 1 for x from -1 to 1, without a corner at its ends."""
    return x * (1.5 - 0.5 * x * x)


def _between(one: jax.Array, other: jax.Array, place: jax.Array) -> jax.Array:
    """Return one value at place -1, the other at place 1."""
    return one + (other - one) * (0.5 + 0.5 * place)


def _noise(cycle: jax.Array) -> jax.Array:
    """Return a value of -1 to below 1 for each number of a cycle."""
    return (_hash(cycle) >> 8).astype(jnp.float32) * np.float32(2.0**-23) - 1.0


def _hash(number: jax.Array) -> jax.Array:
    """Return 32 bits that look random, of a number.

    The finaliser of A. Appleby's MurmurHash3.
    """
    mixed = number * np.uint32(0x9E3779B9) + np.uint32(0x7F4A7C15)
    mixed = (mixed ^ (mixed >> 16)) * np.uint32(0x85EBCA6B)
    mixed = (mixed ^ (mixed >> 13)) * np.uint32(0xC2B2AE35)
    return mixed ^ (mixed >> 16)
