"""`nemod bench --study`: samples a second by hidden size, beside PyTorch, as table and plot.

Speed is samples over processing time, for LSTM, GRU and CNN. Both sides get the same weights, keep
their state from call to call, take a numpy block and return one, and have one core.
"""

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from nemod.builder.build import build
from nemod.cli.bench import pytorch
from nemod.cli.bench.models import random_model, recurrent
from nemod.common.command_line import chosen
from nemod.common.errors import ConfigError, NemodError
from nemod.control.settings import Settings
from nemod.formats.model import Model
from nemod.formats.network import Activation, Conv1d, Curve, Dense, Network, Residual, Stack

Block = NDArray[np.float32]

ARCHITECTURES = ("lstm", "gru", "cnn")
SIZES = (8, 16, 20, 24, 32, 40, 64)
BLOCKS = (1, 64, 2048)
RATE_HZ = 44_100
"""What real time is."""
KERNEL = 3
DILATIONS = tuple(2**power for power in range(10))
"""The CNN is the one that `nemod-train` makes unless asked otherwise."""
COLUMNS = ("model", "block", "nemod k/s", "x real", "torch k/s", "x real", "nemod / torch")
TITLE = f"Speed = samples / processing time; real time is {RATE_HZ} samples/s"
ROUNDS = 9
ROUND_S = 0.03
GOLDEN_FRAMES = 4096
GOLDEN_ERROR = 1e-4
"""Largest difference between the two, relative to the peak (at least 1)."""


class StudyError(NemodError):
    """The two sides do not compute the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One case; speeds are medians over the rounds [samples/s]."""

    arch: str
    size: int
    """Hidden units, or channels of the CNN."""
    block: int
    """[frames] of one call"""
    nemod: float
    torch: float | None
    ratio: float | None
    """nemod's speed over torch's, round by round, the median."""
    error: float | None
    """Largest difference between the two, relative to the peak (at least 1)."""


def network(arch: str, size: int) -> Network:
    """Return the network of an architecture at a hidden size."""
    if arch != "cnn":
        return recurrent(arch.upper(), size)
    layers: list[Network] = []
    width = 1
    for dilation in DILATIONS:
        layers += [Conv1d(width, size, KERNEL, dilation), Activation(Curve("tanh"), size)]
        width = size
    return Residual(Stack((*layers, Dense(size, 1))))


def nemod_player(model: Model, block_frames: int) -> pytorch.Player:
    """Return what plays a model as the audio thread does: its compiled program, once a block."""
    ready = build(model, RATE_HZ, block_frames, Settings(), model_only=True)
    call, weights, controls = ready.loaded.call, ready.loaded.weights, ready.loaded.controls
    state: Any = ready.loaded.fresh()

    def play(block: Block) -> Block:
        nonlocal state
        state, sound = call(weights, controls, state, block)
        return np.asarray(sound)[: len(block)]

    return play


def difference(one: pytorch.Player, other: pytorch.Player, block_frames: int) -> float:
    """Return the largest difference between two players, relative to the peak (at least 1)."""
    count = -(-GOLDEN_FRAMES // block_frames)
    rng = np.random.default_rng(3)
    blocks = rng.uniform(-0.5, 0.5, (count, block_frames)).astype(np.float32)
    first = np.concatenate([one(block).copy() for block in blocks])
    second = np.concatenate([other(block).copy() for block in blocks])
    return float(np.abs(first - second).max() / max(1.0, np.abs(second).max()))


def measure(torch: Any | None, arch: str, size: int, block_frames: int, rounds: int) -> Row:
    """Return the speeds of one case, measured in turns.

    Raises: StudyError where the two do not compute the same.
    """
    model = random_model(network(arch, size))
    players = [nemod_player(model, block_frames)]
    error = None
    if torch is not None:
        players.append(pytorch.player(torch, model))
        error = difference(players[0], players[1], block_frames)
        if not error <= GOLDEN_ERROR:
            raise StudyError(
                f"{arch} {size}, block {block_frames}: nemod and torch differ by {error:.2g}, "
                f"allowed is {GOLDEN_ERROR:g}; speeds of different things are not compared"
            )
    block = np.random.default_rng(1).uniform(-0.3, 0.3, block_frames).astype(np.float32)
    calls = [max(1, int(ROUND_S / _seconds(player, block, 3))) for player in players]
    speeds = np.empty((rounds, len(players)))
    for turn in range(rounds):
        for side, player in enumerate(players):
            speeds[turn, side] = block_frames / _seconds(player, block, calls[side])
    medians = np.median(speeds, 0)
    both = torch is not None
    return Row(
        arch=arch,
        size=size,
        block=block_frames,
        nemod=float(medians[0]),
        torch=float(medians[1]) if both else None,
        ratio=float(np.median(speeds[:, 0] / speeds[:, 1])) if both else None,
        error=error,
    )


def _seconds(player: pytorch.Player, block: Block, calls: int) -> float:
    begin = time.perf_counter()
    for _ in range(calls):
        player(block)
    return (time.perf_counter() - begin) / calls


def add_options(made: argparse.ArgumentParser) -> None:
    """Add `--study` and what belongs to it."""
    made.add_argument(
        "--study",
        action="store_true",
        help="instead: samples a second of LSTM, GRU and CNN by hidden size, beside PyTorch",
    )
    made.add_argument("--arch", metavar="A,A", help="with --study: of lstm,gru,cnn")
    made.add_argument("--rounds", type=_rounds, default=None, metavar="N", help="with --study")
    made.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="with --study: study-speed.png, .md and .json go here",
    )


def refuse_alone(arguments: argparse.Namespace) -> None:
    """Raise ConfigError for options of the study without the study."""
    lone = [name for name in ("arch", "rounds", "out") if getattr(arguments, name) is not None]
    if lone:
        words = ", ".join(f"--{name}" for name in lone)
        raise ConfigError("command line", [f"{words}: belongs to --study, which is not given"])


def study(
    console: Console,
    *,
    architectures: str | None,
    sizes: Sequence[int] | None,
    blocks: Sequence[int] | None,
    rounds: int | None,
    out: Path | None,
) -> None:
    """Measure, print, and draw.

    Raises: ConfigError for an unknown architecture; StudyError.
    """
    archs: Sequence[str] = ARCHITECTURES
    if architectures is not None:
        archs = chosen(architectures, ARCHITECTURES, "--arch")
    torch = pytorch.load()
    if torch is None:
        console.print(
            "PyTorch is not installed: nemod alone is measured "
            "(for both: pip install 'nemod[study]', which pins torch).",
            markup=False,
        )
    cases = [
        (arch, size, block)
        for arch in archs
        for size in sizes or SIZES
        for block in blocks or BLOCKS
    ]
    bar = Progress(console=Console(stderr=True), disable=not sys.stderr.isatty())
    with bar, one_core() as pinned, _torch_alone(torch):
        rows = [
            measure(torch, *case, rounds or ROUNDS)
            for case in bar.track(cases, description="measuring")
        ]
    console.print(table(rows))
    about = _about(torch, rows, rounds or ROUNDS, pinned=pinned)
    console.print(about)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        document = {"about": about, "rate_hz": RATE_HZ, "rows": [asdict(row) for row in rows]}
        (out / "study-speed.json").write_text(json.dumps(document, indent=1) + "\n")
        (out / "study-speed.md").write_text(markdown(rows, about))
        if draw(rows, out / "study-speed.png"):
            console.print(f"{out / 'study-speed.png'}, {out / 'study-speed.json'}")
        else:
            console.print(
                f"{out / 'study-speed.json'}; no picture, because matplotlib is not installed "
                "(pip install 'nemod[train]')",
                markup=False,
            )


def table(rows: Sequence[Row]) -> Table:
    """Return the speeds as a table."""
    made = Table(title=TITLE)
    for place, name in enumerate(COLUMNS):
        made.add_column(name, justify="left" if place == 0 else "right")
    for row in rows:
        made.add_row(*_cells(row))
    return made


def markdown(rows: Sequence[Row], about: str) -> str:
    """Return the speeds as a page."""
    lines = [COLUMNS, ("---", *["--:"] * (len(COLUMNS) - 1)), *map(_cells, rows)]
    body = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
    return f"# Speed by hidden size\n\n{TITLE}. {about}\n\n{body}\n"


def _cells(row: Row) -> tuple[str, ...]:
    return (
        *(f"{row.arch.upper()} {row.size}", str(row.block)),
        *(*_speed(row.nemod), *_beside(row)),
    )


def _beside(row: Row) -> tuple[str, ...]:
    if row.torch is None or row.ratio is None:
        return ("-", "-", "-")
    return (*_speed(row.torch), f"{row.ratio:.1f}")


def _speed(samples_s: float) -> tuple[str, str]:
    return f"{samples_s / 1e3:,.1f}", f"{samples_s / RATE_HZ:.2f}"


def draw(rows: Sequence[Row], path: Path) -> bool:
    """Draw speed over hidden size, one picture per architecture; False without matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return False
    names = list(dict.fromkeys(row.arch for row in rows))
    blocks = list(dict.fromkeys(row.block for row in rows))
    colours = dict(
        zip(blocks, ("#d95f02", "#1f77b4", "#2a9d5c", "#7b4ea3", "#666666"), strict=False)
    )
    figure = Figure(figsize=(4.2 * len(names), 4.0), layout="constrained")
    panels = figure.subplots(1, len(names), sharey=True, squeeze=False)[0]
    for axes, arch in zip(panels, names, strict=True):
        for block in blocks:
            own = [row for row in rows if (row.arch, row.block) == (arch, block)]
            colour = colours.get(block, "#000000")
            sizes = [row.size for row in own]
            label = "one sample at a time" if block == 1 else f"blocks of {block}"
            axes.plot(
                sizes, [row.nemod for row in own], "o-", color=colour, label=f"nemod, {label}"
            )
            beside = [(row.size, row.torch) for row in own if row.torch is not None]
            if beside:
                axes.plot(
                    *zip(*beside, strict=True), "s--", color=colour, mfc="white",
                    label=f"torch, {label}",
                )  # fmt: skip
        axes.axhline(RATE_HZ, color="#999999", linewidth=1.0)
        axes.annotate(
            "real time, 44.1 kHz", (0.98, RATE_HZ), xycoords=("axes fraction", "data"),
            textcoords="offset points", xytext=(0, -3), fontsize=8, color="#777777",
            ha="right", va="top",
        )  # fmt: skip
        axes.set(yscale="log", xlabel="channels" if arch == "cnn" else "hidden units")
        axes.set_title(arch.upper())
        axes.grid(alpha=0.3, which="both")
    panels[0].set_ylabel("samples / s")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=8)
    figure.savefig(path, dpi=110)
    return True


@contextmanager
def one_core() -> Iterator[bool]:
    """Keep this thread, and all that start from now on, on one core; says whether it is so."""
    if not hasattr(os, "sched_setaffinity"):
        yield False
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        yield True
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def _torch_alone(torch: Any | None) -> Iterator[None]:
    if torch is None:
        yield
        return
    with pytorch.one_thread(torch):
        yield


def _about(torch: Any | None, rows: Sequence[Row], rounds: int, *, pinned: bool) -> str:
    beside = same = ""
    if torch is not None:
        worst = max(row.error or 0.0 for row in rows)
        beside = f" and torch {torch.__version__} (eager, 1 thread)"
        same = f" The same weights; outputs differ by {worst:.0e} of the peak at most."
    core = "one core" if pinned else "one thread"
    return (
        f"nemod's kernels on jax {jax.__version__}{beside}, on {core}, float32, "
        f"in turns, medians of {rounds} rounds; k/s: thousand samples a second.{same} The CNN has "
        f"{len(DILATIONS)} layers of {KERNEL} taps, dilations 1 to {DILATIONS[-1]}. "
        f"{platform.machine()}, Python {platform.python_version()}."
    )


def _rounds(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1000:
        raise argparse.ArgumentTypeError(f"{text!r}: a whole number from 1 to 1000")
    return int(text)
