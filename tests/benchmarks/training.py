"""Measures the training speed of recurrent networks in comparison with PyTorch.

    python tests/benchmarks/training.py [--rounds 5] [--only gru-40-32] > docs/training-speed.md

Million samples per second, forward and backward through T = 2048 frames and a dense layer, with the
gradients of all weights. `nemod` is the trainer's program (`trainer.learn.step`), `plain` the
daemon's kernel (`lax.scan`) under `jax.vmap` and `jax.grad`, `torch` is `torch.nn.LSTM` and `GRU`.
All use the same cores. Needs the extras `train` and `study`.
"""

import argparse
import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from trainer import xla

xla.prepare()

import jax  # noqa: E402 - reads its flags when it is imported
import jax.numpy as jnp  # noqa: E402
import torch  # noqa: E402

from nemod.formats.network import Network  # noqa: E402
from trainer.learn.batch import arrange, initial_state, plain  # noqa: E402
from trainer.learn.networks import initial_weights, network_of  # noqa: E402
from trainer.learn.recipe import Recipe  # noqa: E402
from trainer.learn.step import gradient  # noqa: E402

FRAMES = 2048
CASES = [
    (kind, size, batch) for kind in ("lstm", "gru") for size in (20, 40) for batch in (32, 128)
]


def least_seconds(work: Callable[[], object], rounds: int) -> float:
    """Return the time of the fastest round, after one that compiles."""
    work()
    taken = []
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return min(taken)


def of_nemod(network: Network, weights: Any, recipe: Recipe, signals: Any) -> Callable[[], object]:
    """Return a call of the trainer's gradient."""
    inputs, target = (arrange(signal) for signal in signals)
    program = gradient(network, recipe, error)
    return lambda: wait_for(program(weights, inputs, target))


def of_plain(network: Network, weights: Any, signals: Any) -> Callable[[], object]:
    """Return a call of the gradient of the daemon's kernel, differentiated by jax."""
    inputs, target = (jnp.asarray(arrange(signal)) for signal in signals)
    process = plain(network)

    def objective(weights: Any, inputs: Any, target: Any) -> Any:
        _, output = process(weights, initial_state(network, weights, inputs), inputs)
        return error(target, output)

    program = jax.jit(jax.grad(objective))
    return lambda: wait_for(program(weights, inputs, target))


def wait_for(values: Any) -> None:
    """Wait until values are computed."""
    jax.block_until_ready(values)  # type: ignore[no-untyped-call]


def error(target: Any, output: Any) -> Any:
    """Return the mean squared error."""
    return jnp.mean((target - output) ** 2)


def of_torch(kind: str, hidden: int, signals: Any) -> Callable[[], object]:
    """Return a call of PyTorch's layer and gradient."""
    layer = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[kind](1, hidden)
    head = torch.nn.Linear(hidden, 1)
    inputs, target = (torch.from_numpy(np.ascontiguousarray(x.transpose(1, 0, 2))) for x in signals)

    def work() -> None:
        layer.zero_grad()
        head.zero_grad()
        output = head(layer(inputs)[0]) + inputs
        torch.mean((output - target) ** 2).backward()  # type: ignore[no-untyped-call]

    return work


def main() -> None:
    """Print the table as Markdown."""
    options = argparse.ArgumentParser(description="Training speed compared with PyTorch.")
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--only", help="a single case, such as gru-40-32")
    given = options.parse_args()
    cores = len(jax.devices())
    torch.set_num_threads(cores)
    write = sys.stdout.write
    write("# Training speed\n\nMade by `python tests/benchmarks/training.py`.\n\n")
    write("Million samples per second, forward and backward, T = 2048 frames; higher is better. ")
    write(f"{cores} cores for each library, {os.cpu_count()} in the machine; ")
    write(f"jax {jax.__version__}, torch {torch.__version__}, {platform.machine()}. ")
    write(f"The fastest of {given.rounds} rounds.\n\n")
    write("| network | batch | nemod | plain `lax.scan` | torch | nemod / torch |\n")
    write("|---|---|---|---|---|---|\n")
    rng = np.random.default_rng(0)
    for kind, hidden, batch in CASES:
        if given.only and given.only != f"{kind}-{hidden}-{batch}":
            continue
        recipe = Recipe(arch=kind, hidden=hidden, batch=batch, chunk_frames=FRAMES)
        network = network_of(recipe, 0)
        weights = jax.tree.map(jnp.asarray, initial_weights(network, 1))
        signals = [0.2 * rng.standard_normal((batch, FRAMES, 1), np.float32) for _ in range(2)]
        speeds = [
            1e-6 * batch * FRAMES / least_seconds(work, given.rounds)
            for work in (
                of_nemod(network, weights, recipe, signals),
                of_plain(network, weights, signals),
                of_torch(kind, hidden, signals),
            )
        ]
        columns = " | ".join(f"{speed:.2f}" for speed in speeds)
        row = f"| {kind.upper()}-{hidden} | {batch} | {columns} | {speeds[0] / speeds[2]:.1f} |\n"
        write(row)
        sys.stdout.flush()


if __name__ == "__main__":
    main()
