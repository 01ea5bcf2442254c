"""Decibels and amplitude ratios."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nemod.common.units import SILENCE_DB, amplitude_to_db, db_to_amplitude


@pytest.mark.parametrize(
    ("db", "amplitude"), [(0.0, 1.0), (20.0, 10.0), (-20.0, 0.1), (-120.0, 1e-6), (-math.inf, 0.0)]
)
def test_round_levels_have_round_ratios(db: float, amplitude: float) -> None:
    """Twenty decibels are a factor of ten; minus infinity is silence."""
    assert db_to_amplitude(db) == pytest.approx(amplitude, rel=1e-12)


@pytest.mark.parametrize(("amplitude", "db"), [(1.0, 0.0), (0.5, -6.0206), (2.0, 6.0206)])
def test_ratios_have_their_level(amplitude: float, db: float) -> None:
    """Half is 6.02 dB less."""
    assert amplitude_to_db(amplitude) == pytest.approx(db, abs=1e-4)


@pytest.mark.parametrize("amplitude", [0.0, -1.0, 1e-7, 5e-324])
def test_silence_has_a_floor(amplitude: float) -> None:
    """Meters show a number, however small the sample."""
    assert amplitude_to_db(amplitude) == SILENCE_DB


@given(st.floats(-119.0, 120.0))
def test_there_and_back(db: float) -> None:
    """Above the floor the two are each other's inverse."""
    assert amplitude_to_db(db_to_amplitude(db)) == pytest.approx(db, abs=1e-9)
