"""Jumps of the latency close to the start of the sound, in a few blocks of noise."""

import numpy as np
import pytest

from trainer.data.ends import BLOCK_S, EndJump, jump_at_start
from trainer.data.tracking import Track

RATE = 8_000
SIZE = round(BLOCK_S * RATE)
BLOCKS = 20
LAG = 200
"""[frames] Latency behind the jump; there is none before it."""


def track(jump: int, *, broken: bool = False) -> Track:
    """Return noise whose latency changes at a frame."""
    noise = np.random.default_rng(1).standard_normal(RATE)
    late = np.concatenate([np.zeros(LAG), noise[:-LAG]])
    target = np.where(np.arange(noise.size) < jump, noise, late)
    if broken:
        target[SIZE * 12] = np.nan
    return Track(
        centres=np.array([BLOCKS * SIZE, BLOCKS * SIZE + RATE // 4]),
        lags=np.array([LAG, LAG]),
        evidence=np.ones(2, np.float32),
        window=RATE // 4,
        sign=1,
        target=target,
        predicted=noise,
    )


@pytest.mark.parametrize(
    ("jump", "expected"),
    [
        (10 * SIZE, EndJump(10 * SIZE, 0, LAG)),
        (0, None),  # one latency throughout
        (BLOCKS * SIZE, None),  # the whole of what is searched is the short side
    ],
)
def test_a_jump_has_sound_on_both_sides(jump: int, expected: EndJump | None) -> None:
    """The latency behind what is searched is that of the long side."""
    assert jump_at_start(track(jump), RATE, (BLOCKS + 1) * SIZE) == expected


def test_a_gain_that_is_no_number_is_no_jump() -> None:
    """As where a recording holds what is none."""
    course = track(10 * SIZE, broken=True)
    assert jump_at_start(course, RATE, (BLOCKS + 1) * SIZE) is None
