"""The model that predicts wet: a filter is learned, and silence is no error."""

import numpy as np
import pytest
from scipy import signal

from tests.trainer.data.conftest import RATE, Sound
from trainer.data.prediction import Predictor

FRAMES = 8_000
LAG = 5


def noise(seed: int = 1) -> Sound:
    return np.random.default_rng(seed).normal(0.0, 0.1, FRAMES)


@pytest.mark.parametrize("gain", [1.0, 1e-4])
def test_a_filter_is_learned_at_any_level(gain: float) -> None:
    """Less than 1 % of the energy of a filtered and delayed wet is left unpredicted."""
    dry = noise()
    taps = [0.5, -0.3, 0.2, 0.1]
    wet = gain * signal.lfilter([*np.zeros(LAG), *taps], [1.0], dry)
    predictor = Predictor(dry.astype(np.float32), wet.astype(np.float32), RATE)
    frames = np.arange(1_000, FRAMES)
    predicted = predictor.fit(frames, np.full(frames.size, LAG))
    error = predictor.target[frames] - predicted[frames - LAG]
    assert np.sum(error**2) < 0.01 * np.sum(predictor.target[frames] ** 2)


@pytest.mark.parametrize("level", [0.0, 1e-30])
@pytest.mark.parametrize("heard", [True, False])
def test_a_silent_part_predicts_silence(level: float, heard: bool) -> None:
    """Fitted where dry is silent, the model adds no sound, whether wet is `heard` there or not."""
    dry, wet = noise(), noise(2)
    silent = slice(0, FRAMES // 2)
    dry[silent] *= level
    wet[silent] *= float(heard)
    predictor = Predictor(dry.astype(np.float32), wet.astype(np.float32), RATE)
    frames = np.arange(500, FRAMES // 2 - 100)
    predicted = predictor.fit(frames, np.zeros(frames.size, np.intp))
    assert np.max(np.abs(predicted)) < 1e-3 * np.max(np.abs(predictor.target))


def test_no_frames_predict_silence() -> None:
    """A part of few frames may have none that are fitted."""
    dry = noise().astype(np.float32)
    empty = np.zeros(0, np.intp)
    assert not np.any(Predictor(dry, dry, RATE).fit(empty, empty))
