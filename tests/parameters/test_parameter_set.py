"""The parameters that exist with a model, by every path that names them."""

import pytest

from nemod.parameters.parameter_set import SHORT_FORMS, TOGGLES, KnobSpec, ParameterSet
from nemod.parameters.table import BY_PATH, MAX_KNOBS, TABLE, canonical


def test_without_a_model_gain_and_level_are_knobs_one_and_two() -> None:
    """One parameter, two paths, and the row of the table."""
    parameters = ParameterSet()
    assert list(parameters) == [row.path for row in TABLE]
    assert parameters.paths("knob/1") == ("gain", "knob/1", "model/gain", "model/knob/1")
    assert parameters.row("knob/2") is BY_PATH["level"]
    assert "knob/3" not in parameters


def test_a_models_knobs_take_the_place_of_gain_and_level() -> None:
    """With their names and defaults; a third knob is a parameter of its own."""
    parameters = ParameterSet(
        knobs={"model": [KnobSpec("Drive", 0.2), KnobSpec("Tone"), KnobSpec("Bias", 0.9)]}
    )
    own = ("model/gain", "model/knob/1", "model/knob/Drive")
    assert parameters.paths("gain") == ("gain", "knob/1", "knob/Drive", *own)
    assert parameters.canonical("knob/Bias") == "knob/3"
    rows = [parameters.row(path) for path in ("gain", "level", "knob/Bias")]
    assert [(row.path, row.label, row.default, row.unit) for row in rows] == [
        ("gain", "Drive", 0.2, ""),
        ("level", "Tone", 0.5, ""),
        ("knob/3", "Bias", 0.9, ""),
    ]
    assert [spec.default for spec in parameters.knobs["model"]] == [0.2, 0.5, 0.9]


def test_every_path_leads_to_one_parameter() -> None:
    """All paths are listed once, and lead back to themselves."""
    parameters = ParameterSet(knobs={"model": list(map(KnobSpec, "abc"))})
    paths = parameters.all_paths()
    assert len(set(paths)) == len(paths) == len(TABLE) + 1 + 5 + 2 + 6 + 3
    assert all(path in parameters.paths(path) for path in paths)
    with pytest.raises(KeyError):
        parameters.canonical("knob/4")


def test_knobs_beyond_the_limit_are_left_out() -> None:
    """A settings record has no room for them."""
    parameters = ParameterSet(
        knobs={"model": [KnobSpec(f"k{number}") for number in range(MAX_KNOBS + 5)]}
    )
    assert len(parameters.knobs["model"]) == MAX_KNOBS
    assert f"knob/{MAX_KNOBS}" in parameters
    assert f"knob/{MAX_KNOBS + 1}" not in parameters


def test_short_forms_and_toggles_come_from_the_table() -> None:
    """As the control contract has them."""
    assert SHORT_FORMS == {"delay": "delay/mix", "reverb": "reverb/mix"}
    assert TOGGLES == {"bypass": "bypass", "mute": "mute", "tuner": "tuner/enable"}


def test_canonical_paths() -> None:
    """`knob/1` and `knob/2` are `gain` and `level`; all others stand for themselves."""
    assert [canonical(path) for path in ("knob/1", "knob/2", "knob/3", "mute")] == [
        "gain",
        "level",
        "knob/3",
        "mute",
    ]
    with pytest.raises(KeyError):
        canonical("gian")
