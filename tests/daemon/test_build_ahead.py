"""Rigs that are built before they are requested, with a builder and an audio process in memory."""

from pathlib import Path

import pytest

from nemod.builder.messages import Reduction
from nemod.chain import read_chain
from nemod.control.backends import RigFiles, RigPlan, SlotFile
from nemod.control.jobs import Job
from tests.daemon.test_model_switcher import (
    ME,
    Setup,
    _no_threads,  # noqa: F401 - a fixture
    device,
    model,
    play,
)

SOUND = {"bass": 0.7, "gain": 0.4}


def preset(file: SlotFile, **changes: float) -> RigPlan:
    """Return a preset with this model."""
    return RigPlan(
        subject=file.name,
        rig=RigFiles().with_file("model", file),
        fills=frozenset(("model", "cab")),
        sound=SOUND | changes,
        source=ME,
    )


def want(setup: Setup, *names: str) -> None:
    setup.switcher.build_ahead([preset(model(name)) for name in names])


def load(setup: Setup, name: str, **changes: float) -> Job:
    """Load a model with the sound of its preset."""
    return setup.load_preset(name, preset(model(name), **changes))


def test_a_switch_to_a_model_that_was_built_ahead_asks_the_builder_nothing() -> None:
    """It is sent as a rig of its own, however often."""

    async def scenario(setup: Setup) -> None:
        setup.start("first")
        await setup.settle()
        want(setup, "next", "previous")
        await setup.settle()
        assert setup.built == ["first", "next", "previous"]
        assert [rig.rig for rig in setup.audio.prepared] == [b"next", b"previous"]
        for name in ("next", "previous", "next"):
            job = load(setup, name)
            await setup.settle()
            assert (job.result, setup.audio.played[-1].rig) == (name, name.encode())
        assert setup.built == ["first", "next", "previous"]
        ids = [rig.rig_id for rig in setup.audio.played]
        assert ids == sorted(set(ids))

    play(scenario)


def test_a_request_goes_before_what_has_not_begun() -> None:
    """Also one that arrives while something is being built ahead."""

    async def scenario(setup: Setup) -> None:
        setup.builder.gate.clear()
        want(setup, "a", "b")
        setup.load("first")
        await setup.settle()
        assert setup.built == ["first"]
        setup.builder.gate.set()
        await setup.settle()
        assert setup.built == ["first", "a", "b"]
        setup.builder.gate.clear()
        want(setup, "c", "d")
        await setup.settle()
        job = load(setup, "second")
        await setup.settle()
        setup.builder.gate.set()
        await setup.settle()
        assert job.result == "second"
        assert setup.built == ["first", "a", "b", "c", "second", "d"]

    play(scenario)


def test_a_request_for_what_is_being_built_ahead_waits_for_it() -> None:
    """It is not built twice."""

    async def scenario(setup: Setup) -> None:
        setup.start("first")
        await setup.settle()
        setup.builder.gate.clear()
        want(setup, "next")
        await setup.settle()
        job = load(setup, "next")
        await setup.settle()
        setup.builder.gate.set()
        await setup.settle()
        assert job.result == "next"
        assert setup.built == ["first", "next"]

    play(scenario)


def test_only_what_is_still_wanted_is_kept() -> None:
    """And the two rigs that played last: a step forth and back builds one rig, not two."""

    async def scenario(setup: Setup) -> None:
        setup.start("first")
        await setup.settle()
        want(setup, "a", "b")
        await setup.settle()
        load(setup, "c")
        await setup.settle()
        want(setup, "d")
        await setup.settle()
        load(setup, "d")
        await setup.settle()
        assert setup.built == ["first", "a", "b", "c", "d"]
        load(setup, "c")
        await setup.settle()
        assert setup.built == ["first", "a", "b", "c", "d"]
        load(setup, "a")
        await setup.settle()
        assert setup.built[5:] == ["a"]

    play(scenario)


def test_a_rig_with_another_sound_is_another_rig() -> None:
    """But not one with another mute or trim: every rig starts with its present controls."""

    async def scenario(setup: Setup) -> None:
        setup.start("first")
        await setup.settle()
        want(setup, "next")
        await setup.settle()
        setup.settings.set("mute", 1.0, ME)
        setup.settings.set("input", 0.6, ME)
        load(setup, "next")
        await setup.settle()
        assert setup.built == ["first", "next"]
        load(setup, "next", bass=0.2)
        await setup.settle()
        assert setup.built == ["first", "next", "next"]

    play(scenario)


def test_a_changed_file_is_built_again(tmp_path: Path) -> None:
    """By its size and modification time."""
    file = tmp_path / "next.json"
    file.write_text("one")

    async def scenario(setup: Setup) -> None:
        setup.start("first")
        await setup.settle()
        setup.switcher.build_ahead([preset(SlotFile("next", file))])
        await setup.settle()
        file.write_text("another")
        job = setup.load_preset("next", preset(SlotFile("next", file)))
        await setup.settle()
        assert job.result == "next"
        assert setup.built == ["first", "next", "next"]

    play(scenario)


def test_another_device_has_everything_built_again() -> None:
    """The current model first."""

    async def scenario(setup: Setup) -> None:
        setup.start("first")
        await setup.settle()
        want(setup, "next")
        await setup.settle()
        setup.audio.device = device(96_000)
        setup.switcher.device_opened(setup.audio.device)
        await setup.settle()
        assert setup.built == ["first", "next", "first", "next"]
        assert [request.rate_hz for request in setup.builder.requests[2:]] == [96_000, 96_000]

    play(scenario)


@pytest.mark.parametrize("is_file_fault", [True, False])
def test_a_model_that_cannot_be_built_ahead_is_tried_once(is_file_fault: bool) -> None:
    """It is marked where its file is the cause, and the others are built; a new list retries."""

    async def scenario(setup: Setup) -> None:
        setup.builder.broken, setup.builder.is_file_fault = {"bad"}, is_file_fault
        setup.start("first")
        await setup.settle()
        want(setup, "bad", "good")
        await setup.settle()
        await setup.settle(lambda: bool(setup.marked) or not is_file_fault)
        assert setup.built == ["first", "bad", "good"]
        assert setup.marked == ({"bad": "bad: not JSON"} if is_file_fault else {})
        want(setup, "bad", "good")
        await setup.settle()
        assert setup.built == ["first", "bad", "good", "bad"]

    play(scenario)


def test_a_rig_that_the_audio_process_refuses_is_not_kept() -> None:
    """The next request for it asks the builder."""

    async def scenario(setup: Setup) -> None:
        setup.start("first")
        await setup.settle()
        want(setup, "next")
        await setup.settle()
        taken = setup.audio.on_play
        setup.audio.on_play = lambda rig: setup.switcher.rig_failed(rig.rig_id, "damaged")
        load(setup, "next")
        await setup.settle()
        want(setup)
        setup.audio.on_play = taken
        await setup.settle()
        assert load(setup, "next").error is None
        await setup.settle()
        assert setup.model_name == "next"
        assert setup.built.count("next") >= 2

    play(scenario)


def test_a_failure_in_the_builder_does_not_end_the_switcher(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever it raises; requests are carried out as before."""

    async def scenario(setup: Setup) -> None:
        setup.start("first")
        await setup.settle()

        async def fail(_request: object) -> None:
            raise RuntimeError("boom")

        with monkeypatch.context() as patch:
            patch.setattr(setup.builder, "build", fail)
            want(setup, "next")
            await setup.settle()
        job = load(setup, "other")
        await setup.settle()
        assert job.result == "other"

    play(scenario)


@pytest.mark.parametrize(
    ("slots", "reduction", "count"),
    [
        (["model", "eq"], Reduction(is_reverb_cheap=True), 1),
        (["model", "eq", "reverb"], Reduction(is_reverb_cheap=True), 2),
        ([{"model": {"size": 0.25}}, "eq"], Reduction(0.5, is_reverb_cheap=True), 1),
        ([{"model": {"size": 0.75}}, "eq"], Reduction(0.5), 2),
    ],
)
def test_a_reduction_that_changes_nothing_builds_nothing(
    slots: list[object], reduction: Reduction, count: int
) -> None:
    """A reverb is cheap where there is one, and a model smaller where it was larger."""

    async def scenario(setup: Setup) -> None:
        setup.load("first")
        await setup.settle()
        setup.switcher.reduce(reduction)
        await setup.settle()
        assert setup.built == ["first"] * count
        current = setup.switcher.current
        assert current is not None
        assert current.reduction == reduction

    play(scenario, wanted=RigFiles(chain=read_chain(slots)))
