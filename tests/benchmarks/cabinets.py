"""Measures what a cabinet costs, and prints the table of docs/cabinets.md.

python tests/benchmarks/cabinets.py [--block 64] [--blocks 4000]

The rig without a cabinet and those with one take turns of 50 blocks, so that whatever else the
machine does meets them all. On a machine with other work: as root, with `chrt -f 60` before it.
"""

import argparse
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from nemod.common import xla  # noqa: E402

xla.prepare()

import numpy as np  # noqa: E402
from numpy.typing import NDArray  # noqa: E402

from nemod.builder.build import BuiltRig, build  # noqa: E402
from nemod.builder.filled_chain import clean  # noqa: E402
from nemod.control.settings import Settings  # noqa: E402
from nemod.formats.impulse_response import ImpulseResponse  # noqa: E402

RATE_HZ = 48_000
TAPS = (1024, 2048, 4096, 8192, 16_384, 24_576, 40_960)
TURN_BLOCKS, UNMEASURED_BLOCKS = 50, 10
"""Length of a turn, and how many blocks of it fill the caches."""


def rig(taps: int, block: int) -> BuiltRig:
    """Return the clean rig with a cabinet of so many taps; 0 for none."""
    response = None
    if taps:
        samples = np.random.default_rng(0).normal(size=taps).astype(np.float32)
        response = ImpulseResponse(
            name="noise", samples=samples, rate_hz=RATE_HZ, channels=1, note=""
        )
    settings = Settings({"cab/enable": 1.0})
    return build(clean(), RATE_HZ, block, settings, response=response)


def times_us(rigs: list[BuiltRig], block: int, blocks: int) -> NDArray[np.float64]:
    """Return the time of each block [rigs, turns, blocks of a turn]."""
    sound = np.random.default_rng(1).normal(0.0, 0.1, block).astype(np.float32)
    states = [made.loaded.fresh() for made in rigs]
    taken = np.zeros((len(rigs), blocks // TURN_BLOCKS, TURN_BLOCKS))
    for turn in range(taken.shape[1]):
        for at, made in enumerate(rigs):
            loaded = made.loaded
            for number in range(TURN_BLOCKS):
                began = time.perf_counter()
                states[at], out = loaded.call(loaded.weights, loaded.controls, states[at], sound)
                np.asarray(out)
                taken[at, turn, number] = time.perf_counter() - began
    return taken[:, :, UNMEASURED_BLOCKS:] * 1e6


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--block", type=int, default=64)
    parser.add_argument("--blocks", type=int, default=4000)
    given = parser.parse_args()
    rigs = [rig(taps, given.block) for taps in (0, *TAPS)]
    bare, *medians = np.median(times_us(rigs, given.block, given.blocks), axis=(1, 2))
    period_us = given.block / RATE_HZ * 1e6
    print(f"The rig without a cabinet: {bare:.0f} us of {period_us:.0f} us.\n")  # noqa: T201
    print("| taps | length at 48 kHz | more per block | share of the period |")  # noqa: T201
    print("|--:|--:|--:|--:|")  # noqa: T201
    for taps, median in zip(TAPS, medians, strict=True):
        more = median - bare
        length = f"{1e3 * taps / RATE_HZ:.0f} ms"
        print(f"| {taps:,} | {length} | {more:.0f} us | {more / period_us:.1%} |")  # noqa: T201


if __name__ == "__main__":
    main()
