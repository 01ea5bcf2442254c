"""Which cabinet plays next, with a builder and an audio process in memory."""

from pathlib import Path

from nemod.control.backends import RigFiles, RigPlan
from nemod.control.events import CabinetChanged
from nemod.daemon.quarantine import CRASHES
from tests.daemon.test_model_switcher import (
    ME,
    Setup,
    _no_threads,  # noqa: F401 - a fixture
    cab,
    device,
    model,
    play,
)


def built(setup: Setup) -> list[tuple[str, str]]:
    """Return model and cabinet of every request to the builder."""
    files = [request.files for request in setup.builder.requests]
    return [(Path(f.get("model", "")).stem, Path(f.get("cab", "")).stem) for f in files]


def with_cab(name: str) -> RigFiles:
    """Return a rig with a cabinet alone."""
    return RigFiles().with_file("cab", cab(name))


def preset(name: str, cabinet: str) -> RigPlan:
    """Return a preset with a model and a cabinet."""
    rig = with_cab(cabinet).with_file("model", model(name))
    fills = frozenset(("model", "cab"))
    return RigPlan(subject=name, rig=rig, fills=fills, sound={"bass": 0.1}, source=ME)


def test_a_cabinet_is_a_rig_of_the_same_model_and_is_switched_on_with_it() -> None:
    """In the same audio block; until then, the old rig plays with the switch as it was."""

    async def scenario(setup: Setup) -> None:
        setup.start("amp")
        await setup.settle()
        setup.heard.take()
        setup.builder.gate.clear()
        job = setup.load_cab("4x12")
        await setup.settle()
        assert setup.settings.get("cab/enable") == 0.0
        setup.builder.gate.set()
        await setup.settle()
        assert job.result == "4x12"
        assert built(setup) == [("amp", ""), ("amp", "4x12")]
        assert setup.builder.requests[-1].positions == {"cab/enable": 1.0}
        assert setup.settings.get("cab/enable") == 1.0
        assert (setup.model_name, setup.cabinet_name) == ("amp", "4x12")
        assert CabinetChanged("4x12", ME) in setup.heard.take()
        assert setup.changes() == []

    play(scenario)


def test_another_model_keeps_the_cabinet() -> None:
    """Until it is removed, which leaves the switch."""

    async def scenario(setup: Setup) -> None:
        setup.start("amp")
        setup.load_cab("4x12")
        await setup.settle()
        setup.load("other")
        await setup.settle()
        assert built(setup)[-1] == ("other", "4x12")
        job = setup.load_cab("")
        await setup.settle()
        assert job.result == ""
        assert built(setup)[-1] == ("other", "")
        assert setup.cabinet_name == ""
        assert setup.settings.get("cab/enable") == 1.0

    play(scenario)


def test_a_model_and_a_cabinet_that_are_requested_together_both_play() -> None:
    """In either order; the newest of each wins."""

    async def scenario(setup: Setup) -> None:
        setup.start("first")
        await setup.settle()
        setup.builder.gate.clear()
        jobs = [setup.load("amp"), setup.load_cab("1x12"), setup.load_cab("4x12")]
        await setup.settle()
        jobs.append(setup.load("other"))
        setup.builder.gate.set()
        await setup.settle()
        codes = [job.error.code if job.error else job.result for job in jobs]
        assert codes == ["busy", "busy", "4x12", "other"]
        assert (setup.model_name, setup.cabinet_name) == ("other", "4x12")

    play(scenario)


def test_a_preset_supersedes_both() -> None:
    """It states model and cabinet."""

    async def scenario(setup: Setup) -> None:
        setup.start("first")
        await setup.settle()
        setup.builder.gate.clear()
        jobs = [setup.load_cab("1x12")]
        await setup.settle()
        jobs.append(setup.load("amp"))
        loaded = setup.load_preset("amp", preset("amp", "4x12"))
        setup.builder.gate.set()
        await setup.settle()
        assert [job.error.code if job.error else None for job in jobs] == ["busy", "busy"]
        assert loaded.result == "amp"
        assert setup.cabinet_name == "4x12"
        assert built(setup)[-1] == ("amp", "4x12")
        later = setup.load_cab("1x12")
        await setup.settle()
        assert later.result == "1x12"

    play(scenario)


def test_a_cabinet_that_cannot_be_read_leaves_the_old_sound() -> None:
    """The error says why, the file is marked, and a step passes it over."""

    async def scenario(setup: Setup) -> None:
        setup.builder.broken = {"bad"}
        setup.start("amp")
        setup.load_cab("1x12")
        await setup.settle()
        job = setup.load_cab("bad")
        await setup.settle(lambda: bool(setup.marked))
        assert job.error is not None
        assert (job.error.code, job.error.text) == ("io", "bad: not JSON")
        assert setup.cabinet_name == "1x12"
        assert setup.marked == {"bad": "bad: not JSON"}
        step = setup.load_cab("bad", "4x12")
        await setup.settle()
        assert step.result == "4x12"

    play(scenario)


def test_a_rig_that_fails_in_the_audio_process_leaves_the_old_cabinet() -> None:
    """As one whose output is not finite."""

    async def scenario(setup: Setup) -> None:
        setup.start("amp")
        await setup.settle()
        setup.audio.on_play = lambda rig: setup.switcher.rig_failed(rig.rig_id, "not finite")
        job = setup.load_cab("4x12")
        await setup.settle()
        assert job.error is not None
        assert setup.cabinet_name == ""
        assert setup.settings.get("cab/enable") == 0.0

    play(scenario)


def test_the_start_plays_without_a_cabinet_that_cannot_be_read() -> None:
    """And keeps it in the session, until somebody requests another, or none."""

    async def scenario(setup: Setup) -> None:
        setup.builder.broken = {"stick"}
        saved = ("stick", "/cabs/stick.wav")
        assert setup.saved[2:] == saved
        setup.start("amp")
        await setup.settle()
        assert built(setup) == [("amp", "stick"), ("amp", "")]
        assert (setup.model_name, setup.cabinet_name) == ("amp", "")
        assert setup.saved[2:] == saved
        setup.load_cab("4x12")
        await setup.settle()
        assert setup.saved[2:] == ("4x12", "/cabs/4x12.wav")
        setup.load_cab("")
        await setup.settle()
        assert setup.saved[2:] == ("", "")

    play(scenario, wanted=with_cab("stick"))


def test_the_first_rig_has_the_cabinet_of_the_session_and_another_device_too() -> None:
    """A rig is built again for another rate with all that it has."""

    async def scenario(setup: Setup) -> None:
        setup.start("amp")
        await setup.settle()
        setup.audio.device = device(44_100)
        setup.switcher.device_opened(device(44_100))
        await setup.settle()
        assert built(setup) == [("amp", "4x12")] * 2
        assert setup.builder.requests[-1].rate_hz == 44_100

    play(scenario, wanted=with_cab("4x12"))


def test_a_rig_that_was_built_ahead_has_the_preset_s_cabinet() -> None:
    """So that a step between presets with cabinets is only a crossfade."""

    async def scenario(setup: Setup) -> None:
        setup.start("amp")
        await setup.settle()
        setup.switcher.build_ahead([preset("amp", "4x12")])
        await setup.settle()
        assert built(setup) == [("amp", ""), ("amp", "4x12")]
        job = setup.load_preset("amp", preset("amp", "4x12"))
        await setup.settle()
        assert (job.result, setup.cabinet_name) == ("amp", "4x12")
        assert len(setup.builder.requests) == 2

    play(scenario)


def test_a_model_plays_without_the_cabinet_whose_file_is_gone() -> None:
    """It is marked, and the next start looks for it again."""

    async def scenario(setup: Setup) -> None:
        setup.start("amp")
        setup.load_cab("4x12")
        await setup.settle()
        setup.builder.broken.add("4x12")
        setup.heard.take()
        job = setup.load("other")
        await setup.settle(lambda: bool(setup.marked))
        assert (job.result, setup.cabinet_name) == ("other", "")
        assert setup.marked == {"4x12": "4x12: not JSON"}
        assert CabinetChanged("", ME) in setup.heard.take()
        assert setup.saved[2:] == ("4x12", "/cabs/4x12.wav")
        setup.builder.broken.clear()
        setup.load_cab("4x12")
        await setup.settle(lambda: setup.marked["4x12"] == "")
        assert setup.cabinet_name == "4x12"

    play(scenario)


def test_the_start_tries_without_the_cabinet_whatever_has_failed() -> None:
    """As where there is no memory for it."""

    async def scenario(setup: Setup) -> None:
        setup.builder.broken, setup.builder.is_file_fault = {"huge"}, False
        setup.start("amp")
        await setup.settle()
        assert built(setup) == [("amp", "huge"), ("amp", "")]
        assert (setup.model_name, setup.cabinet_name) == ("amp", "")

    play(scenario, wanted=with_cab("huge"))


def test_after_a_quarantine_the_clean_rig_has_no_cabinet() -> None:
    """Which may have been the cause."""

    async def scenario(setup: Setup) -> None:
        setup.start("amp")
        await setup.settle()
        for _ in range(CRASHES):
            setup.switcher.audio_process_lost("killed", rig_suspected=True)
        await setup.settle()
        assert built(setup) == [("amp", "4x12"), ("", "")]
        assert setup.model_name == "clean"
        assert setup.saved == ("", "", "4x12", "/cabs/4x12.wav")

    play(scenario, wanted=with_cab("4x12"))
