"""Predicts wet from dry with a simple model that is fitted in a fraction of a second.

A generalised Hammerstein model: memoryless functions of the input, each followed by an FIR filter,
fitted by least squares. The prediction is good enough to measure the latency of a short part of
wet, even with heavy distortion.
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
"""Gains of the saturating functions, for an input scaled to an RMS of 1/3."""
COUPLING_HZ = 120.0
LOUDNESS_S = 0.02
QUIETEST = 0.05
"""Level relative to the RMS of the recording below which frames have no higher weight."""
MAX_ROWS = 6_000
"""Largest number of frames for the fit, selected at random."""
RIDGE = 1e-6
"""Regularisation of the least squares, relative to the mean power of the regressors."""


def predict(
    dry: Signal, wet: Signal, frames: NDArray[np.intp], lags: NDArray[np.intp], rate: int
) -> Predicted:
    """Return the prediction of wet from `dry` [frames], without latency.

    The model is fitted to `wet` at `frames`, where its latency is `lags` [frames].
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
    """Return the RMS around each frame; dividing by it fits the quiet ends of notes too."""
    power = np.square(wet, dtype=np.float64)
    near = uniform_filter1d(power, round(LOUDNESS_S * rate))
    return np.asarray(np.sqrt(np.maximum(near, 0.0)) + QUIETEST * np.sqrt(power.mean()) + 1e-12)


def _functions(dry: Signal, rate: int) -> list[NDArray[np.float64]]:
    """Return the inputs of the filters: `dry` [frames], its magnitude, and saturations of it.

    Most devices saturate after a coupling capacitor, which moves the zero crossings of a fuzz.
    """
    sound = dry.astype(np.float64)
    scaled = sound / (3.0 * np.sqrt(np.mean(sound**2)) + 1e-12)
    coupled = signal.lfilter(*signal.butter(1, COUPLING_HZ, "high", fs=rate), scaled)
    saturated = [np.tanh(gain * one) for gain in GAINS for one in (scaled, coupled)]
    return [scaled, np.abs(scaled), *saturated]
