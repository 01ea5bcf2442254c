"""Fixtures that play an effect, in one block or cut into several."""

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.typing import NDArray

from nemod.fx.effect import AnyEffect

Play = Callable[..., NDArray[np.float32]]
Process = Callable[..., tuple[Any, jax.Array]]


@pytest.fixture(scope="session")
def compiled() -> Callable[[AnyEffect], Process]:
    """Return the compiled `process` of an effect; compilations are cached for the session."""
    return cache(lambda effect: jax.jit(effect.process, donate_argnums=2))


@pytest.fixture(scope="session")
def play(compiled: Callable[[AnyEffect], Process]) -> Play:
    """Return `play(effect, controls, signal, sizes=None)`.

    `signal` is [frames] or [2, frames]. `controls` is one number per control, or an array
    [controls, frames]; `sizes` are the lengths of the blocks; the last one applies to the rest.
    """

    def run(
        effect: AnyEffect, controls: Any, signal: Any, sizes: Iterable[int] | None = None
    ) -> NDArray[np.float32]:
        signal = np.asarray(signal, np.float32)
        controls = np.asarray(controls, np.float32)
        frames = signal.shape[-1]
        if controls.ndim == 1:
            controls = np.repeat(controls[:, None], frames, axis=1)
        process = compiled(effect)
        state = effect.init(effect.weights, jnp.asarray(controls[:, 0]))
        blocks = []
        start, size, order = 0, frames, iter(sizes or ())
        while start < frames:
            size = next(order, size)
            end = min(start + size, frames)
            piece = signal[..., start:end]
            state, block = process(effect.weights, controls[:, start:end], state, piece)
            blocks.append(np.asarray(block))
            start = end
        return np.concatenate(blocks, axis=-1)

    return run


@pytest.fixture(scope="session")
def noise() -> NDArray[np.float32]:
    """White noise within +-1, 4,096 frames."""
    return np.random.default_rng(7).uniform(-1.0, 1.0, 4096).astype(np.float32)
