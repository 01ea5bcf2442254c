"""What a run's model makes of the data: predictions for the pictures, errors for the map."""

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
    """One recording with what the model makes of it."""

    pair: Pair
    output: Signal
    rate: int
    """[Hz]"""
    held_out: bool
    """Whether it is of the test set."""
    silent: float = 0.0
    """Power up to which a target is silent."""

    @property
    def esr(self) -> float:
        """Error-to-signal ratio; NaN where the target is silent."""
        return evaluate.esr(self.pair.wet, self.output, self.silent)


@dataclass(frozen=True, slots=True)
class Setting:
    """How far off a model is at one setting of the knobs."""

    knobs: tuple[float, ...]
    esr: float
    """NaN where the target is silent."""
    split: str
    """`train`, `validation` or `test`."""
    level_db: float = math.nan
    """[dB] The output's power beside the mean of all targets."""


def prediction(run: Run, dataset: Dataset) -> Prediction | None:
    """Return the first recording that says most: of the test set, not silent; None without one.

    Raises: ModelError for a model that cannot be read.
    """
    pairs = dataset.test or dataset.validation or dataset.train
    loud = max(pairs, key=lambda pair: float(np.square(pair.wet).mean()), default=None)
    if loud is None or run.model_path is None:
        return None
    model = load_model(run.model_path)
    (output,) = evaluate.play(model.network, model.weights, [loud])
    return Prediction(loud, output, dataset.rate, bool(dataset.test), evaluate.silence(dataset))


def settings(run: Run, dataset: Dataset) -> list[Setting]:
    """Return the error at every setting of every set."""
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
            found.append(Setting(pair.knobs, esr, split, level_db))
    return found


def test_settings(run: Run) -> list[Setting]:
    """Return what the run itself found on its test set."""
    return [
        Setting(
            tuple(float(one["knobs"][name]) for name in run.knobs),
            math.nan if one["esr"] is None else float(one["esr"]),
            "test",
        )
        for one in run.settings
        if run.knobs
    ]


def windows(prediction: Prediction, window_s: float) -> tuple[slice, slice]:
    """Return the loudest stretch, and that with the most error, as slices of the recording."""
    frames = min(prediction.pair.wet.size, max(1, round(window_s * prediction.rate)))
    error = prediction.pair.wet.astype(np.float64) - prediction.output
    return _most(prediction.pair.wet.astype(np.float64), frames), _most(error, frames)


def _most(signal: NDArray[np.float64], frames: int) -> slice:
    total = np.concatenate([[0.0], np.cumsum(signal**2)])
    at = int(np.argmax(total[frames:] - total[:-frames]))
    return slice(at, at + frames)
