"""Errors: what a message says, and what stays readable as an attribute."""

import pytest

from nemod.common.errors import (
    AudioError,
    ConfigError,
    ModelError,
    NemodError,
    NotFoundError,
    OscError,
    did_you_mean,
)


@pytest.mark.parametrize("kind", [ConfigError, ModelError, NotFoundError, AudioError, OscError])
def test_every_class_has_one_root(kind: type[Exception]) -> None:
    """Whoever catches `NemodError` catches all that is meant for the user."""
    assert issubclass(kind, NemodError)


def test_a_config_error_puts_each_problem_on_a_line_of_its_own() -> None:
    """With the source before each, and the problems as they were given."""
    error = ConfigError("a.yaml", ["one", "two"])
    assert str(error) == "a.yaml: one\na.yaml: two"
    assert (error.source, error.problems) == ("a.yaml", ("one", "two"))


def test_a_model_error_keeps_file_and_reason() -> None:
    """The text begins with the file."""
    error = ModelError("amp.json", "state_dict: missing")
    assert str(error) == "amp.json: state_dict: missing"
    assert (error.path, error.reason) == ("amp.json", "state_dict: missing")


def test_an_osc_error_keeps_code_address_and_text() -> None:
    """A reply needs no parsing."""
    error = OscError("value", "/nemo/gain", "a finite number is expected")
    assert str(error) == "/nemo/gain: a finite number is expected"
    assert (error.code, error.address, error.text) == (
        "value",
        "/nemo/gain",
        "a finite number is expected",
    )


@pytest.mark.parametrize(
    ("given", "expected"),
    [("blok", ", did you mean 'block'?"), ("block", ", did you mean 'block'?"), ("xyzzy", "")],
)
def test_did_you_mean_names_the_nearest_word_or_nothing(given: str, expected: str) -> None:
    """A guess that is far from every word is worse than none."""
    assert did_you_mean(given, ["rate", "block", "input"]) == expected


def test_did_you_mean_takes_any_iterable() -> None:
    """Keys of a mapping and generators, an empty one too."""
    assert did_you_mean("gian", (word for word in ("gain",))) == ", did you mean 'gain'?"
    assert did_you_mean("gian", ()) == ""
