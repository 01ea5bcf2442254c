"""A quick model of a device, fitted to a recording in a fraction of a second.

A generalised Hammerstein model: memoryless functions of the input, each followed by an FIR filter,
fitted by least squares. It predicts wet well enough to say at which latency a short stretch of it
was recorded, also where the device distorts heavily.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import signal
from scipy.ndimage import uniform_filter1d

from trainer.data.dataset import Signal

Predicted = NDArray[np.float64]

TAPS = 64
EARLY = 16
"""Taps before the input, because the measured latency may be some frames too large."""
GAINS = (4.0, 30.0)
"""Of the saturating functions, for an input of which 1 is three times the RMS."""
COUPLING_HZ = 120.0
LOUDNESS_S = 0.02
QUIETEST = 0.05
"""Against the RMS of the recording: quieter frames count no more than these."""
MAX_ROWS = 6_000
"""Frames that the fit uses, drawn at random."""
RIDGE = 1e-6
"""Share of the mean power of the regressors by which the least squares are regularised."""


def predict(
    dry: Signal, wet: Signal, frames: NDArray[np.intp], lags: NDArray[np.intp], rate: int
) -> Predicted:
    """Return what a model of the device makes of `dry` [frames], without latency.

    The model is fitted to `wet` at `frames`, where it is later than `dry` by `lags` [frames].
    """
    functions = _functions(dry, rate)
    reach = TAPS + int(np.abs(lags).max(initial=0))
    padded = [np.pad(function, reach) for function in functions]
    if frames.size > MAX_ROWS:
        chosen = np.random.default_rng(0).choice(frames.size, MAX_ROWS, replace=False)
        frames, lags = frames[chosen], lags[chosen]
    past = EARLY - np.arange(TAPS)
    places = np.clip((frames - lags + reach)[:, None] + past, 0, padded[0].size - 1)
    rows = np.concatenate([*(one[places] for one in padded), np.ones((frames.size, 1))], axis=1)
    target = wet[frames].astype(np.float64)
    importance = 1.0 / _loudness(wet, rate)[frames]
    rows *= importance[:, None]
    target *= importance
    square = rows.T @ rows
    square += RIDGE * np.trace(square) / len(square) * np.eye(len(square))
    weights = np.linalg.solve(square, rows.T @ target)
    predicted = np.full(dry.size, weights[-1])
    for filter_, function in zip(weights[:-1].reshape(-1, TAPS), functions, strict=True):
        predicted += np.convolve(function, filter_)[EARLY : EARLY + dry.size]
    return predicted


def _loudness(wet: Signal, rate: int) -> NDArray[np.float64]:
    """Return the RMS around each frame, so that the quiet ends of notes are fitted too."""
    power = np.square(wet, dtype=np.float64)
    near = uniform_filter1d(power, round(LOUDNESS_S * rate))
    return np.asarray(np.sqrt(np.maximum(near, 0.0)) + QUIETEST * np.sqrt(power.mean()) + 1e-12)


def _functions(dry: Signal, rate: int) -> list[NDArray[np.float64]]:
    """Return what is filtered: `dry` [frames], its size, and saturations of it.

    Most devices saturate behind a coupling capacitor, which decides where a fuzz crosses zero.
    """
    sound = dry.astype(np.float64)
    scaled = sound / (3.0 * np.sqrt(np.mean(sound**2)) + 1e-12)
    coupled = signal.lfilter(*signal.butter(1, COUPLING_HZ, "high", fs=rate), scaled)
    saturated = [np.tanh(gain * one) for gain in GAINS for one in (scaled, coupled)]
    return [scaled, np.abs(scaled), *saturated]
