"""Finds where to cut a recording in three, so that validation and test are not silent."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from trainer.data.dataset import Signal
from trainer.data.levels import SILENT_POWER, power
from trainer.data.plan import Part

STEP_S = 0.02
"""[s] Resolution of the search for the end of the sound."""
SOUND_SHARE = 0.01
"""Least energy of a moved part, relative to the average energy of as many frames."""


def edges(wet: Signal, wanted: Mapping[str, Part], rate: int) -> tuple[int, int]:
    """Return the frames at which validation and test begin in `wet` [frames].

    Parts are taken from the end. A part that would be silent starts earlier, so that its amount
    lies before the end of the sound; silence at the end of the recording is not counted.
    """
    least = SILENT_POWER * power([wet])
    first, second = _fixed_edges(wet.size, wanted, rate)
    parts = [part for part in (wet[first:second], wet[second:]) if part.size]
    if not least or all(power([part]) > least for part in parts):
        return first, second
    return _moved_edges(wet, wanted, rate, least, ends_silent=power([parts[-1]]) <= least)


def _fixed_edges(total: int, wanted: Mapping[str, Part], rate: int) -> tuple[int, int]:
    second = max(0, total - _frames("test", total, wanted, rate))
    return max(0, second - _frames("validation", total, wanted, rate)), second


def _frames(name: str, total: int, wanted: Mapping[str, Part], rate: int) -> int:
    return wanted[name].frames(total, rate) if name in wanted else 0


def _moved_edges(
    wet: Signal, wanted: Mapping[str, Part], rate: int, least: float, *, ends_silent: bool
) -> tuple[int, int]:
    step = max(1, round(STEP_S * rate))
    energies = np.add.reduceat(np.square(wet, dtype=np.float64), np.arange(0, wet.size, step))
    total = min(wet.size, step * _trimmed(energies, least * step)) if ends_silent else wet.size
    mean = power([wet[:total]])
    stop = wet.size
    starts = []
    for name in ("test", "validation"):
        frames = _frames(name, total, wanted, rate)
        if frames:
            end = min(stop, total)
            if power([wet[max(0, end - frames) : stop]]) <= least:
                end = step * _trimmed(energies[: end // step], SOUND_SHARE * mean * frames)
            stop = max(0, end - frames)
        starts.append(stop)
    return starts[1], starts[0]


def _trimmed(energies: NDArray[np.float64], least: float) -> int:
    """Return how many `energies` remain after removing less than `least` in total from the end."""
    return max(0, energies.size - int(np.searchsorted(np.cumsum(energies[::-1]), least)))
