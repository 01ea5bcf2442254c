"""A run's state that cannot be gone on with says why."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nemod.common.errors import ConfigError
from trainer.learn.checkpoint import RunState, load, save

IDENTITY = {"recipe": {"hidden": 20, "arch": "gru"}, "data": "d" * 64}
NUMBERS = (np.zeros(3, np.float32), np.ones((2, 2), np.float32))


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "checkpoint.npz"
    save(path, IDENTITY, RunState(epoch=7, best=0.5, best_esr=0.25), NUMBERS)
    return path


def restate(path: Path, **parts: Any) -> None:
    """Write other parts of the state into a checkpoint."""
    with np.load(path) as stored:
        held = dict(stored)
    state = json.loads(str(held["state"])) | parts
    np.savez(path, **{**held, "state": np.array(json.dumps(state))})


def test_a_state_comes_back(saved: Path) -> None:
    """How far it is, and the numbers."""
    state, numbers = load(saved, IDENTITY, NUMBERS)
    assert state == RunState(epoch=7, best=0.5, best_esr=0.25)
    for expected, actual in zip(NUMBERS, numbers, strict=True):
        np.testing.assert_array_equal(actual, expected)


def test_another_run_is_told_by_what_differs(saved: Path) -> None:
    """Every part, as it was and as it is now."""
    other = {"recipe": {"hidden": 40, "arch": "lstm"}, "data": IDENTITY["data"]}
    with pytest.raises(ConfigError) as caught:
        load(saved, other, NUMBERS)
    said = "belongs to another run: recipe.hidden 20, not 40; recipe.arch 'gru', not 'lstm'"
    assert caught.value.problems == (said,)


@pytest.mark.parametrize("given", [{"epoch": 7, "mood": 3}, {"epoch": 7}])
def test_the_state_of_another_version_is_told_by_its_fields(
    saved: Path, given: dict[str, int]
) -> None:
    """Those that this version does not know, and those that it needs."""
    restate(saved, standing=given)
    with pytest.raises(ConfigError, match=r"another version of nemod-train .*best_epoch") as caught:
        load(saved, IDENTITY, NUMBERS)
    assert ("mood" in given) == ("mood" in str(caught.value))


def test_another_format_is_told(saved: Path) -> None:
    """By its number, and the one that is read here."""
    restate(saved, format=2)
    with pytest.raises(ConfigError, match=r"\(format 2, and 1 is read here\)"):
        load(saved, IDENTITY, NUMBERS)


def test_numbers_of_another_network_are_refused(saved: Path) -> None:
    """Although everything that is stated is the same."""
    with pytest.raises(ConfigError, match="not the shapes of this network"):
        load(saved, IDENTITY, (np.zeros(4, np.float32), NUMBERS[1]))
