"""Where all knobs stand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nemod.chain import DEFAULT_CHAIN
from nemod.control.control_vector import control_vector
from nemod.control.events import SESSION
from nemod.control.settings import Settings
from nemod.parameters.parameter import ParameterKind
from nemod.parameters.parameter_set import KnobSpec, ParameterSet
from nemod.parameters.table import MAX_KNOBS, TABLE, canonical

PATHS = [row.path for row in TABLE if row.kind is ParameterKind.FLOAT]


def test_knobs_start_at_their_rows_defaults() -> None:
    """All rows are there from the beginning."""
    assert Settings().positions() == {row.path: row.default for row in TABLE}


@given(st.sampled_from(PATHS), st.floats(-10.0, 10.0))
def test_a_set_position_is_clipped_returned_and_kept(path: str, position: float) -> None:
    """The answer is what the next query will say."""
    settings = Settings()
    expected = min(max(position, 0.0), 1.0)
    assert settings.set(path, position) == expected
    assert settings.get(path) == expected
    untouched = {row.path: row.default for row in TABLE if row.path != path}
    assert {key: at for key, at in settings.positions().items() if key != path} == untouched


@pytest.mark.parametrize("path", ["bypass", "mute"])
@pytest.mark.parametrize(("position", "state"), [(0.0, 0.0), (0.49, 0.0), (0.5, 1.0), (7.0, 1.0)])
def test_a_switch_is_on_from_one_half(path: str, position: float, state: float) -> None:
    """It is never half way."""
    settings = Settings({path: position})
    assert settings.get(path) == state
    assert settings.vector([path]).tolist() == [state]


@pytest.mark.parametrize(("one", "other"), [("knob/1", "gain"), ("knob/2", "level")])
def test_one_parameter_has_two_addresses(one: str, other: str) -> None:
    """The model's first and second knob are gain and level, whichever is moved."""
    assert canonical(one) == other
    settings = Settings()
    settings.set(one, 0.1)
    assert settings.get(other) == 0.1
    settings.set(other, 0.9)
    assert settings.get(one) == 0.9
    assert one not in settings.positions()


def test_further_knobs_stand_for_themselves() -> None:
    """Half way until they are moved, and listed from then on."""
    settings = Settings()
    assert settings.get("knob/3") == 0.5
    settings.set("knob/3", 0.2)
    assert settings.get("knob/3") == 0.2
    assert settings.positions()["knob/3"] == 0.2
    assert canonical("knob/3") == "knob/3"


@pytest.mark.parametrize("path", ["gian", "knob/0", "knob/x", "knob/03", f"knob/{MAX_KNOBS + 1}"])
def test_an_unknown_path_is_a_key_error_and_changes_nothing(path: str) -> None:
    """Above all it does not move another knob."""
    settings = Settings()
    with pytest.raises(KeyError):
        settings.set(path, 0.1)
    with pytest.raises(KeyError):
        settings.get(path)
    assert settings.positions() == Settings().positions()


def test_positions_are_a_copy() -> None:
    """Whoever asks gets a snapshot."""
    settings = Settings()
    settings.positions()["gain"] = 0.0
    assert settings.get("gain") == 0.5


def test_starting_positions_are_checked_as_any_other() -> None:
    """Clipped, and refused by name."""
    assert Settings({"gain": 3.0}).get("gain") == 1.0
    with pytest.raises(KeyError):
        Settings({"gian": 0.5})


def test_the_vector_holds_controls_in_the_layouts_order() -> None:
    """Ratios of gains, milliseconds, seconds and switches, as float32."""
    settings = Settings({"gain": 1.0, "level": 0.0, "delay/time": 1.0, "mute": 1.0, "knob/3": 0.3})
    vector = settings.vector(["mute", "gain", "delay/time", "level", "knob/3", "bass"])
    assert vector.dtype == np.float32
    expected = [1.0, 10.0 ** (24.0 / 20.0), 2000.0, 0.0, 0.3, 0.0]
    np.testing.assert_allclose(vector, expected, rtol=1e-6)


def test_a_knob_in_the_layout_gets_the_position_of_gain() -> None:
    """Where a model has the knob, its position goes to the model and is no decibel."""
    settings = Settings({"gain": 0.8})
    assert settings.vector(["knob/1"])[0] == np.float32(0.8)


def test_a_knob_that_was_never_set_has_the_models_default() -> None:
    """0.5 where the file states none; once set it keeps its position over models."""
    settings = Settings()
    assert settings.get("level") == 0.75  # the output level, without a model's second knob
    settings.use_knobs({"model": [KnobSpec("drive", 0.2), KnobSpec("tone")]})
    assert [settings.get(path) for path in ("gain", "level", "knob/2")] == [0.2, 0.5, 0.5]
    settings.set("level", 0.9)
    settings.use_knobs({"model": [KnobSpec("a", 0.7), KnobSpec("b", 0.1), KnobSpec("c", 0.3)]})
    assert [settings.get(path) for path in ("gain", "level", "knob/3")] == [0.7, 0.9, 0.3]
    settings.use_knobs({})
    assert [settings.get(path) for path in ("gain", "level")] == [0.5, 0.9]
    assert settings.set_positions() == {"level": 0.9}


def test_a_knob_set_to_its_default_counts_as_set() -> None:
    """What a player chose stays, also where it is what the model would have had."""
    settings = Settings()
    settings.set("gain", 0.5)
    settings.use_knobs({"model": [KnobSpec("drive", 0.2)]})
    assert settings.is_set("knob/1")
    assert settings.get("gain") == 0.5
    assert not settings.is_set("level")


def test_the_vector_of_another_model_has_that_models_defaults() -> None:
    """During a crossfade two rigs play, each with its own."""
    settings = Settings()
    settings.use_knobs({"model": [KnobSpec("one", 0.2)]})
    np.testing.assert_allclose(settings.vector(["knob/1"]), [0.2], rtol=1e-6)
    other = ParameterSet(knobs={"model": [KnobSpec("x", 0.8)]})
    vector = control_vector(other, settings.set_positions(), ("knob/1",))
    np.testing.assert_allclose(vector, [0.8], rtol=1e-6)
    # Where the layout has `gain`, it is the drive, whatever the model's first knob is.
    np.testing.assert_allclose(settings.vector(["gain"]), [1.0], rtol=1e-6)


def test_a_copy_for_a_model_leaves_the_original() -> None:
    """The builder warms up with it."""
    settings = Settings({"bass": 0.1})
    copy = settings.copy_for(DEFAULT_CHAIN, {"model": [KnobSpec("drive", 0.2)]})
    assert (copy.get("gain"), copy.get("bass")) == (0.2, 0.1)
    assert settings.get("gain") == 0.5


@pytest.mark.parametrize(
    ("mute", "enable", "tuner_mute", "muted"),
    [
        (0.0, 0.0, 0.0, 0.0),
        (0.0, 0.0, 1.0, 0.0),
        (0.0, 1.0, 0.0, 0.0),
        (0.0, 1.0, 1.0, 1.0),
        (1.0, 0.0, 0.0, 1.0),
        (1.0, 1.0, 0.0, 1.0),
        (1.0, 1.0, 1.0, 1.0),
    ],
)
def test_the_tuner_mutes_the_output_unless_it_lets_it_through(
    mute: float, enable: float, tuner_mute: float, muted: float
) -> None:
    """The rig gets `mute or (tuner/enable and tuner/mute)`; `mute` itself stays as it was set."""
    settings = Settings({"mute": mute, "tuner/enable": enable, "tuner/mute": tuner_mute})
    assert settings.vector(["bypass", "mute"]).tolist() == [0.0, muted]
    assert settings.get("mute") == mute


def test_the_tuner_mutes_by_itself() -> None:
    """A player who switches it on expects silence."""
    assert Settings({"tuner/enable": 1.0}).vector(["mute"]).tolist() == [1.0]


def test_no_preset_has_a_setting_of_the_tuner() -> None:
    """A preset must neither end the tuning nor start it."""
    settings = Settings({"tuner/enable": 1.0, "tuner/ref": 0.2})
    assert not any(path.startswith("tuner/") for path in settings.sound())
    settings.recall({}, SESSION)
    assert (settings.get("tuner/enable"), settings.get("tuner/ref")) == (1.0, 0.2)
