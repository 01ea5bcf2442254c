"""Presets and snapshots of the control core, with presets and models in memory."""

import asyncio
from collections.abc import Callable, Coroutine

import pytest

from nemod.chain import read_chain
from nemod.control.errors import Code, ControlError
from nemod.control.events import Changed, PresetChanged, PresetListChanged, Source
from nemod.control.jobs import Job
from nemod.presets.preset import Preset
from tests.chains import chain_of
from tests.osc.conftest import MemoryRig

ME = Source("test", "me")
LEAD = Preset(
    name="Lead",
    chain=chain_of("Amp Lead", size=0.5),
    positions={"gain": 0.9, "delay/mix": 0.25},
    snapshots={0: {"gain": 0.9}, 3: {"gain": 0.1, "reverb/mix": 1.0}},
)

CLEAN = Preset(name="Clean", chain=chain_of("Amp Clean"), positions={"gain": 0.2})


def in_loop(work: Callable[[], Coroutine[None, None, None]]) -> None:
    asyncio.run(work())


async def over(job: Job) -> Job:
    ended = asyncio.get_running_loop().create_future()
    job.when_over(lambda _: ended.set_result(None))
    await asyncio.wait_for(ended, 5.0)
    return job


def fill(rig: MemoryRig) -> None:
    rig.presets.kept = {2: LEAD, 7: CLEAN}


def test_a_preset_is_loaded_by_number_and_by_name(rig: MemoryRig) -> None:
    """Model, size and positions are those of the preset."""
    fill(rig)
    job = rig.controller.presets.load(2, ME)
    assert job.result == "Lead"
    assert (rig.model_name, rig.size) == ("Amp Lead", 0.5)
    assert rig.controller.position("gain") == 0.9
    assert rig.controller.presets.load("cLEAN", ME).result == "Clean"
    assert (rig.model_name, rig.size) == ("Amp Clean", None)
    assert (rig.controller.presets.number, rig.controller.presets.name) == (7, "Clean")


def test_what_a_preset_does_not_state_has_its_default(rig: MemoryRig) -> None:
    """The sound does not depend on what was set before."""
    fill(rig)
    rig.controller.set("bass", 1.0, ME)
    rig.controller.presets.load(2, ME)
    assert rig.controller.position("bass") == 0.5
    assert rig.controller.position("delay/mix") == 0.25


def test_trims_and_mute_belong_to_the_room(rig: MemoryRig) -> None:
    """A preset neither holds nor changes them."""
    fill(rig)
    for path in ("input", "output", "mute"):
        rig.controller.set(path, 1.0, ME)
    rig.controller.presets.load(2, ME)
    assert [rig.controller.position(path) for path in ("input", "output", "mute")] == [1.0] * 3
    assert not {"input", "output", "mute"} & set(rig.settings.sound())


def test_a_preset_of_the_current_model_is_one_commit(rig: MemoryRig) -> None:
    """Nothing is built, and no state between the old and the new sound is heard."""
    rig.presets.kept = {1: CLEAN}
    rig.controller.set("bass", 0.9, ME)
    rig.commits.clear()
    rig.is_slow = True
    rig.controller.presets.load(1, ME)
    assert not rig.loads
    assert [(commit["gain"], commit["bass"]) for commit in rig.commits] == [(0.2, 0.5)]


def test_positions_and_model_take_effect_together(rig: MemoryRig) -> None:
    """Until the model is there the old sound stays, knobs included."""
    fill(rig)
    rig.is_slow = True
    job = rig.controller.presets.load(2, ME)
    assert (rig.controller.position("gain"), job.is_over) == (0.5, False)
    rig.finish_load()
    assert (rig.controller.position("gain"), job.result) == (0.9, "Lead")


def test_changes_of_a_preset_have_it_as_their_source(rig: MemoryRig) -> None:
    """So the client that loaded it hears the new values, too."""
    fill(rig)
    with rig.controller.subscribe(ME) as events:
        rig.controller.presets.load(2, ME)
        taken = events.take()
    changed = {event.path: event for event in taken if isinstance(event, Changed)}
    assert changed["gain"].source == Source("preset", "Lead")
    assert PresetChanged(2, "Lead", False, ME) in taken


def test_a_missing_model_leaves_the_old_sound(rig: MemoryRig) -> None:
    """Reported as such, with the name of the model."""
    rig.presets.kept = {0: Preset(name="Gone", chain=chain_of("no such amp"))}

    async def work() -> None:
        job = await over(rig.controller.presets.load(0, ME))
        assert job.error is not None
        assert (job.error.code, "no such amp" in job.error.text) == (Code.NOT_FOUND, True)

    in_loop(work)
    assert (rig.model_name, rig.controller.presets.number) == ("Amp Clean", -1)


def test_a_renamed_model_is_found_by_its_hash(rig: MemoryRig) -> None:
    """The name of its file has changed, not its content."""
    rig.hashes = {"fuzz": "f00"}
    rig.presets.kept = {0: Preset(name="Old", chain=chain_of("muff", sha256="f00"))}

    async def work() -> None:
        assert (await over(rig.controller.presets.load(0, ME))).result == "Old"

    in_loop(work)
    assert rig.model_name == "fuzz"


def test_the_newest_request_wins(rig: MemoryRig) -> None:
    """The older one ends with an error."""
    fill(rig)
    rig.is_slow = True
    first = rig.controller.presets.load(2, ME)
    second = rig.controller.presets.load(7, ME)
    assert first.error is not None
    assert first.error.code is Code.BUSY
    rig.finish_load()
    assert second.result == "Clean"


def test_steps_go_around_and_count_from_the_last_request(rig: MemoryRig) -> None:
    """Two quick presses go two presets on; numbers need not be consecutive."""
    rig.presets.kept = {2: LEAD, 7: CLEAN, 9: Preset(name="Third")}
    presets = rig.controller.presets
    assert presets.step(1, ME).result == "Lead"
    assert presets.step(-1, ME).result == "Third"
    assert presets.step(1, ME).result == "Lead"
    rig.is_slow = True
    presets.step(1, ME)
    job = presets.step(1, ME)
    rig.finish_load()
    assert job.result == "Third"


def test_the_neighbours_are_built_ahead(rig: MemoryRig) -> None:
    """The next one first."""
    rig.presets.kept = {0: Preset(name="A", chain=chain_of("fuzz")), 2: LEAD, 7: CLEAN}
    rig.controller.presets.load(2, ME)
    assert rig.ahead == ["Amp Clean", "fuzz"]


@pytest.mark.parametrize("which", [5, "nothing", "../Lead", -1])
def test_a_preset_that_does_not_exist_is_not_found(rig: MemoryRig, which: str | int) -> None:
    """Names are names, not paths."""
    fill(rig)
    with pytest.raises(ControlError) as caught:
        rig.controller.presets.load(which, ME)
    assert caught.value.code is Code.NOT_FOUND


def test_dirty_once_something_of_the_sound_was_set(rig: MemoryRig) -> None:
    """Its own value, a trim, or the same model are no changes."""
    fill(rig)
    presets = rig.controller.presets
    presets.load(2, ME)
    rig.controller.set("gain", 0.9, ME)
    rig.controller.set("input", 0.1, ME)
    assert not presets.is_dirty
    with rig.controller.subscribe() as events:
        rig.controller.set("gain", 0.8, ME)
        assert PresetChanged(2, "Lead", True, ME) in events.take()
        rig.controller.set("gain", 0.7, ME)
        assert not [event for event in events.take() if isinstance(event, PresetChanged)]
    presets.load(2, ME)
    assert (presets.is_dirty, rig.controller.position("gain")) == (False, 0.9)
    rig.controller.load_model("fuzz", ME)
    assert presets.is_dirty


def test_save_and_load_bring_the_sound_back(rig: MemoryRig) -> None:
    """Every control of the sound, at random positions."""
    rig.hashes = {"Amp Clean": "abc"}
    rig.use_knobs("a", "b", "c")
    wanted = {
        path: rig.controller.set(path, (7 * place % 16) / 16, ME)
        for place, path in enumerate(rig.settings.sound())
    }

    async def work() -> None:
        job = await over(rig.controller.presets.save(ME, "Mine"))
        assert job.result == "Mine"

    in_loop(work)
    assert rig.presets.kept[0].chain == chain_of("Amp Clean", sha256="abc")
    for path in wanted:
        rig.controller.set(path, 0.3, ME)
    assert rig.controller.presets.is_dirty
    rig.controller.presets.load("Mine", ME)
    assert rig.settings.sound() == wanted
    assert "knob/3" in wanted


def test_where_a_preset_is_saved(rig: MemoryRig) -> None:
    """By number, by the name of another, by a new name, over itself."""
    fill(rig)
    presets = rig.controller.presets

    async def work() -> None:
        with rig.controller.subscribe() as events:
            await over(presets.save(ME))  # no preset is current
            assert rig.presets.kept[0].name == "Preset"
            assert PresetListChanged(3) in events.take()
        await over(presets.save(ME, 5))
        assert rig.presets.kept[5].name == "Preset 2"
        await over(presets.save(ME, "lead"))
        assert (rig.presets.kept[2].name, presets.number) == ("Lead", 2)
        await over(presets.save(ME, "New"))
        assert rig.presets.kept[1].name == "New"
        both = presets.save(ME, "One more"), presets.save(ME, "And another")
        for job in both:
            await over(job)
        assert {rig.presets.kept[3].name, rig.presets.kept[4].name} == {"One more", "And another"}
        rig.controller.set("gain", 1.0, ME)
        await over(presets.save(ME))
        assert rig.presets.kept[4].positions["gain"] == 1.0

    in_loop(work)


def test_what_changes_while_it_is_saved_leaves_it_dirty(rig: MemoryRig) -> None:
    """The file has the sound of the moment of the request."""

    async def work() -> None:
        job = rig.controller.presets.save(ME, "Mine")
        rig.controller.set("gain", 0.125, ME)
        await over(job)

    in_loop(work)
    assert rig.presets.kept[0].positions["gain"] == 0.5
    assert rig.controller.presets.is_dirty


def test_rename_and_delete(rig: MemoryRig) -> None:
    """The sound stays; a deleted preset is not current."""
    fill(rig)
    presets = rig.controller.presets
    presets.load(2, ME)

    async def work() -> None:
        await over(presets.rename("Solo", ME))
        assert (presets.name, rig.presets.kept[2].name) == ("Solo", "Solo")
        with pytest.raises(ControlError):
            presets.rename("clean", ME)
        await over(presets.delete(ME))

    in_loop(work)
    assert (presets.number, set(rig.presets.kept)) == (-1, {7})
    assert rig.model_name == "Amp Lead"


@pytest.mark.parametrize("name", ["", " ", "x" * 65, "a\nb", " a", "a\0"])
def test_names_that_no_preset_can_have(rig: MemoryRig, name: str) -> None:
    """Refused before anything is written."""
    with pytest.raises(ControlError) as caught:
        rig.controller.presets.save(ME, name)
    assert caught.value.code is Code.VALUE
    assert not rig.presets.kept


@pytest.mark.parametrize("number", [-1, 128])
def test_numbers_that_no_preset_can_have(rig: MemoryRig, number: int) -> None:
    """They are MIDI programs."""
    with pytest.raises(ControlError) as caught:
        rig.controller.presets.save(ME, number)
    assert caught.value.code is Code.NOT_FOUND


def test_a_full_list_is_a_limit(rig: MemoryRig) -> None:
    """Saving over one still works."""
    rig.presets.kept = {number: Preset(name=f"P{number}") for number in range(128)}
    with pytest.raises(ControlError) as caught:
        rig.controller.presets.save(ME, "One more")
    assert caught.value.code is Code.LIMIT


def test_a_disk_that_fails_is_reported_and_changes_nothing(rig: MemoryRig) -> None:
    """The preset that was current stays so."""
    fill(rig)
    rig.controller.presets.load(2, ME)
    rig.presets.error = OSError(28, "No space left on device", "/somewhere/002.yaml")

    async def work() -> None:
        rig.controller.set("gain", 0.1, ME)
        job = await over(rig.controller.presets.save(ME))
        assert job.error is not None
        assert job.error.code is Code.IO
        assert "No space left" in job.error.text

    in_loop(work)
    assert rig.presets.kept[2] is LEAD
    assert rig.controller.presets.is_dirty


def test_snapshots_are_positions_within_a_preset(rig: MemoryRig) -> None:
    """One commit each; they neither load a model nor make the preset dirty."""
    fill(rig)
    presets = rig.controller.presets
    presets.load(2, ME)
    rig.commits.clear()
    presets.load_snapshot(3, ME)
    assert [(commit["gain"], commit["reverb/mix"]) for commit in rig.commits] == [(0.1, 1.0)]
    assert (presets.is_dirty, rig.model_name) == (False, "Amp Lead")
    for number in (1, 8, -1):
        with pytest.raises(ControlError) as caught:
            presets.load_snapshot(number, ME)
        assert caught.value.code is Code.NOT_FOUND


def test_a_snapshot_is_saved_with_its_preset(rig: MemoryRig) -> None:
    """Until then the preset is dirty, and loading it again forgets the snapshot."""
    fill(rig)
    presets = rig.controller.presets
    presets.load(2, ME)
    rig.controller.set("mid", 0.75, ME)
    presets.snapshots.save(1, ME)
    assert presets.is_dirty

    async def work() -> None:
        await over(presets.save(ME))

    in_loop(work)
    assert rig.presets.kept[2].snapshots[1]["mid"] == 0.75
    assert rig.presets.kept[2].snapshots[3] == LEAD.snapshots[3]
    presets.snapshots.save(0, ME)
    presets.load(2, ME)
    presets.load_snapshot(0, ME)
    assert (rig.controller.position("mid"), rig.controller.position("gain")) == (0.5, 0.9)


def test_the_last_session_is_restored(rig: MemoryRig) -> None:
    """With what was changed since; a preset of another name is another preset."""
    fill(rig)
    presets = rig.controller.presets
    presets.restore(2, "Other", is_dirty=False, snapshots={})
    assert presets.number == -1
    presets.restore(2, "Lead", is_dirty=True, snapshots={5: {"gain": 0.5}})
    assert (presets.number, presets.is_dirty) == (2, True)
    presets.load_snapshot(5, ME)


def test_a_session_of_another_chain_leaves_only_snapshots_that_fit(rig: MemoryRig) -> None:
    """What the chain that plays does not have is left out; the chain can be changed after it."""
    fill(rig)
    presets = rig.controller.presets
    snapshots = {5: {"gain": 0.25, "delay2/mix": 0.7}, 6: {"delay2/mix": 0.7}}
    presets.restore(2, "Lead", is_dirty=False, snapshots=snapshots)
    assert presets.snapshots.all() == {5: {"gain": 0.25}, 6: {}}
    presets.load_snapshot(5, ME)
    assert rig.controller.position("gain") == 0.25
    presets.snapshots.follow_chain(read_chain(["model", "eq"]), {})
    assert presets.snapshots.all() == {5: {"gain": 0.25}, 6: {}}


def test_panic_mutes_and_tells_everybody(rig: MemoryRig) -> None:
    """The sound returns with mute off."""
    with rig.controller.subscribe() as events:
        rig.controller.panic(ME)
        assert Changed("mute", 1.0, ME) in events.take()
    assert rig.panics == 1
    assert rig.commits[-1]["mute"] == 1.0
