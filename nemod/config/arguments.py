"""The options of the configuration as options of a command line, and back into words."""

import argparse
from pathlib import Path
from typing import Any

from nemod.common.errors import ConfigError
from nemod.common.paths import FolderError, absolute
from nemod.config.checks import Switch
from nemod.config.loader import COMMAND_LINE, Given, default_path, load, read_override
from nemod.config.options import OPTIONS, Config, Option

_CONFIG = "config"
"""Name of `--config` among the parsed arguments."""


def add_options(parser: argparse.ArgumentParser, *keys: str, config: bool = True) -> None:
    """Add the options with these keys, or all that have a flag, and `--config`."""
    for key in keys or [key for key, option in OPTIONS.items() if option.declaration.flag]:
        _add(parser, OPTIONS[key])
    if config:
        try:
            place = f" [{default_path()}]"
        except FolderError:
            place = ""
        parser.add_argument(
            "--config",
            dest=_CONFIG,
            metavar="FILE",
            help=f"configuration file (YAML){_escaped(place)}",
        )


def _add(parser: argparse.ArgumentParser, option: Option) -> None:
    declared = option.declaration
    sentence = declared.help
    if declared.check.is_list:
        sentence += "; may be given several times"
    if declared.check.range:
        sentence += f" ({declared.check.range})"
    if option.default is not False:
        sentence += f" [{option.default_text}]"
    more: dict[str, Any] = {"dest": option.key, "default": None}
    described = more | {"help": _escaped(sentence)}
    if declared.no_flag:
        group = parser.add_mutually_exclusive_group()
        if isinstance(declared.check, Switch):
            group.add_argument(declared.flag, action="store_const", const=True, **described)
        else:
            group.add_argument(declared.flag, metavar=declared.metavar, **described)
        group.add_argument(
            declared.no_flag, action="store_const", const=False, help=declared.no_help, **more
        )
        for alias, value in zip(declared.aliases or (), (True, False), strict=False):
            group.add_argument(
                alias, action="store_const", const=value, help=argparse.SUPPRESS, **more
            )
    elif isinstance(declared.check, Switch):
        parser.add_argument(declared.flag, action="store_const", const=True, **described)
    elif declared.check.is_list:
        parser.add_argument(declared.flag, action="append", metavar=declared.metavar, **described)
    else:
        parser.add_argument(declared.flag, metavar=declared.metavar, **described)


def _escaped(text: str) -> str:
    return text.replace("%", "%%")


def given_options(arguments: argparse.Namespace) -> dict[str, Given]:
    """Return what the command line says, by the option's key."""
    values = vars(arguments)
    return {key: values[key] for key in OPTIONS if values.get(key) is not None}


def config_file(arguments: argparse.Namespace) -> Path | None:
    """Return the file that `--config` names as an absolute path, or None.

    Raises: ConfigError.
    """
    text: str | None = getattr(arguments, _CONFIG, None)
    if text is None:
        return None
    try:
        return absolute(text)
    except FolderError as error:
        raise ConfigError(COMMAND_LINE, [f"--config {text!r}: {error}"]) from None


def configuration(arguments: argparse.Namespace) -> Config:
    """Return the configuration that the parsed arguments stand for.

    Raises: ConfigError with all problems of the file and the command line.
    """
    return load(config_file(arguments), given_options(arguments))


def words(arguments: argparse.Namespace) -> list[str]:
    """Return the options of a command line, with absolute paths.

    Raises: ConfigError for a path that cannot be made absolute.
    """
    made: list[str] = []
    file = config_file(arguments)
    if file is not None:
        made += ["--config", str(file)]
    for key, given in given_options(arguments).items():
        declared = OPTIONS[key].declaration
        if isinstance(given, bool):
            made.append(declared.flag if given else declared.no_flag)
            continue
        texts = list(map(str, given if isinstance(given, list) else [given]))
        if declared.check.is_path:
            value = read_override(key, given)
            texts = [str(path) for path in (value if isinstance(value, tuple) else (value,))]
        for text in texts:
            # A value that begins with a dash would be taken for an option.
            made += [f"{declared.flag}={text}"] if text[:1] == "-" else [declared.flag, text]
    return made
