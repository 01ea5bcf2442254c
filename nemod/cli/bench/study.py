"""`nemod bench --study`: samples a second by hidden size, next to PyTorch.

Speed is samples over processing time, for LSTM, GRU and CNN. Both sides get the same weights, keep
their state from call to call, take a numpy block and return one, and run on one core.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress

from nemod.builder.build import build
from nemod.cli.bench import pytorch
from nemod.cli.bench.models import random_model, recurrent
from nemod.cli.bench.study_report import (
    DILATIONS,
    KERNEL,
    RATE_HZ,
    Row,
    about,
    draw,
    markdown,
    table,
)
from nemod.common.command_line import chosen
from nemod.common.errors import ConfigError, NemodError
from nemod.control.settings import Settings
from nemod.formats.model import Model
from nemod.formats.network import Activation, Conv1d, Curve, Dense, Network, Residual, Stack

Block = NDArray[np.float32]

ARCHITECTURES = ("lstm", "gru", "cnn")
SIZES = (8, 16, 20, 24, 32, 40, 64)
BLOCKS = (1, 64, 2048)
ROUNDS = 9
ROUND_S = 0.03
GOLDEN_FRAMES = 4096
GOLDEN_ERROR = 1e-4
"""Largest difference that is allowed, relative to the peak (at least 1)."""


class StudyError(NemodError):
    """nemod and PyTorch do not compute the same."""


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
    """Return a player that calls a model's compiled program once a block, as the audio thread."""
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
    """Return the speeds of one case, measured alternately.

    Raises: StudyError when the two do not compute the same.
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
                f"allowed is {GOLDEN_ERROR:g}; only equal computations are compared"
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
    """Add `--study` and its options."""
    made.add_argument(
        "--study",
        action="store_true",
        help="instead: samples a second of LSTM, GRU and CNN by hidden size, next to PyTorch",
    )
    made.add_argument("--arch", metavar="A,A", help="with --study: of lstm,gru,cnn")
    made.add_argument("--rounds", type=_rounds, default=None, metavar="N", help="with --study")
    made.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="with --study: folder for study-speed.png, .md and .json",
    )


def refuse_alone(arguments: argparse.Namespace) -> None:
    """Refuse options of the study without the study. Raises: ConfigError."""
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
            "PyTorch is not installed: only nemod is measured "
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
    text = about(torch, rows, rounds or ROUNDS, pinned=pinned)
    console.print(text)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        document = {"about": text, "rate_hz": RATE_HZ, "rows": [asdict(row) for row in rows]}
        (out / "study-speed.json").write_text(json.dumps(document, indent=1) + "\n")
        (out / "study-speed.md").write_text(markdown(rows, text))
        if draw(rows, out / "study-speed.png"):
            console.print(f"{out / 'study-speed.png'}, {out / 'study-speed.json'}")
        else:
            console.print(
                f"{out / 'study-speed.json'}; no plot, because matplotlib is not installed "
                "(pip install 'nemod[train]')",
                markup=False,
            )


@contextmanager
def one_core() -> Iterator[bool]:
    """Keep this thread, and all that it starts, on one core; yields whether that is possible."""
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


def _rounds(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1000:
        raise argparse.ArgumentTypeError(f"{text!r}: a whole number from 1 to 1000")
    return int(text)
