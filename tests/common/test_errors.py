"""Errors: their texts and attributes."""

import pytest

from nemod.common.errors import (
    AudioError,
    ConfigError,
    ModelError,
    NemodError,
    NotFoundError,
    did_you_mean,
)


@pytest.mark.parametrize("kind", [ConfigError, ModelError, NotFoundError, AudioError])
def test_every_class_has_one_base(kind: type[Exception]) -> None:
    """`except NemodError` catches everything that is meant for the user."""
    assert issubclass(kind, NemodError)


def test_a_config_error_puts_each_problem_on_a_line_of_its_own() -> None:
    """Each begins with the source; the problems stay as they were given."""
    error = ConfigError("a.yaml", ["one", "two"])
    assert str(error) == "a.yaml: one\na.yaml: two"
    assert (error.source, error.problems) == ("a.yaml", ("one", "two"))


def test_a_model_error_keeps_file_and_reason() -> None:
    """The text begins with the file."""
    error = ModelError("amp.json", "state_dict: missing")
    assert str(error) == "amp.json: state_dict: missing"
    assert (error.path, error.reason) == ("amp.json", "state_dict: missing")


@pytest.mark.parametrize(
    ("given", "expected"),
    [("blok", ", did you mean 'block'?"), ("block", ", did you mean 'block'?"), ("xyzzy", "")],
)
def test_did_you_mean_suggests_the_most_similar_word_or_nothing(given: str, expected: str) -> None:
    """No suggestion is better than one that is not similar."""
    assert did_you_mean(given, ["rate", "block", "input"]) == expected


def test_did_you_mean_takes_any_iterable() -> None:
    """Keys of a mapping and generators, an empty one too."""
    assert did_you_mean("gian", (word for word in ("gain",))) == ", did you mean 'gain'?"
    assert did_you_mean("gian", ()) == ""
