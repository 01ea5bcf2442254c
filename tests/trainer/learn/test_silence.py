"""Silent and short recordings are reported, and do not influence the selection of a model."""

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
def test_a_silent_test_set_has_no_esr(
    tmp_path: Path, small: Dataset, quick: Recipe, level: float
) -> None:
    """One at -80 dB counts as silent; the model then states its validation ESR."""
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
def test_silent_training_or_validation_data_is_rejected(
    tmp_path: Path, small: Dataset, quick: Recipe, level: float
) -> None:
    """The error names the part, and no file is written."""
    data = replace(small, validation=quiet(small.validation, level))
    with pytest.raises(ConfigError, match="clipper: the validation part is silent"):
        fit(data, quick, tmp_path / "run")
    data = replace(small, train=quiet(small.train, level), validation=())
    with pytest.raises(ConfigError, match="the train part is silent"):
        fit(data, quick, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_quiet_recording_is_not_silent(small: Dataset) -> None:
    """At 40 dB below the rest it has an ESR."""
    data = replace(small, validation=quiet(small.validation, 1e-2))
    evaluate.refuse_silence(data)
    (one,) = data.validation
    assert evaluate.esr(one.wet, np.zeros_like(one.wet), evaluate.silence(data)) == 1.0


def test_unused_recordings_are_reported(tmp_path: Path, small: Dataset, quick: Recipe) -> None:
    """In a message and in the files of the run."""
    data = replace(small, train=(*small.train, pair("short", 400, 7), pair("shorter", 200, 8)))
    messages: list[str] = []
    fit(data, replace(quick, epochs=1), tmp_path, report=messages.append)
    assert messages == [
        "2 of 3 training recordings (0.1 s) are not used: 2 shorter than a segment (576 frames)"
    ]
    expected = {"short": 2, "silent": 0, "seconds": 600 / RATE_HZ}
    assert expected == json.loads((tmp_path / "result.json").read_text())["unused"]
    assert expected == json.loads((tmp_path / "config.json").read_text())["data"]["unused"]


def test_a_level_of_zero_is_not_reported_as_short(quick: Recipe) -> None:
    """If all are at 0, shorter segments would not help."""
    data = dataset(knobs=True)
    recipe = replace(quick, level_knob="drive")
    unused = Segments(data.train, recipe, data.knobs).unused(RATE_HZ)
    assert Unused(short=0, silent=1, seconds=1.0) == unused
    with pytest.raises(ConfigError, match="'drive' is at 0 in all training recordings") as caught:
        Segments(data.train[:1], recipe, data.knobs)
    assert "shorter" not in str(caught.value)
