"""The command line: `nemod` plays; `nemod COMMAND` does one thing and ends."""

import sys
from collections.abc import Callable, Sequence
from functools import partial

from nemod.common.command_line import Command, find_command, run_command

COMMANDS = {
    "devices": Command("nemod.cli.devices", "list sound cards, by the names that --device takes"),
    "models": Command("nemod.cli.models", "list, search, add, remove and tag models"),
    "cabs": Command("nemod.cli.cabs", "list, search, add, remove and tag cabinets"),
    "presets": Command("nemod.cli.presets", "list, show, copy, export and import presets"),
    "layout": Command("nemod.cli.layout", "write a layout for TouchOSC"),
    "midi": Command("nemod.cli.midi", "list controllers, and show what they send"),
    "check": Command("nemod.cli.check", "check models and configuration files"),
    "render": Command("nemod.cli.render", "play a recording through the rig, into a file"),
    "bench": Command("nemod.cli.bench.command", "measure how long a block takes on this machine"),
    "latency": Command("nemod.cli.latency", "measure the round trip of an interface"),
    "doctor": Command("nemod.cli.doctor", "check this machine for causes of dropouts and silence"),
    "service": Command("nemod.cli.service", "run the daemon as a systemd service"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status: 0, 1 for an error, 2 for wrong usage."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    return run_command("nemod", lambda: select(arguments)())


def select(argv: Sequence[str]) -> Callable[[], int]:
    """Import what `argv` asks for and return the function that runs it. Raises: ConfigError."""
    if argv and not argv[0].startswith("-"):
        return find_command("nemod", COMMANDS, argv)
    from nemod.cli import play

    return partial(play.main, argv)
