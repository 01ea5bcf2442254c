"""Measures one signal: level, clipping, silence, noise and hum."""

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
"""Power relative to the mean of the data set up to which a part is silent and has no ESR."""
QUIET = 1e-3
"""Level relative to the loudest frame below which nothing is played."""
CEILING = 0.99
"""Peak from which a single run of equal samples counts as clipping."""
HIGH = 0.9
"""Peak from which wet can clip: the analogue stage may clip below full scale."""
MIN_RUN_FRAMES = 3
MIN_PLACES = 5
"""A signal below full scale reaches its peak once, a clipped one many times."""
MIN_STRETCH_S = 0.4
SETTLE_S = 0.3
"""[s] How long a device may ring after the last note."""
NOISE_BELOW_DB = 45.0
HUM_BELOW_DB = 65.0
MAX_SHARED = 0.3
"""Coherence with the dry noise above which noise in wet is amplified input, not a fault."""


@dataclass(frozen=True, slots=True)
class Clipping:
    """Samples at a ceiling."""

    count: int
    runs: int
    longest: int
    """[frames]"""
    at: int
    """[frames] Start of the longest run."""


def decibels(amplitude: float) -> float:
    """Return an amplitude in dB, -200 for silence."""
    return float(20 * np.log10(max(amplitude, 1e-10)))


def rms(samples: Signal) -> float:
    """Return the root mean square, 0 for no samples."""
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))) if samples.size else 0.0


def power(parts: Iterable[Signal]) -> float:
    """Return the mean square of all `parts` [frames] together, 0 for none."""
    sums = [(float(np.sum(np.square(part, dtype=np.float64))), part.size) for part in parts]
    return sum(energy for energy, _ in sums) / max(1, sum(frames for _, frames in sums))


def clipping(samples: Signal, low: float = CEILING) -> Clipping | None:
    """Return the runs of equal samples at the peak of [frames], or None if they are not clipping.

    With a peak from `low` to `CEILING`, several runs are required. A float recording above full
    scale is not clipped.
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
    """Return the spans [20 ms frames] in which `quiet` is true for at least `least_s`."""
    padded = np.concatenate([[False], quiet, [False]])
    edges = np.flatnonzero(padded[1:] != padded[:-1]).reshape(-1, 2)
    least = least_s / FRAME_S
    return [(int(a), int(b)) for a, b in edges.tolist() if b - a >= least]


def quiet_frames(samples: Signal, rate: int) -> NDArray[np.bool_]:
    """Return which 20 ms frames hold no playing."""
    levels = frame_levels(samples, rate)
    return np.asarray(levels <= QUIET * levels.max(initial=0.0))


@dataclass(frozen=True, slots=True)
class Floor:
    """Noise of a wet recording while nothing is played."""

    level: float
    """RMS."""
    below: float
    """[dB] How far below the recording's own RMS."""
    hum: int | None
    """[Hz] Mains frequency, if most of the noise is hum."""


def floor(dry: Signal, wet: Signal, rate: int) -> Floor | None:
    """Return the noise of `wet` [frames] that does not come from `dry`, or None if it is low.

    It is measured where `dry` is quiet, `SETTLE_S` after the last note.
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
    """Return 50 or 60 [Hz] if most of the energy of `noise` [frames] is at its multiples."""
    frequencies, power = signal.periodogram(noise, rate, window="hann")
    total = float(power.sum())
    width = 3 * rate / noise.size
    for mains in (50, 60):
        distance = np.abs(frequencies - mains * np.round(frequencies / mains))
        near = (distance <= width) & (frequencies > mains / 2) & (frequencies < 10.5 * mains)
        # This comb passes less than a tenth of white noise.
        if total and float(power[near].sum()) > 0.6 * total:
            return mains
    return None
