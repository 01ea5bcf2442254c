"""Checkpoints: loading, and the reasons for rejecting one."""

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
    """Replace parts of the document in a checkpoint."""
    with np.load(path) as stored:
        held = dict(stored)
    state = json.loads(str(held["state"])) | parts
    np.savez(path, **{**held, "state": np.array(json.dumps(state))})


def test_a_checkpoint_restores_the_state(saved: Path) -> None:
    """Progress and arrays are those that were saved."""
    state, numbers = load(saved, IDENTITY, NUMBERS)
    assert state == RunState(epoch=7, best=0.5, best_esr=0.25)
    for expected, actual in zip(NUMBERS, numbers, strict=True):
        np.testing.assert_array_equal(actual, expected)


def test_a_checkpoint_of_another_run_is_rejected_with_its_differences(saved: Path) -> None:
    """Every difference, with both values."""
    other = {"recipe": {"hidden": 40, "arch": "lstm"}, "data": IDENTITY["data"]}
    with pytest.raises(ConfigError) as caught:
        load(saved, other, NUMBERS)
    difference = "belongs to another run: recipe.hidden 20, not 40; recipe.arch 'gru', not 'lstm'"
    assert caught.value.problems == (difference,)


@pytest.mark.parametrize("given", [{"epoch": 7, "mood": 3}, {"epoch": 7}])
def test_a_checkpoint_of_another_version_is_rejected_with_its_fields(
    saved: Path, given: dict[str, int]
) -> None:
    """Both unknown and missing fields are named."""
    restate(saved, standing=given)
    with pytest.raises(ConfigError, match=r"another version of nemod-train .*best_epoch") as caught:
        load(saved, IDENTITY, NUMBERS)
    assert ("mood" in given) == ("mood" in str(caught.value))


def test_another_format_is_rejected(saved: Path) -> None:
    """The message states both format numbers."""
    restate(saved, format=2)
    with pytest.raises(ConfigError, match=r"\(format 2, and 1 is read here\)"):
        load(saved, IDENTITY, NUMBERS)


def test_arrays_of_another_network_are_rejected(saved: Path) -> None:
    """Even if the identity is equal."""
    with pytest.raises(ConfigError, match="shapes of its arrays differ"):
        load(saved, IDENTITY, (np.zeros(4, np.float32), NUMBERS[1]))
