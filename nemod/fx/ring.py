"""Memory of the last frames, and a tap into it that moves without a click."""

from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp

from nemod.fx.effect import Block, Controls, Effect, State, Weights, in_pieces

FADE_S = 0.03
"""[s] How long a tap takes from one delay to the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ring:
    """The layout of a ring: an array whose first axis is time, with a margin at either end.

    A block is written twice, each time in one stroke: at its place, and `length` frames before it.
    The first may run over the end into the margin there; then the second puts that part at the
    front. Otherwise the second falls into the margin before the front, which nobody reads. So
    nothing is scattered, and the array is changed in place.
    """

    length: int
    """Frames that it remembers."""
    margin: int
    """Frames of the longest block."""

    def empty(self, *width: int) -> jax.Array:
        """Return a silent ring, float32 [margin + length + margin, ...]."""
        return jnp.zeros((self.length + 2 * self.margin, *width), jnp.float32)

    def write(self, ring: jax.Array, position: jax.Array, block: jax.Array) -> jax.Array:
        """Return the ring with the block [frames, ...] at `position` (0 to `length` - 1)."""
        place = position + self.margin
        ring = jax.lax.dynamic_update_slice_in_dim(ring, block, place, 0)
        wrapped = jnp.maximum(place - self.length, 0)
        return jax.lax.dynamic_update_slice_in_dim(ring, block, wrapped, 0)

    def advance(self, position: jax.Array, frames: int) -> jax.Array:
        """Return the position `frames` later."""
        position = position + frames
        return jnp.where(position >= self.length, position - self.length, position)

    def read(self, ring: jax.Array, position: jax.Array, delays: jax.Array) -> jax.Array:
        """Return the frames [frames] that lie `delays` (int32 [frames], 0 to `length`) in the past.

        Delay k counts from the frame at `position` + k. A ring of several lines takes delays
        [frames, lines], one per line.
        """
        count = jnp.arange(delays.shape[0], dtype=jnp.int32)
        if delays.ndim == 1:
            at: tuple[jax.Array, ...] = (self._place(position + count - delays),)
        else:
            lines = jnp.arange(delays.shape[1], dtype=jnp.int32)
            at = (self._place(position + count[:, None] - delays), lines[None, :])
        return ring.at[at].get(mode="promise_in_bounds")

    def _place(self, at: jax.Array) -> jax.Array:
        at = jnp.where(at < 0, at + self.length, at)
        return jnp.where(at >= self.length, at - self.length, at) + self.margin


def fade_frames(rate_hz: float) -> int:
    """Return the length of a tap's fade."""
    return round(FADE_S * rate_hz)


def move(
    tap: jax.Array, wanted: jax.Array, fade: int
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """Follow a wanted delay by fades of `fade` frames: one at a time, each to its end.

    `tap` is int32 [3]: the delay left, the delay gone to, and how many frames of the fade are to
    come (0 at rest). `wanted` is int32 [frames], at most `fade` frames long, so that in a block at
    most one fade ends and one begins. A fade begins at the first frame that wants another delay
    when none is under way; that depends on the frame and not on the block that it is in. Returns
    the tap after the block and, per frame, the two delays and the weight of the second.

    The weights of the two delays add up to one. Neighbouring taps of one signal are alike, so
    their amplitudes add and an equal-power fade would bulge; and inside a feedback loop a sum of
    weights above one could make the loop grow.
    """
    frames = wanted.shape[0]
    old, new, left = tap[0], tap[1], tap[2]
    count = jnp.arange(frames, dtype=jnp.int32)
    under_way = count < left
    begins = ~under_way & (wanted != new)
    first = jnp.min(jnp.where(begins, count, frames))
    begun = first < frames
    third = jnp.where(begun, wanted[jnp.minimum(first, frames - 1)], new)
    moving = count >= first
    done = jnp.where(under_way, fade - left + count + 1, jnp.where(moving, count - first + 1, fade))
    after = jnp.where(
        begun,
        jnp.stack([new, third, fade - frames + first]),
        jnp.stack([old, new, jnp.maximum(left - frames, 0)]),
    )
    share = done.astype(jnp.float32) / fade
    weight = share * share * (3.0 - 2.0 * share)
    return after, jnp.where(under_way, old, new), jnp.where(moving, third, new), weight


def in_even_pieces(effect: Effect, frames: int) -> Effect:
    """Return the effect fed pieces of like size, none of them longer than `frames`."""

    def process(
        weights: Weights, controls: Controls, state: State, block: Block
    ) -> tuple[State, Block]:
        total = block.shape[0]
        count = -(-total // frames)
        return in_pieces(effect, -(-total // count)).process(weights, controls, state, block)

    return replace(effect, process=process)
