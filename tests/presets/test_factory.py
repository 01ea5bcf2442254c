"""The presets that ship with nemod."""

import hashlib
from pathlib import Path

import pytest
import structlog

from nemod.formats import load_model
from nemod.parameters.table import TABLE
from nemod.presets import PresetStore, factory_folder
from nemod.presets.reader import parse
from nemod.presets.writer import to_text
from tests.conftest import ROOT

FILES = sorted(factory_folder().glob("*.yaml"))


def test_the_first_five_numbers_have_a_preset(tmp_path: Path) -> None:
    """So that a first program change changes the sound; their names differ."""
    entries = PresetStore(tmp_path).entries()
    assert [(entry.number, entry.is_factory) for entry in entries] == [(n, True) for n in range(5)]
    assert len({entry.name.casefold() for entry in entries}) == 5


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_factory_preset_is_whole(path: Path) -> None:
    """Its model ships and every knob of it is set, nothing is skipped, and it round-trips."""
    text = path.read_text(encoding="utf-8")
    with structlog.testing.capture_logs() as logs:
        preset = parse(text, "no name")
    assert logs == []
    model = ROOT / "models" / f"{preset.model.name}.json"
    assert preset.model.sha256 == hashlib.sha256(model.read_bytes()).hexdigest()
    paths = ("gain", "level", "knob/3")
    knobs = {path for path, _ in zip(paths, load_model(model).knobs, strict=False)}
    table = {row.path for row in TABLE if row.is_in_preset}
    assert knobs <= set(preset.positions) <= table | knobs
    assert to_text(preset) == text
