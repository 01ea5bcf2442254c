"""Cells, compared with PyTorch's equations in numpy with float64."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nemod.fx.nn.cells import gru_cell, lstm_cell


def _sigmoid(x: Any) -> Any:
    return 0.5 + 0.5 * np.tanh(x / 2.0)


def _lstm64(i: Any, f: Any, g: Any, o: Any, c: Any) -> Any:
    c = _sigmoid(f) * c + _sigmoid(i) * np.tanh(g)
    return np.stack([c, _sigmoid(o) * np.tanh(c)])


def _gru64(r: Any, z: Any, n: Any, inner: Any, h: Any) -> Any:
    share = _sigmoid(z)
    return (1.0 - share) * np.tanh(n + _sigmoid(r) * inner) + share * h


CELLS = pytest.mark.parametrize(("cell", "oracle"), [(lstm_cell, _lstm64), (gru_cell, _gru64)])


def draw(spread: float) -> np.ndarray:
    """Return five arguments; the last, the state, is at most 1."""
    x = np.random.default_rng(3).normal(0.0, spread, (5, 4000)).astype(np.float32)
    x[4] = np.tanh(x[4])
    return x


@CELLS
@pytest.mark.parametrize("spread", [0.01, 1.0, 10.0, 1000.0])
def test_a_step_is_that_of_the_equations(cell, oracle, spread: float) -> None:
    """Near 0, where gates are busy, and where they saturate."""
    x = draw(spread)
    actual = np.asarray(jnp.stack(cell(*x)) if cell is lstm_cell else cell(*x))
    expected = oracle(*x.astype(np.float64))
    # What a product of two numbers next to 1 is rounded by, a few times.
    np.testing.assert_allclose(actual, expected, atol=5e-7, rtol=4e-7)


def test_a_long_memory_rests_where_the_equations_do() -> None:
    """A forget gate of 0.99: what is wrong in a step is multiplied by 100."""
    sums = np.array([0.3, 4.6, -0.4, 0.2], np.float32)
    i, f, g, _ = sums.astype(np.float64)
    expected = _sigmoid(i) * np.tanh(g) / (1.0 - _sigmoid(f))

    def step(c: jax.Array, _: None) -> tuple[jax.Array, None]:
        return lstm_cell(*jnp.asarray(sums), c)[0], None

    start = np.float32(0.9 * expected)
    c, _ = jax.jit(lambda c: jax.lax.scan(step, c, None, length=5_000))(start)
    assert float(c) == pytest.approx(expected, rel=1e-5)


@CELLS
def test_derivatives_are_those_of_the_equations(cell, oracle) -> None:
    """Compared with central differences in float64, one argument after the other."""
    x = draw(2.0)[:, :50]
    step = 1e-6
    for at in range(5):
        moved = np.zeros((5, 1))
        moved[at] = step
        wide = x.astype(np.float64)
        expected = (oracle(*(wide + moved)) - oracle(*(wide - moved))) / (2.0 * step)
        tangents = np.zeros_like(x)
        tangents[at] = 1.0
        _, actual = jax.jvp(cell, tuple(x), tuple(tangents))
        stacked = np.asarray(jnp.stack(actual) if cell is lstm_cell else actual)
        np.testing.assert_allclose(stacked, expected, atol=2e-6)


@CELLS
def test_what_is_not_a_number_stays_so(cell, oracle) -> None:
    """The engine mutes such a block; a cell must not hide it, compiled into one loop or not."""
    for at in range(5):
        x = draw(1.0)[:, :1]
        x[at] = np.nan
        for played in (cell, jax.jit(cell)):
            out = played(*x)
            assert np.isnan(np.asarray(out[1] if cell is lstm_cell else out)).all()
