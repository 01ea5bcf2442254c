"""The latency between dry and wet over time.

Windows of wet are compared with dry at all latencies within reach, and the most likely course of
the latency is found by dynamic programming (the Viterbi algorithm): from window to window it may
stay, move by a frame, which a drifting clock does, or change to any other at a fixed cost. In the
first pass the comparison is the whitened correlation of `trainer.data.align`. A model of the device
is fitted along the course that it finds; the second pass compares wet with the model's prediction,
which tells latencies apart in windows of a tenth of a second.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft, signal
from scipy.ndimage import maximum_filter1d

from trainer.data.align import FLOOR
from trainer.data.dataset import Signal
from trainer.data.prediction import Predicted, predict

MAX_WINDOWS = 1_000
QUIET = 3e-3
"""Against the RMS of the whole recording: windows below say nothing about latency."""
LEAST = 1e-20

FIRST_WINDOW_S, FIRST_HOP_S, FIRST_REACH_S = 0.3, 0.1, 0.2
FIRST_SPREAD_FRAMES = 5
"""[frames] Within which a filter moves the peak from note to note."""
FIRST_MOST = 12.0
"""Peak over RMS of a correlation, from which it counts no more: one window must not decide."""
FIRST_CHANGE, FIRST_MOVE = 30.0, 3.0
"""Cost of any other latency, and of one by a frame."""
SURE = 4.0
"""Least evidence of a window that the model is fitted to."""

SECOND_WINDOW_S, SECOND_HOP_S, SECOND_MARGIN_S = 0.12, 0.04, 0.05
SECOND_REST = 0.03
"""Share of wet's energy that no model explains."""
GAINS = (0.7, 1.4)
"""Within which a device may deviate from the model, as a compressor or a tremolo does."""
SECOND_CHANGE, SECOND_MOVE = 4.0, 0.7

CHANGED = 2
"""In the table of steps: the course came from the likeliest latency of the window before."""
MOVES = ((1, slice(1, None), slice(-1)), (-1, slice(-1), slice(1, None)))
"""Step by a frame, latencies after it, latencies before it."""


@dataclass(frozen=True, slots=True)
class Track:
    """The course of the latency through a recording."""

    centres: NDArray[np.intp]
    """[windows] Middle of each window, in frames of wet."""
    lags: NDArray[np.intp]
    """[windows] How much later wet is, in frames."""
    window: int
    """[frames] Length of a window."""
    sign: int
    """-1 where wet is inverted."""
    predicted: Predicted
    """[frames] What a model of the device makes of dry, without latency; inverted as wet is."""

    @property
    def hop(self) -> int:
        """[frames] From window to window."""
        return int(self.centres[1] - self.centres[0])

    def lags_at(self, frames: NDArray[np.intp]) -> NDArray[np.intp]:
        """Return the latency at each of `frames` of wet."""
        first = int(self.centres[0]) - self.hop // 2
        places = np.clip((frames - first) // self.hop, 0, self.lags.size - 1)
        return self.lags[places]


def track(dry: Signal, wet: Signal, rate: int, centre: int) -> Track | None:
    """Return the course of the latency near `centre` [frames], None where nothing tells it."""
    size, reach = round(FIRST_WINDOW_S * rate), round(FIRST_REACH_S * rate)
    starts = _starts(wet.size, size, round(FIRST_HOP_S * rate))
    if starts.size < 3:
        return None
    likeness = _whitened(dry, wet, starts, size, centre, reach)
    highest, lowest = (
        side.astype(np.float64).sum() for side in (likeness.max(axis=1), likeness.min(axis=1))
    )
    sign = 1 if highest >= -lowest else -1
    places, evidence = _course(_widened(likeness, sign), FIRST_CHANGE, FIRST_MOVE)
    told = evidence >= SURE
    if np.count_nonzero(told) < 3:
        return None
    half = (starts[1] - starts[0]) // 2
    inner = np.arange(-half, half) + size // 2
    frames = (starts[told][:, None] + inner).ravel()
    lags = np.repeat(places[told] + centre - reach, inner.size)
    predicted = predict(dry, wet, frames, lags, rate)
    low, high = int(lags.min()), int(lags.max())
    middle = (low + high) // 2
    reach = (high - low + 1) // 2 + round(SECOND_MARGIN_S * rate)
    size = round(SECOND_WINDOW_S * rate)
    starts = _starts(wet.size, size, round(SECOND_HOP_S * rate))
    explained = _explained(predicted, wet, starts, size, middle, reach)
    places, _ = _course(explained, SECOND_CHANGE, SECOND_MOVE)
    return Track(starts + size // 2, places + middle - reach, size, sign, predicted)


def _starts(frames: int, size: int, hop: int) -> NDArray[np.intp]:
    return np.arange(0, max(0, frames - size) + 1, max(hop, frames // MAX_WINDOWS))


def _whitened(
    dry: Signal, wet: Signal, starts: NDArray[np.intp], size: int, centre: int, reach: int
) -> NDArray[np.float16]:
    """Return the whitened correlation over its RMS [windows, latencies], 0 where nothing sounds."""
    n = fft.next_fast_len(2 * size + 2 * reach, real=True)
    pad = reach + abs(centre) + size
    before = np.pad(dry.astype(np.float64), pad)
    energies = _energies(before, size)
    dry_least, wet_least = (size * QUIET**2 * _power(part) for part in (dry, wet))
    taper, window = signal.windows.tukey(size + 2 * reach, 0.1), np.hanning(size)
    found = np.zeros((starts.size, 2 * reach + 1), np.float16)
    for row, start in enumerate(starts.tolist()):
        after = wet[start : start + size].astype(np.float64)
        first = pad + start - centre - reach
        if float(after @ after) < wet_least or energies[first + reach] < dry_least:
            continue
        a = fft.rfft(before[first : first + size + 2 * reach] * taper, n)
        b = fft.rfft(after * window, n)
        size_a, size_b = np.abs(a), np.abs(b)
        heard = (size_a > FLOOR * size_a.max()) & (size_b > FLOOR * size_b.max())
        cross = np.zeros(a.shape, np.complex128)
        cross[heard] = np.conj(a[heard]) * b[heard] / (size_a[heard] * size_b[heard])
        correlation = fft.irfft(cross, n)
        spread = float(np.sqrt(np.mean(correlation**2))) or 1.0
        # Where dry was louder, as in the attack of a decaying note, the peak is higher.
        near = energies[first : first + 2 * reach + 1][::-1]
        louder = np.sqrt(near[reach] / np.maximum(near, near[reach]))
        found[row] = correlation[np.arange(-2 * reach, 1)] / spread * louder
    return found


def _widened(likeness: NDArray[np.float16], sign: int) -> NDArray[np.float32]:
    """Return the evidence for each latency: the peak near it, of a polarity."""
    wide = maximum_filter1d(sign * likeness.astype(np.float32), FIRST_SPREAD_FRAMES, axis=1)
    return np.asarray(np.minimum(wide, FIRST_MOST), np.float32)


def _explained(
    predicted: Predicted, wet: Signal, starts: NDArray[np.intp], size: int, centre: int, reach: int
) -> NDArray[np.float32]:
    """Return how well the prediction explains wet [windows, latencies], as a log likelihood."""
    n = fft.next_fast_len(2 * size + 2 * reach, real=True)
    pad = reach + abs(centre) + size
    before = np.pad(predicted, pad)
    energies = _energies(before, size)
    least = 1e-6 * size * float(np.mean(predicted**2)) + LEAST
    wet_least = size * 1e-6 * _power(wet)
    found = np.zeros((starts.size, 2 * reach + 1), np.float32)
    for row, start in enumerate(starts.tolist()):
        after = wet[start : start + size].astype(np.float64)
        energy = float(after @ after)
        if energy <= wet_least:
            continue
        first = pad + start - centre - reach
        a = fft.rfft(before[first : first + size + 2 * reach], n)
        correlation = fft.irfft(np.conj(a) * fft.rfft(after, n), n)[np.arange(-2 * reach, 1)]
        near = energies[first : first + 2 * reach + 1][::-1]
        # With the model's own gain, nearly: a note that decays resembles itself a period later.
        gain = np.clip(correlation / np.maximum(near, least), *GAINS)
        left = (energy - 2.0 * gain * correlation + gain**2 * near) / energy
        found[row] = -np.log(np.clip(left, SECOND_REST, 1.0))
    return found


def _energies(sound: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """Return the energy of `size` frames from each frame on."""
    running = np.concatenate([[0.0], np.cumsum(sound**2)])
    return np.asarray(running[size:] - running[:-size])


def _power(sound: Signal) -> float:
    return float(np.mean(np.square(sound, dtype=np.float64)))


def _course(
    evidence: NDArray[np.float32], change: float, move: float
) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Return the most likely course [windows] through `evidence` [windows, latencies].

    The second value is the evidence of each window along it.
    """
    windows, count = evidence.shape
    steps = np.zeros((windows, count), np.int8)
    best = np.zeros(windows, np.intp)
    score = evidence[0].copy()
    for row in range(1, windows):
        best[row - 1] = score.argmax()
        reached = score.copy()
        for came, after, before in MOVES:
            better = score[before] - move > reached[after]
            reached[after][better] = score[before][better] - move
            steps[row, after][better] = came
        elsewhere = score[best[row - 1]] - change
        better = elsewhere > reached
        reached[better] = elsewhere
        steps[row, better] = CHANGED
        score = reached + evidence[row]
    course = np.zeros(windows, np.intp)
    place = int(score.argmax())
    for row in range(windows - 1, -1, -1):
        course[row] = place
        step = int(steps[row, place])
        place = int(best[row - 1]) if step == CHANGED else place - step
    return course, evidence[np.arange(windows), course]
