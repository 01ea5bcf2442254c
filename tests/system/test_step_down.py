"""The quality under a load that the machine cannot bear: a real daemon, JACK, busy loops."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nemod.formats import load_model
from tests.benchmarks import step_down


def test_the_model_of_the_demonstration_has_its_sizes(tmp_path: Path) -> None:
    """Three, of which each has the channels that the file states."""
    path = tmp_path / "sizes.nam"
    step_down.write_model(path)
    sizes = load_model(path).size_starts
    assert sizes == pytest.approx((0.0, 1 / 3, 2 / 3))
    networks: list[Any] = [load_model(path, size=size).network for size in sizes]
    assert [network.arrays[0].channels for network in networks] == list(step_down.CHANNELS)


@pytest.mark.long
@pytest.mark.jack
@pytest.mark.skipif(os.geteuid() != 0, reason="busy loops need real-time priority")
def test_the_quality_is_reduced_under_load_and_restored() -> None:
    """The size first, and all of it again when the load is over; the log has each step."""
    looks, log = step_down.demonstrate(15.0)
    loaded = [look for look in looks if look.busy]
    assert not any(look.reduced for look in looks[: looks.index(loaded[0])])
    assert any(look.reduced.startswith("size") for look in loaded)
    assert looks[-1].reduced == ""
    last = [look.p99 for look in looks[-4:]]
    assert np.median(last) < np.median([look.p99 for look in loaded[:8]])
    assert any("quality changed because of the load" in line for line in log)
