"""`nemod layout`: writes a layout for a program with faders and buttons."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from nemod.cli.configuration import add_options, configuration
from nemod.cli.model_table import say
from nemod.common.command_line import parser
from nemod.common.errors import NemodError
from nemod.formats import load_model
from nemod.library import CABINETS, Library
from nemod.parameters.parameter_set import KnobSpec, ParameterSet

FORMATS = ("touchosc",)
_SIZES = ("phone", "tablet")
_ABOUT = """\
Write a layout for TouchOSC, made from the table of parameters and a chain. Open it on the phone or
tablet, and enter nemod's host and ports below Connections, OSC; 'Browse' finds them. The layout
then follows nemod by itself.
"""


class MissingError(NemodError):
    """A package that is not installed."""


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 1 <= int(text[:6]) <= 65_535):
        raise argparse.ArgumentTypeError(f"{text!r}: 1 to 65535 are allowed")
    return int(text)


def main(argv: Sequence[str]) -> int:
    """Write the file; return the exit status. Raises: NemodError, OSError."""
    made = parser("nemod layout", _ABOUT, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--format", choices=FORMATS, default=FORMATS[0], help="[touchosc]")
    made.add_argument(
        "--size", dest="screen", choices=_SIZES, default=_SIZES[0], help="kind of screen [phone]"
    )
    made.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="[nemod-phone.tosc or nemod-tablet.tosc]"
    )
    made.add_argument(
        "--chain",
        type=Path,
        metavar="FILE",
        help="the slots that it controls: a YAML file with a list of slots, or a preset [the "
        "default chain]",
    )
    made.add_argument(
        "--receive-port",
        type=_port,
        metavar="PORT",
        help="where the program receives, if that is not the port that it sends from",
    )
    add_options(made, "library", "cabinets")
    arguments = made.parse_args(argv)
    try:
        from nemod.osc.layout.touchosc import SIZES, write
    except ModuleNotFoundError as error:
        if error.name != "py2tosc":
            raise
        raise MissingError(
            "the package py2tosc is missing; pip install 'nemod[touchosc]' installs it"
        ) from None
    parameters = _parameters(arguments) if arguments.chain is not None else None
    path = arguments.output or Path(f"nemod-{arguments.screen}.tosc")
    write(path, SIZES[arguments.screen], parameters, port=arguments.receive_port)
    say(f"{path}: a layout for a {arguments.screen}")
    return 0


def _parameters(arguments: argparse.Namespace) -> ParameterSet:
    """Return the parameters of a chain, with the knobs of its models. Raises: NemodError."""
    # It loads jax, which a layout of the default chain does not need.
    from nemod.builder.load_chain import find_chain

    config = configuration(arguments)
    libraries = Library(config.library), Library(config.cabinets, kind=CABINETS)
    chain, _, files = find_chain(arguments.chain, *libraries)
    knobs = {
        slot.name: [KnobSpec(knob.name, knob.default) for knob in load_model(path).knobs]
        for slot in chain.of_kind("model")
        if (path := files.get(slot.name)) is not None
    }
    return ParameterSet(chain, knobs)
