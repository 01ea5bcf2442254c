"""`nemod render`: a recording through the daemon's rig, into a file."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from nemod.builder.filled_chain import FilledChain, default_chain
from nemod.builder.level import levelled
from nemod.builder.load_chain import FoundChain, find_chain, read_found
from nemod.builder.messages import Level
from nemod.builder.offline import (
    AUTO_TAIL_S,
    DEFAULT_BLOCK_FRAMES,
    MAX_RATE_HZ,
    MAX_TAIL_S,
    MIN_RATE_HZ,
    Tail,
    render,
    tail_frames,
)
from nemod.builder.rate_policy import rate_policy
from nemod.chain.chain import MODEL
from nemod.cli.configuration import add_options, configuration
from nemod.cli.render_settings import position, setting
from nemod.common.command_line import parser
from nemod.common.errors import AudioError, ConfigError
from nemod.common.sound_files import FORMATS, Sound, check_output, read_sound, write_sound
from nemod.common.units import amplitude_to_db
from nemod.config import Config, config_file, default_path
from nemod.formats import load_model
from nemod.formats.impulse_response import load_impulse_response
from nemod.library import CABINETS, Library
from nemod.parameters.parameter_set import ParameterSet

RATE_POLICIES = {
    "exact": "it is the same at every rate",
    "delay": "its memory is stretched to match",
    "resample": "it is resampled on the way in and out",
}


def read_arguments(argv: Sequence[str]) -> argparse.Namespace:
    """Return the command line's options. Raises: ConfigError."""
    made = parser(
        "nemod render",
        "Play a recording through the rig and write the output to a file. The input may be a "
        "pipe, or - for standard input.",
    )
    made.add_argument("input", type=Path, metavar="IN")
    made.add_argument(
        "output", type=Path, metavar="OUT", help=f"ends in {', '.join(FORMATS)}; sets the format"
    )
    what = made.add_mutually_exclusive_group(required=True)
    what.add_argument("--model", metavar="NAME|FILE")
    what.add_argument(
        "--chain",
        type=Path,
        metavar="FILE",
        help="a YAML file with a list of slots, or a preset; what its slots hold is named as in "
        "the library, or by the path from that file",
    )
    made.add_argument(
        "--cab",
        metavar="NAME|FILE",
        help="a cabinet behind --model: a name in the library of cabinets, or a sound file [none]",
    )
    made.add_argument(
        "--channel", type=_channel, default=None, metavar="N", help="channel of the input [1]"
    )
    made.add_argument(
        "--tail",
        type=_tail,
        default=0.0,
        metavar="S|auto",
        help="go on for S seconds after the input, so that delay and reverb ring out; auto: until "
        f"the output stays below -90 dBFS, at most {AUTO_TAIL_S:g} s [0]",
    )
    made.add_argument(
        "--set",
        action="append",
        default=[],
        type=setting,
        metavar="ADDRESS=VALUE",
        help="a knob, as /nemo/gain=0.7 or /nemo/real/delay/time=350; may be given several times",
    )
    made.add_argument(
        "--stereo",
        action="store_true",
        help="write left and right: a ping-pong delay, and a reverb with two channels",
    )
    made.add_argument(
        "--model-only", action="store_true", help="nothing but the model touches the samples"
    )
    made.add_argument(
        "--block", type=int, default=DEFAULT_BLOCK_FRAMES, metavar="N", help="1 to 65536 [64]"
    )
    add_options(made, "size", "library", "cabinets")
    return made.parse_args(argv)


def _channel(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: a channel, counted from 1, is expected")
    return int(text)


def _tail(text: str) -> Tail:
    if text == "auto":
        return "auto"
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0.0 <= seconds <= MAX_TAIL_S:
        raise argparse.ArgumentTypeError(
            f"{text!r}: seconds from 0 to {MAX_TAIL_S:g}, or auto, are expected"
        )
    return seconds


def main(argv: Sequence[str]) -> int:
    """Render a file. Raises: NemodError for what cannot be read, played or written."""
    arguments = read_arguments(argv)
    if arguments.chain is not None:
        for option, given in (("--cab", arguments.cab), ("--model-only", arguments.model_only)):
            if given:
                raise ConfigError("command line", [f"{option} and --chain: one is expected"])
    if arguments.stereo and arguments.model_only:
        raise ConfigError("command line", ["--stereo with --model-only: a model has one output"])
    config = configuration(arguments)
    found = _found(arguments, config)
    files = _files(arguments, config, found)
    sources = {
        "the recording": arguments.input,
        "the configuration": config_file(arguments) or default_path(),
        **files,
    }
    check_output(arguments.output, sources)
    filled = _filled(arguments, config, files, found)
    parameters = ParameterSet(filled.chain, filled.knobs)
    try:
        settings = dict(position(given, parameters) for given in arguments.set)
    except ValueError as error:
        raise ConfigError("command line", [str(error)]) from None
    sound = read_sound(arguments.input, channel=arguments.channel or 1)
    if not arguments.model_only and not MIN_RATE_HZ <= sound.rate_hz <= MAX_RATE_HZ:
        raise AudioError(
            f"{arguments.input}: its sample rate is {sound.rate_hz} Hz; "
            f"{MIN_RATE_HZ} to {MAX_RATE_HZ} Hz can be played"
        )
    errors = Console(stderr=True)
    for note in _notes(arguments, sound, filled, files):
        errors.print(f"nemod: {note}", markup=False, highlight=False, soft_wrap=True)
    out = _rendered(arguments, filled, sound, settings, errors)
    clipped = write_sound(arguments.output, out, sound.rate_hz)
    if clipped:
        errors.print(
            f"nemod: {arguments.output}: {clipped} samples beyond full scale are clipped; "
            "a .wav file keeps them",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
    if sys.stderr.isatty():
        peak = amplitude_to_db(float(np.abs(out).max(initial=0.0)))
        errors.print(
            f"{arguments.output}: {len(out)} frames, peak {peak:+.1f} dBFS",
            markup=False,
            soft_wrap=True,
        )
    return 0


def _found(arguments: argparse.Namespace, config: Config) -> FoundChain | None:
    """Return the chain of `--chain`, or None. Raises: NemodError."""
    if arguments.chain is None:
        return None
    cabinets = Library(config.cabinets, kind=CABINETS)
    return find_chain(arguments.chain, Library(config.library), cabinets)


def _files(
    arguments: argparse.Namespace, config: Config, found: FoundChain | None
) -> dict[str, Path]:
    """Return the files that are played, by what an error calls them. Raises: NemodError."""
    if found is not None:
        slots = {f"the file of slot {slot}": path for slot, path in found.files.items()}
        return {"the chain": arguments.chain} | slots
    path = Path(arguments.model)
    if not path.is_file():
        _, path = Library(config.library).find(arguments.model)
    cabinet = _cabinet_file(arguments.cab, config)
    return {"the model": path} | ({} if cabinet is None else {"the cabinet": cabinet})


def _filled(
    arguments: argparse.Namespace,
    config: Config,
    files: Mapping[str, Path],
    found: FoundChain | None,
) -> FilledChain:
    """Return the chain that is played, its files read. Raises: NemodError."""
    level = Level(normalize=config.level.normalize, input_dbu=config.level.input_dbu)
    if found is not None:
        return read_found(found, level, default_size=config.size).filled
    cabinet = files.get("the cabinet")
    response = None if cabinet is None else load_impulse_response(cabinet)
    model = load_model(files["the model"], size=config.size)
    if not arguments.model_only:
        model = levelled(model, level).model
    return default_chain(model, response)


def _cabinet_file(given: str | None, config: Config) -> Path | None:
    """Return the file of the cabinet, or None for none. Raises: NotFoundError."""
    if given is None:
        return None
    path = Path(given)
    return path if path.is_file() else Library(config.cabinets, kind=CABINETS).find(given)[1]


def _notes(
    arguments: argparse.Namespace, sound: Sound, filled: FilledChain, files: Mapping[str, Path]
) -> list[str]:
    """Return what the user should know before the recording is played."""
    notes = [f"{arguments.input}: {sound.note}"] if sound.note else []
    if sound.channels > 1 and arguments.channel is None:
        notes.append(
            f"{arguments.input}: {sound.channels} channels; the first is played "
            "(--channel N chooses another)"
        )
    if arguments.model_only:
        return notes
    for slot, model in filled.models.items():
        if model.sample_rate == sound.rate_hz or model.rate_follows_device:
            continue
        file = files["the model" if arguments.chain is None else f"the file of slot {slot}"]
        policy = rate_policy(model.network, model.sample_rate, sound.rate_hz)
        notes.append(
            f"{file.name} was made for {model.sample_rate} Hz and plays at {sound.rate_hz} Hz: "
            f"{RATE_POLICIES[policy]}"
        )
    return notes


def _rendered(
    arguments: argparse.Namespace,
    filled: FilledChain,
    sound: Sound,
    settings: dict[str, float],
    errors: Console,
) -> NDArray[np.float32]:
    """Return the output [frames] or [frames, 2], with a progress bar on a terminal.

    Raises: NemodError.
    """
    total = sound.samples.size + tail_frames(arguments.tail, sound.rate_hz)
    with Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeRemainingColumn(),
        console=errors,
        disable=not sys.stderr.isatty(),
    ) as bar:
        task = bar.add_task(f"{arguments.input.name} through {filled.name}", total=total)
        try:
            return render(
                filled.models[MODEL] if arguments.model_only else filled,
                sound.samples,
                sound.rate_hz,
                settings=settings,
                outputs=2 if arguments.stereo else 1,
                block=arguments.block,
                model_only=arguments.model_only,
                tail=arguments.tail,
                progress=lambda done: bar.update(task, completed=done),
            )
        except ValueError as error:
            raise ConfigError("command line", [str(error)]) from None
