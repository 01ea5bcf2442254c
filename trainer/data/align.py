"""Measures the latency, the polarity and the clock drift between dry and wet.

Generalised cross-correlation with phase transform (C. Knapp, G. Carter, "The generalized
correlation method for estimation of time delay", IEEE Trans. ASSP 24(4), 1976): the cross-spectrum
is whitened, so that the delay is one sharp peak for any frequency response. Distortion keeps the
phases of the harmonics, and with them the peak. Bins without signal are ignored.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft, stats

from trainer.data.dataset import Signal

FLOOR = 1e-4
"""Amplitude relative to the loudest bin below which bins are ignored as noise."""
NEAR_FRAMES = 1_024
"""[frames] Search range of a window's latency around that of the whole recording."""
MIN_QUALITY = 12.0
"""Least significance of a peak: unrelated recordings reach 9, related ones 25 and more."""
MIN_CLEAR = 1.6
"""Least ratio to the second peak: below, another latency is nearly as likely."""
SAME_FRAMES = 40
"""[frames] Largest difference that tone controls cause between pairs of one set."""
IDLE_FRAMES = 12
"""[frames] Latency up to which it is attributed to the device's filters and not corrected."""
EDGE = 0.5
"""Share of the peak at which the response starts."""
WINDOW_S = 3.0
MAX_WINDOWS = 24
MIN_DRIFT_FRAMES = 6.0


@dataclass(frozen=True, slots=True)
class Lag:
    """A measured latency."""

    frames: int
    """[frames] Latency of wet; negative: wet is earlier."""
    edge: int
    """[frames] Onset of the response: the peak of a filter's response is later."""
    sign: int
    """-1: the polarity of wet is inverted."""
    quality: float
    """Peak of the whitened correlation over its RMS."""
    clear: float
    """Peak over the second peak: one long note correlates with itself after every period."""

    other: int
    """[frames] Latency of the second peak."""

    @property
    def sure(self) -> bool:
        """Whether the peak is significant and unique."""
        return self.quality >= MIN_QUALITY and self.clear >= MIN_CLEAR


@dataclass(frozen=True, slots=True)
class Drift:
    """A latency that changes linearly."""

    parts: float
    """[ppm] Difference of the clock rates."""
    first: int
    """[frames] Latency at the start."""
    last: int
    """[frames] Latency at the end."""


def measure(dry: Signal, wet: Signal, reach: int | None = None) -> Lag:
    """Return the latency of `wet` [frames] against `dry` [frames], at most `reach` [frames]."""
    n = fft.next_fast_len(2 * dry.size, real=True)
    a, b = fft.rfft(dry, n), fft.rfft(wet, n)
    size_a, size_b = np.abs(a), np.abs(b)
    audible = (size_a > FLOOR * size_a.max()) & (size_b > FLOOR * size_b.max())
    cross = np.zeros(a.shape, np.complex128)
    cross[audible] = np.conj(a[audible]) * b[audible] / (size_a[audible] * size_b[audible])
    correlation = np.asarray(fft.irfft(cross, n), np.float64)
    lags = np.arange(n)
    lags[n // 2 :] -= n
    # At large lags the overlap is short, and random peaks would be larger.
    correlation *= np.clip(1 - np.abs(lags) / dry.size, 0, 1)
    spread = float(np.sqrt(np.mean(correlation**2))) or 1.0
    size = np.abs(correlation)
    if reach is not None:
        size[np.abs(lags) > reach] = 0
    place = int(np.argmax(size))
    peak = float(correlation[place])
    lag = int(lags[place])
    edge = _edge(size, place, lag)
    size[np.arange(place - SAME_FRAMES, place + SAME_FRAMES + 1) % n] = 0
    other = int(np.argmax(size))
    clear = abs(peak) / max(float(size[other]), 1e-12)
    return Lag(lag, edge, -1 if peak < 0 else 1, abs(peak) / spread, clear, int(lags[other]))


def _edge(size: NDArray[np.float64], place: int, lag: int) -> int:
    """Return the first lag of the rise that leads to the peak."""
    early = np.arange(place, place - SAME_FRAMES, -1) % size.size
    below = np.flatnonzero(size[early] < EDGE * size[place])
    return lag - (int(below[0]) - 1 if below.size else 0)


def shifted(dry: Signal, wet: Signal, lag: int) -> tuple[Signal, Signal]:
    """Return both signals trimmed to their overlap, `wet` advanced by `lag` [frames]."""
    if abs(lag) >= dry.size:
        return dry[:0], wet[:0]
    frames = dry.size - abs(lag)
    return dry[max(0, -lag) :][:frames], wet[max(0, lag) :][:frames]


def drift(dry: Signal, wet: Signal, rate: int, lag: int) -> Drift | None:
    """Return the drift of the latency around `lag` [frames], None if there is no measurable one.

    Windows of the recording are measured separately and fitted by a line that is robust against
    outliers (Theil-Sen estimator).
    """
    before, after = shifted(dry, wet, lag)
    window = round(WINDOW_S * rate)
    count = min(MAX_WINDOWS, before.size // window)
    if count < 3:
        return None
    places, lags = [], []
    for start in np.linspace(0, before.size - window, count).astype(int).tolist():
        a, b = before[start : start + window], after[start : start + window]
        if not a.any() or not b.any():
            continue
        local = measure(a, b, NEAR_FRAMES)
        if local.sure:
            places.append(start)
            lags.append(local.frames)
    if len(lags) < 3:
        return None
    slope, offset, *_ = stats.theilslopes(lags, places)
    total = float(slope) * before.size
    off = float(np.median(np.abs(np.asarray(lags) - offset - slope * np.asarray(places))))
    if abs(total) < MIN_DRIFT_FRAMES or off > max(1.5, 0.15 * abs(total)):
        return None
    first = lag + round(float(offset))
    return Drift(float(slope) * 1e6, first, first + round(total))
