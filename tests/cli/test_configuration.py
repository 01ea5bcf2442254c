"""What every command has in common: help, version, and errors for wrong usage."""

import shutil
from pathlib import Path

import pytest

import nemod as package
from nemod.cli import COMMANDS
from nemod.cli.configuration import configuration
from nemod.cli.play import daemon_parser
from tests.cli.conftest import Nemod


@pytest.mark.parametrize("command", [(), *((name,) for name in COMMANDS)])
def test_help_is_no_error(nemod: Nemod, command: tuple[str, ...]) -> None:
    """On standard output, with the command's name."""
    outcome = nemod(*command, "--help")
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out.startswith(" ".join(["usage: nemod", *command]))


def test_help_names_every_command(nemod: Nemod) -> None:
    """The parser does not know them."""
    out = nemod("-h").out
    assert [name for name in COMMANDS if f"\n  {name} " not in out] == []


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
        (("redner", "a.wav"), "unknown command 'redner', did you mean 'render'?"),
        (("--device",), "argument --device: expected one argument"),
        (("--seconds", "-1"), "argument --seconds: '-1': a number of seconds above 0 is"),
        (("--seconds", "nan"), "argument --seconds: 'nan': a number of seconds"),
        (("models", "--lib", "x"), "unrecognized arguments: --lib x"),
        (("render", "a", "b", "--model", "m", "--modle-only"), "did you mean '--model-only'?"),
        (("render", "a.wav"), "the following arguments are required: OUT"),
        (("check",), "the following arguments are required: FILE"),
        (("bench", "--units", "0"), "argument --units: '0': whole numbers from 1 to 4096"),
    ],
)
def test_wrong_usage_ends_with_status_2_and_a_hint(
    nemod: Nemod, arguments: tuple[str, ...], text: str
) -> None:
    """One line on standard error, which says where to read more."""
    outcome = nemod(*arguments)
    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err.startswith("nemod: command line: ")
    assert text in outcome.err
    assert "--help lists all)\n" in outcome.err
    assert outcome.err.count("\n") == 1


def test_all_wrong_values_are_reported_at_once(nemod: Nemod) -> None:
    """Each by its option, as it was written."""
    outcome = nemod("--block", 7, "--rate", "x", "--port", 99_999, "--output", "1,2,3")
    assert outcome.status == 2
    for text in (
        "--block 7: a whole number from 32 to 1024 frames is expected",
        "--rate x: a whole number from 44100 to 96000 Hz is expected",
        "--port 99999: a whole number from 0 to 65535 is expected",
        "--output 1,2,3: one channel or two",
    ):
        assert f"command line: {text}" in outcome.err


def test_a_configuration_that_is_not_there_is_an_error(nemod: Nemod) -> None:
    """`--config` names it."""
    outcome = nemod("models", "--config", "/nowhere/nemod.yaml")
    assert outcome.status == 2
    assert outcome.err == "nemod: /nowhere/nemod.yaml: No such file or directory\n"


def test_a_missing_library_folder_is_reported_by_every_command(
    nemod: Nemod, amp: Path, riff: Path, tmp_path: Path
) -> None:
    """Once, on standard error; the command goes on. The daemon uses the same function."""
    options = ("--library", tmp_path / "nowhere")
    for command in (
        ("models", *options),
        ("render", riff, tmp_path / "out.wav", "--model", amp, *options),
        ("service", "install", "--dry-run", *options),
    ):
        outcome = nemod(*command)
        assert outcome.status == 0
        assert outcome.err.count(f"library folder not found folder={tmp_path}/nowhere") == 1


def test_a_relative_library_of_the_file_is_found_from_anywhere(
    nemod: Nemod, amp: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is inside the folder of the file."""
    (tmp_path / "amps").mkdir()
    shutil.copy(amp, tmp_path / "amps" / "Mine.json")
    (tmp_path / "c.yaml").write_text("library: amps")
    for folder in (tmp_path, Path("/")):
        monkeypatch.chdir(folder)
        assert "Mine" in nemod("models", "--config", tmp_path / "c.yaml").out


@pytest.mark.parametrize(
    ("flag", "standby"),
    [("--standby", True), ("--no-standby", False), ("--spare", True), ("--no-spare", False)],
)
def test_the_standby_process_has_a_flag_and_its_former_name(flag: str, standby: bool) -> None:
    """`--help` shows only the new one."""
    made = daemon_parser()
    assert configuration(made.parse_args([flag])).standby is standby
    assert ("spare" in flag) != (flag in made.format_help())
