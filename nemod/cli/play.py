"""`nemod` without a command: the daemon."""

import argparse
import asyncio
import socket
import sys
from collections.abc import Sequence

import setproctitle

from nemod.cli import COMMANDS
from nemod.cli.configuration import add_options, configuration
from nemod.cli.meters import LOCAL_HOST, show_meters
from nemod.common.command_line import Parser, commands_help, parser, seconds
from nemod.common.errors import AudioError
from nemod.common.paths import absolute
from nemod.config import Config
from nemod.daemon.app import Daemon
from nemod.daemon.recorder import Recorder
from nemod.daemon.startup import Startup, prepare

_NOTE = """
Without arguments, the demo device plays a guitar phrase through the first model.
"""


def daemon_parser() -> Parser:
    """Return the parser of the daemon's command line."""
    made = parser(
        "nemod",
        "Headless neural guitar rig: plays models of amps and pedals, controlled over OSC.",
        epilog=f"{commands_help('nemod', COMMANDS)}\n{_NOTE}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_options(made)
    made.add_argument("--record", metavar="FILE", help="record the output to a WAV file")
    made.add_argument(
        "--seconds", type=seconds, metavar="S", help="exit S seconds after the sound has begun"
    )
    return made


def main(argv: Sequence[str]) -> int:
    """Run the daemon until it is stopped. Raises: NemodError when it cannot start."""
    arguments = daemon_parser().parse_args(argv)
    config = configuration(arguments)
    _check_platform()
    setproctitle.setproctitle("nemod")
    startup = prepare(config)
    recorder = None
    if arguments.record is not None:
        recorder = Recorder(absolute(arguments.record), arguments.seconds)
    asyncio.run(_play(config, startup, recorder, arguments.seconds))
    if recorder is not None:
        print(f"{recorder.path}: {recorder.frames} frames", file=sys.stderr)  # noqa: T201
        return 1 if recorder.failure else 0
    return 0


async def _play(
    config: Config, startup: Startup, recorder: Recorder | None, length_s: float | None
) -> None:
    daemon = Daemon(config, startup, recorder=recorder)
    meters = asyncio.create_task(show_meters(daemon, _host(config)))
    try:
        await daemon.run(seconds=length_s)
    finally:
        meters.cancel()
        await asyncio.gather(meters, return_exceptions=True)


def _host(config: Config) -> str:
    """Return the host name to enter in an OSC client."""
    return LOCAL_HOST if config.osc.local else socket.gethostname()


def _check_platform() -> None:
    """Raise AudioError where the daemon cannot run."""
    if sys.platform != "linux":
        raise AudioError(
            f"the daemon runs on Linux; this is {sys.platform}. 'nemod render', 'nemod check' and "
            "'nemod models' work here too"
        )
