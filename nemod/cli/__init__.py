"""The command line: `nemod` plays; `nemod COMMAND` does one thing and ends."""

import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from nemod.common.errors import ConfigError, NemodError, did_you_mean

COMMANDS = ("devices", "models", "check", "bench", "render", "latency", "service")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status: 0, 1 for an error, 2 for wrong usage."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        if arguments and arguments[0] in COMMANDS:
            return _command(arguments[0])(arguments[1:])
        if arguments and not arguments[0].startswith("-"):
            _no_such_command(arguments[0])
        from nemod.cli import play

        return play.main(arguments)
    except NemodError as error:
        print(f"nemod: {error}", file=sys.stderr)  # noqa: T201 - the last word to the user
        return 2 if isinstance(error, ConfigError) else 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 1


def _no_such_command(word: str) -> NoReturn:
    problem = f"{word!r} is no command{did_you_mean(word, COMMANDS)}"
    raise ConfigError("command line", [f"{problem} (nemod --help lists all)"])


def _command(name: str) -> Callable[[Sequence[str]], int]:
    # Imported one by one: only render, check and bench need jax, which takes a second to load.
    if name == "bench":
        from nemod.cli.bench import command

        return command.main
    if name == "render":
        from nemod.cli import render

        return render.main
    if name == "latency":
        from nemod.cli import latency

        return latency.main
    if name == "models":
        from nemod.cli import models

        return models.main
    if name == "service":
        from nemod.cli import service

        return service.main
    if name == "devices":
        from nemod.cli import devices

        return devices.main
    from nemod.cli import check

    return check.main
