"""What every command has in common: help, version, and kind words for wrong usage."""

import pytest

import nemod as package
from nemod.cli import COMMANDS
from tests.cli.conftest import Nemod


@pytest.mark.parametrize("command", [(), *((name,) for name in COMMANDS)])
def test_help_is_no_error(nemod: Nemod, command: tuple[str, ...]) -> None:
    """On standard output, with the command's name."""
    outcome = nemod(*command, "--help")
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out.startswith(" ".join(["usage: nemod", *command]))


def test_help_names_every_command(nemod: Nemod) -> None:
    """They are no options, so argparse would not."""
    out = nemod("-h").out
    assert [name for name in COMMANDS if f"nemod {name}" not in out] == []


@pytest.mark.parametrize("command", [(), ("render",), ("models",)])
def test_version(nemod: Nemod, command: tuple[str, ...]) -> None:
    """The package's own."""
    assert nemod(*command, "--version").out == f"nemod {package.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--blok", "64"), "unrecognized arguments: --blok 64, did you mean '--block'?"),
        (("--blok=64",), "unrecognized arguments: --blok=64, did you mean '--block'?"),
        (("--xyzzy",), "unrecognized arguments: --xyzzy (nemod --help lists all)"),
        (("redner", "a.wav"), "'redner' is no command, did you mean 'render'?"),
        (("--device",), "argument --device: expected one argument"),
        (("--seconds", "-1"), "argument --seconds: '-1': seconds, a number above 0, are expected"),
        (("--seconds", "nan"), "argument --seconds: 'nan': seconds"),
        (("models", "--lib", "x"), "unrecognized arguments: --lib x"),
        (("render", "a", "b", "--model", "m", "--modle-only"), "did you mean '--model-only'?"),
        (("render", "a.wav"), "the following arguments are required: OUT.wav, --model"),
        (("check",), "the following arguments are required: FILE"),
        (("bench", "--units", "0"), "argument --units: '0': whole numbers from 1 to 4096"),
    ],
)
def test_wrong_usage_ends_with_2_and_a_hint(
    nemod: Nemod, arguments: tuple[str, ...], text: str
) -> None:
    """One line on standard error, and where to read more."""
    outcome = nemod(*arguments)
    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err.startswith("nemod: command line: ")
    assert text in outcome.err
    assert "--help lists all)\n" in outcome.err
    assert outcome.err.count("\n") == 1


def test_all_wrong_values_are_told_at_once(nemod: Nemod) -> None:
    """As for the file, by their place in the configuration."""
    outcome = nemod("--block", 7, "--rate", "x", "--port", 99_999, "--output", "1,2,3")
    assert outcome.status == 2
    for text in (
        "audio.block: 7: a whole number from 32 to 1024 frames is expected",
        "audio.rate: 'x': a whole number from 44100 to 96000 Hz is expected",
        "osc.port: 99999: a whole number from 0 to 65535 is expected",
        "audio.output: [1, 2, 3]: one channel or two",
    ):
        assert f"command line: {text}" in outcome.err


def test_a_configuration_that_is_not_there_is_an_error(nemod: Nemod) -> None:
    """It was asked for."""
    outcome = nemod("models", "--config", "/nowhere/nemod.yaml")
    assert outcome.status == 2
    assert outcome.err == "nemod: /nowhere/nemod.yaml: No such file or directory\n"
