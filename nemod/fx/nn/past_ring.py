"""The past of the layers of a WaveNet: one ring per layer, all of them side by side in one buffer.

A layer reads its taps as slices [channels, frames] of its ring. A slice must not be cut by the end
of the ring, so the first frames of a ring are repeated behind its end. A block is written twice:
where it belongs, and a ring's length before or behind that, if it reaches past the end or lies at
the beginning. A part of the second copy that is not needed ends in front of a ring, in a margin
that is never read. Nothing else in the buffer changes, so XLA updates it in place.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

Index = jax.Array | NDArray[np.int32]


class Rings(NamedTuple):
    """Where the rings of the layers are: int32, [layers], or of one layer []."""

    starts: Index
    """The first frame of a ring, behind its margin."""
    lengths: Index

    def of(self, layers: slice) -> "Rings":
        """Return those of some layers."""
        return Rings(self.starts[layers], self.lengths[layers])


def rings_of(pasts: Sequence[int], frames: int) -> tuple[Rings, int]:
    """Return rings for these pasts [frames], and the length of their buffer.

    `frames` is the longest block.
    """
    # With at least two blocks a block cannot be both at the beginning and past the end.
    lengths = np.array([max(past + frames, 2 * frames) for past in pasts], np.int32)
    ends = np.cumsum(lengths + 2 * frames)
    starts = ends - lengths - frames
    return Rings(starts.astype(np.int32), lengths), int(ends[-1]) + frames


def write(
    buffer: jax.Array, ring: Rings, position: jax.Array, block: jax.Array, longest: int
) -> jax.Array:
    """Return the buffer with a block [channels, frames] at `position` of one ring."""
    frames = block.shape[1]
    at = ring.starts + position
    again = jnp.where(
        position + frames > ring.lengths,
        at - ring.lengths,
        jnp.where(position < longest, at + ring.lengths, at),
    )
    for place in (at, again):
        buffer = jax.lax.dynamic_update_slice(buffer, block, (np.int32(0), place))
    return buffer


def read(
    buffer: jax.Array, ring: Rings, position: jax.Array, delay: jax.Array, frames: int
) -> jax.Array:
    """Return [channels, frames] of one ring, from `delay` frames before `position` on."""
    at = position - delay
    at = jnp.where(at < 0, at + ring.lengths, at) + ring.starts
    return jax.lax.dynamic_slice(buffer, (np.int32(0), at), (buffer.shape[0], frames))


def advance(rings: Rings, positions: jax.Array, frames: int) -> jax.Array:
    """Return the positions [layers] after a block of `frames`."""
    after = positions + frames
    return jnp.where(after >= rings.lengths, after - rings.lengths, after)
