"""A data set that trains in a second, and run folders as `fit` writes them."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
import soundfile

from trainer.data.dataset import Dataset, Pair
from trainer.learn.recipe import Recipe, to_json

RATE = 8_000


@pytest.fixture(scope="module", autouse=True)
def _optax_promotes() -> Iterator[None]:
    """Allow dtype promotion: optax raises a float to an integer power."""
    with jax.numpy_dtype_promotion("standard"):
        yield


TINY = {
    "segment_frames": 2048,
    "chunk_frames": 512,
    "warmup_frames": 512,
    "ramp": 0.0,
}
"""Parts of a recipe for the tiny device."""


def playing(seconds: float, seed: int) -> np.ndarray:
    """Return noise with a slow envelope, within +-0.5."""
    rng = np.random.default_rng(seed)
    frames = int(seconds * RATE)
    envelope = 0.2 + 0.3 * np.abs(np.sin(np.arange(frames) / 900.0))
    return (envelope * rng.uniform(-1.0, 1.0, frames)).astype(np.float32)


def bend(dry: np.ndarray) -> np.ndarray:
    return np.tanh(3.0 * dry).astype(np.float32)


@pytest.fixture(scope="session")
def device() -> Dataset:
    """Return a waveshaper's data set: four seconds of training, one of validation, one of test."""
    parts = {
        name: (Pair(name, dry := playing(seconds, seed), bend(dry)),)
        for seed, (name, seconds) in enumerate(
            {"train": 4.0, "validation": 1.0, "test": 1.0}.items()
        )
    }
    return Dataset("bend", RATE, (), digest="d" * 64, **parts)


@pytest.fixture(scope="session")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a waveshaper's recordings, long enough for training."""
    folder = tmp_path_factory.mktemp("recordings")
    for seed, (split, seconds) in enumerate(
        {"train": 11.0, "validation": 2.0, "test": 2.0}.items()
    ):
        dry = playing(seconds, seed)
        for role, sound in (("input", dry), ("target", bend(dry))):
            soundfile.write(folder / f"{split}-{role}.wav", sound, RATE, subtype="FLOAT")
    return folder


MakeRun = Callable[..., Path]


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    """Return `make_run(name, losses, state=..., knobs=..., settings=..., **recipe)`: a folder."""

    def make(
        name: str,
        losses: list[float],
        *,
        state: str = "",
        knobs: tuple[str, ...] = (),
        settings: tuple[Any, ...] = (),
        base: Path | None = None,
        **recipe: Any,
    ) -> Path:
        folder = (base or tmp_path) / name
        folder.mkdir(parents=True)
        about = {"name": "bend", "digest": "d" * 64, "rate": RATE, "knobs": list(knobs)}
        config = {"recipe": to_json(Recipe(**recipe)), "data": about, "parameters": 7}
        (folder / "config.json").write_text(json.dumps(config))
        lines = [
            {
                "epoch": epoch,
                "train_loss": loss,
                "seconds": 6.0 * epoch,
                "validation_loss": loss,
                "best_loss": min(losses[:epoch]),
                "best_esr": 2.0 * min(losses[:epoch]),
            }
            for epoch, loss in enumerate(losses, 1)
        ]
        (folder / "history.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        result = {"stopped": "epochs", "test": {"esr": 0.5}, "settings": list(settings)}
        (folder / "result.json").write_text(json.dumps(result))
        if state:
            verdict = {"state": state, "reason": "worse than the median"}
            (folder / "trial.json").write_text(json.dumps(verdict))
        return folder

    return make
