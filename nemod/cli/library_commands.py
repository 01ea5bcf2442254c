"""What `nemod models` and `nemod cabs` have in common: lists, searches and changes a library."""

import argparse
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from nemod.cli.configuration import add_options, configuration
from nemod.cli.model_table import say, searched, show, show_one, warn
from nemod.common.command_line import Parser, parser
from nemod.common.errors import (
    CabinetError,
    ConfigError,
    ModelError,
    NotFoundError,
    did_you_mean,
)
from nemod.common.names import NaturalKey, fold, natural_key
from nemod.library import MODELS, SCAN_LIMIT_S, Entry, Kind, Library, LibraryError
from nemod.library.folders import listed_files, real
from nemod.library.text import clean

_MAX_TAG = 40
_SEARCHED = {"model": "name, gear, author, tags or kind", "cabinet": "name or tags"}

Run = Callable[[Sequence[str]], int]
"""Runs a command with its arguments and returns the exit status. Raises: NemodError."""


class LibraryCommands:
    """The commands of a library of one kind."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self._option = "library" if kind is MODELS else "cabinets"
        """The option that names more folders."""
        self._about_search = f"Find {kind.noun}s whose {_SEARCHED[kind.noun]} have all words."

    def commands(self) -> dict[str, Run]:
        """Return the commands by their words, the one without a word first."""
        return {
            "list": self.show_all,
            "scan": self.scan,
            "search": self.search,
            "info": self.info,
            "add": self.add,
            "remove": self.remove,
            "tag": self.tag,
        }

    def library(self, arguments: argparse.Namespace, more: Sequence[Path] = ()) -> Library:
        """Return the library that the options name, with more folders. Raises: ConfigError."""
        config = configuration(arguments)
        folders = config.library if self._kind is MODELS else config.cabinets
        return Library([*folders, *more], kind=self._kind)

    def parser(self, word: str, description: str) -> Parser:
        """Return the parser of a command."""
        made = parser(f"nemod {self._kind.command} {word}", description)
        add_options(made, self._option)
        return made

    def show_all(self, argv: Sequence[str]) -> int:
        """Print all of the library."""
        made = self.parser("list", f"List the {self._kind.noun}s of the library.")
        _add_json(made)
        arguments = made.parse_args(argv)
        show(self._kind, self._entries(self.library(arguments)), arguments.json)
        return 0

    def scan(self, argv: Sequence[str]) -> int:
        """Read what is new or has changed."""
        about = f"Read the {self._kind.noun}s that are new or have changed into the index."
        made = self.parser("scan", about)
        made.add_argument("folders", nargs="*", type=Path, metavar="DIR", help="only these folders")
        made.add_argument("--force", action="store_true", help="read unchanged files too")
        arguments = made.parse_args(argv)
        for folder in arguments.folders:
            if not folder.is_dir():
                raise NotFoundError(f"{folder}: no such folder")
        library = self.library(arguments, arguments.folders)
        began = time.monotonic()
        with bar(f"reading {self._kind.noun}s") as progress:
            report = library.refresh(arguments.folders, force=arguments.force, progress=progress)
        took_s = time.monotonic() - began
        for path in sorted(report.refused, key=in_order):
            reason = report.refused[path]
            say(clean(f"refused: {path}: {reason}", 5000))
        for note in report.notes:
            say(f"left out: {note}")
        same = report.files - report.read - report.left
        say(
            f"{report.files} files: {report.read} read ({len(report.refused)} refused), "
            f"{same} unchanged, {report.gone} gone; {took_s:.1f} s"
        )
        known = [real(folder) for folder in self.library(arguments).folders]
        for folder in arguments.folders:
            if not any(real(folder).is_relative_to(inside) for inside in known):
                say(
                    f"{folder} is not in the library: to load its {self._kind.noun}s by name, add "
                    f"'{self._option}: [{real(folder)}]' to the configuration, or use "
                    f"--{self._option}"
                )
        return 0

    def search(self, argv: Sequence[str]) -> int:
        """Print what has all words; raises NotFoundError where nothing has."""
        made = self.parser("search", self._about_search)
        made.add_argument("words", nargs="+", metavar="WORD")
        _add_json(made)
        arguments = made.parse_args(argv)
        entries = self._entries(self.library(arguments))
        words = [fold(word) for given in arguments.words for word in given.split()]
        found = [entry for entry in entries if all(word in searched(entry) for word in words)]
        if not found:
            known = {word for entry in entries for word in searched(entry).split()}
            near = "".join(
                did_you_mean(word, known)
                for word in words
                if not any(word in searched(entry) for entry in entries)
            )
            raise NotFoundError(f"no {self._kind.noun} has {' and '.join(map(repr, words))}{near}")
        show(
            self._kind, found, arguments.json, {entry.name: at for at, entry in enumerate(entries)}
        )
        return 0

    def info(self, argv: Sequence[str]) -> int:
        """Print everything that is known about one."""
        made = self.parser("info", f"Print everything that is known about a {self._kind.noun}.")
        made.add_argument("name", metavar="NAME")
        _add_json(made)
        arguments = made.parse_args(argv)
        library = self.library(arguments)
        name, _ = library.find(arguments.name)
        entry = next(entry for entry in self._entries(library) if entry.name == name)
        show_one(self._kind, entry, arguments.json)
        return 0

    def add(self, argv: Sequence[str]) -> int:
        """Copy files into the user's own folder; 1 when one is refused."""
        from nemod.library.user_files import add  # loads the readers

        about = f"Copy {self._kind.noun}s into your own folder; of a folder all that are below it."
        made = self.parser("add", about)
        made.add_argument("files", nargs="+", type=Path, metavar="FILE")
        arguments = made.parse_args(argv)
        library = self.library(arguments)
        refresh(library)
        refused = 0
        for file in self._each_file(arguments.files):
            try:
                added = add(library, file)
            except (ModelError, CabinetError) as error:
                refused += 1
                warn(f"refused: {error}")
                continue
            if added.is_new:
                say(f"{file}: added as {added.name!r}, {added.path}")
                refresh(library)
            else:
                say(f"{file}: a duplicate of {added.name!r}, {added.path}; not copied")
        return 1 if refused else 0

    def remove(self, argv: Sequence[str]) -> int:
        """Move a file out of the user's own folder."""
        from nemod.library.user_files import remove

        about = f"Move a {self._kind.noun} out of your own folder; nothing is deleted."
        made = self.parser("remove", about)
        made.add_argument("name", metavar="NAME")
        arguments = made.parse_args(argv)
        name, path = remove(self.library(arguments), arguments.name)
        say(f"{name!r} is removed; its file is {path}")
        return 0

    def tag(self, argv: Sequence[str]) -> int:
        """Change the tags of a file, or list them."""
        about = f"Add tags to a {self._kind.noun} (+live), remove some (-clean), or list them."
        made = self.parser("tag", about)
        made.usage = (
            f"nemod {self._kind.command} tag [--{self._option} DIR] [--config FILE] NAME "
            "[+TAG | -TAG ...]"
        )
        made.add_argument("name", metavar="NAME")
        made.add_argument("changes", nargs=argparse.REMAINDER, metavar="+TAG | -TAG")
        arguments = made.parse_args(argv)
        changes = [tag_change(text) for text in arguments.changes]
        library = self.library(arguments)
        _, path = library.find(arguments.name)
        refresh(library)
        if changes:
            add = [tag for sign, tag in changes if sign == "+"]
            take = [tag for sign, tag in changes if sign == "-"]
            library.index.change_tags(path, add, take)
        entry = library.entry(arguments.name)
        say(f"{entry.name}: {', '.join(entry.tags) or 'no tags'}")
        return 0

    def _each_file(self, paths: Iterable[Path]) -> Iterator[Path]:
        """Yield files, and those of this kind below folders."""
        for path in paths:
            if not path.is_dir():
                yield path
                continue
            found = listed_files(path, self._kind.suffixes)
            for note in found.notes:
                warn(f"left out: {note}")
            if not found.files:
                warn(f"{path}: no {self._kind.noun} file in this folder")
            yield from sorted(found.files, key=in_order)

    def _entries(self, library: Library) -> list[Entry]:
        """Return what is known, after reading what has changed; without an index, names only."""
        try:
            refresh(library)
            return library.entries()
        except LibraryError as error:
            warn(f"nemod: {error}")
            return [Entry(name=name, path=library.find(name)[1]) for name in library.names]


def in_order(path: Path) -> NaturalKey:
    """Return the key that sorts files as people do."""
    return natural_key(str(path))


def tag_change(text: str) -> tuple[str, str]:
    """Return sign and tag of `+TAG` or `-TAG`. Raises: ConfigError."""
    sign, tag = text[:1], fold(text[1:])
    is_tag = all(char.isalnum() or char in "._-" for char in tag) and tag[:1].isalnum()
    if sign not in ("+", "-") or not is_tag or len(tag) > _MAX_TAG:
        raise ConfigError(
            "command line",
            [
                f"{text!r}: +TAG adds a tag and -TAG removes it; a tag is one word of letters, "
                f"digits, '.', '_' and '-', at most {_MAX_TAG}; options go before the name"
            ],
        )
    return sign, tag


def _add_json(made: Parser) -> None:
    made.add_argument("--json", action="store_true", help="print JSON")


def refresh(library: Library) -> None:
    """Read what is new or has changed into the index. Raises: LibraryError."""
    with bar(f"reading {library.kind.noun}s") as progress:
        library.refresh(limit_s=SCAN_LIMIT_S, progress=progress)


@contextmanager
def bar(text: str) -> Iterator[Callable[[int, int], None]]:
    """Show a progress bar on a terminal."""
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
        transient=True,
    ) as bar:
        task = bar.add_task(text, total=None, visible=False)
        yield lambda done, total: bar.update(task, completed=done, total=total, visible=total > 0)
