"""Measures the latency between dry and wet over time.

Windows of wet are compared with dry at all latencies in range, and the most likely path of the
latency is found by dynamic programming (the Viterbi algorithm): between windows it is constant,
changes by one frame, as with clock drift, or changes to any other value at a fixed cost. The first
pass uses the whitened correlation of `trainer.data.align`. A model of the device is fitted along
its path; the second pass compares wet with the prediction of the model, which distinguishes
latencies in windows of a tenth of a second.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft, signal
from scipy.ndimage import maximum_filter1d

from trainer.data.align import FLOOR
from trainer.data.dataset import Signal
from trainer.data.prediction import Predicted, Predictor

FIRST_WINDOWS, SECOND_WINDOWS = 1_000, 3_000
"""Most windows of a pass; in longer recordings they lie farther apart."""
QUIET = 3e-3
"""Level relative to the RMS of the recording below which windows are ignored."""
LEAST = 1e-20

FIRST_WINDOW_S, FIRST_HOP_S, FIRST_REACH_S = 0.3, 0.1, 0.2
FIRST_SPREAD_FRAMES = 5
"""[frames] Range within which a filter moves the peak between notes."""
FIRST_MOST = 12.0
"""Limit of a correlation's peak over its RMS, so that no single window dominates."""
FIRST_CHANGE, FIRST_MOVE = 30.0, 3.0
"""Cost of a change to any other latency, and of a change by one frame."""
SURE = 4.0
"""Least evidence of a window that is used to fit the model."""

SECOND_WINDOW_S, SECOND_HOP_S, SECOND_MARGIN_S = 0.12, 0.04, 0.05
SECOND_REST = 0.03
"""Share of wet's energy that cannot be predicted."""
GAINS = (0.7, 1.4)
"""Range of gains of a device relative to the model, as with a compressor or a tremolo."""
SECOND_CHANGE, SECOND_MOVE = 4.0, 0.7

SECOND_SURE = 0.5
"""Least evidence of a window that is used to fit the model again."""
PARTS = 5
"""Parts of the recording of which each makes a model."""
PART_ROWS = 3_000
"""Frames for the fit of a part."""
NEAR_FRAMES, NEAR_STEP_FRAMES = 40, 4
"""[frames] Range of the latencies that the model of a part is tried at, and their distance."""
COMPARED_STEP_FRAMES = 5
"""[frames] Distance of the frames at which models are compared."""
COARSE = 2
"""The first path through the predictions has windows at this multiple of the distance."""

CHANGED = 2
"""Entry in the table of steps: change from the likeliest latency of the previous window."""
MOVES = ((1, slice(1, None), slice(-1)), (-1, slice(-1), slice(1, None)))
"""Step of one frame, latencies after it, latencies before it."""


@dataclass(frozen=True, slots=True)
class Track:
    """The latency over the length of a recording."""

    centres: NDArray[np.intp]
    """[windows] Middle of each window, in frames of wet."""
    lags: NDArray[np.intp]
    """[windows] Latency of wet, in frames."""
    evidence: NDArray[np.float32]
    """[windows] How sure the latency is; 0 in silence."""
    window: int
    """[frames] Length of a window."""
    sign: int
    """-1: the polarity of wet is inverted."""
    target: NDArray[np.float64]
    """[frames] Wet as it is compared: with high frequencies emphasised."""
    predicted: Predicted
    """[frames] Prediction of `target` from dry without latency, with the polarity of wet."""

    @property
    def hop(self) -> int:
        """[frames] Distance of the windows."""
        return int(self.centres[1] - self.centres[0])

    def lags_at(self, frames: NDArray[np.intp]) -> NDArray[np.intp]:
        """Return the latency at each of `frames` of wet."""
        first = int(self.centres[0]) - self.hop // 2
        places = np.clip((frames - first) // self.hop, 0, self.lags.size - 1)
        return self.lags[places]


def track(dry: Signal, wet: Signal, rate: int, centre: int) -> Track | None:
    """Return the latency over time near `centre` [frames], or None if it cannot be measured."""
    size, reach = round(FIRST_WINDOW_S * rate), round(FIRST_REACH_S * rate)
    starts = _starts(wet.size, size, round(FIRST_HOP_S * rate), FIRST_WINDOWS)
    if starts.size < 3:
        return None
    correlations = _whitened(dry, wet, starts, size, centre, reach)
    highest, lowest = (
        side.astype(np.float64).sum()
        for side in (correlations.max(axis=1), correlations.min(axis=1))
    )
    sign = 1 if highest >= -lowest else -1
    places, evidence = _course(_widened(correlations, sign), FIRST_CHANGE, FIRST_MOVE)
    reliable = evidence >= SURE
    if np.count_nonzero(reliable) < 3:
        return None
    frames, lags = _inner(starts, size, reliable, places + centre - reach)
    predictor = Predictor(dry, wet, rate)
    size = round(SECOND_WINDOW_S * rate)
    starts = _starts(wet.size, size, round(SECOND_HOP_S * rate), SECOND_WINDOWS)
    margin = round(SECOND_MARGIN_S * rate)
    predicted = _clearest(predictor, frames, lags, size)
    coarse = starts[::COARSE]
    path, evidence = _followed(predictor, predicted, coarse, size, _span(lags, margin))
    reliable = evidence >= SECOND_SURE
    if np.count_nonzero(reliable) >= 3:
        predicted = predictor.fit(*_inner(coarse, size, reliable, path))
    path, evidence = _followed(predictor, predicted, starts, size, _span(path, margin))
    return Track(starts + size // 2, path, evidence, size, sign, predictor.target, predicted)


def _inner(
    starts: NDArray[np.intp], size: int, chosen: NDArray[np.bool_], lags: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the frames around the middle of the chosen windows, and the latency at each."""
    half = min(int(starts[1] - starts[0]), size) // 2
    frames = starts[chosen][:, None] + np.arange(-half, half) + size // 2
    return frames.ravel(), np.repeat(lags[chosen], 2 * half)


def _span(lags: NDArray[np.intp], margin: int) -> tuple[int, int]:
    """Return the middle and the reach of all latencies, and some more [frames]."""
    low, high = int(lags.min()), int(lags.max())
    return (low + high) // 2, (high - low + 1) // 2 + margin


def _clearest(
    predictor: Predictor,
    frames: NDArray[np.intp],
    lags: NDArray[np.intp],
    size: int,
) -> Predicted:
    """Return the prediction of the part of the recording that predicts the whole best.

    A model that is fitted across a jump the first pass has missed has an echo instead, and predicts
    both sides alike. A part without that jump makes a better model.
    """
    some = slice(None, None, COMPARED_STEP_FRAMES)
    compared, own = frames[some], lags[some]
    edges = np.arange(0, compared.size, max(1, size // COMPARED_STEP_FRAMES))
    target = predictor.target[compared]
    energy = np.maximum(np.add.reduceat(target**2, edges), LEAST)
    best, least = None, np.inf
    for part in np.array_split(np.arange(frames.size), PARTS):
        predicted = predictor.fit(frames[part], lags[part], PART_ROWS)
        left = np.full(edges.size, np.inf)
        for by in range(-NEAR_FRAMES, NEAR_FRAMES + 1, NEAR_STEP_FRAMES):
            places = np.clip(compared - own - by, 0, predicted.size - 1)
            errors = np.add.reduceat((target - predicted[places]) ** 2, edges)
            left = np.minimum(left, errors / energy)
        total = float(np.sum(np.log(np.clip(left, SECOND_REST, 1.0))))
        if total < least:
            best, least = predicted, total
    assert best is not None
    return best


def _followed(
    predictor: Predictor,
    predicted: Predicted,
    starts: NDArray[np.intp],
    size: int,
    span: tuple[int, int],
) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Return the most likely latency of each window and its evidence."""
    explained = _explained(predicted, predictor.target, starts, size, *span)
    places, evidence = _course(explained, SECOND_CHANGE, SECOND_MOVE)
    return places + span[0] - span[1], evidence


def _starts(frames: int, size: int, hop: int, most: int) -> NDArray[np.intp]:
    return np.arange(0, max(0, frames - size) + 1, max(hop, frames // most))


def _whitened(
    dry: Signal, wet: Signal, starts: NDArray[np.intp], size: int, centre: int, reach: int
) -> NDArray[np.float16]:
    """Return the whitened correlation over its RMS [windows, latencies], 0 in silence."""
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
        audible = (size_a > FLOOR * size_a.max()) & (size_b > FLOOR * size_b.max())
        cross = np.zeros(a.shape, np.complex128)
        cross[audible] = np.conj(a[audible]) * b[audible] / (size_a[audible] * size_b[audible])
        correlation = fft.irfft(cross, n)
        spread = float(np.sqrt(np.mean(correlation**2))) or 1.0
        # Compensates for peaks that are higher where dry was louder, as in the attack of a note.
        near = energies[first : first + 2 * reach + 1][::-1]
        louder = np.sqrt(near[reach] / np.maximum(near, near[reach]))
        found[row] = correlation[np.arange(-2 * reach, 1)] / spread * louder
    return found


def _widened(correlations: NDArray[np.float16], sign: int) -> NDArray[np.float32]:
    """Return the evidence for each latency: the largest peak near it with this polarity."""
    wide = maximum_filter1d(sign * correlations.astype(np.float32), FIRST_SPREAD_FRAMES, axis=1)
    return np.asarray(np.minimum(wide, FIRST_MOST), np.float32)


def _explained(
    predicted: Predicted,
    wet: NDArray[np.float64],
    starts: NDArray[np.intp],
    size: int,
    centre: int,
    reach: int,
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
        after = wet[start : start + size]
        energy = float(after @ after)
        if energy <= wet_least:
            continue
        first = pad + start - centre - reach
        a = fft.rfft(before[first : first + size + 2 * reach], n)
        correlation = fft.irfft(np.conj(a) * fft.rfft(after, n), n)[np.arange(-2 * reach, 1)]
        near = energies[first : first + 2 * reach + 1][::-1]
        # The gain is limited because a decaying note correlates with itself a period later.
        gain = np.clip(correlation / np.maximum(near, least), *GAINS)
        left = (energy - 2.0 * gain * correlation + gain**2 * near) / energy
        found[row] = -np.log(np.clip(left, SECOND_REST, 1.0))
    return found


def _energies(sound: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """Return the energy of the `size` frames from each frame."""
    running = np.concatenate([[0.0], np.cumsum(sound**2)])
    return np.asarray(running[size:] - running[:-size])


def _power(sound: NDArray[np.floating]) -> float:
    return float(np.mean(np.square(sound, dtype=np.float64)))


def _course(
    evidence: NDArray[np.float32], change: float, move: float
) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Return the most likely path [windows] through `evidence` [windows, latencies].

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
