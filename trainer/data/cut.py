"""Where a recording is cut in three, so that what judges the model holds sound."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from trainer.data.dataset import Signal
from trainer.data.levels import SILENT_POWER, power
from trainer.data.plan import Part

STEP_S = 0.02
"""[s] Steps in which it is looked for where sound ends."""
SOUND_SHARE = 0.01
"""A part that was moved holds this share of what its frames hold on average, or more."""


def edges(wet: Signal, wanted: Mapping[str, Part], rate: int) -> tuple[int, int]:
    """Return the frames at which validation and test begin in `wet` [frames].

    Parts are taken off the end. One that would be silent begins earlier, so that it has its amount
    before the place where sound ends; a rest at the end of the recording counts for no amount.
    """
    least = SILENT_POWER * power([wet])
    first, second = _plain(wet.size, wanted, rate)
    parts = [part for part in (wet[first:second], wet[second:]) if part.size]
    if not least or all(power([part]) > least for part in parts):
        return first, second
    return _moved(wet, wanted, rate, least, rests=power([parts[-1]]) <= least)


def _plain(total: int, wanted: Mapping[str, Part], rate: int) -> tuple[int, int]:
    second = max(0, total - _frames("test", total, wanted, rate))
    return max(0, second - _frames("validation", total, wanted, rate)), second


def _frames(name: str, total: int, wanted: Mapping[str, Part], rate: int) -> int:
    return wanted[name].frames(total, rate) if name in wanted else 0


def _moved(
    wet: Signal, wanted: Mapping[str, Part], rate: int, least: float, *, rests: bool
) -> tuple[int, int]:
    step = max(1, round(STEP_S * rate))
    energies = np.add.reduceat(np.square(wet, dtype=np.float64), np.arange(0, wet.size, step))
    total = min(wet.size, step * _heard(energies, least * step)) if rests else wet.size
    mean = power([wet[:total]])
    stop = wet.size
    starts = []
    for name in ("test", "validation"):
        frames = _frames(name, total, wanted, rate)
        if frames:
            end = min(stop, total)
            if power([wet[max(0, end - frames) : stop]]) <= least:
                end = step * _heard(energies[: end // step], SOUND_SHARE * mean * frames)
            stop = max(0, end - frames)
        starts.append(stop)
    return starts[1], starts[0]


def _heard(energies: NDArray[np.float64], least: float) -> int:
    """Return how many of `energies` remain when less than `least` in all is taken off the end."""
    return max(0, energies.size - int(np.searchsorted(np.cumsum(energies[::-1]), least)))
