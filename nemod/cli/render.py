"""`nemod render`: the daemon's rig over a recording."""

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from nemod.builder.build import rate_policy
from nemod.builder.level import levelled
from nemod.builder.messages import Level
from nemod.builder.offline import DEFAULT_BLOCK_FRAMES, render
from nemod.cli.options import add_options, configuration
from nemod.common.command_line import parser
from nemod.common.errors import AudioError, ConfigError
from nemod.common.units import amplitude_to_db
from nemod.daemon.recorder import sound_format
from nemod.formats import load_model
from nemod.library import Library
from nemod.parameters.table import param

HOW_RATES_MEET = {
    "exact": "it is the same at every rate",
    "delay": "its memory is stretched to match",
    "resample": "it is resampled on the way in and out",
}


def setting(text: str) -> tuple[str, float]:
    """Return path and position of `ADDRESS=VALUE`; `/nemo/real/...` takes the knob's own unit.

    Raises: argparse.ArgumentTypeError that says what is allowed.
    """
    address, equals, value = text.partition("=")
    path = address.strip().removeprefix("/nemo/").strip("/")
    real = path.startswith("real/")
    path = path.removeprefix("real/")
    path = {"delay": "delay/mix", "reverb": "reverb/mix"}.get(path, path)
    word = value.strip().lower()
    try:
        number = {"true": 1.0, "on": 1.0, "false": 0.0, "off": 0.0}.get(word)
        number = float(word) if number is None else number
    except ValueError:
        number = math.nan
    if not equals or not math.isfinite(number):
        raise argparse.ArgumentTypeError(
            f"{text!r}: ADDRESS=VALUE with a number is expected, as /nemo/gain=0.7"
        )
    if real:
        try:
            number = param(path).position(number)
        except (KeyError, ValueError):
            raise argparse.ArgumentTypeError(f"{text!r}: no setting {path!r}") from None
    return path, number


def main(argv: Sequence[str]) -> int:
    """Render a file. Raises: NemodError for what cannot be read, played or written."""
    made = parser("nemod render", "Play a recording through the rig, into a 32-bit float WAV.")
    made.add_argument("input", type=Path, metavar="IN.wav")
    made.add_argument("output", type=Path, metavar="OUT.wav")
    made.add_argument("--model", required=True, metavar="NAME|FILE")
    made.add_argument(
        "--set",
        action="append",
        default=[],
        type=setting,
        metavar="ADDRESS=VALUE",
        help="a knob, as /nemo/gain=0.7 or /nemo/real/delay/time=350; may be given several times",
    )
    made.add_argument(
        "--model-only", action="store_true", help="nothing but the model touches the samples"
    )
    made.add_argument(
        "--block", type=int, default=DEFAULT_BLOCK_FRAMES, metavar="N", help="1 to 65536 [64]"
    )
    add_options(made, "size", "library")
    arguments = made.parse_args(argv)
    config = configuration(arguments)
    path = Path(arguments.model)
    if not path.is_file():
        _, path = Library(config.library).find(arguments.model)
    model = load_model(path, size=config.size)
    if not arguments.model_only:
        wanted = Level(normalize=config.level.normalize, input_dbu=config.level.input_dbu)
        model = levelled(model, wanted).model
    kind = sound_format(arguments.output)

    if arguments.output.resolve() == arguments.input.resolve():
        raise AudioError(f"{arguments.output}: is the recording itself; name another file")
    if not arguments.output.parent.is_dir():
        raise AudioError(f"{arguments.output}: there is no folder {arguments.output.parent}")
    try:
        with arguments.input.open("rb") as file:
            sound, rate = soundfile.read(file, dtype="float32", always_2d=True)
    except OSError as error:
        raise AudioError(f"{arguments.input}: cannot be read: {error.strerror}") from None
    except soundfile.SoundFileError as error:
        reason = getattr(error, "error_string", str(error))
        raise AudioError(f"{arguments.input}: cannot be read as sound: {reason}") from None
    errors = Console(stderr=True)
    if sound.shape[1] > 1:
        errors.print(
            f"{arguments.input}: {sound.shape[1]} channels; the first is played",
            markup=False,
            soft_wrap=True,
        )
    if model.sample_rate != rate and not arguments.model_only:
        how = HOW_RATES_MEET[rate_policy(model.network, model.sample_rate, rate)]
        errors.print(
            f"nemod: {path.name} was made for {model.sample_rate} Hz and plays at {rate} Hz: {how}",
            soft_wrap=True,
        )
    with Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeRemainingColumn(),
        console=errors,
        disable=not sys.stderr.isatty(),
    ) as bar:
        task = bar.add_task(f"{arguments.input.name} through {model.name}", total=sound.shape[0])
        try:
            out = render(
                model,
                np.ascontiguousarray(sound[:, 0]),
                rate,
                settings=dict(arguments.set),
                block=arguments.block,
                model_only=arguments.model_only,
                progress=lambda done: bar.update(task, completed=done),
            )
        except ValueError as error:
            raise ConfigError("command line", [str(error)]) from None
    try:
        soundfile.write(arguments.output, out, rate, subtype=kind)
    except (OSError, soundfile.SoundFileError) as error:
        raise AudioError(f"{arguments.output}: cannot be written: {error}") from None
    if sys.stderr.isatty():
        peak = amplitude_to_db(float(np.abs(out).max(initial=0.0)))
        errors.print(f"{arguments.output}: {out.size} frames, peak {peak:+.1f} dBFS")
    return 0
