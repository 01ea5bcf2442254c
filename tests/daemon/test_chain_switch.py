"""Rigs of chains, with a builder and an audio process in memory."""

from dataclasses import replace

import pytest

from nemod.chain import Slot, edit, plain_chain
from nemod.control.backends import RigFiles, RigPlan, Scope
from nemod.control.events import CabinetChanged, ChainChanged, ModelChanged
from nemod.daemon.quarantine import CRASHES
from tests.chains import BOARD
from tests.daemon.test_model_switcher import (
    ME,
    Setup,
    _no_threads,  # noqa: F401 - a fixture
    cab,
    device,
    model,
    play,
)


def board() -> RigFiles:
    """Return a rig with two models, a cabinet, a split and two delays."""
    rig = RigFiles(chain=BOARD).with_file("pedal", model("fuzz")).with_file("model2", model("amp"))
    return rig.with_file("cab", cab("4x12"))


def whole(rig: RigFiles) -> RigPlan:
    """Return the plan to play a rig, all of whose files are asked for."""
    return RigPlan(subject="board", rig=rig, fills=frozenset(rig.slots), source=ME)


def files(setup: Setup) -> list[list[str]]:
    """Return the slots with files of every request to the builder."""
    return [sorted(request.files) for request in setup.builder.requests]


def add_pedal(rig: RigFiles) -> RigPlan:
    """Put a pedal in front of the first model."""
    chain, renamed = edit.add(rig.chain, Slot(name="pedal", kind="model"), "comp")
    changed = rig.in_chain(chain, renamed).with_file("pedal", model("fuzz"))
    fills = frozenset(("pedal",))
    return RigPlan(subject="pedal", rig=changed, fills=fills, renamed=renamed, source=ME)


def test_an_edit_is_a_rig_with_positions_that_stay_with_their_slots() -> None:
    """Those of the slot that is renamed, too, from the first sample on."""

    async def scenario(setup: Setup) -> None:
        setup.start("amp")
        await setup.settle()
        setup.settings.set("gain", 0.9, ME)
        setup.heard.take()
        job = setup.request([add_pedal], "pedal", Scope.EDIT, "", "chain")
        await setup.settle()
        assert job.result == "pedal"
        assert setup.builder.requests[-1].positions == {"model2/gain": 0.9}
        assert setup.settings.set_positions() == {"model2/gain": 0.9}
        events = setup.heard.take()
        assert ChainChanged(ME, {"model": "model2"}) in events
        assert ModelChanged("fuzz", ME, "pedal") in events
        assert setup.saved[0] == ""  # no slot of this name any more
        assert setup.switcher.wanted.rig.chain.files["model2"] == "amp"

    play(scenario)


def test_files_of_different_slots_and_edits_are_all_carried_out() -> None:
    """In their order; the newest for a slot wins."""

    async def scenario(setup: Setup) -> None:
        setup.start("amp")
        await setup.settle()
        setup.builder.gate.clear()
        jobs = [setup.load_cab("1x12")]
        await setup.settle()
        jobs.append(setup.load("other"))
        jobs.append(setup.request([add_pedal], "pedal", Scope.EDIT, "", "chain"))
        jobs.append(setup.load_cab("4x12"))
        setup.builder.gate.set()
        await setup.settle()
        codes = [job.error.code if job.error else job.result for job in jobs]
        assert codes == ["busy", "other", "pedal", "4x12"]
        rig = setup.switcher.rig
        assert rig is not None
        assert (rig.file("model2").name, rig.file("cab").name) == ("other", "4x12")

    play(scenario)


def test_a_chain_takes_the_place_of_everything_before_it() -> None:
    """And what comes after it is carried out in it, or is an error that names the slot."""

    async def scenario(setup: Setup) -> None:
        setup.start("amp")
        await setup.settle()
        setup.builder.gate.clear()
        jobs = [setup.load("one")]
        await setup.settle()
        jobs.append(setup.load_cab("1x12"))
        jobs.append(setup.request([lambda _rig: whole(board())], "x", Scope.CHAIN, "", "chain"))
        setup.builder.gate.set()
        await setup.settle()
        codes = [job.error.code if job.error else job.result for job in jobs]
        assert codes == ["busy", "busy", "board"]
        assert setup.switcher.rig == board()
        assert setup.settings.chain == BOARD.without_files
        assert plain_chain(setup.builder.requests[-1].chain) == plain_chain(BOARD.without_files)

    play(scenario)


def test_a_file_of_a_chain_that_cannot_be_played_leaves_the_old_sound() -> None:
    """It is marked, whichever slot it is for."""

    async def scenario(setup: Setup) -> None:
        setup.start("amp")
        await setup.settle()
        for broken in ("fuzz", "4x12"):
            setup.builder.broken = {broken}
            job = setup.request([lambda _rig: whole(board())], "x", Scope.CHAIN, "", "chain")
            await setup.settle(lambda broken=broken: broken in setup.marked)
            assert job.error is not None
            assert job.error.text == f"{broken}: not JSON"
            assert setup.model_name == "amp"
        assert set(setup.marked) == {"fuzz", "4x12"}

    play(scenario)


def test_the_start_leaves_slots_empty_whose_files_cannot_be_played() -> None:
    """Except for the first model, for which others are tried; the session keeps all of them."""

    async def scenario(setup: Setup) -> None:
        setup.builder.broken = {"amp", "4x12"}
        setup.switcher.start(lambda: [setup.switcher.wanted.rig.present])
        await setup.settle()
        first, second, third = files(setup)
        assert (first, third) == (["cab", "model2", "pedal"], ["pedal"])
        assert second in (["cab", "pedal"], ["model2", "pedal"])
        rig = setup.switcher.rig
        assert rig is not None
        assert (rig.file("pedal").name, rig.chain.files["model2"]) == ("fuzz", "")
        assert setup.switcher.wanted.rig == board()
        setup.builder.broken = set()
        setup.load("other", slot="pedal")
        await setup.settle()
        wanted = setup.switcher.wanted.rig.chain.files
        assert (wanted["pedal"], wanted["model2"], wanted["cab"]) == ("other", "amp", "4x12")

    play(scenario, wanted=board())


def test_a_model_of_another_slot_whose_file_is_gone_is_an_error() -> None:
    """A pedal that goes missing is not left out by stealth when the amplifier is changed."""

    async def scenario(setup: Setup) -> None:
        setup.switcher.start(lambda: [board()])
        await setup.settle()
        setup.builder.broken = {"amp"}
        job = setup.load("other", slot="pedal")
        await setup.settle()
        assert job.error is not None
        assert setup.switcher.rig == board()
        setup.builder.broken = {"4x12"}
        job = setup.load("other", slot="pedal")
        await setup.settle()
        assert job.result == "other"
        assert CabinetChanged("", ME, "cab") in setup.heard.take()

    play(scenario, wanted=board())


def test_a_chain_that_crashes_has_its_new_model_quarantined() -> None:
    """The rig before it plays, with its own chain and positions."""

    async def scenario(setup: Setup) -> None:
        setup.start("amp")
        await setup.settle()
        setup.settings.set("gain", 0.9, ME)
        setup.request([add_pedal], "pedal", Scope.EDIT, "", "chain")
        await setup.settle()
        for _ in range(CRASHES):
            setup.switcher.audio_process_lost("killed by signal 11", rig_suspected=True)
        await setup.settle()
        assert setup.switcher.quarantined == {"fuzz"}
        assert setup.model_name == "amp"
        assert setup.settings.chain == RigFiles().chain
        assert setup.settings.get("gain") == 0.9
        assert setup.settings.set_positions() == {"gain": 0.9}
        assert setup.saved[0] == "amp"

    play(scenario)


def test_what_was_moved_since_stays_where_a_crash_undoes_an_edit() -> None:
    """And a slot that the edit had removed has its positions again."""

    def without_delay(rig: RigFiles) -> RigPlan:
        plan = add_pedal(rig)
        chain, _ = edit.remove(plan.rig.chain, "delay")
        return replace(plan, rig=plan.rig.in_chain(chain, {}))

    async def scenario(setup: Setup) -> None:
        setup.start("amp")
        await setup.settle()
        for path, position in (("gain", 0.9), ("bass", 0.2), ("delay/mix", 0.6), ("input", 0.3)):
            setup.settings.set(path, position, ME)
        setup.request([without_delay], "pedal", Scope.EDIT, "", "chain")
        await setup.settle()
        for path, position in (("gain", 0.1), ("bass", 0.4), ("model2/gain", 0.8), ("input", 0.5)):
            setup.settings.set(path, position, ME)
        for _ in range(CRASHES):
            setup.switcher.audio_process_lost("killed by signal 11", rig_suspected=True)
        expected = {"gain": 0.8, "bass": 0.4, "delay/mix": 0.6, "input": 0.5}
        assert setup.settings.set_positions() == expected

    play(scenario)


def test_a_preset_that_crashes_leaves_the_sound_before_it() -> None:
    """All of its positions, in the same chain too; the trims belong to the room."""

    async def scenario(setup: Setup) -> None:
        setup.start("amp")
        await setup.settle()
        for path, position in (("gain", 0.9), ("bass", 0.2), ("input", 0.3)):
            setup.settings.set(path, position, ME)
        rig = RigFiles().with_file("model", model("other"))
        fills = frozenset(("model",))
        sound = {"bass": 0.7, "mid": 0.1}
        plan = RigPlan(subject="other", rig=rig, fills=fills, sound=sound, source=ME)
        setup.load_preset("other", plan)
        await setup.settle()
        setup.settings.set("input", 0.5, ME)
        for _ in range(CRASHES):
            setup.switcher.audio_process_lost("killed by signal 11", rig_suspected=True)
        assert setup.settings.set_positions() == {"gain": 0.9, "bass": 0.2, "input": 0.5}

    play(scenario)


def test_positions_of_a_chain_that_crashes_are_kept_for_the_next_start() -> None:
    """Those of slots that the substitute lacks as they were, all others as they are."""

    async def scenario(setup: Setup) -> None:
        setup.switcher.start(lambda: [board()])
        await setup.settle()
        for path, position in (("echo/mix", 0.6), ("bass", 0.2)):
            setup.settings.set(path, position, ME)
        for _ in range(2 * CRASHES):
            setup.switcher.audio_process_lost("killed by signal 11", rig_suspected=True)
            await setup.settle()
        assert setup.settings.chain == RigFiles().chain
        setup.settings.set("bass", 0.4, ME)
        wanted = setup.switcher.wanted
        assert wanted.rig.chain.without_files == BOARD.without_files
        assert wanted.positions(setup.settings) == {"echo/mix": 0.6, "bass": 0.4}
        setup.load("other")
        await setup.settle()
        assert wanted.positions(setup.settings) == {"bass": 0.4}

    play(scenario, wanted=board())


@pytest.mark.parametrize("is_broken", [False, True])
def test_a_rig_that_is_refused_during_an_edit_does_not_undo_it(is_broken: bool) -> None:
    """It is built again only where the edit fails."""

    async def scenario(setup: Setup) -> None:
        setup.start("amp")
        await setup.settle()
        assert setup.switcher.current is not None
        setup.builder.gate.clear()
        setup.builder.broken = {"fuzz"} if is_broken else set()
        job = setup.request([add_pedal], "pedal", Scope.EDIT, "", "chain")
        await setup.settle()
        setup.switcher.rig_failed(setup.switcher.current.rig_id, "not finite")
        setup.builder.gate.set()
        await setup.settle()
        assert (job.error is not None) == is_broken
        assert setup.switcher.rig is not None
        assert ("pedal" in setup.switcher.rig.chain) == (not is_broken)
        model_files = ["model"] if is_broken else []
        expected = [["model"], ["model2", "pedal"], model_files]
        assert files(setup) == [each for each in expected if each]

    play(scenario)


def test_an_empty_chain_that_crashes_gives_way_to_the_default_one() -> None:
    """Without files first, where it has any."""

    async def scenario(setup: Setup) -> None:
        setup.switcher.start(lambda: [board()])
        await setup.settle()
        for expected in (BOARD.without_files, RigFiles().chain):
            for _ in range(CRASHES):
                setup.switcher.audio_process_lost("killed by signal 11", rig_suspected=True)
            await setup.settle()
            rig = setup.switcher.rig
            assert rig is not None
            assert (rig.chain, dict(rig.paths)) == (expected, {})
        assert setup.settings.chain == RigFiles().chain
        setup.audio.device = device(96_000)
        setup.switcher.device_opened(setup.audio.device)
        await setup.settle()
        assert setup.builder.requests[-1].rate_hz == 96_000

    play(scenario, wanted=board())


@pytest.mark.parametrize("is_broken", [False, True])
@pytest.mark.parametrize("is_waiting", [False, True])
def test_a_crash_takes_no_preset_from_a_player(is_broken: bool, is_waiting: bool) -> None:
    """It plays, whether it is being built or waits then; the empty chain is for one that fails."""

    async def scenario(setup: Setup) -> None:
        setup.switcher.start(lambda: [board()])
        await setup.settle()
        setup.builder.gate.clear()
        setup.builder.broken = {"other", "fuzz"} if is_broken else set()
        if is_waiting:
            setup.load_cab("1x12")
            await setup.settle()
        rig = RigFiles().with_file("model", model("other"))
        fills = frozenset(("model",))
        plan = RigPlan(subject="other", rig=rig, fills=fills, sound={}, source=ME)
        job = setup.load_preset("other", plan)
        await setup.settle()
        for _ in range(CRASHES):
            setup.switcher.audio_process_lost("killed by signal 11", rig_suspected=True)
        setup.builder.gate.set()
        await setup.settle()
        assert (job.error is not None) == is_broken
        assert setup.switcher.rig == (board().without_files if is_broken else rig)

    play(scenario, wanted=board())


def test_a_cabinet_that_crashes_gives_way_to_the_one_before_it() -> None:
    """Its model, which played with that one, is not quarantined; unless it crashes there, too."""

    async def scenario(setup: Setup) -> None:
        setup.load("amp")
        await setup.settle()
        for name in ("1x12", "4x12"):
            setup.load_cab(name)
            await setup.settle()
        for _ in range(CRASHES):
            setup.switcher.audio_process_lost("killed by signal 11", rig_suspected=True)
        await setup.settle()
        assert (setup.model_name, setup.cabinet_name) == ("amp", "1x12")
        assert setup.switcher.quarantined == set()
        assert setup.saved[0::2] == ("amp", "1x12")
        for _ in range(CRASHES):
            setup.switcher.audio_process_lost("killed by signal 11", rig_suspected=True)
        await setup.settle()
        assert (setup.model_name, setup.switcher.quarantined) == ("clean", {"amp"})

    play(scenario)
