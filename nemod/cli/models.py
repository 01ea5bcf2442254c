"""`nemod models ...`: lists, searches and changes the library of models."""

from collections.abc import Sequence

from nemod.cli import prepare
from nemod.cli.library_commands import LibraryCommands, Run, bar, refresh
from nemod.cli.model_table import say
from nemod.common import xla
from nemod.common.command_line import run_subcommand
from nemod.common.errors import ModelError
from nemod.library import MODELS, Entry, Library
from nemod.library.entry import FAILED, NO_PROBE
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
_RESULTS = {NO_PROBE: "without a probe"}
_COMMON = LibraryCommands(MODELS)


def main(argv: Sequence[str]) -> int:
    """Run one of the commands; return its exit status. Raises: NemodError."""
    return run_subcommand("nemod models", "The library of models.", _ALL, COMMANDS, argv)


def _verify(argv: Sequence[str]) -> int:
    made = _COMMON.parser(
        "verify", "Play the probe that is stored in a model's file, and keep the result."
    )
    made.add_argument("names", nargs="*", metavar="NAME", help="[all models]")
    arguments = made.parse_args(argv)
    library = _COMMON.library(arguments)
    names = [library.find(name)[0] for name in arguments.names] or library.names
    refresh(library)
    by_name = {entry.name: entry for entry in library.entries()}
    counts: dict[str, int] = {}
    with bar("verifying") as progress:
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
    return prepare.main(argv, bar)


def _verify_one(library: Library, entry: Entry) -> tuple[str, str]:
    """Play a model's probe and store the result; return it as a word and as a sentence."""
    if entry.facts.error or not entry.is_read:
        return "refused", f"refused: {entry.facts.error or 'not read yet'}"
    if entry.probe == NO_PROBE:
        return NO_PROBE, "its file has no probe"
    xla.prepare()
    # Imported only here: jax takes a second to load.
    from nemod.builder.probe import verify_probe
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


COMMANDS: dict[str, Run] = {**_COMMON.commands(), "verify": _verify, "prepare": _prepare}
