"""Cabinets of the control core: load, step, remove, and what presets keep of them."""

import asyncio

import pytest

from nemod.control.errors import Code, ControlError
from nemod.control.events import CabinetChanged, Changed, Source
from nemod.presets.preset import Preset
from tests.chains import chain_of
from tests.control.test_presets import in_loop, over
from tests.osc.conftest import MemoryRig

ME = Source("test", "me")
DARK = Preset(
    name="Dark",
    chain=chain_of("Amp Lead", cab="4x12", cab_sha256="ab" * 32),
    positions={"cab/enable": 1.0, "cab/level": 0.5},
)

BARE = Preset(name="Bare", chain=chain_of("Amp Lead"))


def test_a_cabinet_is_loaded_by_name_in_any_case_and_by_index(rig: MemoryRig) -> None:
    """It is switched on, and everybody is told."""
    cabinets = rig.controller.cabinets
    events = rig.controller.subscribe(kinds=(CabinetChanged, Changed))
    assert cabinets.load("2X12 OPEN", ME).result == "2x12 open"
    assert (cabinets.name, cabinets.index) == ("2x12 open", 1)
    assert rig.controller.position("cab/enable") == 1.0
    assert events.take() == [Changed("cab/enable", 1.0, ME), CabinetChanged("2x12 open", ME)]
    assert cabinets.load(2, ME).result == "4x12"
    assert cabinets.info() == {"name": "4x12"}


@pytest.mark.parametrize("none", ["", -1])
def test_no_cabinet_is_loaded_by_an_empty_name(rig: MemoryRig, none: str | int) -> None:
    """Or by -1, which is its index."""
    cabinets = rig.controller.cabinets
    assert (cabinets.name, cabinets.index, cabinets.info()) == ("", -1, {})
    cabinets.load("4x12", ME)
    assert cabinets.load(none, ME).result == ""
    assert (cabinets.name, cabinets.index) == ("", -1)


@pytest.mark.parametrize("given", ["5x12", 3, -2, "../4x12", "cabs/4x12", "/etc/x.wav"])
def test_what_is_not_in_the_library_is_an_error(rig: MemoryRig, given: str | int) -> None:
    """With the name that was probably meant; nothing changes."""
    with pytest.raises(ControlError) as caught:
        rig.controller.cabinets.load(given, ME)
    assert caught.value.code is Code.NOT_FOUND
    assert rig.controller.cabinets.name == ""
    if given == "5x12":
        assert "did you mean '4x12'" in caught.value.hint()


def test_steps_go_around_the_list_and_count_from_what_was_requested_last(rig: MemoryRig) -> None:
    """So two quick presses go two cabinets on."""
    cabinets = rig.controller.cabinets
    found = [cabinets.step(step, ME).result for step in (1, 1, 1, 1, -1)]
    assert found == ["1x12", "2x12 open", "4x12", "1x12", "4x12"]
    rig.is_slow = True
    cabinets.step(1, ME)
    assert (cabinets.name, cabinets.requested) == ("4x12", "1x12")
    job = cabinets.step(1, ME)
    rig.finish_cabinet_load()
    assert job.result == "2x12 open"


def test_steps_pass_over_what_is_known_not_to_play(rig: MemoryRig) -> None:
    """An empty library is an error."""
    rig.cabinets.unplayable = {"1x12": "is silent"}
    assert rig.controller.cabinets.step(1, ME).result == "2x12 open"
    assert rig.controller.cabinets.problems() == {"1x12": "is silent"}
    rig.cabinets.names = ()
    with pytest.raises(ControlError, match="the library has no cabinets"):
        rig.controller.cabinets.step(1, ME)


def test_a_preset_holds_the_cabinet_with_its_hash(rig: MemoryRig) -> None:
    """Saved, loaded, and removed by a preset without one."""

    async def scenario() -> None:
        presets = rig.controller.presets
        rig.cabinets.hashes = {"4x12": "ab" * 32}
        rig.controller.cabinets.load("4x12", ME)
        await over(presets.save(ME, "Mine"))
        (kept,) = rig.presets.kept.values()
        assert kept.chain["cab"] == DARK.chain["cab"]
        rig.presets.kept[5] = BARE
        await over(presets.load(5, ME))
        assert (rig.cabinet_name, rig.controller.position("cab/enable")) == ("", 0.0)
        await over(presets.load("Mine", ME))
        assert (rig.cabinet_name, rig.controller.position("cab/enable")) == ("4x12", 1.0)
        assert not presets.is_dirty

    in_loop(scenario)


def test_a_preset_finds_a_cabinet_that_was_renamed(rig: MemoryRig) -> None:
    """By the hash of its content, even where another file has its name."""

    async def scenario() -> None:
        rig.presets.kept = {1: DARK}
        rig.cabinets.hashes = {"4x12": "cd" * 32, "1x12": "ab" * 32}
        await over(rig.controller.presets.load(1, ME))
        assert rig.cabinet_name == "1x12"

    in_loop(scenario)


def test_a_preset_whose_cabinet_is_missing_is_an_error(rig: MemoryRig) -> None:
    """That names it; model, knobs and cabinet stay."""

    async def scenario() -> None:
        rig.presets.kept = {1: Preset(name="Bass", chain=chain_of("Amp Lead", cab="8x10"))}
        rig.controller.cabinets.load("1x12", ME)
        rig.controller.set("bass", 0.9, ME)
        job = rig.controller.presets.load(1, ME)
        assert job.error is not None
        assert job.error.code is Code.NOT_FOUND
        assert job.error.text == "slot 'cab': its cabinet '8x10' is not in the library"
        assert (rig.model_name, rig.cabinet_name) == ("Amp Clean", "1x12")
        assert rig.controller.position("bass") == 0.9

    in_loop(scenario)


def test_another_cabinet_makes_the_preset_dirty(rig: MemoryRig) -> None:
    """And so does switching on the one that it holds switched off."""

    async def scenario() -> None:
        presets = rig.controller.presets
        off = Preset(name="Off", chain=chain_of("Amp Lead", cab="4x12"))
        rig.presets.kept = {1: DARK, 2: off}
        rig.cabinets.hashes = {"4x12": "ab" * 32}
        for number, name in ((1, "1x12"), (1, ""), (2, "4x12")):
            await over(presets.load(number, ME))
            assert not presets.is_dirty
            rig.controller.cabinets.load(name, ME)
            assert presets.is_dirty

    in_loop(scenario)


def test_a_preset_of_the_rig_that_plays_is_loaded_at_once(rig: MemoryRig) -> None:
    """Unless another cabinet was requested."""

    async def scenario() -> None:
        rig.presets.kept = {1: DARK}
        rig.cabinets.hashes = {"4x12": "ab" * 32}
        presets = rig.controller.presets
        await over(presets.load(1, ME))
        rig.is_slow = True
        assert presets.load(1, ME).result == "Dark"
        rig.controller.cabinets.load("1x12", ME)
        job = presets.load(1, ME)
        assert not job.is_over
        while not rig.loads:
            await asyncio.sleep(0.001)
        rig.finish_load()
        assert job.result == "Dark"

    in_loop(scenario)


def test_a_rescan_lists_the_cabinets_again(rig: MemoryRig) -> None:
    """Beside the models."""
    calls: list[str] = []
    rig.cabinets.rescan = lambda: calls.append("cabinets")  # type: ignore[method-assign]

    async def scenario() -> None:
        await over(rig.controller.rescan(ME))

    in_loop(scenario)
    assert calls == ["cabinets"]
