"""Which cabinet plays next, with a builder and an audio process in memory."""

from pathlib import Path

from nemod.daemon.session_files import session_cabinet

from nemod.builder.messages import BuildFailure, BuildRequest, BuildResult
from nemod.control.backends import NO_CABINET, CabinetFile, Recall
from nemod.control.events import CabinetChanged
from nemod.control.jobs import Job
from nemod.daemon.quarantine import CRASHES
from tests.daemon.test_model_switcher import (
    ME,
    FakeBuilder,
    Setup,
    _no_threads,  # noqa: F401 - a fixture
    device,
    model,
    play,
)


def cab(name: str) -> CabinetFile:
    return CabinetFile(name, Path(f"/cabs/{name}.wav"))


def load(setup: Setup, *names: str) -> Job:
    """Load the first of these cabinets that plays; an empty name is none."""
    job = Job("cabinet", names[0], ME, setup.events)
    setup.switcher.load_cabinet([cab(name) if name else NO_CABINET for name in names], job)
    return job


def built(setup: Setup) -> list[tuple[str, str]]:
    """Return model and cabinet of every request to the builder."""
    requests = setup.builder.requests
    return [(Path(each.path).stem, Path(each.cabinet_path).stem) for each in requests]


class FaultyCabinets(FakeBuilder):
    """A builder that cannot read some cabinets."""

    is_cabinet_fault = True

    async def build(self, request: BuildRequest) -> BuildResult | BuildFailure:
        result = await super().build(request)
        name = Path(request.cabinet_path).stem
        if name not in self.broken or isinstance(result, BuildFailure):
            return result
        reason = f"{request.cabinet_path}: is silent"
        return BuildFailure(
            request_id=request.request_id,
            reason=reason,
            is_cabinet_fault=self.is_cabinet_fault,
        )


class Faults:
    """The cabinets that are marked."""

    def __init__(self) -> None:
        self.marked: dict[str, str] = {}

    def problem(self, name: str) -> str:
        return self.marked.get(name, "")

    def mark_unplayable(self, name: str, reason: str) -> None:
        self.marked[name] = reason


def with_faults(setup: Setup, *broken: str, first: CabinetFile = NO_CABINET) -> Faults:
    """Make the builder refuse these cabinets."""
    builder, faults = FaultyCabinets(broken=set(broken)), Faults()
    builder.gate.set()
    setup.builder = setup.switcher._rigs._builder = builder  # type: ignore[assignment]
    setup.switcher._cabinet_faults = faults
    setup.switcher._first_cabinet = first
    return faults


def test_a_cabinet_is_a_rig_of_the_same_model_and_is_switched_on_with_it() -> None:
    """In the same audio block; until then, the old rig plays with the switch as it was."""

    async def scenario(setup: Setup) -> None:
        setup.start("amp")
        await setup.settle()
        setup.heard.take()
        setup.builder.gate.clear()
        job = load(setup, "4x12")
        await setup.settle()
        assert setup.settings.get("cab/enable") == 0.0
        setup.builder.gate.set()
        await setup.settle()
        assert job.result == "4x12"
        assert built(setup) == [("amp", ""), ("amp", "4x12")]
        assert setup.builder.requests[-1].positions == {"cab/enable": 1.0}
        assert setup.settings.get("cab/enable") == 1.0
        assert (setup.switcher.model_name, setup.switcher.cabinet_name) == ("amp", "4x12")
        assert CabinetChanged("4x12", ME) in setup.heard.take()
        assert setup.changes() == []

    play(scenario)


def test_another_model_keeps_the_cabinet() -> None:
    """Until it is removed, which leaves the switch."""

    async def scenario(setup: Setup) -> None:
        setup.start("amp")
        load(setup, "4x12")
        await setup.settle()
        setup.load("other")
        await setup.settle()
        assert built(setup)[-1] == ("other", "4x12")
        job = load(setup, "")
        await setup.settle()
        assert job.result == ""
        assert built(setup)[-1] == ("other", "")
        assert setup.switcher.cabinet_name == ""
        assert setup.settings.get("cab/enable") == 1.0

    play(scenario)


def test_a_model_and_a_cabinet_that_are_requested_together_both_play() -> None:
    """In either order; the newest of each wins."""

    async def scenario(setup: Setup) -> None:
        setup.start("first")
        await setup.settle()
        setup.builder.gate.clear()
        jobs = [setup.load("amp"), load(setup, "1x12"), load(setup, "4x12")]
        await setup.settle()
        jobs.append(setup.load("other"))
        setup.builder.gate.set()
        await setup.settle()
        codes = [job.error.code if job.error else job.result for job in jobs]
        assert codes == ["busy", "busy", "4x12", "other"]
        assert (setup.switcher.model_name, setup.switcher.cabinet_name) == ("other", "4x12")

    play(scenario)


def test_a_preset_supersedes_both() -> None:
    """It states model and cabinet."""

    async def scenario(setup: Setup) -> None:
        setup.start("first")
        await setup.settle()
        setup.builder.gate.clear()
        jobs = [load(setup, "1x12")]
        await setup.settle()
        jobs.append(setup.load("amp"))
        preset = Job("model", "amp", ME, setup.events)
        recall = Recall({"bass": 0.1}, None, ME, cab("4x12"))
        setup.switcher.load([model("amp")], preset, recall)
        setup.builder.gate.set()
        await setup.settle()
        assert [job.error.code if job.error else None for job in jobs] == ["busy", "busy"]
        assert preset.result == "amp"
        assert setup.switcher.cabinet_name == "4x12"
        assert built(setup)[-1] == ("amp", "4x12")
        later = load(setup, "1x12")
        await setup.settle()
        assert later.result == "1x12"

    play(scenario)


def test_a_cabinet_that_cannot_be_read_leaves_the_old_sound() -> None:
    """The error says why, the file is marked, and a step passes it over."""

    async def scenario(setup: Setup) -> None:
        faults = with_faults(setup, "bad")
        setup.start("amp")
        load(setup, "1x12")
        await setup.settle()
        job = load(setup, "bad")
        await setup.settle(lambda: bool(faults.marked))
        assert job.error is not None
        assert (job.error.code, job.error.text) == ("io", "/cabs/bad.wav: is silent")
        assert setup.switcher.cabinet_name == "1x12"
        assert faults.marked == {"bad": "/cabs/bad.wav: is silent"}
        assert setup.marked == {}
        step = load(setup, "bad", "4x12")
        await setup.settle()
        assert step.result == "4x12"

    play(scenario)


def test_a_rig_that_fails_in_the_audio_process_leaves_the_old_cabinet() -> None:
    """As one whose output is not finite."""

    async def scenario(setup: Setup) -> None:
        setup.start("amp")
        await setup.settle()
        setup.audio.on_play = lambda rig: setup.switcher.rig_failed(rig.rig_id, "not finite")
        job = load(setup, "4x12")
        await setup.settle()
        assert job.error is not None
        assert setup.switcher.cabinet_name == ""
        assert setup.settings.get("cab/enable") == 0.0

    play(scenario)


def test_the_start_plays_without_a_cabinet_that_cannot_be_read() -> None:
    """And keeps it in the session, until somebody requests another, or none."""

    async def scenario(setup: Setup) -> None:
        saved = ("stick", "/cabs/stick.wav")
        with_faults(setup, "stick", first=cab("stick"))
        assert session_cabinet(setup.switcher, saved) == saved
        setup.start("amp")
        await setup.settle()
        assert built(setup) == [("amp", "stick"), ("amp", "")]
        assert (setup.switcher.model_name, setup.switcher.cabinet_name) == ("amp", "")
        assert session_cabinet(setup.switcher, saved) == saved
        load(setup, "4x12")
        await setup.settle()
        assert session_cabinet(setup.switcher, saved) == ("4x12", "/cabs/4x12.wav")
        load(setup, "")
        await setup.settle()
        assert session_cabinet(setup.switcher, saved) == ("", "")

    play(scenario)


def test_the_first_rig_has_the_cabinet_of_the_session_and_another_device_too() -> None:
    """A rig is built again for another rate with all that it has."""

    async def scenario(setup: Setup) -> None:
        with_faults(setup, first=cab("4x12"))
        setup.start("amp")
        await setup.settle()
        setup.audio.device = device(44_100)
        setup.switcher.device_opened(device(44_100))
        await setup.settle()
        assert built(setup) == [("amp", "4x12")] * 2
        assert setup.builder.requests[-1].rate_hz == 44_100

    play(scenario)


def test_a_rig_that_was_built_ahead_has_the_preset_s_cabinet() -> None:
    """So that a step between presets with cabinets is only a crossfade."""

    async def scenario(setup: Setup) -> None:
        setup.start("amp")
        await setup.settle()
        recall = Recall({"bass": 0.1}, None, ME, cab("4x12"))
        setup.switcher.build_ahead([(model("amp"), recall)])
        await setup.settle()
        assert built(setup) == [("amp", ""), ("amp", "4x12")]
        job = Job("model", "amp", ME, setup.events)
        setup.switcher.load([model("amp")], job, recall)
        await setup.settle()
        assert (job.result, setup.switcher.cabinet_name) == ("amp", "4x12")
        assert len(setup.builder.requests) == 2

    play(scenario)


def test_a_model_plays_without_the_cabinet_whose_file_is_gone() -> None:
    """It is marked, and the next start looks for it again."""

    async def scenario(setup: Setup) -> None:
        faults = with_faults(setup)
        setup.start("amp")
        load(setup, "4x12")
        await setup.settle()
        assert isinstance(setup.builder, FaultyCabinets)
        setup.builder.broken.add("4x12")
        setup.heard.take()
        job = setup.load("other")
        await setup.settle(lambda: bool(faults.marked))
        assert (job.result, setup.switcher.cabinet_name) == ("other", "")
        assert faults.marked == {"4x12": "/cabs/4x12.wav: is silent"}
        assert CabinetChanged("", ME) in setup.heard.take()
        assert session_cabinet(setup.switcher, ("", "")) == ("4x12", "/cabs/4x12.wav")
        setup.builder.broken.clear()
        load(setup, "4x12")
        await setup.settle(lambda: faults.marked["4x12"] == "")
        assert setup.switcher.cabinet_name == "4x12"

    play(scenario)


def test_the_start_tries_without_the_cabinet_whatever_has_failed() -> None:
    """As where there is no memory for it."""

    async def scenario(setup: Setup) -> None:
        with_faults(setup, "huge", first=cab("huge"))
        assert isinstance(setup.builder, FaultyCabinets)
        setup.builder.is_cabinet_fault = False
        setup.start("amp")
        await setup.settle()
        assert built(setup) == [("amp", "huge"), ("amp", "")]
        assert (setup.switcher.model_name, setup.switcher.cabinet_name) == ("amp", "")

    play(scenario)


def test_after_a_quarantine_the_clean_rig_has_no_cabinet() -> None:
    """Which may have been the cause."""

    async def scenario(setup: Setup) -> None:
        with_faults(setup, first=cab("4x12"))
        setup.start("amp")
        await setup.settle()
        for _ in range(CRASHES):
            setup.switcher.audio_process_lost("killed", rig_suspected=True)
        await setup.settle()
        assert built(setup) == [("amp", "4x12"), ("", "")]
        assert setup.switcher.is_clean
        assert session_cabinet(setup.switcher, ("4x12", "x")) == ("4x12", "x")

    play(scenario)
