"""A delay line whose delay moves with every frame and lies between frames.

Between frames the sound is interpolated by the polynomial of third order through four of them
(Lagrange; T. Laakso, V. Valimaki, M. Karjalainen and U. Laine, "Splitting the unit delay", IEEE
Signal Processing Magazine 13(1), 1996). Its error at 1 kHz is some 100 dB below the sound.
"""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp

from nemod.fx.effect import Block
from nemod.fx.tools.ring import Ring

SHORTEST = 2.0
"""[frames] Shortest delay: the newest of the four frames has been written by then."""
PIECE_FRAMES = 256
"""Longest block that is written at once."""
_TAPS = 4


def taps_of(delay: jax.Array) -> tuple[list[jax.Array], list[jax.Array]]:
    """Return the ages (int32) of four frames, and their weights, for delays in frames."""
    whole = jnp.floor(delay)
    f = delay - whole
    newest = whole.astype(jnp.int32) - 1
    weights = [
        -f * (f - 1.0) * (f - 2.0) / 6.0,
        (f + 1.0) * (f - 1.0) * (f - 2.0) / 2.0,
        -(f + 1.0) * f * (f - 2.0) / 2.0,
        (f + 1.0) * f * (f - 1.0) / 6.0,
    ]
    return [newest + number for number in range(_TAPS)], weights


def frames_on(before: jax.Array, is_off: jax.Array, longest: int) -> tuple[jax.Array, jax.Array]:
    """Return for how many frames an effect has been on, at the end and [frames].

    What is older than that in a delay line was played before it was switched off. `before` (int32)
    is the number at the end of the last block; it stops at `longest`.
    """

    def step(count: jax.Array, off: jax.Array) -> tuple[jax.Array, jax.Array]:
        count = jnp.where(off, 0, jnp.minimum(count + 1, longest))
        return count, count

    counts: tuple[jax.Array, jax.Array] = jax.lax.scan(step, before, is_off)
    return counts


def read(
    taps: tuple[list[jax.Array], list[jax.Array]],
    age_limit: jax.Array,
    frame_of_age: Callable[[jax.Array], jax.Array],
) -> jax.Array:
    """Return the interpolated sound; frames that are as old as `age_limit` are silent."""
    each = [
        weight * jnp.where(age < age_limit, frame_of_age(age), 0.0)
        for age, weight in zip(*taps, strict=True)
    ]
    return (each[0] + each[3]) + (each[1] + each[2])


@dataclass(frozen=True, slots=True, kw_only=True)
class MovingTap:
    """Delay lines of one channel or of two, without feedback."""

    longest: int
    """[frames] Longest delay."""
    channels: int

    @property
    def ring(self) -> Ring:
        """The layout of the lines."""
        length = self.longest + _TAPS + PIECE_FRAMES
        return Ring(length=length, margin=PIECE_FRAMES, lines=self.channels)

    def play(
        self,
        line: jax.Array,
        position: jax.Array,
        block: Block,
        delays: jax.Array,
        age_limit: jax.Array,
    ) -> tuple[jax.Array, jax.Array, Block]:
        """Return the lines with a block in them, the next position, and the delayed block.

        `delays` [frames] are `SHORTEST` to `longest`, in the shape of the block.
        """
        ring = self.ring
        line = ring.write(line, position, block.T)
        taps = taps_of(delays.T)
        limit = age_limit if self.channels == 1 else age_limit[:, None]
        delayed = read(taps, limit, lambda ages: ring.read(line, position, ages))
        return line, ring.advance(position, block.shape[-1]), delayed.T
