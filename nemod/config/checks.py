"""Checks of single values: from what a file or the command line says to the type of an option.

A check takes a tree of `Scalar`s, in which each value keeps the text that was written, so that
`model: 5150` and `--model 5150` mean the same. It says what it expects in one place, for errors,
`--help` and the reference page.
"""

import ipaddress
import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from nemod.common.errors import did_you_mean
from nemod.common.paths import FolderError, absolute
from nemod.common.yaml_reader import Scalar, Tree

MAX_SHOWN = 200
"""[characters] What a problem repeats of a file."""
MODEL_RATE = "model"
"""A sample rate: that of the first model."""
SUITABLE = "auto"
"""A CPU latency: what suits the machine."""
_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")
_PORT = re.compile(r"[0-9]{1,5}")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?", re.IGNORECASE)


class ProblemsError(ValueError):
    """Several problems of one option, each a sentence that begins with its place."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(problems))


class Check(ABC):
    """Turns what was written into the value of an option."""

    is_list: ClassVar[bool] = False
    """Whether the option may be given several times on the command line."""
    is_path: ClassVar[bool] = False
    """Whether values are paths, or may be."""
    kind: ClassVar[str] = ""
    """What is allowed, for the reference page, where there is no range."""

    @property
    def range(self) -> str:
        """Return what is allowed, for help and reference; empty where the help says it."""
        return ""

    @abstractmethod
    def __call__(self, given: Tree, folder: Path | None) -> Any:
        """Return the value. Relative paths are inside `folder`; None is the current folder.

        Raises: ValueError that says what is expected.
        """


def shown(given: Tree) -> str:
    """Return what was written, for an error; text in quotes."""
    if isinstance(given, Scalar):
        text = repr(given.text) if isinstance(given.value, str) else given.text or "nothing"
    elif isinstance(given, list):
        text = f"[{', '.join(map(shown, given))}]"
    else:
        text = f"{{{', '.join(f'{key}: {shown(value)}' for key, value in given.items())}}}"
    return cut(text)


def cut(text: str) -> str:
    """Return a text that is not longer than what an error may repeat."""
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 3] + "..."


@dataclass(frozen=True)
class Text(Check):
    """Any text that is not blank; what YAML takes for a number or a date is the text as written."""

    kind = "text"
    what: str = "a name"

    def __call__(self, given: Tree, folder: Path | None) -> str:
        """Return the text as it was written."""
        if isinstance(given, Scalar) and given.text.strip():
            return given.text
        is_empty = isinstance(given, Scalar) or not given
        hint = "" if is_empty else ", in quotes where it begins with [ or {"
        raise ValueError(f"{self.what} (text) is expected{hint}")


@dataclass(frozen=True)
class Switch(Check):
    """True or false."""

    kind = "true or false"

    def __call__(self, given: Tree, folder: Path | None) -> bool:
        """Return the truth value."""
        if isinstance(given, Scalar):
            if isinstance(given.value, bool):
                return given.value
            if given.text.lower() in ("true", "false", "yes", "no", "on", "off"):
                raise ValueError("true or false is expected, without quotes")
        raise ValueError("true or false is expected")


@dataclass(frozen=True)
class Whole(Check):
    """A whole number within a range."""

    low: int
    high: int
    unit: str = ""

    @property
    def range(self) -> str:
        """Return the range with its unit."""
        return f"{self.low} to {self.high}{self.unit and ' ' + self.unit}"

    def __call__(self, given: Tree, folder: Path | None) -> int:
        """Return the number."""
        if isinstance(given, Scalar) and not isinstance(given.value, bool | float):
            value = given.value
            if isinstance(value, str) and _WHOLE.fullmatch(value.strip()):
                value = int(value)
            if isinstance(value, int) and self.low <= value <= self.high:
                return value
        raise ValueError(f"a whole number from {self.range} is expected")


@dataclass(frozen=True)
class Number(Check):
    """A number within a range."""

    low: float
    high: float
    unit: str = ""

    @property
    def range(self) -> str:
        """Return the range with its unit."""
        return f"{self.low:g} to {self.high:g}{self.unit and ' ' + self.unit}"

    def __call__(self, given: Tree, folder: Path | None) -> float:
        """Return the number."""
        if isinstance(given, Scalar) and not isinstance(given.value, bool):
            value = given.value
            if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
                value = float(value)
            if isinstance(value, int | float) and self.low <= value <= self.high:
                return float(value)
        raise ValueError(f"a number from {self.range} is expected")


@dataclass(frozen=True)
class WholeOrWord(Check):
    """A whole number within a range, or one of some words, each with its value."""

    number: Whole
    words: dict[str, Any]

    @property
    def range(self) -> str:
        """Return the range and the words."""
        *before, last = [self.number.range, *(f"'{word}'" for word in self.words)]
        return f"{', '.join(before)} or {last}"

    @property
    def _words(self) -> str:
        return " or ".join(f"'{word}'" for word in self.words)

    def __call__(self, given: Tree, folder: Path | None) -> Any:
        """Return the number, or the value of the word."""
        if isinstance(given, Scalar):
            word = "off" if given.value is False else given.text  # YAML 1.1: off, no and false
            if word in self.words:
                return self.words[word]
        try:
            return self.number(given, folder)
        except ValueError as error:
            raise ValueError(f"{error}, or {self._words}") from None


@dataclass(frozen=True)
class Channels(Check):
    """One channel or two, counted from 1: `1`, `1,2` or `[1, 2]`."""

    kind = "one channel or two"
    high: int

    def __call__(self, given: Tree, folder: Path | None) -> tuple[int, ...]:
        """Return the channels."""
        parts: list[Tree] = given if isinstance(given, list) else [given]
        if isinstance(given, Scalar) and isinstance(given.value, str):
            parts = [Scalar(part.strip(), part.strip()) for part in given.text.split(",")]
        whole = Whole(1, self.high)
        if not 1 <= len(parts) <= 2:
            raise ValueError("one channel or two, counted from 1, are expected, as 1 or [1, 2]")
        channels = tuple(whole(part, folder) for part in parts)
        if len(set(channels)) < len(channels):
            raise ValueError("two different channels are expected")
        return channels


@dataclass(frozen=True)
class Choice(Check):
    """One of some words, in any case."""

    words: tuple[str, ...]

    @property
    def range(self) -> str:
        """Return the words."""
        return ", ".join(self.words)

    def __call__(self, given: Tree, folder: Path | None) -> str:
        """Return the word in lower case."""
        text = given.text.lower() if isinstance(given, Scalar) else ""
        if text not in self.words:
            suggestion = did_you_mean(text[:MAX_SHOWN], self.words)
            raise ValueError(f"one of {self.range} is expected{suggestion}")
        return text


@dataclass(frozen=True)
class Folders(Check):
    """A folder or a list of folders, as absolute paths."""

    kind = "a folder or a list of folders"
    is_path = True
    is_list = True

    def __call__(self, given: Tree, folder: Path | None) -> tuple[Path, ...]:
        """Return the folders."""
        paths = []
        for entry in given if isinstance(given, list) else [given]:
            if not isinstance(entry, Scalar) or not entry.text.strip():
                raise ValueError("a folder, or a list of folders, is expected")
            paths.append(_absolute(entry.text, folder))
        return tuple(paths)


@dataclass(frozen=True)
class FileOrSwitch(Check):
    """A file as an absolute path; true for the default place, or false for none."""

    kind = "a file, true or false"
    is_path = True

    def __call__(self, given: Tree, folder: Path | None) -> bool | Path:
        """Return the file or the truth value."""
        if isinstance(given, Scalar) and isinstance(given.value, bool):
            return given.value
        if not isinstance(given, Scalar) or not given.text.strip():
            raise ValueError("the name of a file, true or false is expected")
        return _absolute(given.text, folder)


@dataclass(frozen=True)
class NameOrFile(Check):
    """The name of a model, or an existing file as an absolute path."""

    kind = "a name or a file"
    is_path = True

    def __call__(self, given: Tree, folder: Path | None) -> str:
        """Return the name or the path."""
        text = Text()(given, folder)
        try:
            path = absolute(text, folder)
            return str(path) if path.is_file() else text
        except (FolderError, OSError, ValueError):  # a name need not be possible as a path
            return text


@dataclass(frozen=True)
class Networks(Check):
    """A network or a list of networks."""

    kind = "a network or a list of networks"
    is_list = True

    def __call__(self, given: Tree, folder: Path | None) -> tuple[str, ...]:
        """Return the networks in their canonical form."""
        networks = []
        for entry in given if isinstance(given, list) else [given]:
            try:
                if not isinstance(entry, Scalar):
                    raise TypeError  # noqa: TRY301 - one sentence for all
                networks.append(str(ipaddress.ip_network(entry.text, strict=False)))
            except (ValueError, TypeError):
                raise ValueError(
                    f"{shown(entry)} is not a network, such as 10.8.0.0/24, 192.168.7.4 or fd00::/8"
                ) from None
        return tuple(networks)


@dataclass(frozen=True)
class Targets(Check):
    """An address with a port or a list of them, such as 192.168.1.7:9001 or [fd00::7]:9001."""

    kind = "an address with a port, or a list of them"
    is_list = True

    def __call__(self, given: Tree, folder: Path | None) -> tuple[tuple[str, int], ...]:
        """Return addresses and ports."""
        targets = []
        for entry in given if isinstance(given, list) else [given]:
            host, _, port = (
                entry.text.rpartition(":") if isinstance(entry, Scalar) else ("", "", "")
            )
            is_bracketed = host.startswith("[") and host.endswith("]")
            try:
                address = ipaddress.ip_address(host[1:-1] if is_bracketed else host)
                if (address.version == 6) != is_bracketed or not _PORT.fullmatch(port):
                    raise ValueError  # noqa: TRY301 - one sentence for all
                targets.append((str(address), Whole(1, 65_535)(Scalar(port, port), folder)))
            except ValueError:
                raise ValueError(
                    f"{shown(entry)} is not an address with a port, such as 192.168.1.7:9001 or "
                    "[fd00::7]:9001"
                ) from None
        return tuple(targets)


@dataclass(frozen=True)
class Several(Check):
    """One value or a list of values that pass another check."""

    each: Check
    is_list = True

    @property
    def range(self) -> str:
        """Return what each of them may be."""
        return self.each.range

    def __call__(self, given: Tree, folder: Path | None) -> tuple[Any, ...]:
        """Return the values."""
        entries = given if isinstance(given, list) else [given]
        return tuple(dict.fromkeys(self.each(entry, folder) for entry in entries))


@dataclass(frozen=True)
class Folder(Check):
    """A folder as an absolute path."""

    kind = "a folder"
    is_path = True

    def __call__(self, given: Tree, folder: Path | None) -> Path:
        """Return the folder."""
        if not isinstance(given, Scalar) or not given.text.strip():
            raise ValueError("a folder is expected")
        return _absolute(given.text, folder)


@dataclass(frozen=True)
class File(Check):
    """A file as an absolute path; it need not exist."""

    kind = "a file"
    is_path = True

    def __call__(self, given: Tree, folder: Path | None) -> Path:
        """Return the file."""
        if not isinstance(given, Scalar) or not given.text.strip():
            raise ValueError("the name of a file is expected")
        return _absolute(given.text, folder)


@dataclass(frozen=True)
class Files(Check):
    """A file or a list of files, as absolute paths."""

    kind = "a file or a list of files"
    is_path = True
    is_list = True

    def __call__(self, given: Tree, folder: Path | None) -> tuple[Path, ...]:
        """Return the files."""
        file = File()
        entries = given if isinstance(given, list) else [given]
        return tuple(dict.fromkeys(file(entry, folder) for entry in entries))


def _absolute(text: str, folder: Path | None) -> Path:
    try:
        return absolute(text, folder)
    except FolderError as error:
        raise ValueError(str(error)) from None
