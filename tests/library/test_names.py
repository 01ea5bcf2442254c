"""Names of models, from the paths of their files."""

from pathlib import Path

import pytest

from nemod.library.names import is_name, name_files
from nemod.library.text import clean


def names(*paths: str) -> list[str]:
    """Return the names of paths."""
    return list(name_files(map(Path, paths))[0])


def test_a_name_is_the_stem_sorted_without_regard_to_case() -> None:
    """Suffix and folder are no part of a name that only one file has."""
    assert names("/a/beta.nam", "/a/Alpha.json", "/b/Gamma.aidax") == ["Alpha", "beta", "Gamma"]


def test_two_alike_get_their_folder_in_front() -> None:
    """Regardless of case; the separator is no path separator."""
    assert names("/x/amps/Lead.json", "/x/pedals/lead.nam") == ["amps-Lead", "pedals-lead"]


def test_alike_in_folders_alike_are_numbered() -> None:
    """Every file has a name, and no two are equal in any case."""
    assert names("/1/a/x.json", "/2/a/x.json", "/3/A/X.json") == ["a-x", "a-x-2", "A-X-3"]


def test_a_stem_that_is_alone_keeps_its_name() -> None:
    """Also where another file's folder and stem make the same name together."""
    named, _ = name_files(map(Path, ["/1/a/x.json", "/2/b/x.json", "/3/c/a-x.json"]))
    assert named["a-x"] == Path("/3/c/a-x.json")
    assert sorted(named) == ["a-x", "a-x-2", "b-x"]


def test_accents_spelt_in_two_ways_are_alike() -> None:
    """A name from macOS becomes what a keyboard writes."""
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


def test_names_are_in_natural_order() -> None:
    """A pedal steps through them in this order."""
    files = [f"/a/gain {number}.nam" for number in (10, 2, 1, 0, 11)]
    assert names(*files) == [f"gain {number}" for number in (0, 1, 2, 10, 11)]


def test_names_alike_but_for_accents_get_their_folder() -> None:
    """They could not be told apart on a phone."""
    assert names("/a/CAFE\u0301.json", "/b/caf\u00e9.nam") == ["a-CAF\u00c9", "b-caf\u00e9"]


def test_clean_makes_one_line_of_anything() -> None:
    """Text from a file cannot control a terminal."""
    assert clean("a\x1b[2J\n\tb" + "c" * 100, 10) == "a [2J b..."
