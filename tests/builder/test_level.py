"""Calibration and normalisation, from the file's figures or measured."""

from dataclasses import replace

import numpy as np
import pytest

import nemod
from nemod.builder.level import TARGET_DB, levelled, measured_loudness_db
from nemod.builder.messages import Level
from nemod.formats import ModelInfo
from tests.engine.conftest import RATE_HZ, tiny


def test_nothing_is_changed_by_default() -> None:
    """The model is the same object, and its gains are 0 dB."""
    model = tiny()
    done = levelled(model, Level())
    assert done.model is model
    assert done.facts == {"input_gain_db": 0.0, "output_gain_db": 0.0}


def test_a_stated_loudness_is_brought_to_the_target() -> None:
    """A file that states -12 dB is played 6 dB softer, and its source is stated."""
    model = replace(tiny(), info=ModelInfo(loudness_db=-12.0))
    done = levelled(model, Level(normalize=True))
    assert done.facts["output_gain_db"] == pytest.approx(-6.0)
    assert done.facts["loudness_source"] == "file"
    sound = np.linspace(-0.3, 0.3, 500, dtype=np.float32)
    plain = nemod.render(model, sound, RATE_HZ, model_only=True)
    softer = nemod.render(done.model, sound, RATE_HZ, model_only=True)
    np.testing.assert_allclose(softer, plain * 10.0 ** (-6.0 / 20.0), atol=1e-6)


def test_a_measured_loudness_is_brought_to_the_target() -> None:
    """Measured again, the loudness is the target."""
    done = levelled(tiny("GRU", 1), Level(normalize=True))
    assert done.facts["loudness_source"] == "measured"
    assert measured_loudness_db(done.model) == pytest.approx(TARGET_DB, abs=0.01)


def test_calibration_needs_both_figures() -> None:
    """Interface at 12 dBu, capture at 18 dBu: 6 dB less at the model's input; else 0 dB."""
    stated = replace(tiny(), info=ModelInfo(input_level_dbu=18.0))
    assert levelled(stated, Level(input_dbu=12.0)).facts["input_gain_db"] == pytest.approx(-6.0)
    assert levelled(tiny(), Level(input_dbu=12.0)).facts["input_gain_db"] == 0.0
    sound = np.linspace(-0.3, 0.3, 500, dtype=np.float32)
    calibrated = levelled(stated, Level(input_dbu=12.0)).model
    softer = nemod.render(
        stated, sound * np.float32(10.0 ** (-6.0 / 20.0)), RATE_HZ, model_only=True
    )
    heard = nemod.render(calibrated, sound, RATE_HZ, model_only=True)
    # The residual path of the network is inside the calibrated part too.
    np.testing.assert_allclose(heard, softer, atol=1e-6)
