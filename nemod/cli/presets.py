"""`nemod presets ...`: lists, copies, exports and imports presets."""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from nemod.chain import CABINET, MODEL
from nemod.cli.configuration import add_options, configuration
from nemod.cli.model_table import say
from nemod.cli.preset_table import Libraries, show, show_one
from nemod.common.command_line import SOURCE, Parser, parser, run_subcommand
from nemod.common.errors import ConfigError, NotFoundError
from nemod.common.files import replacing
from nemod.common.kept_files import DamagedFileError, decoded, read_kept
from nemod.config import Config
from nemod.control.errors import ControlError
from nemod.control.preset_list import PresetList, free_name, free_number
from nemod.library import CABINETS, Library
from nemod.presets import MAX_PRESETS, Preset, PresetError, PresetStore, user_folder
from nemod.presets.preset import MAX_BYTES
from nemod.presets.transfer import file_name, imported
from nemod.presets.writer import to_text

_ALL = """\
commands:
  nemod presets [list]             all presets, by number
  nemod presets show N|NAME        a preset with all values in their units
  nemod presets copy N|NAME M      copy a preset to number M
  nemod presets export N|NAME [FILE|DIR|-]
                                   write a preset into a file
  nemod presets import FILE|- ...  read presets from files

Each has --help, and takes --presets DIR and --config FILE. Presets are files of one folder, which
a running nemod reads when it starts and on /nemo/model/rescan. A preset is replaced with --force
only, and its version before is kept in the folder 'previous'.
"""
_STANDARD = "-"
"""Standard input or output in place of a file."""


def main(argv: Sequence[str]) -> int:
    """Run one of the commands; return its exit status. Raises: NemodError."""
    about = "The presets: sounds by number, which is the MIDI program, and name."
    return run_subcommand("nemod presets", about, _ALL, COMMANDS, argv)


# --- commands ----------------------------------------------------------------------------------


def _list(argv: Sequence[str]) -> int:
    made = _parser("list", "List all presets.", "library", "cabinets")
    _add_json(made)
    arguments = made.parse_args(argv)
    config = configuration(arguments)
    store = _store(config)
    presets = [(entry, store.get(entry.number)) for entry in store.entries()]
    show(presets, _libraries(config), arguments.json)
    return 0


def _show(argv: Sequence[str]) -> int:
    made = _parser("show", "Print a preset with all values in their units.", "library", "cabinets")
    _add_preset(made)
    _add_json(made)
    arguments = made.parse_args(argv)
    config = configuration(arguments)
    store = _store(config)
    number = _find(store, arguments.preset)
    entry = next(entry for entry in store.entries() if entry.number == number)
    show_one(entry, store.get(number), _libraries(config), arguments.json)
    return 0


def _copy(argv: Sequence[str]) -> int:
    made = _parser("copy", "Copy a preset to another number.")
    _add_preset(made)
    made.add_argument("number", type=_number, metavar="M", help="number of the copy")
    _add_force(made)
    arguments = made.parse_args(argv)
    store = _store(configuration(arguments))
    preset = store.get(_find(store, arguments.preset))
    _check_free(store, arguments.number, arguments.force)
    _save(store, arguments.number, preset)
    return 0


def _export(argv: Sequence[str]) -> int:
    made = _parser("export", "Write a preset into a file that 'nemod presets import' reads.")
    _add_preset(made)
    made.add_argument(
        "file",
        nargs="?",
        default=".",
        metavar="FILE|DIR|-",
        help="file, folder of a file that is named like the preset, or - for standard output "
        "[the current folder]",
    )
    _add_force(made)
    arguments = made.parse_args(argv)
    store = _store(configuration(arguments))
    number = _find(store, arguments.preset)
    preset = store.get(number)
    if arguments.file == _STANDARD:
        sys.stdout.write(to_text(preset))
        return 0
    path = Path(arguments.file)
    if path.is_dir():
        path /= file_name(number, preset.name)
    try:
        with replacing(path, only_if_absent=not arguments.force) as draft:
            draft.write_text(to_text(preset), encoding="utf-8")
    except FileExistsError:
        raise PresetError(f"{path} exists; --force replaces it") from None
    say(f"preset {number}, {preset.name!r}: {path}")
    return 0


def _import(argv: Sequence[str]) -> int:
    made = _parser("import", "Read presets from files.")
    made.add_argument(
        "files", nargs="+", metavar="FILE|-", help="file of a preset, or - for standard input"
    )
    made.add_argument(
        "--number", type=_number, metavar="N", help="number of the preset [the first free one]"
    )
    _add_force(made)
    arguments = made.parse_args(argv)
    if arguments.number is not None and len(arguments.files) > 1:
        raise ConfigError(SOURCE, ["--number is for one file"])
    store = _store(configuration(arguments))
    # All files are read before the first is kept: after an error nothing has changed.
    presets = [_read(file) for file in arguments.files]
    if arguments.number is not None:
        _check_free(store, arguments.number, arguments.force)
        _save(store, arguments.number, presets[0])
        return 0
    taken = {entry.number for entry in store.entries()}
    numbers = []
    for _ in presets:
        numbers.append(free_number(taken))
        taken.add(numbers[-1])
    for number, preset in zip(numbers, presets, strict=True):
        _save(store, number, preset)
    return 0


COMMANDS: dict[str, Callable[[Sequence[str]], int]] = {
    "list": _list,
    "show": _show,
    "copy": _copy,
    "export": _export,
    "import": _import,
}

# --- parts of commands -------------------------------------------------------------------------


def _parser(word: str, description: str, *options: str) -> Parser:
    made = parser(f"nemod presets {word}", description)
    add_options(made, "presets", *options)
    return made


def _add_preset(made: Parser) -> None:
    made.add_argument("preset", metavar="N|NAME", help="number, or name in any case")


def _add_json(made: Parser) -> None:
    made.add_argument("--json", action="store_true", help="print JSON")


def _add_force(made: Parser) -> None:
    made.add_argument("--force", action="store_true", help="replace what is there")


def _number(text: str) -> int:
    number = _as_number(text)
    if number is None:
        raise argparse.ArgumentTypeError(f"{text!r}: 0 to {MAX_PRESETS - 1} are allowed")
    return number


def _as_number(text: str) -> int | None:
    """Return the number of a preset in a text, None for any other text."""
    is_number = text.isascii() and text.isdecimal() and len(text) <= len(str(MAX_PRESETS))
    return int(text) if is_number and int(text) < MAX_PRESETS else None


def _store(config: Config) -> PresetStore:
    """Return the presets; a damaged file stays where it is until the daemon reads it."""
    return PresetStore(config.presets or user_folder(), moves_damaged=False)


def _libraries(config: Config) -> Libraries:
    """Return the libraries in which the files of presets are found."""
    return {
        MODEL: Library(config.library),
        CABINET: Library(config.cabinets, kind=CABINETS),
    }


def _find(store: PresetStore, text: str) -> int:
    """Return the number of a preset by number or name. Raises: NotFoundError."""
    number = _as_number(text)
    try:
        return PresetList(store).find(text if number is None else number)
    except ControlError as error:
        raise NotFoundError(f"{error.text}{error.hint()}") from None


def _check_free(store: PresetStore, number: int, is_forced: bool) -> None:
    """Raise PresetError where a number has a preset that must not be replaced."""
    for entry in store.entries():
        if entry.number == number and not is_forced:
            whose = "that ships with nemod" if entry.is_factory else "of yours"
            raise PresetError(
                f"number {number} is {entry.name!r}, a preset {whose}; --force takes its place"
            )


def _save(store: PresetStore, number: int, preset: Preset) -> None:
    """Save a preset under a name that no other one has."""
    names = [entry.name for entry in store.entries() if entry.number != number]
    named = replace(preset, name=free_name(names, preset.name))
    store.save(number, named)
    say(f"preset {number}: {named.name!r}")


def _read(file: str) -> Preset:
    """Return the preset in a file from elsewhere. Raises: PresetError, OSError."""
    try:
        if file == _STANDARD:
            return imported(decoded(sys.stdin.buffer.read(MAX_BYTES + 1)), "standard input")
        path = Path(file)
        return imported(read_kept(path, MAX_BYTES), file, path.stem)
    except DamagedFileError as error:
        raise PresetError(f"{file}: {error}") from None
