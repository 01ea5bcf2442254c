"""What the command lines of nemod and nemod-train have in common: parser, commands, values."""

import argparse
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import import_module
from typing import Any, NamedTuple, NoReturn

from nemod.common.error_report import report
from nemod.common.errors import ConfigError, did_you_mean
from nemod.common.version import __version__

SOURCE = "command line"
"""What errors name as their source where a configuration error names its file."""


class Command(NamedTuple):
    """A command of a program."""

    module: str
    """Where its function is. Imported when the command is run: jax takes a second to load."""
    help: str
    function: str = "main"
    """Takes the arguments that follow the command, and returns the exit status."""


def find_command(
    program: str, commands: Mapping[str, Command], argv: Sequence[str]
) -> Callable[[], int]:
    """Import the command that `argv` begins with; return what runs it with the rest of `argv`.

    Raises: ConfigError for an unknown one.
    """
    word = argv[0]
    if word not in commands:
        problem = f"unknown command {word!r}{did_you_mean(word, commands)}"
        raise ConfigError(SOURCE, [f"{problem} ({program} --help lists all)"])
    command = commands[word]
    return partial(getattr(import_module(command.module), command.function), argv[1:])


def commands_help(program: str, commands: Mapping[str, Command]) -> str:
    """Return the list of commands for `--help`."""
    width = max(map(len, commands))
    lines = [f"  {name:{width}}  {command.help}" for name, command in commands.items()]
    return "\n".join(["commands:", *lines, f"({program} COMMAND --help lists its options)"])


def run_command(program: str, run: Callable[[], int]) -> int:
    """Return the exit status of `run`; an error is printed in one line."""
    try:
        return run()
    except (Exception, KeyboardInterrupt) as error:
        return report(program, error)


class Parser(argparse.ArgumentParser):
    """A parser that raises ConfigError, and suggests the nearest option."""

    def error(self, message: str) -> NoReturn:
        """Raise what argparse would print. Raises: ConfigError."""
        words = message.rpartition("unrecognized arguments: ")[2].split()
        suggestion = ""
        if "unrecognized" in message and words:
            known = [option for action in self._actions for option in action.option_strings]
            suggestion = did_you_mean(words[0].partition("=")[0], known)
        raise ConfigError(SOURCE, [f"{message}{suggestion} ({self.prog} --help lists all)"])


def parser(prog: str, description: str, **more: Any) -> Parser:
    """Return a parser with `--version` and without abbreviations."""
    made = Parser(prog=prog, description=description, allow_abbrev=False, **more)
    made.add_argument("--version", action="version", version=f"nemod {__version__}")
    return made


def run_subcommand(
    program: str,
    description: str,
    commands_text: str,
    commands: Mapping[str, Callable[[Sequence[str]], int]],
    argv: Sequence[str],
) -> int:
    """Run the command that `argv` begins with, `list` where it names none; return its status.

    `commands_text` is the list of commands in `--help`. Raises: ConfigError for an unknown one.
    """
    word = argv[0] if argv else ""
    if word in ("-h", "--help"):
        parser(
            program,
            description,
            epilog=commands_text,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        ).print_help()
        return 0
    if not word or word.startswith("-"):
        return commands["list"](argv)
    if word not in commands:
        problem = f"{program} {word}: unknown command{did_you_mean(word, commands)}"
        raise ConfigError(SOURCE, [f"{problem}; {', '.join(commands)}"])
    return commands[word](argv[1:])


def whole_or_text(text: str) -> int | str:
    """Return a whole number where the text is one, else the text."""
    try:
        return int(text)
    except ValueError:
        return text


def channels(text: str) -> list[int | str]:
    """Return the channels of `1` or `1,2`; whether each is a number is for the caller to check."""
    return [whole_or_text(part.strip()) for part in text.split(",")]


def chosen(text: str, allowed: Sequence[str], option: str) -> tuple[str, ...]:
    """Return the names of a list such as `gru,lstm`, each once, in lower case.

    Raises: ConfigError that names the option and what is allowed.
    """
    names = [part.strip().casefold() for part in text.split(",")]
    for name in names:
        if name not in allowed:
            known = f"{did_you_mean(name, allowed)}; known are {', '.join(allowed)}"
            raise ConfigError(SOURCE, [f"{option} {name!r}{known}"])
    return tuple(dict.fromkeys(names))


def seconds(text: str) -> float:
    """Return a duration in seconds. Raises: argparse.ArgumentTypeError."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.0 < value < 1e7:
        raise argparse.ArgumentTypeError(f"{text!r}: a number of seconds above 0 is expected")
    return value
