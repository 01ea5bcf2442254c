"""The configuration: YAML into frozen dataclasses, with every problem reported at once.

The file is `$XDG_CONFIG_HOME/nemod/config.yaml` (`~/.config/nemod/config.yaml`) unless `--config`
names another; it may be absent. What the command line says wins over the file.
"""

import dataclasses
import ipaddress
import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from nemod.common.errors import ConfigError, did_you_mean

MIN_BLOCK_FRAMES, MAX_BLOCK_FRAMES = 32, 1024
MIN_RATE_HZ, MAX_RATE_HZ = 44_100, 96_000
LOG_LEVELS = ("debug", "info", "warning", "error")
SUITABLE = "auto"
MODEL_RATE = "model"
MAX_FILE_BYTES = 1 << 20
"""[bytes] Of any YAML that is read."""
MAX_CONFIG_BYTES = 1 << 16
"""[bytes] Of a configuration; reading as much takes about a second at the worst."""
MAX_PROBLEMS = 20
"""Told at once; what is wrong so often is not a configuration."""
MAX_TOLD = 200
"""[characters] What a problem repeats of a file."""
MAX_DIGITS = 400
"""[characters] Longest number in a file; the time for some kinds grows with the square."""
MAX_BITS = 64
"""[bits] Largest whole number in a file; Python could not even show some larger ones."""

Check = Callable[[Any], Any]
"""Returns the value in its own type. Raises: ValueError that says what is allowed."""


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("a name (text) is expected")
    return value


def _switch(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("true or false is expected")  # noqa: TRY004 - one class for all checks
    return value


def _whole(low: int, high: int, unit: str = "") -> Check:
    def check(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError(f"a whole number from {low} to {high}{unit} is expected")
        return value

    return check


def _number(low: float, high: float, unit: str = "") -> Check:
    def check(value: Any) -> float:
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not low <= value <= high
        ):
            raise ValueError(f"a number from {low:g} to {high:g}{unit} is expected")
        return float(value)

    return check


def _rate(value: Any) -> int | str:
    if value == MODEL_RATE:
        return MODEL_RATE
    try:
        rate: int = _whole(MIN_RATE_HZ, MAX_RATE_HZ, " Hz")(value)
    except ValueError as error:
        raise ValueError(f"{error}, or '{MODEL_RATE}' for the first model's") from None
    return rate


def _cpu_latency(value: Any) -> int | str | None:
    if value is False or value == "off":
        return None
    if value == SUITABLE:
        return SUITABLE
    try:
        latency: int = _whole(0, 10_000, " us")(value)
    except ValueError as error:
        raise ValueError(f"{error}, or '{SUITABLE}', or 'off'") from None
    return latency


def _channels(value: Any) -> tuple[int, ...]:
    numbers = value if isinstance(value, list) else [value]
    whole = _whole(1, 256)
    if not 1 <= len(numbers) <= 2:
        raise ValueError("one channel or two, counted from 1, are expected, as 1 or [1, 2]")
    channels = tuple(whole(number) for number in numbers)
    if len(set(channels)) < len(channels):
        raise ValueError("two different channels are expected")
    return channels


def _level(value: Any) -> str:
    if not isinstance(value, str) or value.lower() not in LOG_LEVELS:
        near = did_you_mean(str(value)[:MAX_TOLD], LOG_LEVELS)
        raise ValueError(f"one of {', '.join(LOG_LEVELS)} is expected{near}")
    return value.lower()


def _folders(value: Any) -> tuple[Path, ...]:
    values = value if isinstance(value, list) else [value]
    if not all(isinstance(entry, str) and entry for entry in values):
        raise ValueError("a folder, or a list of folders, is expected")
    try:
        return tuple(Path(entry).expanduser() for entry in values)
    except RuntimeError:
        raise ValueError("'~' stands for the home of a user, and there is no such user") from None


def _state(value: Any) -> bool | Path:
    if isinstance(value, bool):
        return value
    if not isinstance(value, str) or not value.strip():
        raise ValueError("a file's name, true or false is expected")
    try:
        return Path(value).expanduser()
    except RuntimeError:
        raise ValueError("'~' stands for the home of a user, and there is no such user") from None


def _networks(value: Any) -> tuple[str, ...]:
    values = value if isinstance(value, list) else [value]
    networks = []
    for entry in values:
        try:
            if not isinstance(entry, str):  # 10 would be taken for 0.0.0.10
                raise TypeError  # noqa: TRY301 - one sentence for all
            networks.append(str(ipaddress.ip_network(entry, strict=False)))
        except (ValueError, TypeError):
            raise ValueError(
                f"{_cut(repr(entry))} is no network; as 10.8.0.0/24, 192.168.7.4 or fd00::/8"
            ) from None
    return tuple(networks)


def _setting(default: Any, check: Check) -> Any:
    return field(default=default, metadata={"check": check})


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioConfig:
    """Where sound comes from and goes to."""

    device: str = _setting("demo", _text)
    """A device's name or part of it, `demo`, or `null`."""
    input: int = _setting(1, _whole(1, 256))
    """Channel, counted from 1."""
    output: tuple[int, ...] = _setting((), _channels)
    """Channels, counted from 1; none stated: the first two."""
    rate: int | str | None = _setting(None, _rate)
    """[Hz] None is the device's own; `model` asks the device for the first model's rate."""
    block: int = _setting(64, _whole(MIN_BLOCK_FRAMES, MAX_BLOCK_FRAMES, " frames"))
    """[frames]"""
    cpu_latency: int | str | None = _setting(SUITABLE, _cpu_latency)
    """[us] How long a processor may take to wake up while the sound runs, at the cost of power:
    `auto` is what suits the machine, `off` leaves it to the system. See
    `nemod.engine.cpu_latency`."""
    wait: bool = _setting(False, _switch)
    """Wait for a device that is not there at the start, instead of ending with an error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelConfig:
    """How loud models are made; see `nemod.builder.level`."""

    normalize: bool = _setting(False, _switch)
    """Bring every model to the same loudness, -18 dB."""
    input_dbu: float | None = _setting(None, _number(-60.0, 60.0, " dBu"))
    """[dBu] Level at the interface's input that is full scale; None leaves the input alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OscConfig:
    """Who may steer the daemon, and where it listens."""

    port: int = _setting(9000, _whole(0, 65_535))
    """UDP port; 0 takes any that is free."""
    local: bool = _setting(False, _switch)
    """Serve this machine only."""
    allow: tuple[str, ...] = _setting((), _networks)
    """Networks that are served beside the directly attached private ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogConfig:
    """What is written to standard error, and how."""

    level: str = _setting("info", _level)
    json: bool = _setting(False, _switch)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Everything that can be configured."""

    audio: AudioConfig = field(default_factory=AudioConfig)
    osc: OscConfig = field(default_factory=OscConfig)
    log: LogConfig = field(default_factory=LogConfig)
    level: LevelConfig = field(default_factory=LevelConfig)
    size: float | None = _setting(None, _number(0.0, 1.0))
    """Which size of a model that has several; None is the full one."""
    model: str = _setting("", _text)
    """Name in the library, or a file, of the first model; empty: the first of the library."""
    library: tuple[Path, ...] = _setting((), _folders)
    """Folders with models, beside the models that ship."""
    state: bool | Path = _setting(True, _state)  # noqa: RUF009 - a value, as all others
    """Where the last model and all knobs are kept for the next start: true is the default place,
    false is nowhere."""
    spare: bool | None = _setting(None, _switch)
    """Keep a second audio process ready, so that sound is back at once when the first one dies. It
    takes some 100 MB; None has one where the machine has 2 GB of memory."""


def default_path() -> Path:
    """Return where the configuration is looked for."""
    base = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(base) / "nemod" / "config.yaml"


def load(path: Path | None, overrides: Mapping[str, Any]) -> Config:
    """Return the configuration of a file, changed by the command line.

    `path` None is the default path, which may be absent. `overrides` are values by dotted path
    (`audio.block`), as a YAML file would give them.

    Raises: ConfigError with all problems of both.
    """
    source = path if path is not None else default_path()
    tree: Any = {}
    if path is not None or source.exists():
        tree = read_yaml(source, MAX_CONFIG_BYTES)
    problems: list[str] = []
    values = _walk(Config, tree, "", problems)
    wrong: list[str] = []
    given = _walk(Config, _nest(overrides), "", wrong)
    if len(problems) > MAX_PROBLEMS:
        problems[MAX_PROBLEMS:] = [f"and {len(problems) - MAX_PROBLEMS} more"]
    if problems or wrong:
        raise ConfigError(
            str(source) if problems else "command line",
            [*problems, *(f"command line: {text}" if problems else text for text in wrong)],
        )
    made: Config = _make(Config, values, given)
    return made


def read_yaml(source: Path, limit: int = MAX_FILE_BYTES) -> Any:
    """Return what a YAML file holds; an empty file is an empty mapping.

    Raises: ConfigError that names the line, for what cannot be read, is too large or no plain YAML.
    """
    try:
        if source.stat().st_size > limit:
            raise ConfigError(str(source), [f"larger than {limit} bytes"])
        loader = _PlainLoader(source.read_text(encoding="utf-8"))
        try:
            tree = loader.get_single_data()
        finally:
            loader.dispose()
    except OSError as error:
        raise ConfigError(str(source), [error.strerror or str(error)]) from None
    except UnicodeDecodeError as error:
        raise ConfigError(str(source), [f"not UTF-8 text, at byte {error.start}"]) from None
    except RecursionError:
        raise ConfigError(str(source), ["nested too deeply"]) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        what = getattr(error, "problem", None) or str(error)
        raise ConfigError(str(source), [f"{where}no YAML: {_cut(what)}"]) from None
    except (ValueError, OverflowError) as error:  # "\UFFFFFFFF": the library lets these through
        raise ConfigError(str(source), [f"no YAML: {error}"]) from None
    return {} if tree is None else tree


class _PlainLoader(yaml.SafeLoader):
    """Safe YAML without aliases: a few lines of them can grow to any size."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.events.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.composer.ComposerError(None, None, "aliases are not allowed", mark)
        return super().compose_node(parent, index)

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        """Return what a node stands for; the library's own functions stumble over odd scalars."""
        try:
            is_number = node.tag.endswith((":int", ":float"))
            if is_number and len(node.value) > MAX_DIGITS:
                raise ValueError  # noqa: TRY301 - as the library does for other numbers
            value = super().construct_object(node, deep)
            if isinstance(value, int) and value.bit_length() > MAX_BITS:
                raise ValueError  # noqa: TRY301
            if isinstance(value, str):
                value.encode()
                if "\0" in value:
                    raise ValueError  # noqa: TRY301
        except (ValueError, ArithmeticError, LookupError, AttributeError):
            kind = node.tag.rpartition(":")[2]
            what = f"{str(node.value)[:40]!r} cannot be read as {kind}"
            raise yaml.constructor.ConstructorError(None, None, what, node.start_mark) from None
        return value


def _walk(kind: type, tree: Any, at: str, problems: list[str]) -> dict[str, Any]:
    """Return checked values by field; what is wrong goes to `problems`, with its path."""
    fields = {entry.name: entry for entry in dataclasses.fields(kind)}
    if not isinstance(tree, Mapping):
        found = type(tree).__name__
        problems.append(f"{at or 'the file'}: keys ({', '.join(fields)}) are expected, not {found}")
        return {}
    values: dict[str, Any] = {}
    for key, value in tree.items():
        path = _cut(f"{at}.{key}" if at else str(key))
        if key not in fields:
            near = did_you_mean(str(key)[:MAX_TOLD], fields)
            problems.append(f"{path}: unknown key{near}; allowed here: {', '.join(fields)}")
        elif "check" in fields[key].metadata:
            try:
                values[key] = fields[key].metadata["check"](value)
            except ValueError as error:
                problems.append(f"{path}: {_cut(repr(value))}: {error}")
        else:
            values[key] = _walk(_section(kind, key), value, path, problems)
    return values


def _cut(text: str) -> str:
    return text if len(text) <= MAX_TOLD else text[: MAX_TOLD - 3] + "..."


def _section(kind: type, name: str) -> type:
    sections: dict[str, type] = {
        "audio": AudioConfig,
        "osc": OscConfig,
        "log": LogConfig,
        "level": LevelConfig,
    }
    return sections[name]


def _nest(overrides: Mapping[str, Any]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for path, value in overrides.items():
        *parents, name = path.split(".")
        branch = tree
        for parent in parents:
            branch = branch.setdefault(parent, {})
        branch[name] = value
    return tree


def _make(kind: type, *layers: Mapping[str, Any]) -> Any:
    """Build a dataclass from checked values; a later layer wins."""
    arguments: dict[str, Any] = {}
    for entry in dataclasses.fields(kind):
        given = [layer[entry.name] for layer in layers if entry.name in layer]
        if "check" in entry.metadata:
            if given:
                arguments[entry.name] = given[-1]
        else:
            arguments[entry.name] = _make(_section(kind, entry.name), *given)
    return kind(**arguments)


def log_level(name: str) -> int:
    """Return the number that the logging library has for a level."""
    return int(logging.getLevelNamesMapping()[name.upper()])
