"""How the tests of effects play them: whole, or cut into blocks."""

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.typing import NDArray

from nemod.fx.effect import Effect

PlayRig = Callable[..., NDArray[np.float32]]
Process = Callable[..., tuple[Any, jax.Array]]


@pytest.fixture(scope="session")
def compiled() -> Callable[[Effect], Process]:
    """Return the compiled `process` of an effect; compilations are kept for the session."""
    return cache(lambda effect: jax.jit(effect.process, donate_argnums=2))


@pytest.fixture(scope="session")
def play(compiled: Callable[[Effect], Process]) -> PlayRig:
    """Return `play(effect, controls, signal, sizes=None, weights=())`.

    `controls` is one number per control, or an array [controls, frames]; `sizes` are the lengths
    of the blocks, the last one holding for the rest.
    """

    def run(
        effect: Effect,
        controls: Any,
        signal: Any,
        sizes: Iterable[int] | None = None,
        weights: Any = (),
    ) -> NDArray[np.float32]:
        signal = np.asarray(signal, np.float32)
        controls = np.asarray(controls, np.float32)
        if controls.ndim == 1:
            controls = np.repeat(controls[:, None], len(signal), axis=1)
        process = compiled(effect)
        state = effect.init(weights, jnp.asarray(controls[:, 0]))
        blocks = []
        start, size, order = 0, len(signal), iter(sizes or ())
        while start < len(signal):
            size = next(order, size)
            end = min(start + size, len(signal))
            state, block = process(weights, controls[:, start:end], state, signal[start:end])
            blocks.append(np.asarray(block))
            start = end
        return np.concatenate(blocks)

    return run


@pytest.fixture(scope="session")
def noise() -> NDArray[np.float32]:
    """White noise within +-1, 4,096 frames."""
    return np.random.default_rng(7).uniform(-1.0, 1.0, 4096).astype(np.float32)
