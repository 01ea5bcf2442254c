"""Tiny models and other fixtures of the tests of engine and builder."""

import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from nemod.engine import engine
from nemod.formats import load_model
from nemod.formats.model import Knob, Model, Probe
from nemod.formats.network import Dense, Gru, Lstm, Residual, Stack
from nemod.formats.save import save_model
from nemod.formats.weights import DenseWeights, GruWeights, LstmWeights

RATE_HZ = 48_000
HIDDEN = 4

MakeModel = Callable[..., Model]


def tiny(unit: str = "LSTM", knobs: int = 0, *, probe: Probe | None = None, seed: int = 3) -> Model:
    """Return a model of four units with random weights; its knobs have the range 0..1."""
    rng = np.random.default_rng(seed)
    inputs = 1 + knobs

    def draw(*shape: int) -> Any:
        return rng.normal(0.0, 0.4, shape).astype(np.float32)

    layer: Any
    weights: Any
    if unit == "LSTM":
        rows = 4 * HIDDEN
        start = np.zeros((2, HIDDEN), np.float32)
        layer = Lstm(inputs, HIDDEN)
        weights = LstmWeights(draw(rows, inputs), draw(rows, HIDDEN), draw(rows), start)
    else:
        rows = 3 * HIDDEN
        start = np.zeros(HIDDEN, np.float32)
        layer = Gru(inputs, HIDDEN)
        weights = GruWeights(
            draw(rows, inputs), draw(rows, HIDDEN), draw(rows), draw(HIDDEN), start
        )
    return Model(
        name=f"tiny-{unit.lower()}-{knobs}",
        dialect="guitarml",
        network=Residual(Stack((layer, Dense(HIDDEN, 1)))),
        weights=(weights, DenseWeights(draw(1, HIDDEN), draw(1))),
        knobs=tuple(Knob(name) for name in ("gain", "tone", "depth")[:knobs]),
        sample_rate=RATE_HZ,
        rate_stated=True,
        probe=probe,
    )


def sigmoid(x: Any) -> Any:
    return 1.0 / (1.0 + np.exp(-x))


def alone64(
    model: Model, sound: NDArray[np.float32], knobs: tuple[float, ...] = ()
) -> NDArray[np.float64]:
    """Return the output of PyTorch's equations for a model of one layer, in float64."""
    layer, head = model.weights
    numbers = {name: getattr(layer, name).astype(np.float64) for name in layer._fields}
    hidden = np.zeros(numbers["w_h"].shape[1])
    cell = np.zeros_like(hidden)
    out = []
    for sample in sound.astype(np.float64):
        given = numbers["w_x"] @ np.array([sample, *knobs]) + numbers["bias"]
        recurrent = numbers["w_h"] @ hidden
        if "bias_n" in numbers:
            (x_r, x_z, x_n), (h_r, h_z, h_n) = np.split(given, 3), np.split(recurrent, 3)
            reset, update = sigmoid(x_r + h_r), sigmoid(x_z + h_z)
            new = np.tanh(x_n + reset * (h_n + numbers["bias_n"]))
            hidden = (1.0 - update) * new + update * hidden
        else:
            i, f, g, o = np.split(given + recurrent, 4)
            cell = sigmoid(f) * cell + sigmoid(i) * np.tanh(g)
            hidden = sigmoid(o) * np.tanh(cell)
        out.append(head.w.astype(np.float64) @ hidden + head.bias + sample)
    return np.concatenate(out)


@pytest.fixture
def saved(tmp_path: Path) -> Callable[[Model], Path]:
    """Return `saved(model)`: the path of a file that holds the model."""

    def to_file(model: Model) -> Path:
        path = tmp_path / f"{model.name}.json"
        save_model(model, path)
        assert load_model(path).network == model.network
        return path

    return to_file


@pytest.fixture(autouse=True)
def has_time(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Return `has_time(share)`: how much of the period both rigs of a crossfade may take.

    At first any time, so that a busy machine changes no sound.
    """

    def allow(share: float) -> None:
        monkeypatch.setattr(engine, "BOTH_SHARE", share)

    allow(math.inf)
    return allow


@pytest.fixture(scope="session")
def guitar() -> NDArray[np.float32]:
    """Decaying noise bursts within +-0.5, 3,000 frames."""
    rng = np.random.default_rng(11)
    frames = np.arange(3000)
    envelope = 0.5 * np.exp(-(frames % 750) / 250.0)
    return (envelope * rng.uniform(-1.0, 1.0, frames.size)).astype(np.float32)


@pytest.fixture
def pipe() -> Iterator[Callable[[], tuple[int, int]]]:
    """Return `pipe()`: read and write end, both non-blocking, closed after the test."""
    ends: list[int] = []

    def opened() -> tuple[int, int]:
        pair = os.pipe()
        ends.extend(pair)
        for fd in pair:
            os.set_blocking(fd, False)
        return pair

    yield opened
    for fd in ends:
        os.close(fd)
