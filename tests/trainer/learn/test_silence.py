"""What is silent, or too short, is told, and no model is chosen by it."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nemod.common.errors import ConfigError
from tests.trainer.learn.conftest import RATE_HZ, dataset, pair
from trainer.data.dataset import Dataset, Pair
from trainer.learn import evaluate
from trainer.learn.fit import fit
from trainer.learn.recipe import Recipe
from trainer.learn.segments import Segments, Unused


def quiet(pairs: tuple[Pair, ...], level: float) -> tuple[Pair, ...]:
    return tuple(replace(one, wet=one.wet * np.float32(level)) for one in pairs)


@pytest.mark.parametrize("level", [0.0, 1e-4])
def test_a_silent_test_part_has_no_ratio(
    tmp_path: Path, small: Dataset, quick: Recipe, level: float
) -> None:
    """Nor one of -80 dB; the model then states the ESR of its validation."""
    data = replace(small, test=quiet(small.test, level))
    result = fit(data, replace(quick, epochs=1), tmp_path)
    assert result.test is not None
    assert np.isnan(result.test.esr)
    assert np.isfinite(result.test.loss)
    stated = json.loads((tmp_path / "result.json").read_text())
    assert stated["test"]["esr"] is stated["settings"][0]["esr"] is None
    assert result.model.info.esr == pytest.approx(result.validation.esr, abs=1e-6)
    assert "test_esr" not in result.model.info.other


@pytest.mark.parametrize("level", [0.0, 1e-4])
def test_no_model_is_chosen_by_silence(
    tmp_path: Path, small: Dataset, quick: Recipe, level: float
) -> None:
    """Nor learnt from it; the part is named before anything is written."""
    data = replace(small, validation=quiet(small.validation, level))
    with pytest.raises(ConfigError, match="clipper: the validation part is silent"):
        fit(data, quick, tmp_path / "run")
    data = replace(small, train=quiet(small.train, level), validation=())
    with pytest.raises(ConfigError, match="the train part is silent"):
        fit(data, quick, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_quiet_recording_is_not_a_silent_one(small: Dataset) -> None:
    """40 dB below the rest it still has a ratio."""
    data = replace(small, validation=quiet(small.validation, 1e-2))
    evaluate.refuse_silence(data)
    (one,) = data.validation
    assert evaluate.esr(one.wet, np.zeros_like(one.wet), evaluate.silence(data)) == 1.0


def test_what_is_not_learnt_from_is_told(tmp_path: Path, small: Dataset, quick: Recipe) -> None:
    """In a sentence, and in the run's folder."""
    data = replace(small, train=(*small.train, pair("short", 400, 7), pair("shorter", 200, 8)))
    told: list[str] = []
    fit(data, replace(quick, epochs=1), tmp_path, report=told.append)
    assert told == [
        "2 of 3 training recordings (0.1 s) are not used: 2 shorter than a segment (576 frames)"
    ]
    expected = {"short": 2, "silent": 0, "seconds": 600 / RATE_HZ}
    assert expected == json.loads((tmp_path / "result.json").read_text())["unused"]
    assert expected == json.loads((tmp_path / "config.json").read_text())["data"]["unused"]


def test_a_level_at_zero_is_counted_and_not_called_short(quick: Recipe) -> None:
    """Where there is nothing else, shorter segments would not help."""
    data = dataset(knobs=True)
    recipe = replace(quick, level_knob="drive")
    unused = Segments(data.train, recipe, data.knobs).unused(RATE_HZ)
    assert Unused(short=0, silent=1, seconds=1.0) == unused
    with pytest.raises(ConfigError, match="'drive' is at 0 in all training recordings") as caught:
        Segments(data.train[:1], recipe, data.knobs)
    assert "shorter" not in str(caught.value)
