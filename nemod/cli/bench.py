"""`nemod bench`: what a block costs on this machine, for the model alone and for the full chain."""

import argparse
import os
import platform
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from nemod.cli.options import parser
from nemod.engine.foundry import build
from nemod.formats.model import Model
from nemod.formats.network import (
    Dense,
    DenseWeights,
    Gru,
    GruWeights,
    Lstm,
    LstmWeights,
    Residual,
    Stack,
)
from nemod.settings import Settings

UNITS = (8, 16, 20, 40, 80, 100)
BLOCKS = (32, 64, 128, 256, 512)
RATE_HZ = 48_000
ROUNDS = 15
"""The best of this many rounds counts: the rest is what else the machine was doing."""
ROUND_S = 0.02


@dataclass(frozen=True, slots=True)
class Cost:
    """What one block takes."""

    median_us: float
    best_us: float


def random_model(unit: str, hidden: int, seed: int = 0) -> Model:
    """Return an untrained model of this size; the cost does not depend on the numbers."""
    rng = np.random.default_rng(seed)

    def numbers(*shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        return rng.uniform(-0.2, 0.2, shape).astype(np.float32)

    head = DenseWeights(numbers(1, hidden), numbers(1))
    if unit == "LSTM":
        lstm = LstmWeights(
            numbers(4 * hidden, 1),
            numbers(4 * hidden, hidden),
            numbers(4 * hidden),
            np.zeros((2, hidden), np.float32),
        )
        network = Residual(Stack((Lstm(1, hidden), Dense(hidden, 1))))
        return Model(name="bench", dialect="", network=network, weights=(lstm, head))
    gru = GruWeights(
        numbers(3 * hidden, 1),
        numbers(3 * hidden, hidden),
        numbers(3 * hidden),
        numbers(hidden),
        np.zeros(hidden, np.float32),
    )
    network = Residual(Stack((Gru(1, hidden), Dense(hidden, 1))))
    return Model(name="bench", dialect="", network=network, weights=(gru, head))


def measure(model: Model, block_frames: int, *, model_only: bool) -> Cost:
    """Return what a block costs, called as the audio thread calls it, with every effect on."""
    settings = Settings({"delay/mix": 0.3, "reverb/mix": 0.3, "bass": 0.6, "treble": 0.6})
    ready = build(model, RATE_HZ, block_frames, settings, model_only=model_only)
    rng = np.random.default_rng(1)
    block = rng.uniform(-0.3, 0.3, block_frames).astype(np.float32)
    weights, state = ready.loaded.weights, ready.loaded.fresh()
    call, controls = ready.loaded.call, ready.loaded.controls
    rounds = []
    calls = 20
    for _ in range(ROUNDS + 1):
        begin = time.perf_counter()
        for _ in range(calls):
            state, sound = call(weights, controls, state, block)
            np.asarray(sound)
        each = (time.perf_counter() - begin) / calls
        rounds.append(1e6 * each)
        calls = max(10, int(ROUND_S / each))
    del rounds[0]
    return Cost(float(np.median(rounds)), min(rounds))


def main(argv: Sequence[str]) -> int:
    """Measure and print the table."""
    made = parser("nemod bench", "Measure what a block costs on this machine.")
    made.add_argument("--units", type=_numbers, default=UNITS, metavar="N,N", help="hidden sizes")
    made.add_argument("--blocks", type=_numbers, default=BLOCKS, metavar="N,N", help="frames")
    arguments = made.parse_args(argv)
    console = Console()
    cases = [
        (unit, hidden, block)
        for unit in ("LSTM", "GRU")
        for hidden in arguments.units
        for block in arguments.blocks
    ]
    table = Table(
        "model", "block", "period us", "model us", "share", "full chain us", "share",
        title=f"a block at {RATE_HZ} Hz: median of {ROUNDS} rounds (best)",
    )  # fmt: skip
    with Progress(console=Console(stderr=True), disable=not sys.stderr.isatty()) as progress:
        for unit, hidden, block in progress.track(cases, description="measuring"):
            model = random_model(unit, hidden)
            alone = measure(model, block, model_only=True)
            chain = measure(model, block, model_only=False)
            period_us = 1e6 * block / RATE_HZ
            table.add_row(
                f"{unit} {hidden}",
                str(block),
                f"{period_us:.0f}",
                f"{alone.median_us:.0f} ({alone.best_us:.0f})",
                f"{alone.median_us / period_us:.1%}",
                f"{chain.median_us:.0f} ({chain.best_us:.0f})",
                f"{chain.median_us / period_us:.1%}",
            )
    console.print(table)
    console.print(
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    )
    return 0


def _numbers(text: str) -> tuple[int, ...]:
    try:
        values = tuple(int(part) for part in text.split(","))
    except ValueError:
        values = ()
    if not values or not all(1 <= value <= 1024 for value in values):
        raise argparse.ArgumentTypeError(f"{text!r}: whole numbers from 1 to 1024, as 20,40")
    return values
