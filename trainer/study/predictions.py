"""Plays a run's model on its data set: predictions for figures, errors by knob setting."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nemod.formats import load_model
from trainer.data.dataset import Dataset, Pair, Signal
from trainer.data.levels import SILENT_POWER
from trainer.learn import evaluate
from trainer.study.runs import Run


@dataclass(frozen=True, slots=True)
class Prediction:
    """A recording and the output of the model for it."""

    pair: Pair
    output: Signal
    rate: int
    """[Hz]"""
    held_out: bool
    """Whether the recording is in the test set."""
    silent: float = 0.0
    """Power up to which a target counts as silent."""

    @property
    def esr(self) -> float:
        """Error-to-signal ratio; NaN where the target is silent."""
        return evaluate.esr(self.pair.wet, self.output, self.silent)


@dataclass(frozen=True, slots=True)
class SettingResult:
    """Error of a model at one setting of the knobs."""

    knobs: tuple[float, ...]
    esr: float
    """NaN where the target is silent."""
    split: str
    """`train`, `validation` or `test`."""
    level_db: float = math.nan
    """[dB] Power of the output relative to the mean of all targets."""


def prediction(run: Run, dataset: Dataset) -> Prediction | None:
    """Return the prediction of the loudest test recording, or None without a model or data.

    Without a test set, the validation or the training set is used.

    Raises: ModelError if the model cannot be read.
    """
    pairs = dataset.test or dataset.validation or dataset.train
    loud = max(pairs, key=lambda pair: float(np.square(pair.wet).mean()), default=None)
    if loud is None or run.model_path is None:
        return None
    model = load_model(run.model_path)
    (output,) = evaluate.play(model.network, model.weights, [loud])
    return Prediction(loud, output, dataset.rate, bool(dataset.test), evaluate.silence(dataset))


def settings(run: Run, dataset: Dataset) -> list[SettingResult]:
    """Return the error of every recording of the three splits."""
    if run.model_path is None or not dataset.knobs:
        return []
    model = load_model(run.model_path)
    mean = evaluate.power([*dataset.train, *dataset.validation, *dataset.test])
    found = []
    for split in ("train", "validation", "test"):
        pairs: Sequence[Pair] = getattr(dataset, split)
        outputs = evaluate.play(model.network, model.weights, pairs)
        for pair, output in zip(pairs, outputs, strict=True):
            esr = evaluate.esr(pair.wet, output, SILENT_POWER * mean)
            power = float(np.square(output, dtype=np.float64).mean())
            level_db = 10.0 * math.log10(max(power, 1e-20) / max(mean, 1e-20))
            found.append(SettingResult(pair.knobs, esr, split, level_db))
    return found


def test_settings(run: Run) -> list[SettingResult]:
    """Return the errors on the test set that the run recorded."""
    return [
        SettingResult(
            tuple(float(one["knobs"][name]) for name in run.knobs),
            math.nan if one["esr"] is None else float(one["esr"]),
            "test",
        )
        for one in run.settings
        if run.knobs
    ]


def windows(prediction: Prediction, window_s: float) -> tuple[slice, slice]:
    """Return the windows with the loudest target and with the largest error, as slices."""
    frames = min(prediction.pair.wet.size, max(1, round(window_s * prediction.rate)))
    error = prediction.pair.wet.astype(np.float64) - prediction.output
    return _loudest_window(prediction.pair.wet.astype(np.float64), frames), _loudest_window(
        error, frames
    )


def _loudest_window(signal: NDArray[np.float64], frames: int) -> slice:
    total = np.concatenate([[0.0], np.cumsum(signal**2)])
    at = int(np.argmax(total[frames:] - total[:-frames]))
    return slice(at, at + frames)
