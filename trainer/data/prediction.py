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
"""Largest number of frames for the fit."""
SHARP_HZ = 1_500.0
"""Frequency up to which the sound is differentiated."""
RIDGE = 1e-6
"""Regularisation of the least squares, relative to the mean power of the regressors."""
SILENT = 1e-6
"""Least power of the regressors for the regularisation, relative to the whole recording.

Where dry is silent the regressors are 0, and the least squares alone have no solution.
"""
LEAST = 1e-20


class Predictor:
    """Predicts one recording; the model is fitted anew in each call.

    The differences of neighbouring frames are predicted, in which high frequencies, which
    distinguish latencies, weigh more than in the sound itself.
    """

    def __init__(self, dry: Signal, wet: Signal, rate: int) -> None:
        """Prepare the prediction of `wet` from `dry` [frames]."""
        self.target = sharpened(wet.astype(np.float64), rate)
        """[frames] What is predicted."""
        self._functions = [sharpened(one, rate) for one in _functions(dry, rate)]
        self._importance = 1.0 / _loudness(self.target, rate)
        self._power = float(np.mean(np.square(self._functions)))

    def fit(
        self, frames: NDArray[np.intp], lags: NDArray[np.intp], rows: int = MAX_ROWS
    ) -> Predicted:
        """Return the prediction for each frame of dry, without latency.

        The model is fitted to the target at `frames`, where its latency is `lags` [frames]; at
        `rows` of them if there are more, selected at random. Where dry is silent at all of them,
        the prediction is 0.
        """
        reach = TAPS + int(np.abs(lags).max(initial=0))
        padded = [np.pad(function, reach) for function in self._functions]
        if frames.size > rows:
            chosen = np.random.default_rng(0).choice(frames.size, rows, replace=False)
            frames, lags = frames[chosen], lags[chosen]
        past = EARLY - np.arange(TAPS)
        places = np.clip((frames - lags + reach)[:, None] + past, 0, padded[0].size - 1)
        importance = self._importance[frames]
        inputs = np.concatenate([one[places] for one in padded], axis=1) * importance[:, None]
        square = inputs.T @ inputs
        least = SILENT * self._power * float(np.sum(importance**2))
        power = max(float(np.trace(square)) / len(square), least, LEAST)
        square += RIDGE * power * np.eye(len(square))
        weights = np.linalg.solve(square, inputs.T @ (self.target[frames] * importance))
        predicted = np.zeros(self._functions[0].size)
        for filter_, function in zip(weights.reshape(-1, TAPS), self._functions, strict=True):
            predicted += np.convolve(function, filter_)[EARLY : EARLY + function.size]
        return predicted


def sharpened(sound: NDArray[np.float64], rate: int) -> NDArray[np.float64]:
    """Return the sound [frames] with its high frequencies emphasised, and without a constant."""
    return np.asarray(
        signal.lfilter([1.0, -1.0], [1.0, -np.exp(-2 * np.pi * SHARP_HZ / rate)], sound)
    )


def _loudness(sound: NDArray[np.float64], rate: int) -> NDArray[np.float64]:
    """Return the RMS around each frame; dividing by it fits the quiet ends of notes too."""
    power = np.square(sound)
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
