"""The command line of `nemod-train`: each command does one thing and ends."""

import sys
from collections.abc import Callable, Sequence
from importlib import import_module

from nemod import __version__
from nemod.errors import ConfigError, NemodError, did_you_mean

COMMANDS = {
    "train": "learn a model from dry and wet recordings",
    "check": "say what is wrong with recordings, before any training",
    "capture": "play a signal through a pedal and record what comes out",
    "simulate": "generate recordings by simulating a circuit",
    "sweep": "search for the hyperparameters that learn best",
    "report": "show what runs came to, in pictures",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status: 0, 1 for an error, 2 for wrong usage."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        if not arguments or arguments[0] in ("-h", "--help"):
            print(_help())  # noqa: T201 - what was asked for
            return 0
        if arguments[0] == "--version":
            print(f"nemod {__version__}")  # noqa: T201 - what was asked for
            return 0
        return _command(arguments[0])(arguments[1:])
    except NemodError as error:
        print(f"nemod-train: {error}", file=sys.stderr)  # noqa: T201 - the last word to the user
        return 2 if isinstance(error, ConfigError) else 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 1
    except OSError as error:
        print(f"nemod-train: {error}", file=sys.stderr)  # noqa: T201 - the last word to the user
        return 1


def _help() -> str:
    lines = [f"  {name:10} {what}" for name, what in COMMANDS.items()]
    head = "usage: nemod-train COMMAND ...\n\nFrom recordings to models that nemod plays.\n"
    tail = "\n`nemod-train COMMAND --help` lists what a command takes."
    return "\n".join([head, *lines, tail])


def _command(word: str) -> Callable[[Sequence[str]], int]:
    # Imported one by one: training and its flags of XLA must not wait for, or follow, the others.
    if word not in COMMANDS:
        problem = f"{word!r} is no command{did_you_mean(word, COMMANDS)}"
        raise ConfigError("command line", [f"{problem} (nemod-train --help lists all)"])
    command: Callable[[Sequence[str]], int] = import_module(f"trainer.cli.{word}").main
    return command
