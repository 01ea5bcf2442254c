"""`nemod` without a command: the daemon."""

import argparse
import asyncio
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

import setproctitle
import structlog

from nemod.cli.log import configure
from nemod.cli.meters import show_meters
from nemod.cli.options import (
    add_library,
    channels,
    configuration,
    number_or_text,
    parser,
    seconds,
    whole_or_text,
)
from nemod.common.errors import AudioError
from nemod.config import LOG_LEVELS, Config, default_path
from nemod.daemon.app import Daemon
from nemod.daemon.recorder import Recorder
from nemod.daemon.startup import Startup, prepare

EPILOG = """\
commands:
  nemod devices              sound cards, by the names that --device takes
  nemod models               the models of the library
  nemod check FILE...        what a model or configuration file holds, or what is wrong with it
  nemod render IN.wav OUT.wav --model FILE    the same rig over a recording
  nemod bench                what a block costs on this machine
  nemod latency              the round trip of your interface, through a cable
  nemod service              install, uninstall, status: the daemon as a service of systemd
  (nemod COMMAND --help tells more)

Without arguments the demo device plays a guitar phrase of its own through the first model.
"""

PATHS = {
    "device": "audio.device",
    "input": "audio.input",
    "output": "audio.output",
    "rate": "audio.rate",
    "block": "audio.block",
    "model": "model",
    "port": "osc.port",
    "local": "osc.local",
    "allow": "osc.allow",
    "size": "size",
    "cpu_latency": "audio.cpu_latency",
    "wait_for_device": "audio.wait",
    "spare": "spare",
    "state": "state",
    "log_level": "log.level",
    "log_json": "log.json",
}


def read_arguments(argv: Sequence[str]) -> argparse.Namespace:
    """Return what the daemon's command line says. Raises: ConfigError."""
    made = parser(
        "nemod",
        "A neural guitar rig without a screen: plays models of amps and pedals, steered over OSC.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument(
        "--device", metavar="NAME", help="a device's name or part of it, 'demo' or 'null' [demo]"
    )
    made.add_argument("--input", type=whole_or_text, metavar="N", help="input channel [1]")
    made.add_argument(
        "--output", type=channels, metavar="N|N,M", help="output channels [the first two]"
    )
    made.add_argument(
        "--rate",
        type=whole_or_text,
        metavar="HZ|model",
        help="sample rate; 'model': the first model's, where the device has it [the device's]",
    )
    made.add_argument(
        "--block", type=whole_or_text, metavar="FRAMES", help="frames a block, 32 to 1024 [64]"
    )
    made.add_argument(
        "--model", metavar="NAME|FILE", help="the first model [the first of the library]"
    )
    made.add_argument(
        "--size", type=number_or_text, metavar="0..1", help="size of a model that has several [1]"
    )
    add_library(made)
    made.add_argument("--port", type=whole_or_text, metavar="PORT", help="OSC port, UDP [9000]")
    made.add_argument("--local", action="store_true", default=None, help="serve this machine only")
    made.add_argument(
        "--allow",
        action="append",
        metavar="NET",
        help="serve this network too, as 10.8.0.0/24; may be given several times",
    )
    made.add_argument(
        "--wait-for-device",
        action="store_true",
        default=None,
        help="wait for a device that is not there yet [an error at the start]",
    )
    made.add_argument(
        "--cpu-latency",
        type=whole_or_text,
        metavar="US|off",
        help="how long a processor may take to wake up while the sound runs; short costs power "
        "[what suits the machine]",
    )
    made.add_argument(
        "--spare",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="keep a second audio process ready, 100 MB, for the case that the first one dies "
        "[where the machine has 2 GB]",
    )
    kept = made.add_mutually_exclusive_group()
    kept.add_argument("--state", metavar="FILE", help="where the last model and all knobs are kept")
    kept.add_argument(
        "--no-state",
        dest="state",
        action="store_const",
        const=False,
        help="neither restore nor keep them",
    )
    made.add_argument(
        "--record", type=Path, metavar="FILE", help="write what is heard to a WAV file"
    )
    made.add_argument(
        "--seconds", type=seconds, metavar="S", help="end S seconds after the first sound"
    )
    made.add_argument("--log-level", metavar="LEVEL", help=f"{', '.join(LOG_LEVELS)} [info]")
    made.add_argument(
        "--log-json", action="store_true", default=None, help="log lines as JSON objects"
    )
    made.description = f"{made.description} Configuration: {default_path()}"
    return made.parse_args(argv)


def main(argv: Sequence[str]) -> int:
    """Run the daemon until it is told to stop. Raises: NemodError when it cannot begin."""
    arguments = read_arguments(argv)
    config = configuration(arguments, PATHS)
    _only_linux()
    setproctitle.setproctitle("nemod")
    configure(config.log)
    startup = prepare(config)
    for folder in config.library:
        if not folder.is_dir():
            structlog.get_logger("nemod").warning("no such folder of models", folder=str(folder))
    recorder = Recorder(arguments.record, arguments.seconds) if arguments.record else None
    asyncio.run(_play(config, startup, recorder, arguments.seconds))
    if recorder is not None:
        print(f"{recorder.path}: {recorder.frames} frames", file=sys.stderr)  # noqa: T201
    return 0


async def _play(
    config: Config, startup: Startup, recorder: Recorder | None, length_s: float | None
) -> None:
    daemon = Daemon(config, startup, recorder=recorder)
    meters = asyncio.create_task(show_meters(daemon, _addresses(daemon.config)))
    try:
        await daemon.run(seconds=length_s)
    finally:
        meters.cancel()
        await asyncio.gather(meters, return_exceptions=True)


def _addresses(config: Config) -> str:
    """Return the host name that a phone is to be given."""
    return "localhost" if config.osc.local else socket.gethostname()


def _only_linux() -> None:
    if sys.platform != "linux":
        raise AudioError(
            f"the daemon is made for Linux; this is {sys.platform}. 'nemod render', 'nemod check' "
            "and 'nemod models' work here too"
        )
