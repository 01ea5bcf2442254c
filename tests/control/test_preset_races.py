"""Presets while several things happen at once: nothing that was saved is lost or mixed up."""

import asyncio
import threading
from collections.abc import Callable, Coroutine

import pytest

from nemod.control.errors import Code, ControlError
from nemod.control.events import PresetChanged, Source
from nemod.control.jobs import Job
from nemod.presets.preset import Preset
from tests.chains import chain_of
from tests.osc.conftest import MemoryRig

ME = Source("test", "me")
LEAD = Preset(name="Lead", chain=chain_of("Amp Lead"), positions={"gain": 0.9})
CLEAN = Preset(name="Clean", chain=chain_of("Amp Clean"), positions={"gain": 0.2})


def in_loop(work: Callable[[], Coroutine[None, None, None]]) -> None:
    asyncio.run(work())


async def over(job: Job) -> Job:
    ended = asyncio.get_running_loop().create_future()
    job.when_over(lambda _: ended.set_result(None))
    await asyncio.wait_for(ended, 5.0)
    return job


@pytest.fixture(autouse=True)
def filled(rig: MemoryRig) -> None:
    """Presets 2 and 7."""
    rig.presets.kept = {2: LEAD, 7: CLEAN}


def test_a_preset_that_is_loaded_during_a_save_stays_the_current_one(rig: MemoryRig) -> None:
    """The next save must not write its sound over the other one."""
    presets = rig.controller.presets

    async def work() -> None:
        presets.load(2, ME)
        rig.controller.set("gain", 0.8, ME)
        saving = presets.save(ME)
        presets.load(7, ME)
        await over(saving)

    in_loop(work)
    assert (presets.number, presets.name, presets.is_dirty) == (7, "Clean", False)
    assert rig.presets.kept[2].positions["gain"] == 0.8


def test_a_load_that_fails_during_a_save_changes_nothing(rig: MemoryRig) -> None:
    """The saved preset is current and clean."""
    presets = rig.controller.presets
    rig.presets.kept[9] = Preset(name="Gone", chain=chain_of("no such amp"))

    async def work() -> None:
        presets.load(2, ME)
        rig.controller.set("gain", 0.8, ME)
        saving = presets.save(ME)
        assert presets.load(9, ME).error is not None
        await over(saving)

    in_loop(work)
    assert (presets.number, presets.is_dirty) == (2, False)


def test_a_save_right_after_a_rename_keeps_the_new_name(rig: MemoryRig) -> None:
    """Both reach the disk in their order."""
    presets = rig.controller.presets

    async def work() -> None:
        presets.load(2, ME)
        presets.rename("Solo", ME)
        await over(presets.save(ME))

    in_loop(work)
    assert (presets.name, rig.presets.kept[2].name) == ("Solo", "Solo")


def test_no_two_presets_get_one_name(rig: MemoryRig) -> None:
    """A name is taken as soon as its preset is to be written."""
    presets = rig.controller.presets

    async def work() -> None:
        saving = presets.save(ME, "Solo")
        presets.load(2, ME)
        with pytest.raises(ControlError) as caught:
            presets.rename("solo", ME)
        assert caught.value.code is Code.VALUE
        await over(saving)
        renaming = presets.rename("Other", ME)
        with pytest.raises(ControlError):
            presets.rename("other", ME, 7)
        await over(renaming)

    in_loop(work)


def test_a_model_that_is_requested_while_a_preset_looks_for_its_own_wins(rig: MemoryRig) -> None:
    """The preset's file has to be found by its hash, which takes a moment."""
    rig.hashes = {"fuzz": "f00"}
    rig.presets.kept[9] = Preset(name="Old", chain=chain_of("muff", sha256="f00"))

    async def work() -> None:
        loading = rig.controller.presets.load(9, ME)
        assert rig.controller.load_model("Amp Lead", ME).result == "Amp Lead"
        await over(loading)
        assert loading.error is not None
        assert loading.error.code is Code.BUSY

    in_loop(work)
    assert rig.model_name == "Amp Lead"


def test_one_search_runs_and_the_newest_request_waits(rig: MemoryRig) -> None:
    """A knob that is turned over a hundred presets reads no hundred files at once."""
    rig.hashes = {"fuzz": "f00"}
    for number in range(20, 30):
        old = chain_of("muff", sha256="f00")
        rig.presets.kept[number] = Preset(name=f"Old {number}", chain=old)
    may_go_on, searches = threading.Event(), []
    find = rig.find_by_hash

    def slow(sha256: str) -> str:
        searches.append(sha256)
        assert may_go_on.wait(5.0)
        return find(sha256)

    rig.find_by_hash = slow  # type: ignore[method-assign]

    async def work() -> None:
        jobs = [rig.controller.presets.load(number, ME) for number in range(20, 30)]
        assert [job.is_over for job in jobs] == [False, *[True] * 8, False]
        await asyncio.sleep(0.02)
        assert len(searches) == 1
        may_go_on.set()
        assert (await over(jobs[-1])).result == "Old 29"
        assert [job.error.code for job in jobs[:-1] if job.error] == [Code.BUSY] * 9

    in_loop(work)


def test_a_cabinet_that_is_requested_while_a_preset_looks_for_its_model_wins(
    rig: MemoryRig,
) -> None:
    """The older preset would take it away again."""
    rig.hashes = {"fuzz": "f00"}
    rig.presets.kept[9] = Preset(name="Old", chain=chain_of("muff", sha256="f00"))

    async def work() -> None:
        loading = rig.controller.presets.load(9, ME)
        name = rig.cabinets.names[0]
        rig.controller.cabinets.load(name, ME)
        await over(loading)
        assert loading.error is not None
        assert loading.error.code is Code.BUSY
        assert rig.cabinet_name == name

    in_loop(work)
    assert rig.model_name == "Amp Clean"


def test_the_file_with_the_hash_is_the_model_whatever_its_name(rig: MemoryRig) -> None:
    """Another file may have taken the name since."""
    rig.hashes = {"Amp Lead": "new", "fuzz": "f00"}
    rig.presets.kept[9] = Preset(name="Old", chain=chain_of("Amp Lead", sha256="f00"))

    async def work() -> None:
        await over(rig.controller.presets.load(9, ME))
        assert rig.model_name == "fuzz"
        assert not rig.controller.presets.is_dirty
        rig.hashes = {"Amp Lead": "new"}
        rig.model_name = "Amp Clean"
        await over(rig.controller.presets.load(9, ME))
        assert rig.model_name == "Amp Lead"  # the name is all that is left

    in_loop(work)


def test_the_last_session_does_not_replace_what_was_requested_since(rig: MemoryRig) -> None:
    """A preset may be loaded before the first model plays."""
    presets = rig.controller.presets
    presets.load(2, ME)
    presets.restore(7, "Clean", is_dirty=False, snapshots={})
    assert presets.number == 2


def test_a_restored_preset_without_its_model_is_dirty(rig: MemoryRig) -> None:
    """It must not be taken for the sound that was saved."""
    presets = rig.controller.presets
    presets.restore(2, "Lead", is_dirty=False, snapshots={})
    assert (presets.number, presets.is_dirty) == (2, True)


def test_a_model_of_the_name_clean_is_a_model(rig: MemoryRig) -> None:
    """The clean rig is the one without a file."""
    rig.names = (*rig.names, "clean")
    rig.hashes = {"clean": "c1"}
    presets = rig.controller.presets

    async def work() -> None:
        rig.controller.load_model("clean", ME)
        await over(presets.save(ME, "Mine"))

    in_loop(work)
    assert rig.presets.kept[0].chain == chain_of("clean", sha256="c1")


def test_every_snapshot_is_announced(rig: MemoryRig) -> None:
    """The session has to be written, also where the preset is dirty already."""
    presets = rig.controller.presets
    presets.load(2, ME)
    rig.controller.set("gain", 0.1, ME)
    with rig.controller.subscribe() as events:
        presets.snapshots.save(3, ME)
        assert PresetChanged(2, "Lead", True, ME) in events.take()


def test_a_snapshot_takes_effect_with_the_rest_of_its_message(rig: MemoryRig) -> None:
    """One commit for all."""
    presets = rig.controller.presets
    presets.load(2, ME)
    presets.snapshots.save(1, ME)
    rig.commits.clear()
    with rig.controller.one_commit():
        rig.controller.set("bass", 0.1, ME)
        presets.load_snapshot(1, ME)
        rig.controller.set("mid", 0.1, ME)
    assert [(commit["bass"], commit["mid"]) for commit in rig.commits] == [(0.5, 0.1)]


def test_a_rescan_follows_what_other_programs_did(rig: MemoryRig) -> None:
    """The current preset may have another name, or be gone."""
    presets = rig.controller.presets
    presets.load(2, ME)
    rig.presets.kept[2] = Preset(name="Renamed")
    presets.reread()
    assert (presets.number, presets.name) == (2, "Renamed")
    del rig.presets.kept[2]
    presets.reread()
    assert presets.number == -1
