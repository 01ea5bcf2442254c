"""Where all knobs stand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nemod.control.settings import Settings, canonical
from nemod.parameters.table import MAX_KNOBS, TABLE

PATHS = [row.path for row in TABLE if row.path not in ("bypass", "mute")]


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
