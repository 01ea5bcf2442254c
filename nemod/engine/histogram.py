"""Histogram of block times in shared memory.

Telemetry has the mean and the maximum of 20 ms; percentiles need every block. The audio thread
increments a bin of a memory-mapped file, which takes a microsecond and leaves no allocation behind;
any process can map the file and read the counts without a message to the audio process. The file
belongs on a memory file system (`/dev/shm`): writing to a page of a file on disk may block.
"""

import math
import mmap
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

VARIABLE = "NEMOD_BLOCK_TIMES"
"""Environment variable: path of the file. Without it nothing is counted."""

BINS_PER_OCTAVE = 64
"""A bin is 1.1 % wide."""
FIRST_S = 1e-6
"""[s] Upper end of the first bin."""
_OCTAVES = 20
BINS = _OCTAVES * BINS_PER_OCTAVE
"""The last one begins at 1 s and holds all longer times."""
_HEAD = 4
_BYTES = 8 * (_HEAD + BINS)


class BlockTimes:
    """Writes the counts. The file outlives the process: a restarted audio process continues it."""

    def __init__(self, path: Path) -> None:
        """Open the file and create it if it does not exist. Raises: OSError."""
        fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            os.ftruncate(fd, _BYTES)
            self._map = mmap.mmap(fd, _BYTES)
        finally:
            os.close(fd)
        self._words = memoryview(self._map).cast("Q")
        self._late, self._xruns, self._faults = self._words[1:_HEAD].tolist()

    def count(self, busy_s: float, *, late: int, xruns: int, faults: int) -> None:
        """Count a block that took `busy_s` [s]; the other arguments are totals of this process.

        Thread: audio.
        """
        words = self._words
        words[_HEAD + _bin(busy_s)] += 1
        words[0] += 1
        words[1] = self._late + late
        words[2] = self._xruns + xruns
        words[3] = self._faults + faults


def _bin(seconds: float) -> int:
    if seconds <= FIRST_S:
        return 0
    return min(1 + int(math.log2(seconds / FIRST_S) * BINS_PER_OCTAVE), BINS - 1)


def from_environment() -> BlockTimes | None:
    """Return the histogram that the environment names, or None. Raises: OSError."""
    path = os.environ.get(VARIABLE)
    return BlockTimes(Path(path)) if path else None


@dataclass(frozen=True, slots=True)
class Counts:
    """Counts since the file was created, or between two readings."""

    blocks: int
    late: int
    """Blocks that began more than a whole period late."""
    xruns: int
    """Underflows and overflows as the device counts them."""
    faults: int
    """Blocks that were muted."""
    bins: NDArray[np.int64]
    """[BINS]"""

    def __sub__(self, before: "Counts") -> "Counts":
        """Return the counts since `before`."""
        return Counts(
            blocks=self.blocks - before.blocks,
            late=self.late - before.late,
            xruns=self.xruns - before.xruns,
            faults=self.faults - before.faults,
            bins=self.bins - before.bins,
        )

    def quantile_s(self, share: float) -> float:
        """Return the quantile [s] of the block times at this share (0..1), to 1.1 %.

        It is the upper end of a bin, so never too small. 1.0 gives the maximum; without blocks
        it is 0.
        """
        total = int(self.bins.sum())
        if not total:
            return 0.0
        wanted = max(1, math.ceil(share * total))
        found = int(np.searchsorted(np.cumsum(self.bins), wanted))
        return float(FIRST_S * 2.0 ** (found / BINS_PER_OCTAVE))


def read(path: Path) -> Counts:
    """Return the present counts of a file. Thread: any, in any process.

    Raises: OSError, and ValueError for a file of another kind.
    """
    data = path.read_bytes()
    if len(data) != _BYTES:
        raise ValueError(f"{path}: {len(data)} bytes; a histogram of block times has {_BYTES}")
    words = np.frombuffer(data, np.uint64).astype(np.int64)
    blocks, late, xruns, faults = (int(word) for word in words[:_HEAD])
    return Counts(blocks=blocks, late=late, xruns=xruns, faults=faults, bins=words[_HEAD:])
