"""The sizes that a NAM file states: where they begin is where the reader plays another one."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nemod.formats import load_model
from nemod.formats.readers.nam_sizes import _steps

Write = Callable[[dict[str, Any]], Path]


def _linear(taps: int) -> dict[str, Any]:
    return {
        "version": "0.5.4",
        "architecture": "Linear",
        "config": {"receptive_field": taps, "bias": False},
        "weights": [1.0] * taps,
    }


def _container(*limits: float) -> dict[str, Any]:
    members = [{"max_value": limit, "model": _linear(at + 1)} for at, limit in enumerate(limits)]
    return {
        "version": "0.7.0",
        "architecture": "SlimmableContainer",
        "config": {"submodels": members},
        "weights": [],
    }


def _wavenet(allowed: list[int] | None) -> dict[str, Any]:
    channels = 4
    array: dict[str, Any] = {
        "input_size": 1,
        "condition_size": 1,
        "head_size": 1,
        "channels": channels,
        "kernel_size": 2,
        "dilations": [1],
        "activation": "Tanh",
        "gated": False,
        "head_bias": False,
    }
    if allowed is not None:
        slim = {"method": "slice_channels_uniform", "kwargs": {"allowed_channels": allowed}}
        array["slimmable"] = slim
    # Rechannel, convolution, its bias, mixing, pointwise with its bias, head, scale.
    count = 4 + 32 + 4 + 4 + 16 + 4 + 4 + 1
    return {
        "version": "0.6.0",
        "architecture": "WaveNet",
        "config": {"layers": [array], "head": None, "head_scale": 0.5},
        "weights": [0.1] * count,
    }


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (_linear(3), ()),
        (_container(1.0), ()),
        (_container(0.3, 1.0), (0.0, 0.3)),
        (_container(0.25, 0.6, 1.0), (0.0, 0.25, 0.6)),
        (_container(0.5, 2.0, 3.0), (0.0, 0.5)),
        (_wavenet(None), ()),
        (_wavenet([4]), ()),
        (_wavenet([1, 2, 4]), (0.0, 1 / 3, 2 / 3)),
    ],
)
def test_each_size_begins_where_it_is_stated(
    write: Write, document: dict[str, Any], expected: tuple[float, ...]
) -> None:
    """From there on another network is played, just below it still the one before."""
    path = write(document)
    full = load_model(path)
    assert full.size_starts == pytest.approx(expected)
    played = [load_model(path, size=size).network for size in full.size_starts]
    assert len(set(played)) == len(played)
    for before, size in zip(played, full.size_starts[1:], strict=False):
        assert load_model(path, size=math.nextafter(size, 0.0)).network == before


@pytest.mark.parametrize("count", [1, 2, 3, 7, 49, 98])
def test_rounding_does_not_move_a_size(count: int) -> None:
    """49 times the quotient 1/49 is less than 1."""
    assert [int(begin * count) for begin in _steps(count)] == list(range(count))
