"""`nemod cabs ...`: lists, searches and changes the library of cabinets."""

from collections.abc import Sequence

from nemod.cli.library_commands import LibraryCommands, Run
from nemod.common.command_line import run_subcommand
from nemod.library import CABINETS

_ALL = """\
commands:
  nemod cabs [list]              all cabinets, by name
  nemod cabs scan [DIR...]       read what is new or has changed
  nemod cabs search WORD...      cabinets whose name or tags have all words
  nemod cabs info NAME           everything that is known about a cabinet
  nemod cabs add FILE...         copy impulse responses, or all of a folder, into your own folder
  nemod cabs remove NAME         move a cabinet out of your own folder
  nemod cabs tag NAME +A -B      add tags, remove tags

A cabinet is a sound file with its impulse response: WAV, AIFF or FLAC at any sample rate, of which
the first channel is played. Each command has --help, and takes --cabinets DIR and --config FILE.
"""
COMMANDS: dict[str, Run] = LibraryCommands(CABINETS).commands()


def main(argv: Sequence[str]) -> int:
    """Run one of the commands; return its exit status. Raises: NemodError."""
    return run_subcommand("nemod cabs", "The library of cabinets.", _ALL, COMMANDS, argv)
