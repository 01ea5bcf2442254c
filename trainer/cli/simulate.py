"""`nemod-train simulate`: generates dry and wet recordings by simulating a circuit."""

import argparse
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from nemod.common.command_line import parser, seconds
from nemod.common.errors import ConfigError
from trainer.cli.command import redact_paths
from trainer.cli.knobs import listed, number, positions
from trainer.data.wav import read, resample
from trainer.simulate import build, spice
from trainer.simulate.circuit import Circuit, find, shipped
from trainer.simulate.strings import playing

RATES_HZ = (8_000, 192_000)
DEFAULT_RATE_HZ = 48_000
PEAK_VOLTS = 0.35
SINGLE_S = 60.0
"""[s] Default length of a data set with one setting."""
GRID_S = 2.5
"""[s] Default length of each setting of a grid."""
OTHERS = 6
MAX_STRINGS_S = 300.0
"""[s] Longest synthesised sound for a grid; a larger grid repeats it."""
EPILOG = """\
examples:
  nemod-train simulate --list
  nemod-train simulate muff --out muff
  nemod-train simulate screamer --knobs drive=0.8,tone=0.4 --seconds 120 --out screamer
  nemod-train simulate muff --grid 0,0.35,0.7,1 --out muff-knobs
  nemod-train simulate mine.cir --input di.wav --peak 0.5 --out mine

your own netlist: ngspice text in which the guitar drives node `in`, the voltage of node `out` is
recorded, and a line `*nemod knob NAME DEFAULT` makes NAME a parameter from 0 to 1. It contains its
supply and models, but no analysis and no .end.
"""


def main(argv: Sequence[str]) -> int:
    """Simulate a circuit and write the data set; return the exit status."""
    made = parser(
        "nemod-train simulate",
        "Generate dry and wet recordings of a circuit with ngspice.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("circuit", nargs="?", metavar="CIRCUIT", help="circuit or netlist file")
    made.add_argument("--list", action="store_true", help="list the included circuits and exit")
    made.add_argument("--out", type=Path, metavar="DATA", help="folder to write the data set to")
    made.add_argument("--knobs", metavar="NAME=POS,..", help="knob positions (0..1)")
    made.add_argument(
        "--grid",
        metavar="POS,..",
        help="train on all combinations of these positions of the knobs that --knobs does not set, "
        "as in 0,0.35,0.7,1",
    )
    made.add_argument(
        "--others",
        type=_count,
        default=OTHERS,
        metavar="N",
        help=f"with --grid: number of random settings for validation, and for test ({OTHERS})",
    )
    made.add_argument(
        "--seconds",
        type=seconds,
        metavar="S",
        help=f"length of the data set ({SINGLE_S:g}); with --grid, of each setting ({GRID_S:g})",
    )
    made.add_argument(
        "--input",
        type=Path,
        metavar="DI.wav",
        help="play this recording instead of synthesised strings",
    )
    made.add_argument(
        "--peak",
        type=_volts,
        default=PEAK_VOLTS,
        metavar="V",
        help=f"peak input voltage ({PEAK_VOLTS:g})",
    )
    made.add_argument("--rate", type=_rate, metavar="HZ", help=f"sample rate ({DEFAULT_RATE_HZ})")
    made.add_argument("--seed", type=_seed, default=0, metavar="N", help="random seed (0)")
    made.add_argument(
        "--jobs", type=_count, metavar="N", help="parallel simulations (one per core)"
    )
    arguments = made.parse_args(argv)
    console = Console()
    if arguments.list:
        _list(console)
        return 0
    missing = [name for name in ("circuit", "out") if getattr(arguments, name) is None]
    if missing:
        words = " and ".join({"circuit": "CIRCUIT", "out": "--out DATA"}[m] for m in missing)
        raise ConfigError("command line", [f"{words} expected (nemod-train simulate --help)"])
    circuit = find(arguments.circuit)
    fixed = positions(arguments.knobs) if arguments.knobs else {}
    setting = circuit.setting(fixed)
    version = spice.version()
    rate_hz = arguments.rate or DEFAULT_RATE_HZ
    specs, source = _specs(circuit, fixed, setting, arguments, rate_hz)
    total_s = sum(pair.dry.size for pair in specs) / rate_hz
    console.print(
        f"{circuit.title}: {len(specs)} pairs, {total_s:.0f} s at {rate_hz} Hz, by {version}"
    )
    command = redact_paths(["nemod-train", "simulate", *argv], (arguments.out, arguments.input))
    if _build(circuit, specs, rate_hz, arguments, source, command, total_s):
        console.print(f"{arguments.out}: written; check it with nemod-train check {arguments.out}")
    else:
        console.print(f"{arguments.out}: already complete")
    return 0


def _build(
    circuit: Circuit,
    specs: Sequence[build.PairSpec],
    rate_hz: int,
    arguments: argparse.Namespace,
    source: str,
    command: str,
    total_s: float,
) -> bool:
    bar = Progress(
        TextColumn("simulating"),
        BarColumn(),
        TextColumn("{task.completed:.1f} of {task.total:.0f} s"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[what]}"),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
    )
    with bar:
        task = bar.add_task("", total=total_s, what="")
        lock = threading.Lock()

        def progress(done_s: float, what: str) -> None:
            with lock:
                bar.update(task, completed=done_s, what=what)

        return build.build(
            circuit,
            specs,
            rate_hz,
            arguments.out,
            source=source,
            command=command,
            jobs=arguments.jobs,
            progress=progress,
        )


def _specs(
    circuit: Circuit,
    fixed: Mapping[str, float],
    setting: Mapping[str, float],
    arguments: argparse.Namespace,
    rate_hz: int,
) -> tuple[list[build.PairSpec], str]:
    """Return the pairs to simulate and a description of the input sound."""
    if arguments.grid is None:
        length_s = arguments.seconds or SINGLE_S
        sound, source = _sound(arguments, rate_hz, length_s)
        frames = round(length_s * rate_hz)
        if sound.size < frames and arguments.input is not None and arguments.seconds:
            problem = f"--seconds {length_s:g}: {arguments.input} has {sound.size / rate_hz:.1f} s"
            raise ConfigError("command line", [problem])
        if sound.size < frames and arguments.input is None:
            sound = np.resize(sound, frames)
        return build.single(setting, sound[:frames]), source
    if len(fixed) == len(circuit.knobs):
        problem = "--grid: --knobs already sets every knob"
        raise ConfigError("command line", [problem])
    steps = listed(arguments.grid)
    each_s = arguments.seconds or GRID_S
    settings = len(steps) ** (len(circuit.knobs) - len(fixed))
    # Validation and test get a tenth each, which must hold at least one recording.
    needed_s = max(10.0 * each_s, each_s * settings / build.SHARES[0])
    sound, source = _sound(arguments, rate_hz, needed_s)
    frames = round(each_s * rate_hz)
    shortest = min(part.size for part in build.cut(sound))
    if shortest < frames:
        problem = (
            f"{arguments.input or '--seconds'}: {sound.size / rate_hz:.1f} s are too short for "
            f"recordings of {each_s:g} s: validation and test get a tenth each"
        )
        raise ConfigError("command line", [problem])
    pairs = build.grid(circuit, fixed, steps, arguments.others, sound, frames, arguments.seed)
    return pairs, source


def _sound(arguments: argparse.Namespace, rate_hz: int, needed_s: float) -> tuple[build.Sound, str]:
    """Return the input sound [frames] in volts and its description."""
    if arguments.input is None:
        length_s = min(needed_s, max(MAX_STRINGS_S, 10.0 * (arguments.seconds or GRID_S)))
        sound = playing(max(length_s, 1.0), rate_hz, arguments.seed)
        source = f"synthesised strings, seed {arguments.seed}"
    else:
        recording = read(arguments.input, 1, "--input")
        sound = resample(recording.samples, recording.rate, rate_hz)
        source = arguments.input.name
        if sound.size < rate_hz or not np.abs(sound).max() > 0.0:
            problem = f"--input {arguments.input}: expected at least one second of sound"
            raise ConfigError("command line", [problem])
    peak = np.float32(arguments.peak / np.abs(sound).max())
    return (sound * peak).astype(np.float32), f"{source}, peak {arguments.peak:g} V"


def _list(console: Console) -> None:
    table = Table("circuit", "description", "knobs (default positions)")
    for circuit in shipped():
        knobs = ", ".join(f"{knob} {value:g}" for knob, value in circuit.knobs.items())
        table.add_row(circuit.name, circuit.title, knobs)
    console.print(table)


def _volts(text: str) -> float:
    return number(text, 1e-3, 100.0, "volts from 0.001 to 100")


def _rate(text: str) -> int:
    low, high = RATES_HZ
    return int(number(text, low, high, f"a rate from {low} to {high} Hz", whole=True))


def _count(text: str) -> int:
    return int(number(text, 1, 1000, "a whole number from 1 to 1000", whole=True))


def _seed(text: str) -> int:
    return int(number(text, 0, 2**32, "a whole number from 0", whole=True))
