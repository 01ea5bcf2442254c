"""The configuration: YAML file and command line into frozen dataclasses.

The file is `$XDG_CONFIG_HOME/nemod/config.yaml` (`~/.config/nemod/config.yaml`) unless `--config`
names another; it may be absent. The command line overrides the file. All errors are reported at
once. Relative paths are resolved here, once: those of the file against its folder, those of the
command line against the current folder.
"""

import dataclasses
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nemod.common.errors import ConfigError, did_you_mean
from nemod.common.paths import FolderError, config_folder
from nemod.common.yaml_reader import Scalar, Tree, read_yaml
from nemod.config.checks import MAX_SHOWN, ProblemsError, cut, shown
from nemod.config.options import OPTIONS, SECTIONS, Config, declaration

FILE = "config.yaml"
MAX_CONFIG_BYTES = 1 << 16
"""[bytes] Largest configuration file; reading as much takes about a second at the worst."""
MAX_PROBLEMS = 20
"""Reported at once; a file with more is not a configuration."""
COMMAND_LINE = "command line"

Given = str | bool | float | Sequence[str | float]
"""A value of the command line: text, a flag, or the values of a flag that was repeated."""


def default_path() -> Path:
    """Return where the configuration is looked for. Raises: FolderError without a home folder."""
    return config_folder() / FILE


def load(path: Path | None, overrides: Mapping[str, Given]) -> Config:
    """Return the configuration of a file, overridden by the command line.

    `path` None is the default path, which may be absent. `overrides` are what the command line
    says, by the option's key (`audio.block`).

    Raises: ConfigError with all problems of both.
    """
    source, tree = _read(path)
    problems: list[str] = []
    values = _section(Config, tree, source.absolute().parent if source else Path("/"), "", problems)
    wrong: list[str] = []
    given = _overrides(overrides, wrong)
    if len(problems) > MAX_PROBLEMS:
        problems[MAX_PROBLEMS:] = [f"and {len(problems) - MAX_PROBLEMS} more"]
    if problems or wrong:
        raise ConfigError(
            str(source) if problems else COMMAND_LINE,
            [*problems, *(f"{COMMAND_LINE}: {text}" if problems else text for text in wrong)],
        )
    made: Config = _make(Config, "", values | given)
    return made


def _read(path: Path | None) -> tuple[Path | None, Tree]:
    """Return the file and what it says; without a file, nothing."""
    if path is None:
        try:
            path = default_path()
        except FolderError:
            return None, {}
        if not path.exists():
            return None, {}
    tree = read_yaml(path, MAX_CONFIG_BYTES)
    is_empty = tree is None or (isinstance(tree, Scalar) and tree.value is None)
    return path, {} if tree is None or is_empty else tree


def _section(
    kind: type, tree: Tree, folder: Path, section: str, problems: list[str]
) -> dict[str, Any]:
    """Return checked values by key; what is wrong is appended to `problems`."""
    fields = {entry.name: entry for entry in dataclasses.fields(kind)}
    if not isinstance(tree, dict):
        what = "a list" if isinstance(tree, list) else shown(tree)
        at = section.removesuffix(".") or "the file"
        problems.append(f"{at}: keys ({', '.join(fields)}) are expected, not {what}")
        return {}
    values: dict[str, Any] = {}
    for name, given in tree.items():
        key = cut(section + name)
        if name not in fields:
            problems.append(f"{key}: unknown key{_hint(name, given, list(fields))}")
            continue
        declared = declaration(fields[name])
        if declared is None:
            values |= _section(SECTIONS[name], given, folder, f"{key}.", problems)
            continue
        try:
            values[key] = declared.check(given, folder)
        except ProblemsError as error:
            problems += [f"{key}.{problem}" for problem in error.problems]
        except ValueError as error:
            problems.append(f"{key}: {shown(given)}: {error}")
    return values


def _hint(name: str, given: Tree, allowed: list[str]) -> str:
    is_rest = isinstance(given, Scalar) and given.value is None and not given.text
    if is_rest and name.isdecimal():
        # {output: 1,2} has the keys `output` and `2`.
        return "; inside { } a value with a comma needs quotes"
    return f"{did_you_mean(name[:MAX_SHOWN], allowed)}; allowed here: {', '.join(allowed)}"


def _overrides(overrides: Mapping[str, Given], problems: list[str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, given in overrides.items():
        try:
            values[key] = read_override(key, given)
        except ConfigError as error:
            problems += error.problems
    return values


def read_override(key: str, given: Given) -> Any:
    """Return the value of an option as the command line gives it. Raises: ConfigError."""
    declared, tree = OPTIONS[key].declaration, _tree(given)
    try:
        return declared.check(tree, None)
    except ValueError as error:
        words = [] if isinstance(given, bool) else given if isinstance(given, list) else [given]
        problem = f"{cut(shlex.join([declared.flag, *map(str, words)]))}: {error}"
        raise ConfigError(COMMAND_LINE, [problem]) from None


def _tree(given: Given) -> Tree:
    if isinstance(given, bool):
        return Scalar(given, str(given).lower())
    if isinstance(given, str | int | float):
        return Scalar(given, str(given))
    return [_tree(entry) for entry in given]


def _make(kind: type, section: str, values: Mapping[str, Any]) -> Any:
    """Build a dataclass from checked values by key."""
    arguments: dict[str, Any] = {}
    for entry in dataclasses.fields(kind):
        key = section + entry.name
        if declaration(entry) is None:
            arguments[entry.name] = _make(SECTIONS[entry.name], f"{key}.", values)
        elif key in values:
            arguments[entry.name] = values[key]
    return kind(**arguments)
