"""Options that several commands share."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nemod import __version__
from nemod.common.errors import ConfigError, did_you_mean
from nemod.config import Config, load


class Parser(argparse.ArgumentParser):
    """A parser whose errors end with what to do, and name the nearest option."""

    def error(self, message: str) -> Any:
        """Raise what argparse would print."""
        words = message.rpartition("unrecognized arguments: ")[2].split()
        near = ""
        if "unrecognized" in message and words:
            known = [option for action in self._actions for option in action.option_strings]
            near = did_you_mean(words[0].partition("=")[0], known)
        raise ConfigError("command line", [f"{message}{near} ({self.prog} --help lists all)"])


def parser(prog: str, description: str, **more: Any) -> Parser:
    """Return a parser with the project's manners."""
    made = Parser(prog=prog, description=description, allow_abbrev=False, **more)
    made.add_argument("--version", action="version", version=f"nemod {__version__}")
    return made


def add_library(made: argparse.ArgumentParser) -> None:
    """Add `--config` and `--library`."""
    made.add_argument("--config", type=Path, metavar="FILE", help="configuration (YAML)")
    made.add_argument(
        "--library",
        action="append",
        default=None,
        metavar="DIR",
        help="a folder with models; may be given several times",
    )


def configuration(arguments: argparse.Namespace, paths: dict[str, str]) -> Config:
    """Return the configuration; `paths` gives an option's name its place in the file.

    Raises: ConfigError with all problems of the file and the command line.
    """
    given = {path: getattr(arguments, name, None) for name, path in paths.items()}
    given["library"] = arguments.library
    return load(
        arguments.config, {path: value for path, value in given.items() if value is not None}
    )


def whole_or_text(text: str) -> Any:
    """Return a number where it is one; the configuration's checks judge either."""
    try:
        return int(text)
    except ValueError:
        return text


def number_or_text(text: str) -> Any:
    """Return a number where it is one; the configuration's checks judge either."""
    try:
        return float(text)
    except ValueError:
        return text


def channels(text: str) -> Any:
    """Return `1` or `1,2` as the configuration takes it."""
    return [whole_or_text(part.strip()) for part in text.split(",")]


def chosen(text: str, allowed: Sequence[str], option: str) -> tuple[str, ...]:
    """Return the names of `gru,lstm`, each once, in small letters.

    Raises: ConfigError that names the option and what is allowed.
    """
    names = [part.strip().casefold() for part in text.split(",")]
    for name in names:
        if name not in allowed:
            known = f"{did_you_mean(name, allowed)}; known are {', '.join(allowed)}"
            raise ConfigError("command line", [f"{option} {name!r}{known}"])
    return tuple(dict.fromkeys(names))


def seconds(text: str) -> float:
    """Return a length in seconds. Raises: argparse.ArgumentTypeError."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.0 < value < 1e7:
        raise argparse.ArgumentTypeError(f"{text!r}: seconds, a number above 0, are expected")
    return value
