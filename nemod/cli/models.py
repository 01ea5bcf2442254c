"""`nemod models ...`: lists, searches and changes the library."""

import argparse
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from nemod.cli import prepare
from nemod.cli.configuration import add_options, configuration
from nemod.cli.model_table import say, searched, show, show_one, warn
from nemod.common import xla
from nemod.common.command_line import Parser, parser, run_subcommand
from nemod.common.errors import ConfigError, ModelError, NotFoundError, did_you_mean
from nemod.common.names import NaturalKey, fold, natural_key
from nemod.library import SCAN_LIMIT_S, Entry, Library, LibraryError
from nemod.library.entry import FAILED, NO_PROBE
from nemod.library.folders import model_files, real
from nemod.library.text import clean

_ALL = """\
commands:
  nemod models [list]            all models, by name
  nemod models scan [DIR...]     read what is new or has changed
  nemod models search WORD...    models whose name, gear, author, tags or kind have all words
  nemod models info NAME         everything that is known about a model
  nemod models add FILE...       copy models, or all models of a folder, into your own folder
  nemod models remove NAME       move a model out of your own folder
  nemod models tag NAME +A -B    add tags, remove tags
  nemod models verify [NAME...]  play the probes that are stored in files, and keep the results
  nemod models prepare [NAME...] compile and test models ahead, so that no switch waits for it

Each has --help, and takes --library DIR and --config FILE.
"""
_MAX_TAG = 40


def main(argv: Sequence[str]) -> int:
    """Run one of the commands; return its exit status. Raises: NemodError."""
    return run_subcommand("nemod models", "The library of models.", _ALL, COMMANDS, argv)


# --- commands ----------------------------------------------------------------------------------


def _scan(argv: Sequence[str]) -> int:
    made = _parser("scan", "Read the models that are new or have changed into the index.")
    made.add_argument("folders", nargs="*", type=Path, metavar="DIR", help="only these folders")
    made.add_argument("--force", action="store_true", help="read unchanged files too")
    arguments = made.parse_args(argv)
    config = configuration(arguments)
    for folder in arguments.folders:
        if not folder.is_dir():
            raise NotFoundError(f"{folder}: no such folder")
    library = Library([*config.library, *arguments.folders])
    began = time.monotonic()
    with _bar("reading models") as progress:
        report = library.refresh(arguments.folders, force=arguments.force, progress=progress)
    took_s = time.monotonic() - began
    for path in sorted(report.refused, key=_in_order):
        reason = report.refused[path]
        say(clean(f"refused: {path}: {reason}", 5000))
    for note in report.notes:
        say(f"left out: {note}")
    same = report.files - report.read - report.left
    say(
        f"{report.files} files: {report.read} read ({len(report.refused)} refused), "
        f"{same} unchanged, {report.gone} gone; {took_s:.1f} s"
    )
    known = [real(folder) for folder in Library(config.library).folders]
    for folder in arguments.folders:
        if not any(real(folder).is_relative_to(inside) for inside in known):
            say(
                f"{folder} is not in the library: to load its models by name, add "
                f"'library: [{real(folder)}]' to the configuration, or use --library"
            )
    return 0


def _list(argv: Sequence[str]) -> int:
    made = _parser("list", "List the models of the library.")
    _add_json(made)
    arguments = made.parse_args(argv)
    show(_entries(Library(configuration(arguments).library)), arguments.json)
    return 0


def _search(argv: Sequence[str]) -> int:
    made = _parser("search", "Find models whose name, gear, author, tags or kind have all words.")
    made.add_argument("words", nargs="+", metavar="WORD")
    _add_json(made)
    arguments = made.parse_args(argv)
    entries = _entries(Library(configuration(arguments).library))
    words = [fold(word) for given in arguments.words for word in given.split()]
    found = [entry for entry in entries if all(word in searched(entry) for word in words)]
    if not found:
        known = {word for entry in entries for word in searched(entry).split()}
        near = "".join(
            did_you_mean(word, known)
            for word in words
            if not any(word in searched(entry) for entry in entries)
        )
        raise NotFoundError(f"no model has {' and '.join(map(repr, words))}{near}")
    show(found, arguments.json, {entry.name: at for at, entry in enumerate(entries)})
    return 0


def _info(argv: Sequence[str]) -> int:
    made = _parser("info", "Print everything that is known about a model.")
    made.add_argument("name", metavar="NAME")
    _add_json(made)
    arguments = made.parse_args(argv)
    library = Library(configuration(arguments).library)
    name, _ = library.find(arguments.name)
    entry = next(entry for entry in _entries(library) if entry.name == name)
    show_one(entry, arguments.json)
    return 0


def _add(argv: Sequence[str]) -> int:
    from nemod.library.user_models import add  # loads the readers

    made = _parser("add", "Copy models into your own folder; of a folder all that are below it.")
    made.add_argument("files", nargs="+", type=Path, metavar="FILE")
    arguments = made.parse_args(argv)
    library = Library(configuration(arguments).library)
    _refresh(library)
    refused = 0
    for file in _each_file(arguments.files):
        try:
            added = add(library, file)
        except ModelError as error:
            refused += 1
            warn(f"refused: {error}")
            continue
        if added.is_new:
            say(f"{file}: added as {added.name!r}, {added.path}")
            _refresh(library)
        else:
            say(f"{file}: a duplicate of {added.name!r}, {added.path}; not copied")
    return 1 if refused else 0


def _remove(argv: Sequence[str]) -> int:
    from nemod.library.user_models import remove

    made = _parser("remove", "Move a model out of your own folder; nothing is deleted.")
    made.add_argument("name", metavar="NAME")
    arguments = made.parse_args(argv)
    name, path = remove(Library(configuration(arguments).library), arguments.name)
    say(f"{name!r} is removed; its file is {path}")
    return 0


def _tag(argv: Sequence[str]) -> int:
    made = _parser("tag", "Add tags to a model (+live), remove some (-clean), or list them.")
    made.usage = "nemod models tag [--library DIR] [--config FILE] NAME [+TAG | -TAG ...]"
    made.add_argument("name", metavar="NAME")
    made.add_argument("changes", nargs=argparse.REMAINDER, metavar="+TAG | -TAG")
    arguments = made.parse_args(argv)
    changes = [_tag_change(text) for text in arguments.changes]
    library = Library(configuration(arguments).library)
    _, path = library.find(arguments.name)
    _refresh(library)
    if changes:
        add = [tag for sign, tag in changes if sign == "+"]
        take = [tag for sign, tag in changes if sign == "-"]
        library.index.change_tags(path, add, take)
    entry = library.entry(arguments.name)
    say(f"{entry.name}: {', '.join(entry.tags) or 'no tags'}")
    return 0


def _verify(argv: Sequence[str]) -> int:
    made = _parser(
        "verify", "Play the probe that is stored in a model's file, and keep the result."
    )
    made.add_argument("names", nargs="*", metavar="NAME", help="[all models]")
    arguments = made.parse_args(argv)
    library = Library(configuration(arguments).library)
    names = [library.find(name)[0] for name in arguments.names] or library.names
    _refresh(library)
    by_name = {entry.name: entry for entry in library.entries()}
    counts: dict[str, int] = {}
    with _bar("verifying") as progress:
        for done, name in enumerate(names):
            progress(done, len(names))
            word, text = _verify_one(library, by_name[name])
            counts[word] = counts.get(word, 0) + 1
            if arguments.names or word not in ("passed", NO_PROBE):
                say(f"{name}: {text}")
        progress(len(names), len(names))
    results = ", ".join(
        f"{count} {_RESULTS.get(word, word)}" for word, count in sorted(counts.items())
    )
    say(f"{len(names)} models: {results or 'nothing to verify'}")
    return 1 if counts.get(FAILED, 0) + counts.get("refused", 0) else 0


def _prepare(argv: Sequence[str]) -> int:
    return prepare.main(argv, _bar)


COMMANDS: dict[str, Callable[[Sequence[str]], int]] = {
    "list": _list,
    "scan": _scan,
    "search": _search,
    "info": _info,
    "add": _add,
    "remove": _remove,
    "tag": _tag,
    "verify": _verify,
    "prepare": _prepare,
}

# --- parts of commands -------------------------------------------------------------------------

_RESULTS = {NO_PROBE: "without a probe"}


def _in_order(path: Path) -> NaturalKey:
    return natural_key(str(path))


def _each_file(paths: Iterable[Path]) -> Iterator[Path]:
    """Yield files, and the model files below folders."""
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        found = model_files(path)
        for note in found.notes:
            warn(f"left out: {note}")
        if not found.files:
            warn(f"{path}: no model file in this folder")
        yield from sorted(found.files, key=_in_order)


def _verify_one(library: Library, entry: Entry) -> tuple[str, str]:
    """Play a model's probe and store the result; return it as a word and as a sentence."""
    if entry.facts.error or not entry.is_read:
        return "refused", f"refused: {entry.facts.error or 'not read yet'}"
    if entry.probe == NO_PROBE:
        return NO_PROBE, "its file has no probe"
    xla.prepare()
    # Imported only here: jax takes a second to load.
    from nemod.builder.build import verify_probe
    from nemod.formats import load_model

    error: float | None = None
    reason = ""
    try:
        error = verify_probe(load_model(entry.path))
    except ModelError as fault:
        reason = fault.reason
    except Exception as fault:  # a fault of the compiler must not stop the verification
        reason = f"{type(fault).__name__}: {fault}"
    reason = clean(reason, 1000)
    word = library.index.set_probe(entry.path, entry.facts.sha256, error, reason)
    if error is not None:
        return word, f"the probe passed, largest error {error:.1e}"
    return word, f"the probe failed: {reason}" if reason else "its file has no probe"


def _tag_change(text: str) -> tuple[str, str]:
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


def _parser(word: str, description: str) -> Parser:
    made = parser(f"nemod models {word}", description)
    add_options(made, "library")
    return made


def _add_json(made: Parser) -> None:
    made.add_argument("--json", action="store_true", help="print JSON")


def _refresh(library: Library) -> None:
    with _bar("reading models") as progress:
        library.refresh(limit_s=SCAN_LIMIT_S, progress=progress)


def _entries(library: Library) -> list[Entry]:
    """Return what is known, after reading what has changed; without an index, names only."""
    try:
        _refresh(library)
        return library.entries()
    except LibraryError as error:
        warn(f"nemod: {error}")
        return [Entry(name=name, path=library.find(name)[1]) for name in library.names]


@contextmanager
def _bar(text: str) -> Iterator[Callable[[int, int], None]]:
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
