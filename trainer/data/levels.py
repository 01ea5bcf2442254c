"""What one recording shows by itself: clipping, silence, offset, noise and hum."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from trainer.data.dataset import Signal
from trainer.data.relate import coherence

FRAME_S = 0.02
SILENT_PEAK = 5e-4
"""A recording that never exceeds this (-66 dBFS) is silent."""
SILENT_POWER = 1e-5
"""Power of a part beside the mean of the whole, up to which it is silent and has no error ratio."""
QUIET = 1e-3
"""Against the loudest frame: below, nothing is played."""
CEILING = 0.99
"""From here a run of equal samples is full scale, in one place or many."""
HIGH = 0.9
"""A converter may clip its analogue stage this far below full scale."""
MIN_RUN_FRAMES = 3
MIN_PLACES = 5
"""A sound below full scale reaches its own peak in one place, a clipped one in many."""
MIN_STRETCH_S = 0.4
SETTLE_S = 0.3
"""[s] A device may ring this long after the last note."""
NOISE_BELOW_DB = 45.0
HUM_BELOW_DB = 65.0
MAX_SHARED = 0.3
"""Noise that follows the dry recording's noise to this share is the device's gain, not a fault."""


@dataclass(frozen=True, slots=True)
class Clipping:
    """Samples that stand at a ceiling."""

    count: int
    runs: int
    longest: int
    """[frames]"""
    at: int
    """[frames] Where the longest is."""


def decibels(amplitude: float) -> float:
    """Return an amplitude in dB, silence as -200."""
    return float(20 * np.log10(max(amplitude, 1e-10)))


def rms(samples: Signal) -> float:
    """Return the root of the mean square."""
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))) if samples.size else 0.0


def power(parts: Iterable[Signal]) -> float:
    """Return the mean square of all `parts` [frames] together, 0 for none."""
    sums = [(float(np.sum(np.square(part, dtype=np.float64))), part.size) for part in parts]
    return sum(energy for energy, _ in sums) / max(1, sum(frames for _, frames in sums))


def clipping(samples: Signal, low: float = CEILING) -> Clipping | None:
    """Return the runs of equal samples at the peak of [frames], if that looks like clipping.

    Below `CEILING` and down to `low` they must be in several places. A recording beyond full scale
    (float) cannot be clipped.
    """
    size = np.abs(samples)
    peak = float(size.max(initial=0.0))
    if not low <= peak <= 1.0001:
        return None
    top = np.concatenate([[False], size >= peak * (1 - 1e-4), [False]])
    edges = np.flatnonzero(top[1:] != top[:-1]).reshape(-1, 2)
    lengths = edges[:, 1] - edges[:, 0]
    runs = lengths >= MIN_RUN_FRAMES
    count = int(np.count_nonzero(runs))
    if count < (1 if peak >= CEILING else MIN_PLACES):
        return None
    longest = int(np.argmax(lengths))
    return Clipping(int(lengths[runs].sum()), count, int(lengths[longest]), int(edges[longest, 0]))


def frame_levels(samples: Signal, rate: int) -> NDArray[np.float64]:
    """Return the RMS of each 20 ms of [frames]."""
    frame = max(1, round(FRAME_S * rate))
    count = samples.size // frame
    pieces = samples[: count * frame].reshape(count, frame).astype(np.float64)
    return np.asarray(np.sqrt(np.mean(pieces**2, axis=1)))


def stretches(quiet: NDArray[np.bool_], least_s: float) -> list[tuple[int, int]]:
    """Return where [20 ms] `quiet` holds for `least_s` or longer, as (first, past the last)."""
    padded = np.concatenate([[False], quiet, [False]])
    edges = np.flatnonzero(padded[1:] != padded[:-1]).reshape(-1, 2)
    least = least_s / FRAME_S
    return [(int(a), int(b)) for a, b in edges.tolist() if b - a >= least]


def quiet_frames(samples: Signal, rate: int) -> NDArray[np.bool_]:
    """Return where [20 ms] nothing is played."""
    levels = frame_levels(samples, rate)
    return np.asarray(levels <= QUIET * levels.max(initial=0.0))


@dataclass(frozen=True, slots=True)
class Floor:
    """What a wet recording holds where nothing is played."""

    level: float
    """RMS."""
    below: float
    """[dB] How far below the recording's own RMS."""
    hum: int | None
    """[Hz] The mains, where most of it is hum."""


def floor(dry: Signal, wet: Signal, rate: int) -> Floor | None:
    """Return the noise of `wet` [frames] that does not come from `dry`, None for none to speak of.

    It is looked for where `dry` is quiet, a while after the last note.
    """
    frame = max(1, round(FRAME_S * rate))
    skip = round(SETTLE_S / FRAME_S)
    places = stretches(quiet_frames(dry, rate), SETTLE_S + MIN_STRETCH_S)
    if not places:
        return None
    first, last = max(places, key=lambda place: place[1] - place[0])
    here = slice((first + skip) * frame, last * frame)
    noise = wet[here] - np.mean(wet[here])
    level = rms(noise)
    if level == 0:
        return None
    below = decibels(rms(wet)) - decibels(level)
    if below > HUM_BELOW_DB or (dry[here].any() and coherence(dry[here], noise) > MAX_SHARED):
        return None
    mains = _mains(noise, rate)
    if mains is None and below > NOISE_BELOW_DB:
        return None
    return Floor(level, below, mains)


def _mains(noise: Signal, rate: int) -> int | None:
    """Return 50 or 60 [Hz] where most of the energy of `noise` [frames] is at its multiples."""
    frequencies, power = signal.periodogram(noise, rate, window="hann")
    total = float(power.sum())
    width = 3 * rate / noise.size
    for mains in (50, 60):
        away = np.abs(frequencies - mains * np.round(frequencies / mains))
        near = (away <= width) & (frequencies > mains / 2) & (frequencies < 10.5 * mains)
        # Of white noise this comb holds less than a tenth.
        if total and float(power[near].sum()) > 0.6 * total:
            return mains
    return None
