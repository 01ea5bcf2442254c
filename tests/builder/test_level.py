"""Calibration and normalisation, from the file's figures or measured."""

from dataclasses import replace

import numpy as np
import pytest

import nemod
from nemod.builder.level import TARGET_DB, levelled, levelled_chain, measured_loudness_db
from nemod.builder.messages import Level
from nemod.chain import read_chain
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


def test_a_model_behind_another_is_measured_with_what_that_delivers() -> None:
    """With a signal as loud as the target, whatever its file states; the first as always."""
    chain = read_chain(["model", "eq", "model2"])
    stated = replace(tiny("GRU"), info=ModelInfo(loudness_db=-3.0))
    models = {"model": replace(tiny(), info=ModelInfo(loudness_db=-12.0)), "model2": stated}
    done = levelled_chain(chain, models, Level(normalize=True))
    assert done["model"].facts["loudness_source"] == "file"
    assert done["model"].facts["output_gain_db"] == pytest.approx(-6.0)
    assert done["model2"].facts["loudness_source"] == "measured behind another model"
    assert measured_loudness_db(done["model2"].model, TARGET_DB) == pytest.approx(
        TARGET_DB, abs=0.01
    )
    assert measured_loudness_db(stated, TARGET_DB) != pytest.approx(
        measured_loudness_db(stated), abs=0.5
    )


def test_full_scale_of_a_model_is_what_the_one_before_it_states() -> None:
    """A pedal's output of 0 dB is 10 dBu, and 4 dBu are full scale of the amp: 6 dB more.

    With normalisation the pedal is 5 dB softer, so that its full scale is 15 dBu.
    """
    chain = read_chain(["model", {"split": {"a": ["model2"], "b": ["model3"]}}, "model4"])
    pedal = replace(tiny(), info=ModelInfo(loudness_db=-13.0, output_level_dbu=10.0))
    amp = replace(tiny("GRU"), info=ModelInfo(input_level_dbu=4.0))
    models = {"model": pedal, "model2": amp, "model3": tiny(), "model4": amp}

    def gains(level: Level) -> list[object]:
        done = levelled_chain(chain, models, level)
        return [done[slot].facts["input_gain_db"] for slot in models]

    assert gains(Level(input_dbu=12.0)) == [0.0, 6.0, 0.0, 0.0]
    assert gains(Level(input_dbu=12.0, normalize=True)) == pytest.approx([0.0, 11.0, 0.0, 0.0])
    assert gains(Level()) == [0.0] * 4
