"""Names of models, from the paths of their files."""

from pathlib import Path

import pytest

from nemod.library.names import fold, is_name, name_files, natural_key
from nemod.library.text import clean


def names(*paths: str) -> list[str]:
    """Return the names of paths."""
    return list(name_files(map(Path, paths))[0])


def test_a_name_is_the_stem_sorted_without_regard_to_case() -> None:
    """Suffix and folder are no part of a name that only one file has."""
    assert names("/a/beta.nam", "/a/Alpha.json", "/b/Gamma.aidax") == ["Alpha", "beta", "Gamma"]


def test_two_alike_get_their_folder_in_front() -> None:
    """Alike is without regard to case, and the sign between is no path separator."""
    assert names("/x/amps/Lead.json", "/x/pedals/lead.nam") == ["amps-Lead", "pedals-lead"]


def test_alike_in_folders_alike_are_numbered() -> None:
    """Every file has a name, and no two are alike in any case."""
    assert names("/1/a/x.json", "/2/a/x.json", "/3/A/X.json") == ["a-x", "a-x-2", "A-X-3"]


def test_a_stem_that_is_alone_keeps_its_name() -> None:
    """Also where another file's folder and stem make the same name together."""
    named, _ = name_files(map(Path, ["/1/a/x.json", "/2/b/x.json", "/3/c/a-x.json"]))
    assert named["a-x"] == Path("/3/c/a-x.json")
    assert sorted(named) == ["a-x", "a-x-2", "b-x"]


def test_accents_spelt_in_two_ways_are_alike() -> None:
    """A file from macOS is found by what a keyboard writes."""
    assert names("/a/Cafe\u0301.json") == ["Caf\u00e9"]


@pytest.mark.parametrize("bad", ["a\nb", "a\x1b[31m", "a\\b", "a\u202eb", "a\udcffb", " ", "a\x7f"])
def test_what_no_name_may_hold_is_left_out(bad: str) -> None:
    """Control characters, separators, surrogates and direction marks never appear."""
    named, unfit = name_files([Path(f"/a/{bad}.json"), Path("/a/good.json")])
    assert (list(named), unfit) == (["good"], [Path(f"/a/{bad}.json")])


def test_a_folder_that_no_name_may_hold_leaves_its_file_out() -> None:
    """Only where the folder would be part of the name."""
    assert names("/a\tb/x.json", "/c/x.json", "/a\tb/y.json") == ["c-x", "y"]


def test_an_ordinary_name_is_one() -> None:
    """Letters of any script, digits, signs and blanks make names."""
    assert all(map(is_name, ["JCM 800 (bright)", "Übersteuert", "真空管", "a.b_c+1"]))


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


def test_names_are_in_natural_order() -> None:
    """A pedal steps through them in this order."""
    files = [f"/a/gain {number}.nam" for number in (10, 2, 1, 0, 11)]
    assert names(*files) == [f"gain {number}" for number in (0, 1, 2, 10, 11)]


def test_spellings_of_a_name_are_equal() -> None:
    """In case and in accents, also where the one changes the other."""
    assert fold("CAFE\u0301") == fold("caf\u00e9")
    assert fold("\u0130stanbul") == fold("I\u0307stanbul")
    assert names("/a/CAFE\u0301.json", "/b/caf\u00e9.nam") == ["a-CAF\u00c9", "b-caf\u00e9"]


def test_clean_makes_one_line_of_anything() -> None:
    """Text from a file cannot control a terminal."""
    assert clean("a\x1b[2J\n\tb" + "c" * 100, 10) == "a [2J b..."
