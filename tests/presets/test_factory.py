"""The presets that ship with nemod."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
import structlog

from nemod.formats import load_model
from nemod.parameters.parameter_set import KnobSpec, ParameterSet
from nemod.presets import PresetStore, factory_folder
from nemod.presets.reader import parse
from nemod.presets.writer import to_text
from tests.conftest import ROOT

FILES = sorted(factory_folder().glob("*.yaml"))


def test_the_first_numbers_have_a_preset(tmp_path: Path) -> None:
    """So that a first program change changes the sound; their names differ."""
    entries = PresetStore(tmp_path).entries()
    assert [(entry.number, entry.is_factory) for entry in entries] == [(n, True) for n in range(6)]
    assert len({entry.name.casefold() for entry in entries}) == 6


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_factory_preset_is_whole(path: Path) -> None:
    """Its files ship and every knob of them is set, nothing is skipped, and it round-trips."""
    text = path.read_text(encoding="utf-8")
    with structlog.testing.capture_logs() as logs:
        preset = parse(text, "no name")
    assert logs == []
    knobs = {}
    for slot in preset.chain:
        folder, suffix = {"model": ("models", "json"), "cab": ("cabinets", "flac")}.get(
            slot.kind, ("", "")
        )
        if folder and slot.file:
            file = ROOT / folder / f"{slot.file}.{suffix}"
            assert slot.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
        if slot.kind == "model":
            assert slot.file
            knobs[slot.name] = [KnobSpec(knob.name) for knob in load_model(file).knobs]
    parameters = ParameterSet(preset.chain, knobs)
    of_models = {path for path in parameters if parameters.row(path).label in _names(knobs)}
    assert of_models <= set(preset.positions) <= set(parameters)
    assert to_text(preset) == text


def _names(knobs: Mapping[str, Sequence[KnobSpec]]) -> set[str]:
    """Return the labels of all knobs."""
    return {
        label
        for slot, specs in knobs.items()
        for spec in specs
        for label in (spec.name, f"{spec.name} ({slot})")
    }


def test_a_chain_ships() -> None:
    """A pedal into an amplifier into a cabinet, with delay and reverb."""
    kinds = [slot.kind for slot in PresetStore(None).get(5).chain]
    assert kinds == ["gate", "model", "model", "cab", "eq", "delay", "reverb"]
