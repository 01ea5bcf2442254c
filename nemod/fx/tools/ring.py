"""Ring buffer for delay lines, with a tap whose delay changes without a click."""

from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp

from nemod.fx.effect import Block, Controls, Effect, S, W, in_pieces

FADE_S = 0.03
"""[s] Length of the crossfade from one delay to the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ring:
    """The layout of a ring buffer of one or more lines, with a margin at each end.

    It lies in a flat array, frame by frame, and may share it with others. A block is written twice,
    each time as one slice: at its position, and `length` frames before it. The first may reach past
    the end into the margin; the second then writes that part to the front. Otherwise the second
    ends in the front margin, which is never read. So there is no scatter operation, and XLA updates
    the array in place.
    """

    length: int
    """[frames] Longest delay."""
    margin: int
    """[frames] Longest block."""
    lines: int = 1
    start: int = 0
    """Where it begins in its array."""

    @property
    def stop(self) -> int:
        """Where it ends in its array."""
        return self.start + (self.length + 2 * self.margin) * self.lines

    def write(self, array: jax.Array, position: jax.Array, block: jax.Array) -> jax.Array:
        """Return the array with a block at `position` (0 to `length` - 1).

        The block is [frames], or [frames, lines] with several lines.
        """
        place = position + self.margin
        flat = block.reshape(-1)
        wrapped = jnp.maximum(place - self.length, 0)
        for at in (place, wrapped):
            array = jax.lax.dynamic_update_slice(array, flat, (self.start + at * self.lines,))
        return array

    def advance(self, position: jax.Array, frames: int) -> jax.Array:
        """Return the position `frames` later."""
        position = position + frames
        return jnp.where(position >= self.length, position - self.length, position)

    def read(self, array: jax.Array, position: jax.Array, delays: jax.Array) -> jax.Array:
        """Return the ring [frames], delayed by `delays` (int32 [frames], 0 to `length`).

        Delay k counts from the frame at `position` + k. A ring of several lines takes delays
        [frames, lines], one per line.
        """
        count = jnp.arange(delays.shape[0], dtype=jnp.int32)
        if delays.ndim == 1:
            at = self._place(position + count - delays)
        else:
            line = jnp.arange(delays.shape[1], dtype=jnp.int32)
            at = self._place(position + count[:, None] - delays) * self.lines + line[None, :]
        return array.at[self.start + at].get(mode="promise_in_bounds")

    def read_lines(self, array: jax.Array, position: jax.Array, delays: jax.Array) -> jax.Array:
        """Return all lines [lines, frames], each delayed by the same `delays` (int32 [frames])."""
        count = jnp.arange(delays.shape[0], dtype=jnp.int32)
        at = self.start + self._place(position + count - delays) * self.lines
        each = [array.at[at + line].get(mode="promise_in_bounds") for line in range(self.lines)]
        return jnp.stack(each)

    def _place(self, at: jax.Array) -> jax.Array:
        at = jnp.where(at < 0, at + self.length, at)
        return jnp.where(at >= self.length, at - self.length, at) + self.margin


def fade_frames(rate_hz: float) -> int:
    """Return the length of the crossfade of a tap."""
    return round(FADE_S * rate_hz)


def move(
    tap: jax.Array, wanted: jax.Array, fade: int
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """Follow a wanted delay by crossfades of `fade` frames, one at a time, each to its end.

    `tap` is int32 [3]: the old delay, the new delay, and the frames of the crossfade that remain
    (0 at rest). `wanted` is int32 [frames], at most `fade` frames long, so that at most one
    crossfade ends and one begins in a block. A crossfade begins at the first frame whose delay
    differs while none is in progress; this depends on the frame, not on the block it is in.
    Returns the tap after the block and, per frame, the two delays and the weight of the second.

    The weights of the two delays add up to one. Two delays of one signal are correlated, so their
    amplitudes add and an equal-power crossfade would be too loud in the middle; and in a feedback
    loop weights that add up to more than one could make the loop unstable.
    """
    frames = wanted.shape[0]
    old, new, left = tap[0], tap[1], tap[2]
    count = jnp.arange(frames, dtype=jnp.int32)
    is_fading = count < left
    begins = ~is_fading & (wanted != new)
    first = jnp.min(jnp.where(begins, count, frames))
    begun = first < frames
    third = jnp.where(begun, wanted[jnp.minimum(first, frames - 1)], new)
    moving = count >= first
    done = jnp.where(is_fading, fade - left + count + 1, jnp.where(moving, count - first + 1, fade))
    after = jnp.where(
        begun,
        jnp.stack([new, third, fade - frames + first]),
        jnp.stack([old, new, jnp.maximum(left - frames, 0)]),
    )
    share = done.astype(jnp.float32) / fade
    weight = share * share * (3.0 - 2.0 * share)
    return after, jnp.where(is_fading, old, new), jnp.where(moving, third, new), weight


def in_even_pieces(effect: Effect[W, S], frames: int) -> Effect[W, S]:
    """Return the effect, called with pieces of equal size of at most `frames`."""

    def process(weights: W, controls: Controls, state: S, block: Block) -> tuple[S, Block]:
        total = block.shape[-1]
        count = -(-total // frames)
        return in_pieces(effect, -(-total // count)).process(weights, controls, state, block)

    return replace(effect, process=process)
