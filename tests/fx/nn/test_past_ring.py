"""Rings side by side: what is read is what was written that long before."""

import numpy as np
import pytest

from nemod.fx.nn.past_ring import advance, read, rings_of, write

LONGEST = 4
PASTS = (0, 1, 3, 11)


@pytest.mark.parametrize("sizes", [(4,), (1, 3), (2, 4, 1), (3,)])
def test_every_delay_is_read_across_the_ends_of_the_rings(sizes: tuple[int, ...]) -> None:
    """Blocks of many sizes; each ring holds a signal of its own, of two channels."""
    rings, length = rings_of(PASTS, LONGEST)
    buffer = np.full((2, length), np.nan, np.float32)
    for at in range(len(PASTS)):
        start = rings.starts[at]
        buffer[:, start : start + rings.lengths[at] + LONGEST] = 0.0
    positions = np.zeros(len(PASTS), np.int32)
    signals = [np.zeros((2, max(PASTS)), np.float32) for _ in PASTS]
    rng = np.random.default_rng(2)
    for number in range(16):
        frames = sizes[number % len(sizes)]
        for at, past in enumerate(PASTS):
            ring = type(rings)(rings.starts[at], rings.lengths[at])
            block = rng.normal(size=(2, frames)).astype(np.float32)
            signals[at] = np.hstack([signals[at], block])
            buffer = np.asarray(write(buffer, ring, positions[at], block, LONGEST))
            for delay in {0, past // 2, past}:
                taken = np.asarray(read(buffer, ring, positions[at], np.int32(delay), frames))
                stop = signals[at].shape[1] - delay
                np.testing.assert_array_equal(taken, signals[at][:, stop - frames : stop])
        positions = np.asarray(advance(rings, positions, frames))
