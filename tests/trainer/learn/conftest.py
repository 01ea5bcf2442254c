"""A data set that trains quickly: a filter before a soft clipper."""

import hashlib

import numpy as np
import pytest
from scipy.signal import lfilter

from trainer.data.dataset import Dataset, Pair
from trainer.learn.recipe import Recipe

RATE_HZ = 8_000


def pair(name: str, frames: int, seed: int, knob: float | None = None) -> Pair:
    """Return noise through the device; the knob is its drive."""
    rng = np.random.default_rng(seed)
    dry = 0.3 * lfilter([0.3], [1.0, -0.7], rng.standard_normal(frames))
    wet = np.tanh((3.0 if knob is None else 1.0 + 4.0 * knob) * lfilter([0.5], [1.0, -0.5], dry))
    settings = () if knob is None else (knob,)
    return Pair(name, dry.astype(np.float32), wet.astype(np.float32), settings)


def dataset(frames: int = 8_000, knobs: bool = False) -> Dataset:
    """Return a small data set, with or without a knob."""
    places = (0.0, 0.5, 1.0) if knobs else (None,)
    train, validation, test = (
        tuple(pair(f"{split}{n}", frames, 10 * part + n, at) for n, at in enumerate(places))
        for part, split in enumerate(("train", "validation", "test"))
    )
    digest = hashlib.sha256(train[0].wet.tobytes()).hexdigest()
    names = ("drive",) if knobs else ()
    return Dataset("clipper", RATE_HZ, names, train, validation, test, digest)


@pytest.fixture
def small() -> Dataset:
    """Return a second of the device at one setting."""
    return dataset()


@pytest.fixture
def quick() -> Recipe:
    """Return a recipe that compiles and runs quickly."""
    return Recipe(
        hidden=4,
        batch=4,
        segment_frames=576,
        warmup_frames=64,
        chunk_frames=128,
        epochs=3,
        learning_rate=0.02,
    )
