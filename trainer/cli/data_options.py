"""Defines the command-line options for reading recordings, shared by several commands."""

import argparse
from pathlib import Path
from typing import TypedDict

from rich.console import Console

from nemod.common.errors import ConfigError
from trainer.data.dataset import Dataset
from trainer.data.load import load_dataset


class ReadingOptions(TypedDict):
    """Keyword arguments of `load_dataset` and `check_data`; None: as the manifest states."""

    rate: int | None
    channel: int | None
    invert: bool | None
    force: bool
    cut_at_jumps: bool


EXPECTED = "one folder or manifest, or a dry and a wet recording, are expected"


def add_data(made: argparse.ArgumentParser) -> None:
    """Add the data set as a positional argument; `data_paths` returns it."""
    made.add_argument(
        "data",
        nargs="+",
        type=Path,
        metavar="DATA",
        help="a folder, a manifest, or two files: a dry and a wet recording",
    )


def data_paths(arguments: argparse.Namespace) -> tuple[Path, Path | None]:
    """Return the data set's path, or its dry and its wet recording.

    Raises: ConfigError for more than two paths.
    """
    given: list[Path] = arguments.data
    if len(given) > 2:
        problem = f"{len(given)} paths were given; {EXPECTED}"
        raise ConfigError("command line", [problem])
    return given[0], given[1] if len(given) == 2 else None


def add_data_options(made: argparse.ArgumentParser, *, knobs: bool = False) -> None:
    """Add the options of `reading`, and `--knobs` for commands that train."""
    if knobs:
        made.add_argument(
            "--knobs", metavar="A,B,...", help="the data's knobs in the order of the model's inputs"
        )
    made.add_argument("--rate", type=_rate, metavar="HZ", help="resample all recordings")
    made.add_argument(
        "--channel", type=_channel, metavar="N", help="channel of multichannel files (default: 1)"
    )
    made.add_argument(
        "--invert",
        action="store_true",
        default=None,
        help="invert the polarity of the wet recording",
    )
    made.add_argument(
        "--cut-at-jumps",
        action="store_true",
        help="cut recordings where the latency jumps (lost buffers) and align each piece",
    )
    made.add_argument(
        "--force", action="store_true", help="report errors found in the sound as warnings"
    )


def reading(arguments: argparse.Namespace) -> ReadingOptions:
    """Return the options that `add_data_options` added."""
    return ReadingOptions(
        rate=arguments.rate,
        channel=arguments.channel,
        invert=arguments.invert,
        force=arguments.force,
        cut_at_jumps=arguments.cut_at_jumps,
    )


def load(arguments: argparse.Namespace, console: Console) -> Dataset:
    """Return the data set to train on, and print the findings.

    Raises: ConfigError for invalid options; DataError for unusable data.
    """
    path, wet = data_paths(arguments)
    knobs = [knob.strip() for knob in arguments.knobs.split(",")] if arguments.knobs else None
    return load_dataset(
        path,
        wet=wet,
        knobs=knobs,
        **reading(arguments),
        report=lambda finding: console.print(finding.sentence),
    )


def _rate(text: str) -> int:
    return _whole(text, 8_000, 192_000, " Hz")


def _channel(text: str) -> int:
    return _whole(text, 1, 256, "")


def _whole(text: str, low: int, high: int, unit: str) -> int:
    if not text.isdecimal() or not low <= int(text) <= high:
        allowed = f"{low} to {high}{unit}"
        raise argparse.ArgumentTypeError(f"{text!r}: {allowed} is expected")
    return int(text)
