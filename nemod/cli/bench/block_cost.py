"""Measures how long one block takes, called as the audio thread calls it."""

import os
import resource
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from nemod.builder.build import BuiltRig, build
from nemod.builder.compile import compiled
from nemod.chain.chain import MODEL
from nemod.cli.bench.models import RATE_HZ
from nemod.control.settings import Settings
from nemod.engine.chain import Content
from nemod.engine.parts import whole_rig
from nemod.formats.model import Model

ROUNDS = 15
"""Medians and minima are over this many rounds: single ones hold what else the machine did."""
ROUND_S = 0.02


@dataclass(frozen=True, slots=True)
class Cost:
    """The time of one block."""

    median_us: float
    best_us: float
    waits: float
    """Voluntary context switches per block: how often the thread waited for another one."""


def measure(model: Model, block_frames: int, *, model_only: bool) -> Cost:
    """Return the time of a block with every effect on, or of the model alone."""
    settings = Settings({"delay/mix": 0.3, "reverb/mix": 0.3, "bass": 0.6, "treble": 0.6})
    ready = build(model, RATE_HZ, block_frames, settings, model_only=model_only)
    return cost_of(ready, block_frames)


def cost_of(ready: BuiltRig, block_frames: int) -> Cost:
    """Return the time of a block of a rig."""
    rng = np.random.default_rng(1)
    block = rng.uniform(-0.3, 0.3, block_frames).astype(np.float32)
    weights, state = ready.loaded.weights, ready.loaded.fresh()
    call, controls = ready.loaded.call, ready.loaded.controls
    rounds, waits = [], []
    calls = 20
    for _ in range(ROUNDS + 1):
        waited = resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw
        begin = time.perf_counter()
        for _ in range(calls):
            state, sound = call(weights, controls, state, block)
            np.asarray(sound)
        each = (time.perf_counter() - begin) / calls
        waits.append((resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw - waited) / calls)
        rounds.append(1e6 * each)
        calls = max(10, int(ROUND_S / each))
    del rounds[0], waits[0]
    return Cost(float(np.median(rounds)), min(rounds), float(np.median(waits)))


def compile_seconds(model: Model, block_frames: int) -> float:
    """Return how long the whole rig takes to compile [s], unless it is cached."""
    made = whole_rig(Content(models={MODEL: model}), RATE_HZ)
    begin = time.perf_counter()
    compiled(made.spec, block_frames, "rig", made.signature, RATE_HZ)
    return time.perf_counter() - begin


@contextmanager
def empty_cache() -> Iterator[None]:
    """Use an empty folder as the cache, so that everything is compiled."""
    old = os.environ.get("NEMOD_CACHE")
    with tempfile.TemporaryDirectory(prefix="nemod-bench-") as folder:
        os.environ["NEMOD_CACHE"] = folder
        try:
            yield
        finally:
            if old is None:
                del os.environ["NEMOD_CACHE"]
            else:
                os.environ["NEMOD_CACHE"] = old
