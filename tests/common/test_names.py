"""Comparison and order of names."""

import pytest

from nemod.common.names import fold, natural_key


@pytest.mark.parametrize(
    "in_order",
    [
        ["gain 1", "gain 2", "gain 10"],
        ["2", "10", "100", "a"],
        ["GAIN 2", "gain 10", "Gain 11"],
        ["a", "a1", "a1b", "a1b2", "a1b10", "a2"],
        # Longer than a 64-bit number, and than Python converts.
        ["x" + "9" * 30, "x1" + "0" * 30],
        ["x" + "9" * 5000, "x1" + "0" * 5000],
        ["take 01", "take 1", "take 002", "take 2", "take 010"],
        # Digits of other widths and scripts count as digits.
        ["gain \uff12", "gain 3", "gain \u0661\u0660", "gain 11"],
        ["Cafe\u0301 2", "Caf\u00e9 10"],
        ["1.2 V", "1.10 V"],
    ],
)
def test_numbers_in_names_are_sorted_by_value(in_order: list[str]) -> None:
    """Whatever the order in which they come."""
    assert sorted(reversed(in_order), key=natural_key) == in_order
    assert sorted(in_order, key=natural_key) == in_order


def test_spellings_of_a_name_are_equal() -> None:
    """In case and in accents, also where the one changes the other."""
    assert fold("CAFE\u0301") == fold("caf\u00e9")
    assert fold("\u0130stanbul") == fold("I\u0307stanbul")
