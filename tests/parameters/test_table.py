"""The table of parameters: laws of the three values that a knob has, for every row."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nemod.common.units import db_to_amplitude
from nemod.parameters.parameter import Parameter, ParameterKind
from nemod.parameters.table import BY_PATH, FURTHER_TABLE, MAX_KNOBS, TABLE, knob, param

EVERY_ROW = pytest.mark.parametrize("row", [*TABLE, *FURTHER_TABLE], ids=lambda row: row.path)
STEPS = [step / 64 for step in range(65)]


@EVERY_ROW
def test_position_value_position(row: Parameter) -> None:
    """A position that becomes a value comes back, at 65 places of the range."""
    for position in STEPS:
        assert row.position(row.value(position)) == pytest.approx(position, abs=1e-12)


@EVERY_ROW
def test_ends_of_the_range(row: Parameter) -> None:
    """Position 0 and 1 are the row's own limits."""
    assert row.value(0.0) == pytest.approx(row.low)
    assert row.value(1.0) == pytest.approx(row.high)


@EVERY_ROW
def test_more_position_is_more_of_everything(row: Parameter) -> None:
    """Value and control grow with the position, without a flat place."""
    for values in ([row.value(step) for step in STEPS], [row.control(step) for step in STEPS]):
        assert values == sorted(set(values))


@EVERY_ROW
def test_positions_are_clipped(row: Parameter) -> None:
    """A number out of range becomes the nearest end, in both directions."""
    assert row.value(-0.5) == row.value(0.0)
    assert row.value(1.5) == row.value(1.0)
    assert row.position(row.high + 1.0) == 1.0
    assert row.position(-math.inf if row.low == -math.inf else row.low - 1.0) == 0.0


@EVERY_ROW
def test_the_effect_gets_a_ratio_of_a_gain_and_else_the_value(row: Parameter) -> None:
    """Decibels stay outside the effects where the row says so."""
    for position in STEPS:
        real = row.value(position)
        expected = 10.0 ** (real / 20.0) if row.is_gain else real
        assert row.control(position) == pytest.approx(expected, rel=1e-12)
        assert math.isfinite(row.control(position))


@EVERY_ROW
def test_the_default_is_a_position(row: Parameter) -> None:
    """Of a switch it is one of two."""
    assert 0.0 <= row.default <= 1.0
    if row.kind is ParameterKind.BOOL:
        assert row.default in (0.0, 1.0)


# From the address table of the control contract: path, value at 0, at 1 and at the default.
CONTRACT = [
    ("gain", -24.0, 24.0, 0.0),
    ("level", -math.inf, 12.0, 0.0),
    ("input", -24.0, 24.0, 0.0),
    ("output", -24.0, 24.0, 0.0),
    ("gate/enable", 0.0, 1.0, 0.0),
    ("gate/threshold", -90.0, -20.0, -60.0),
    ("gate/attack", 0.1, 50.0, 1.0),
    ("gate/hold", 0.0, 500.0, 50.0),
    ("gate/release", 5.0, 1000.0, 100.0),
    ("comp/enable", 0.0, 1.0, 0.0),
    ("comp/threshold", -60.0, 0.0, -24.0),
    ("comp/ratio", 1.0, 20.0, 4.0),
    ("comp/attack", 0.1, 100.0, 5.0),
    ("comp/release", 10.0, 1000.0, 120.0),
    ("comp/makeup", 0.0, 24.0, 0.0),
    ("cab/enable", 0.0, 1.0, 0.0),
    ("cab/level", -24.0, 12.0, 0.0),
    ("bass", -12.0, 12.0, 0.0),
    ("mid", -12.0, 12.0, 0.0),
    ("treble", -12.0, 12.0, 0.0),
    ("delay/mix", 0.0, 1.0, 0.0),
    ("delay/time", 1.0, 2000.0, 350.0),
    ("delay/feedback", 0.0, 0.95, 0.35),
    ("delay/sync", 0.0, 1.0, 0.0),
    ("delay/note", 0.0, 15.0, 9.0),
    ("split/mix", 0.0, 1.0, 0.5),
    ("split/level_a", -24.0, 12.0, 0.0),
    ("split/level_b", -24.0, 12.0, 0.0),
    ("tempo/bpm", 20.0, 300.0, 120.0),
    ("reverb/mix", 0.0, 1.0, 0.0),
    ("reverb/size", 0.2, 10.0, 1.5),
    ("reverb/damping", 0.0, 1.0, 0.5),
    ("reverb/predelay", 0.0, 200.0, 10.0),
    ("bypass", 0.0, 1.0, 0.0),
    ("mute", 0.0, 1.0, 0.0),
    ("tuner/enable", 0.0, 1.0, 0.0),
    ("tuner/mute", 0.0, 1.0, 1.0),
    ("tuner/ref", 400.0, 480.0, 440.0),
    ("size/auto", 0.0, 1.0, 1.0),
    ("chorus/enable", 0.0, 1.0, 0.0),
    ("chorus/rate", 0.05, 10.0, 0.8),
    ("chorus/depth", 0.0, 1.0, 0.5),
    ("chorus/shape", 0.0, 7.0, 0.0),
    ("chorus/spread", 0.0, 180.0, 90.0),
    ("chorus/sync", 0.0, 1.0, 0.0),
    ("chorus/note", 0.0, 15.0, 9.0),
    ("flanger/enable", 0.0, 1.0, 0.0),
    ("flanger/rate", 0.05, 10.0, 0.2),
    ("flanger/depth", 0.0, 1.0, 0.7),
    ("flanger/shape", 0.0, 7.0, 0.0),
    ("flanger/spread", 0.0, 180.0, 90.0),
    ("flanger/sync", 0.0, 1.0, 0.0),
    ("flanger/note", 0.0, 15.0, 9.0),
    ("phaser/enable", 0.0, 1.0, 0.0),
    ("phaser/rate", 0.05, 10.0, 0.4),
    ("phaser/depth", 0.0, 1.0, 0.6),
    ("phaser/shape", 0.0, 7.0, 0.0),
    ("phaser/spread", 0.0, 180.0, 90.0),
    ("phaser/sync", 0.0, 1.0, 0.0),
    ("phaser/note", 0.0, 15.0, 9.0),
    ("tremolo/enable", 0.0, 1.0, 0.0),
    ("tremolo/rate", 0.05, 10.0, 4.0),
    ("tremolo/depth", 0.0, 1.0, 0.6),
    ("tremolo/shape", 0.0, 7.0, 0.0),
    ("tremolo/spread", 0.0, 180.0, 0.0),
    ("tremolo/sync", 0.0, 1.0, 0.0),
    ("tremolo/note", 0.0, 15.0, 9.0),
    ("chorus/delay", 2.0, 30.0, 10.0),
    ("chorus/mix", 0.0, 1.0, 0.5),
    ("flanger/delay", 0.5, 10.0, 2.0),
    ("flanger/feedback", -0.95, 0.95, 0.4),
    ("flanger/through_zero", 0.0, 1.0, 0.0),
    ("flanger/mix", 0.0, 1.0, 0.5),
    ("phaser/frequency", 100.0, 4000.0, 800.0),
    ("phaser/stages", 0.0, 3.0, 0.0),
    ("phaser/feedback", 0.0, 0.9, 0.3),
    ("phaser/mix", 0.0, 1.0, 0.5),
    ("tremolo/harmonic", 0.0, 1.0, 0.0),
    ("autowah/enable", 0.0, 1.0, 0.0),
    ("autowah/sensitivity", 0.0, 40.0, 14.0),
    ("autowah/frequency", 100.0, 2000.0, 350.0),
    ("autowah/range", -4.0, 4.0, 2.5),
    ("autowah/resonance", 0.5, 10.0, 3.0),
    ("autowah/attack", 1.0, 100.0, 5.0),
    ("autowah/release", 20.0, 1000.0, 150.0),
    ("autowah/mix", 0.0, 1.0, 1.0),
]


@pytest.mark.parametrize(("path", "low", "high", "default"), CONTRACT)
def test_ranges_and_defaults_are_the_contracts(
    path: str, low: float, high: float, default: float
) -> None:
    """Surfaces are laid out for these numbers."""
    row = param(path)
    assert (row.value(0.0), row.value(1.0)) == pytest.approx((low, high))
    assert row.value(row.default) == pytest.approx(default, abs=1e-12)


def test_no_row_is_missing_from_the_contract_and_paths_are_unique() -> None:
    """One row, one address."""
    assert {path for path, *_ in CONTRACT} == set(BY_PATH)
    assert len(BY_PATH) == len(TABLE) + len(FURTHER_TABLE) == len(CONTRACT)


@pytest.mark.parametrize(
    ("position", "db"),
    [(0.0, -math.inf), (0.375, -30.0), (0.75, 0.0), (0.875, 6.0), (1.0, 12.0)],
)
def test_the_fader_is_silent_below_and_0_db_at_three_quarters(position: float, db: float) -> None:
    """0..0.75 is -60..0 dB, 0.75..1 is 0..+12 dB, and the very bottom is silence."""
    level = param("level")
    assert level.value(position) == pytest.approx(db)
    assert level.control(position) == pytest.approx(db_to_amplitude(db))


def test_the_fader_just_above_its_bottom_is_60_db_down() -> None:
    """There is one step from there to silence."""
    level = param("level")
    assert level.value(1e-9) == pytest.approx(-60.0, abs=1e-6)
    assert level.position(-60.1) == 0.0
    assert level.position(-math.inf) == 0.0
    assert level.position(40.0) == 1.0


def test_logarithmic_knobs_have_the_geometric_mean_in_the_middle() -> None:
    """Half the way is half the octaves."""
    assert param("delay/time").value(0.5) == pytest.approx(math.sqrt(2000.0))
    assert param("reverb/size").value(0.5) == pytest.approx(math.sqrt(2.0))
    assert param("comp/ratio").value(0.5) == pytest.approx(math.sqrt(20.0))
    assert param("gate/attack").value(0.5) == pytest.approx(math.sqrt(0.1 * 50.0))


@pytest.mark.parametrize(
    ("path", "position", "text"),
    [
        ("gain", 0.5, "+0.0 dB"),
        ("gain", 0.4999999, "+0.0 dB"),
        ("gain", 0.0, "-24.0 dB"),
        ("bass", 0.5 + 3.5 / 24.0, "+3.5 dB"),
        ("level", 0.0, "-inf dB"),
        ("level", 0.75, "+0.0 dB"),
        ("delay/time", 0.0, "1.00 ms"),
        ("delay/time", 1.0, "2000 ms"),
        ("reverb/size", 1.0, "10.0 s"),
        ("reverb/predelay", 0.05, "10.0 ms"),
        ("delay/mix", 0.25, "0.25"),
        ("gate/threshold", 3.0 / 7.0, "-60.0 dB"),
        ("gate/attack", 0.0, "0.10 ms"),
        ("comp/ratio", 0.5, "4.47"),
        ("bypass", 0.0, "off"),
        ("mute", 1.0, "on"),
    ],
)
def test_labels(path: str, position: float, text: str) -> None:
    """Sign on decibels, never "-0.0"; three digits on what has another unit."""
    assert param(path).text(position) == text


@EVERY_ROW
def test_every_position_has_a_label(row: Parameter) -> None:
    """Short enough for a display."""
    for position in STEPS:
        assert 0 < len(row.text(position)) <= 12


def test_knobs_have_rows_of_their_own() -> None:
    """By number, from 0 to 1, with the model's name for it as the label."""
    row = param("knob/3")
    assert (row.path, row.low, row.high, row.default) == ("knob/3", 0.0, 1.0, 0.5)
    assert row.label == "Knob 3"
    assert knob(3, "tone", 0.25) == Parameter(
        path="knob/3", label="tone", help=row.help, default=0.25
    )


@pytest.mark.parametrize(
    "path",
    [
        "",
        "gian",
        "knob",
        "knob/",
        "knob/0",
        "knob/-1",
        "knob/01",
        "knob/x",
        "knob/1.5",
        "knob/²",
        f"knob/{MAX_KNOBS + 1}",
        "knob/" + "9" * 5000,
        "knob/1/2",
        "Gain",
        "/nemo/gain",
    ],
)
def test_a_path_without_a_row_is_a_key_error(path: str) -> None:
    """Knob numbers that no model can have included."""
    with pytest.raises(KeyError):
        param(path)


@given(st.sampled_from(TABLE), st.floats(allow_nan=False, allow_infinity=False))
def test_any_finite_number_is_a_position_and_a_value(row: Parameter, number: float) -> None:
    """What a surface sends is clipped, never an error and never out of range."""
    assert row.low <= row.value(number) <= row.high
    assert 0.0 <= row.position(number) <= 1.0
