"""How recordings are read: options that several commands share, and the reading by them."""

import argparse
from typing import Any

from rich.console import Console

from trainer.data.dataset import Dataset
from trainer.data.load import load_dataset


def add_data_options(made: argparse.ArgumentParser, *, knobs: bool = False) -> None:
    """Add `rate`, `channel`, `invert` and `force`, and `knobs` where a model is to be learnt."""
    if knobs:
        made.add_argument(
            "--knobs", metavar="A,B,...", help="the data's knobs in the order of the model's inputs"
        )
    made.add_argument("--rate", type=_rate, metavar="HZ", help="resample all recordings")
    made.add_argument("--channel", type=_channel, metavar="N", help="of files with several [1]")
    made.add_argument("--invert", action="store_true", default=None, help="turn wet upside down")
    made.add_argument(
        "--cut-at-jumps",
        action="store_true",
        help="cut recordings where the latency jumps (lost buffers), and align each piece",
    )
    made.add_argument("--force", action="store_true", help="go on although dry and wet sound wrong")


def reading(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return how to read recordings, in the words of `load_dataset`."""
    names = ("rate", "channel", "invert", "force", "cut_at_jumps")
    return {name: getattr(arguments, name) for name in names}


def load(arguments: argparse.Namespace, console: Console) -> Dataset:
    """Return the data set `data` that is to be learnt; findings are printed.

    Raises: DataError.
    """
    knobs = [knob.strip() for knob in arguments.knobs.split(",")] if arguments.knobs else None
    return load_dataset(
        arguments.data,
        knobs=knobs,
        **reading(arguments),
        say=lambda finding: console.print(finding.sentence),
    )


def _rate(text: str) -> int:
    return _whole(text, 8_000, 192_000, " Hz")


def _channel(text: str) -> int:
    return _whole(text, 1, 256, "")


def _whole(text: str, low: int, high: int, unit: str) -> int:
    if not text.isdecimal() or not low <= int(text) <= high:
        allowed = f"{low} to {high}{unit}"
        raise argparse.ArgumentTypeError(f"{text!r}: {allowed} are expected")
    return int(text)
