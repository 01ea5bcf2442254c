"""The command line of `nemod-train`, one module per command.

The modules:

    train, check, capture, simulate, sweep, report    the commands
    data_options   options for reading recordings, shared by several commands
    knobs          parses knob positions and numbers
    command        formats the command line for published files
"""

import sys
from collections.abc import Callable, Sequence

from nemod.common.command_line import Command, commands_help, find_command, run_command
from nemod.common.version import __version__

COMMANDS = {
    "train": Command("trainer.cli.train", "train a model on dry and wet recordings"),
    "check": Command("trainer.cli.check", "check recordings before training"),
    "capture": Command("trainer.cli.capture", "play a signal through a pedal and record it"),
    "simulate": Command("trainer.cli.simulate", "make recordings of a simulated circuit"),
    "sweep": Command("trainer.cli.sweep", "search for the best hyperparameters"),
    "report": Command("trainer.cli.report", "show training results as a page with figures"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status: 0, 1 for an error, 2 for wrong usage."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    return run_command("nemod-train", lambda: select(arguments)())


def select(argv: Sequence[str]) -> Callable[[], int]:
    """Import the command of `argv` and return the function that runs it. Raises: ConfigError."""
    if not argv or argv[0] in ("-h", "--help"):
        return lambda: _print(f"{_HEAD}\n{commands_help('nemod-train', COMMANDS)}")
    if argv[0] == "--version":
        return lambda: _print(f"nemod {__version__}")
    return find_command("nemod-train", COMMANDS, argv)


_HEAD = """\
usage: nemod-train COMMAND ...

Train models that nemod plays from recordings of amps and pedals.
"""


def _print(text: str) -> int:
    print(text)  # noqa: T201 - output of --help and --version
    return 0
