"""The command line: `nemod` plays; `nemod COMMAND` does one thing and ends."""

import sys
from collections.abc import Callable, Sequence

from nemod.errors import NemodError

COMMANDS = ("devices", "models", "check", "bench", "render")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status: 0, 1 for an error, 2 for wrong usage."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        if arguments and arguments[0] in COMMANDS:
            return _command(arguments[0])(arguments[1:])
        from nemod.cli import play

        return play.main(arguments)
    except NemodError as error:
        print(f"nemod: {error}", file=sys.stderr)  # noqa: T201 - the last word to the user
        return 2 if type(error).__name__ == "ConfigError" else 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 1


def _command(name: str) -> Callable[[Sequence[str]], int]:
    # Imported one by one: only render, check and bench need jax, which takes a second to load.
    if name == "bench":
        from nemod.cli import bench

        return bench.main
    if name == "render":
        from nemod.cli import render

        return render.main
    from nemod.cli import listing

    return {"devices": listing.devices, "models": listing.models, "check": listing.check}[name]
