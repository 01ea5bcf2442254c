"""Delay: echoes of up to two seconds, with feedback; with two channels a ping-pong delay."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from nemod.fx.effect import Block, Controls, Effect, Nothing
from nemod.fx.tools.ring import Ring, fade_frames, in_even_pieces, move
from nemod.parameters.table import param

MIX = "delay/mix"
TIME = "delay/time"
FEEDBACK = "delay/feedback"


class DelayState(NamedTuple):
    """The state of a delay."""

    line: jax.Array
    """float32: a ring of what was written to the delay line, or to the two lines."""
    tap: jax.Array
    """int32 [4]: the tap (see `ring.move`) and the write position in the ring."""


def _rotated(block: Block) -> Block:
    """Return sum and difference [2, frames] of left and right, with their power."""
    half = np.float32(math.sqrt(0.5))
    return half * jnp.stack([block[0] + block[1], block[0] - block[1]])


def delay(rate_hz: float, channels: int = 1) -> Effect[Nothing, DelayState]:
    """Return a delay: out = in + echo, line = mix * in + feedback * echo, echo = line, delayed.

    The dry sound stays at unity and `delay/mix` is the level at which it is sent into the line, and
    so the level of the first echo. At 0 the echoes of earlier notes ring out; then no bit changes.
    `delay/time` [ms] is rounded to whole frames; when it changes, the tap crossfades to the new
    delay (see `ring.move`), and a change during a crossfade waits for its end.

    With two channels there is a line for the left and one for the right, and each echo is fed into
    the other one. Sent into the left line is (left + right) / sqrt(2), into the right line
    (left - right) / sqrt(2): a rotation, which keeps the power of any two signals. So what is equal
    in both channels begins on the left and alternates, and the echoes of one channel, divided by
    sqrt(2), are those of the mono delay: its output has the mean power of both channels.
    """
    row = param(TIME)
    shortest = round(row.low * rate_hz / 1000.0)
    longest = round(row.high * rate_hz / 1000.0)
    fade = fade_frames(rate_hz)
    ring = Ring(length=longest, margin=shortest, lines=channels)

    def to_frames(time_ms: jax.Array) -> jax.Array:
        frames = jnp.round(time_ms * (rate_hz / 1000.0)).astype(jnp.int32)
        return jnp.clip(frames, shortest, longest)

    def init(_weights: Nothing, controls: jax.Array) -> DelayState:
        at = to_frames(controls[1])
        still = jnp.zeros_like(at)
        return DelayState(jnp.zeros(ring.stop, jnp.float32), jnp.stack([at, at, still, still]))

    def process(
        _weights: Nothing, controls: Controls, state: DelayState, block: Block
    ) -> tuple[DelayState, Block]:
        line, tap = state
        mix, time_ms, feedback = controls[0], controls[1], controls[2]
        position = tap[3]
        after, first, second, weight = move(tap[:3], to_frames(time_ms), fade)
        if channels == 1:
            here = ring.read(line, position, first)
            there = ring.read(line, position, second)
            echo = (1.0 - weight) * here + weight * there
            line = ring.write(line, position, mix * block + feedback * echo)
        else:
            here = ring.read_lines(line, position, first)
            there = ring.read_lines(line, position, second)
            echo = (1.0 - weight)[None] * here + weight[None] * there
            sent = mix[None] * _rotated(block) + feedback[None] * echo[::-1]
            line = ring.write(line, position, sent.T)
        position = ring.advance(position, block.shape[-1])
        return DelayState(line, jnp.append(after, position)), block + echo

    effect = Effect(
        name="delay",
        controls=(MIX, TIME, FEEDBACK),
        weights=(),
        init=init,
        process=process,
        tails=lambda state: {"delay": state},
        in_stereo=lambda: delay(rate_hz, channels=2),
        makes_stereo=True,
    )
    # The shortest echo returns after this many frames; longer blocks are cut.
    return in_even_pieces(effect, shortest)
