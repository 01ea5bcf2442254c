"""Curves by name, compared with numpy in float64."""

from typing import Any

import numpy as np
import pytest

from nemod.formats.network import CURVES, Curve
from nemod.fx.nn.curves import apply

X = np.linspace(-5.0, 5.0, 84).reshape(4, 21).astype(np.float32)


def _hard_tanh(x: Any) -> Any:
    return np.clip(x, -1.0, 1.0)


def _sigmoid(x: Any) -> Any:
    return 1.0 / (1.0 + np.exp(-x))


def _leaky_hard_tanh(x: Any) -> Any:
    return np.where(x < -0.5, (x + 0.5) * 0.1 - 0.5, np.where(x > 2.0, (x - 2.0) * 0.2 + 2.0, x))


EXPECTED: dict[str, tuple[tuple[float, ...], Any]] = {
    "linear": ((), lambda x: x),
    "tanh": ((), np.tanh),
    "hard_tanh": ((), _hard_tanh),
    "leaky_hard_tanh": ((-0.5, 2.0, 0.1, 0.2), _leaky_hard_tanh),
    "relu": ((), lambda x: np.maximum(x, 0.0)),
    "leaky_relu": ((0.2,), lambda x: np.where(x > 0.0, x, 0.2 * x)),
    "elu": ((), lambda x: np.where(x > 0.0, x, np.exp(x) - 1.0)),
    "sigmoid": ((), _sigmoid),
    "silu": ((), lambda x: x * _sigmoid(x)),
    "hard_swish": ((), lambda x: x * np.clip(x + 3.0, 0.0, 6.0) / 6.0),
    "softsign": ((), lambda x: x / (1.0 + np.abs(x))),
    "softmax": ((), lambda x: np.exp(x) / np.exp(x).sum(axis=0)),
}


@pytest.mark.parametrize("kind", [kind for kind in CURVES if kind != "fast_tanh"])
def test_a_curve_is_its_formula(kind: str) -> None:
    """In both orders of axes."""
    values, formula = EXPECTED[kind]
    expected = formula(X.astype(np.float64))
    np.testing.assert_allclose(np.asarray(apply(Curve(kind, values), X)), expected, atol=1e-6)
    turned = np.asarray(apply(Curve(kind, values), X.T, channels_last=True)).T
    np.testing.assert_allclose(turned, expected, atol=1e-6)


def test_slopes_belong_to_channels() -> None:
    """One number per channel, on either axis."""
    curve = Curve("leaky_relu", (0.0, 0.1, 0.2, 0.3))
    expected = np.where(X > 0.0, X, np.array([[0.0], [0.1], [0.2], [0.3]]) * X)
    np.testing.assert_allclose(np.asarray(apply(curve, X)), expected, atol=1e-6)
    turned = np.asarray(apply(curve, X.T, channels_last=True)).T
    np.testing.assert_allclose(turned, expected, atol=1e-6)


def test_fast_tanh_stays_near_tanh() -> None:
    """The error of the approximation is below 0.01."""
    out = np.asarray(apply(Curve("fast_tanh"), X))
    assert np.abs(out - np.tanh(X)).max() < 0.01
