"""`nemod check`: what a model, a chain, a configuration or bindings hold, or what is wrong."""

import argparse
import re
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from rich.console import Console

from nemod.cli.check_chain import check_chain, is_chain_file
from nemod.cli.configuration import add_options, configuration
from nemod.common.command_line import parser
from nemod.common.errors import ConfigError, NemodError
from nemod.common.kept_files import DamagedFileError, read_kept
from nemod.config import MAX_BLOCK_FRAMES, MIN_BLOCK_FRAMES
from nemod.config import load as load_config
from nemod.engine.devices.base import CLOCK_RATE_HZ
from nemod.formats import load_model
from nemod.midi.reader import MAX_BYTES, read
from nemod.midi.targets import target_problem


def main(argv: Sequence[str]) -> int:
    """Describe files; 1 when any is refused."""
    made = parser(
        "nemod check",
        "Print what a model, a chain, a preset, a configuration or a file of bindings holds, or "
        "its errors. Of a model and a chain also the expected load.",
    )
    made.add_argument("files", nargs="+", type=Path, metavar="FILE")
    made.add_argument("--block", type=_frames, default=64, metavar="N", help="for the load [64]")
    made.add_argument("--size", type=float, metavar="0..1", help="of a model that has several [1]")
    add_options(made, "library", "cabinets", "audio.output")
    arguments = made.parse_args(argv)
    refused = 0
    for path in arguments.files:
        try:
            _check_one(path, arguments)
        except NemodError as error:
            refused += 1
            print(f"refused: {error}", file=sys.stderr)  # noqa: T201
    return 1 if refused else 0


def _frames(text: str) -> int:
    if not text.isdecimal() or not MIN_BLOCK_FRAMES <= int(text) <= MAX_BLOCK_FRAMES:
        allowed = f"{MIN_BLOCK_FRAMES} to {MAX_BLOCK_FRAMES} frames"
        raise argparse.ArgumentTypeError(f"{text!r}: {allowed} are expected")
    return int(text)


def _is_bindings(path: Path) -> bool:
    """Return whether a file is one of bindings, which has a key that no configuration has."""
    with suppress(OSError, DamagedFileError):
        return re.search(r"^bindings:", read_kept(path, MAX_BYTES), re.MULTILINE) is not None
    return False


def _bindings(path: Path) -> str:
    """Return what a file of bindings holds. Raises: ConfigError with all problems."""
    try:
        file, skipped = read(read_kept(path, MAX_BYTES), path)
    except DamagedFileError as error:
        raise ConfigError(str(path), [str(error)]) from None
    problems = [f"{key}: {reason}" for key, reason in skipped.reasons]
    for binding in file.bindings:
        targets = filter(None, (binding.target, binding.long))
        reasons = filter(None, map(target_problem, targets))
        problems += [f"{binding.control}: {reason}" for reason in reasons]
    if problems:
        raise ConfigError(str(path), problems)
    return f"{path}: no errors in these {len(file.bindings)} bindings"


def _check_one(path: Path, arguments: argparse.Namespace) -> None:
    """Print what one file holds. Raises: NemodError."""
    console = Console()
    if path.suffix.lower() in (".yaml", ".yml"):
        if _is_bindings(path):
            console.print(_bindings(path), markup=False)
            return
        if is_chain_file(path):
            for line in check_chain(path, configuration(arguments), arguments.block):
                console.print(line, markup=False, highlight=False, soft_wrap=True)
            return
        load_config(path, {})
        console.print(f"{path}: no errors in this configuration", markup=False)
        return
    # From the builder, so that the description is that of the rig that will be played.
    from nemod.builder.describe import describe
    from nemod.builder.probe import verify_probe
    from nemod.cli.bench.block_cost import measure

    model = load_model(path, size=arguments.size)
    error = verify_probe(model)
    cost = measure(model, arguments.block, model_only=False)
    share = cost.median_us * 1e-6 / (arguments.block / CLOCK_RATE_HZ)
    facts = describe(model).plain() | {
        "probe": "none in the file" if error is None else f"passed, largest error {error:.1e}",
        "expected_load": f"{share:.1%} of the time of {arguments.block} frames at "
        f"{CLOCK_RATE_HZ} Hz (the whole rig, measured now on this machine)",
    }
    console.print(f"{path}:", markup=False, soft_wrap=True)
    for key, value in facts.items():
        console.print(f"  {key.replace('_', ' ')}: {value}", markup=False, soft_wrap=True)
