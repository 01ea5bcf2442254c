"""Presets for tests, and stores without the factory's."""

from collections.abc import Callable
from pathlib import Path

import pytest

from nemod.parameters.table import TABLE
from nemod.presets import Preset, PresetStore
from tests.chains import chain_of

SOUND = [row.path for row in TABLE if row.is_in_preset] + ["knob/3", "knob/64"]
"""All parameters of a preset; the model's first two knobs are `gain` and `level`."""
LEAD = Preset(
    name="Lead",
    chain=chain_of("muffcond-gru40", sha256="0123456789abcdef" * 4, size=0.1),
    positions={"gain": 0.7, "delay/time": 0.7708, "delay/sync": 1.0, "knob/3": 1 / 3},
    snapshots={0: {"gain": 0.1}, 7: {}},
)


@pytest.fixture
def store(tmp_path: Path) -> Callable[[], PresetStore]:
    """Return a function that makes a store of the folder `presets`, as a new process would."""
    return lambda: PresetStore(tmp_path / "presets", factory=tmp_path / "none")
