"""Which model plays next, with a builder and an audio process in memory."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from nemod.builder.messages import (
    FULL_QUALITY,
    BuildFailure,
    BuildRequest,
    BuildResult,
    Reduction,
)
from nemod.common.errors import NemodError
from nemod.config import Config
from nemod.control.backends import (
    CLEAN,
    NO_FILE,
    RigChange,
    RigFiles,
    RigPlan,
    Scope,
    SlotFile,
)
from nemod.control.events import Changed, Event, EventStream, ModelChanged, Source
from nemod.control.jobs import Job
from nemod.control.settings import Settings
from nemod.daemon import build_ahead, handover
from nemod.daemon.model_switcher import ModelSwitcher
from nemod.daemon.quarantine import CRASHES
from nemod.daemon.wanted_rig import WantedRig
from nemod.engine.ipc import DeviceOpened, PlayRig, PrepareRig
from nemod.parameters.parameter_set import KnobSpec
from tests.chains import chain_of

ME = Source("test")
SMALL = Reduction(0.5, is_reverb_cheap=True)


def device(rate_hz: int = 48_000) -> DeviceOpened:
    return DeviceOpened(device="card", rate_hz=rate_hz, block_frames=64, latency_s=0.0, notices=())


def model(name: str) -> SlotFile:
    return SlotFile(name, Path(f"/models/{name}.json"))


def cab(name: str) -> SlotFile:
    return SlotFile(name, Path(f"/cabs/{name}.wav")) if name else NO_FILE


def fill(slot: str, file: SlotFile, **switched: float) -> RigChange:
    """Return the change to another file in a slot."""

    def change(rig: RigFiles) -> RigPlan:
        return RigPlan(
            subject=file.name,
            rig=rig.with_file(slot, file),
            fills=frozenset((slot,)),
            switched=switched,
            source=ME,
        )

    return change


@pytest.fixture(autouse=True)
def _no_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at the models' files at once, not on a thread."""

    def at_once(work: Callable[[], Any]) -> "asyncio.Future[Any]":
        future = asyncio.get_running_loop().create_future()
        future.set_result(work())
        return future

    monkeypatch.setattr(build_ahead, "in_background", at_once)


@dataclass
class FakeBuilder:
    """Builds at once, or when the test says so."""

    broken: set[str] = field(default_factory=set)
    knobs: dict[str, tuple[KnobSpec, ...]] = field(default_factory=dict)
    requests: list[BuildRequest] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    is_file_fault: bool = True

    async def build(self, request: BuildRequest) -> BuildResult | BuildFailure:
        self.requests.append(request)
        await self.gate.wait()
        for slot, path in request.files.items():
            if (name := Path(path).stem) in self.broken:
                return BuildFailure(
                    request_id=request.request_id,
                    reason=f"{name}: not JSON",
                    slot=slot if self.is_file_fault else "",
                )
        names = {slot: Path(path).stem for slot, path in request.files.items()}
        first = request.chain.first("model")
        name = names.get(first.name, "") if first is not None else ""
        knobs = self.knobs.get(name, ())
        return BuildResult(
            request_id=request.request_id,
            rig=name.encode(),
            layout=tuple(f"knob/{number + 1}" for number in range(len(knobs))) or ("bass",),
            latency_frames=0,
            knobs={first.name: knobs} if first is not None and name else {},
            infos={slot: {"name": name} for slot, name in names.items()},
            cached=True,
            reduction=request.reduction,
        )


@dataclass
class FakeAudio:
    """An audio process that plays what it is sent, unless the test says otherwise."""

    device: DeviceOpened | None = field(default_factory=device)
    is_playing: bool = True
    played: list[PlayRig] = field(default_factory=list)
    settings: dict[int, NDArray[np.float32]] = field(default_factory=dict)
    on_play: Callable[[PlayRig], None] = lambda rig: None
    panics: int = 0
    prepared: list[PrepareRig] = field(default_factory=list)

    async def play(self, rig: PlayRig) -> None:
        self.played.append(rig)
        self.on_play(rig)

    def send_settings(self, rig_id: int, controls: NDArray[np.float32]) -> None:
        self.settings[rig_id] = controls

    async def prepare(self, rig: PrepareRig) -> None:
        self.prepared.append(rig)

    def panic(self) -> None:
        self.panics += 1

    async def wait_for_device(self) -> None:
        return


class Setup:
    """A switcher with its fakes, running."""

    def __init__(self, config: Config | None = None, wanted: RigFiles | None = None) -> None:
        self.builder, self.audio = FakeBuilder(), FakeAudio()
        self.builder.gate.set()
        self.marked: dict[str, str] = {}
        self.events = EventStream()
        self.heard = self.events.subscribe()
        wanted = wanted or RigFiles()
        self.settings = Settings(events=self.events, chain=wanted.chain)
        self.switcher = ModelSwitcher(
            config or Config(),
            self.settings,
            self.events,
            builder=self.builder,
            audio=lambda: self.audio,
            faults={"model": self, "cab": self},
            wanted=WantedRig(wanted),
        )
        self.audio.on_play = lambda rig: self.switcher.rig_heard(rig.rig_id)

    def problem(self, name: str) -> str:
        return self.marked.get(name, "")

    def mark_unplayable(self, name: str, reason: str) -> None:
        self.marked[name] = reason

    def load(self, *names: str, slot: str = "model") -> Job:
        """Load the first of these models that plays."""
        changes = [fill(slot, model(name)) for name in names]
        chain = self.settings.chain
        scope = Scope.MAIN if chain.is_first(slot) else Scope.SLOT
        return self.request(changes, names[0], scope, slot, "model")

    def load_cab(self, *names: str, slot: str = "cab") -> Job:
        """Load the first of these cabinets that plays; an empty name is none."""
        changes = [fill(slot, cab(name), **({"cab/enable": 1.0} if name else {})) for name in names]
        return self.request(changes, names[0], Scope.SLOT, slot, "cabinet")

    def load_preset(self, name: str, plan: RigPlan) -> Job:
        return self.request([lambda _rig: plan], name, Scope.PRESET, "", "model")

    def request(
        self, changes: Iterable[RigChange], subject: str, scope: Scope, slot: str, noun: str
    ) -> Job:
        job = Job(noun, subject, ME, self.events)
        self.switcher.load(changes, job, scope=scope, slot=slot, noun=noun)
        return job

    def start(self, *names: str) -> None:
        """Start with the first of these models that plays, in the chain that is wanted."""
        rig = self.switcher.wanted.rig.present
        self.switcher.start(lambda: [rig.with_file("model", model(name)) for name in names])

    @property
    def model_name(self) -> str:
        rig = self.switcher.rig
        return (rig.first("model").name or CLEAN) if rig is not None else ""

    @property
    def cabinet_name(self) -> str:
        rig = self.switcher.rig
        return rig.first("cab").name if rig is not None else ""

    @property
    def saved(self) -> tuple[str, str, str, str]:
        """Model and its path, cabinet and its path, that the next start is to load."""
        wanted = self.switcher.wanted
        names, paths = wanted.rig.chain.files, wanted.paths()
        return (
            names.get("model", ""),
            paths.get("model", ""),
            names.get("cab", ""),
            paths.get("cab", ""),
        )

    async def settle(self, until: Callable[[], bool] | None = None) -> None:
        """Let everything happen that can; `until`: what other threads have to do."""
        for _ in range(200):
            await asyncio.sleep(0)
        while until is not None and not until():
            await asyncio.sleep(0.001)

    def changes(self) -> list[Event]:
        return [event for event in self.heard.take() if isinstance(event, ModelChanged)]

    @property
    def built(self) -> list[str]:
        return [Path(each.files.get("model", "")).stem for each in self.builder.requests]


def play(scenario: Callable[[Setup], Coroutine[Any, Any, None]], **options: Any) -> None:
    """Run a scenario beside a running switcher."""

    async def run() -> None:
        setup = Setup(**options)
        running = asyncio.create_task(setup.switcher.run())
        try:
            await scenario(setup)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    asyncio.run(run())


# --- the first model ---------------------------------------------------------------------------


def test_the_first_model_is_the_first_that_plays() -> None:
    """A file that cannot be read is marked, and the next one is tried."""

    async def scenario(setup: Setup) -> None:
        setup.builder.broken = {"aaa", "bbb"}
        setup.start("aaa", "bbb", "good", "other")
        await setup.settle()
        await setup.settle(lambda: len(setup.marked) == 2)
        assert setup.model_name == "good"
        assert setup.built == ["aaa", "bbb", "good"]
        assert set(setup.marked) == {"aaa", "bbb"}
        assert setup.switcher.first_model.done()

    play(scenario)


def test_without_any_model_that_plays_the_start_fails() -> None:
    """With the first reason."""

    async def scenario(setup: Setup) -> None:
        setup.builder.broken = {"aaa", "bbb"}
        setup.start("aaa", "bbb")
        await setup.settle()
        with pytest.raises(NemodError, match=r"none of 2 models .* aaa: not JSON"):
            setup.switcher.first_model.result()

    play(scenario)


def test_a_failure_that_superseded_the_first_model_does_not_leave_silence() -> None:
    """A client asks for a broken file before anything plays: the first model follows."""

    async def scenario(setup: Setup) -> None:
        setup.builder.broken = {"broken"}
        setup.builder.gate.clear()
        setup.start("good")
        await setup.settle()
        job = setup.load("broken")
        setup.builder.gate.set()
        await setup.settle()
        assert job.error is not None
        assert setup.model_name == "good"

    play(scenario)


def test_a_missing_saved_model_stays_in_the_session() -> None:
    """A substitute plays; the next start tries the saved one again, until a client chooses."""

    async def scenario(setup: Setup) -> None:
        assert setup.saved[0] == "mine"
        setup.start("substitute")
        await setup.settle()
        assert (setup.model_name, setup.saved[0]) == ("substitute", "mine")
        setup.load("chosen")
        await setup.settle()
        assert setup.saved[:2] == ("chosen", "/models/chosen.json")

    play(scenario, wanted=RigFiles(chain=chain_of("mine")))


def test_the_first_model_that_was_found_is_that_of_the_next_start() -> None:
    """Where no session names one."""

    async def scenario(setup: Setup) -> None:
        setup.start("found")
        await setup.settle()
        assert setup.saved[:2] == ("found", "/models/found.json")
        assert not setup.switcher.wanted.is_clean
        setup.request([fill("model", NO_FILE)], "", Scope.MAIN, "model", "model")
        await setup.settle()
        assert (setup.model_name, setup.saved[0]) == ("clean", "")
        assert setup.switcher.wanted.is_clean

    play(scenario)


# --- requests ----------------------------------------------------------------------------------


def test_the_newest_request_wins() -> None:
    """Those that wait, and the one that is being built, fail with the code `busy`."""

    async def scenario(setup: Setup) -> None:
        setup.builder.gate.clear()
        jobs = [setup.load("one")]
        await setup.settle()
        jobs += [setup.load("two"), setup.load("three")]
        setup.builder.gate.set()
        await setup.settle()
        codes = [job.error.code if job.error else job.result for job in jobs]
        assert codes == ["busy", "busy", "three"]
        assert setup.built == ["one", "three"]
        assert [event.name for event in setup.changes()] == ["three"]  # type: ignore[attr-defined]

    play(scenario)


def test_a_model_that_cannot_be_built_leaves_the_old_one() -> None:
    """The job fails with the reason, and the file is marked."""

    async def scenario(setup: Setup) -> None:
        setup.builder.broken = {"bad"}
        setup.load("good")
        await setup.settle()
        job = setup.load("bad")
        await setup.settle()
        assert job.error is not None
        assert (job.error.code, job.error.text) == ("io", "bad: not JSON")
        assert setup.model_name == "good"
        await setup.settle(lambda: bool(setup.marked))
        assert setup.marked == {"bad": "bad: not JSON"}

    play(scenario)


def test_a_model_that_plays_again_loses_its_mark() -> None:
    """A request by name tries it whatever is known."""

    async def scenario(setup: Setup) -> None:
        setup.marked = {"repaired": "not JSON"}
        job = setup.load("repaired")
        await setup.settle(lambda: not setup.marked["repaired"])
        assert job.result == "repaired"

    play(scenario)


def test_a_failure_of_this_machine_marks_no_model() -> None:
    """A full disk is not the file's fault."""

    async def scenario(setup: Setup) -> None:
        setup.builder.broken, setup.builder.is_file_fault = {"bad"}, False
        job = setup.load("bad")
        await setup.settle()
        assert job.error is not None
        assert setup.marked == {}

    play(scenario)


def test_a_step_passes_over_broken_files() -> None:
    """The candidates are tried in order; the job ends with the one that plays."""

    async def scenario(setup: Setup) -> None:
        setup.builder.broken = {"b", "c"}
        setup.load("a")
        await setup.settle()
        job = setup.load("b", "c", "d")
        await setup.settle()
        assert (job.result, setup.model_name) == ("d", "d")

    play(scenario)


def test_a_rig_that_fails_in_the_audio_process_leaves_the_old_one() -> None:
    """As one that does not pass its verification."""

    async def scenario(setup: Setup) -> None:
        setup.load("good")
        await setup.settle()
        setup.audio.on_play = lambda rig: setup.switcher.rig_failed(rig.rig_id, "not finite")
        job = setup.load("bad")
        await setup.settle()
        assert job.error is not None
        assert job.error.text == "bad: not finite"
        assert setup.model_name == "good"

    play(scenario)


def test_an_audio_process_that_takes_no_rig_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a while; the model is not marked."""
    monkeypatch.setattr(handover, "HEARD_TIMEOUT_S", 0.01)

    async def scenario(setup: Setup) -> None:
        setup.audio.on_play = lambda rig: None
        job = setup.load("good")
        await asyncio.sleep(0.05)
        assert job.error is not None
        assert "did not take the rig" in job.error.text
        assert setup.marked == {}

    play(scenario)


def test_without_an_audio_process_the_model_is_current_at_once() -> None:
    """The next audio process asks for it."""

    async def scenario(setup: Setup) -> None:
        setup.audio.is_playing = False
        assert setup.switcher.rig_to_play() is None
        job = setup.load("good")
        await setup.settle()
        assert job.result == "good"
        wanted = setup.switcher.rig_to_play()
        assert wanted is not None
        assert wanted[0].rig == b"good"
        assert setup.audio.played == []

    play(scenario)


# --- knobs -------------------------------------------------------------------------------------


def test_each_model_brings_the_defaults_of_its_knobs() -> None:
    """Until a knob is set: then it keeps its position. Each rig gets its own model's defaults."""

    async def scenario(setup: Setup) -> None:
        setup.builder.knobs = {
            "one": (KnobSpec("drive", 0.2), KnobSpec("tone", 0.3)),
            "two": (KnobSpec("drive", 0.8), KnobSpec("tone", 0.9)),
        }
        setup.load("one")
        await setup.settle()
        first = setup.audio.played[-1].rig_id
        np.testing.assert_allclose(setup.audio.settings[first], [0.2, 0.3])
        setup.settings.set("gain", 0.6, ME)
        setup.switcher.commit()
        np.testing.assert_allclose(setup.audio.settings[first], [0.6, 0.3])
        setup.load("two")
        await setup.settle()
        second = setup.audio.played[-1].rig_id
        np.testing.assert_allclose(setup.audio.settings[second], [0.6, 0.9])
        assert setup.builder.requests[-1].positions == {"gain": 0.6}
        moved = {event.path for event in setup.heard.take() if isinstance(event, Changed)}
        assert moved == {"gain", "level"}

    play(scenario)


def test_a_rig_is_sent_with_its_present_controls() -> None:
    """A knob that was moved while it was built is in effect from its first sample."""

    async def scenario(setup: Setup) -> None:
        setup.builder.gate.clear()
        setup.load("one")
        await setup.settle(lambda: bool(setup.builder.requests))
        setup.settings.set("bass", 0.9, ME)
        setup.builder.gate.set()
        await setup.settle()
        (rig,) = setup.audio.played
        assert rig.controls is not None
        np.testing.assert_array_equal(rig.controls, setup.settings.vector(["bass"]))
        assert setup.switcher.rig_to_play()[0].controls is not None  # type: ignore[index]

    play(scenario)


def test_a_panic_reaches_the_audio_process() -> None:
    """At once, also while a model is being built."""

    async def scenario(setup: Setup) -> None:
        setup.builder.gate.clear()
        setup.load("one")
        await setup.settle(lambda: bool(setup.builder.requests))
        setup.switcher.panic()
        assert setup.audio.panics == 1

    play(scenario)


# --- crashes and devices -----------------------------------------------------------------------


def test_a_crash_at_the_first_sound_is_blamed_on_the_new_rig() -> None:
    """The old one plays on, and the new one is marked."""

    async def scenario(setup: Setup) -> None:
        setup.load("good")
        await setup.settle()
        setup.audio.on_play = lambda rig: setup.switcher.audio_process_lost(
            "killed by signal 11", rig_suspected=True
        )
        job = setup.load("crasher")
        await setup.settle()
        assert job.error is not None
        assert "killed by signal 11" in job.error.text
        assert setup.model_name == "good"

    play(scenario)


@pytest.mark.parametrize("has_previous", [True, False])
def test_a_model_that_crashes_too_often_is_quarantined(has_previous: bool) -> None:
    """The previous model takes its place, or the clean rig; a request by name tries it again."""

    async def scenario(setup: Setup) -> None:
        for name in ("before", "crasher") if has_previous else ("crasher",):
            setup.load(name)
            await setup.settle()
        for _ in range(CRASHES):
            assert setup.model_name == "crasher"
            setup.switcher.audio_process_lost("killed by signal 11", rig_suspected=True)
        await setup.settle()
        assert setup.model_name == ("before" if has_previous else "clean")
        assert setup.switcher.quarantined == {"crasher"}
        assert setup.switcher.slot_info("model")["quarantined"] == "crasher"
        setup.load("crasher")
        await setup.settle()
        assert (setup.model_name, setup.switcher.quarantined) == ("crasher", set())

    play(scenario)


def test_a_rig_that_takes_over_has_the_quality_that_is_wanted_now() -> None:
    """Once a device is opened again; what the player wanted before is wanted for the next start."""

    async def scenario(setup: Setup) -> None:
        setup.load("before")
        await setup.settle()
        setup.load("crasher")
        await setup.settle()
        setup.switcher.reduce(SMALL)
        await setup.settle()
        for _ in range(CRASHES):
            setup.switcher.audio_process_lost("killed by signal 11", rig_suspected=True)
        setup.switcher.device_opened(device())
        await setup.settle()
        current = setup.switcher.current
        assert current is not None
        assert (current.name, current.reduction) == ("before", SMALL)
        assert (setup.saved[0], setup.switcher.wanted.is_clean) == ("before", False)

    play(scenario)


def test_an_empty_slot_that_takes_over_is_what_the_next_start_has() -> None:
    """Where the player had emptied it before."""

    async def scenario(setup: Setup) -> None:
        setup.load("before")
        await setup.settle()
        setup.request([fill("model", NO_FILE)], "", Scope.MAIN, "model", "model")
        await setup.settle()
        setup.load("crasher")
        await setup.settle()
        for _ in range(CRASHES):
            setup.switcher.audio_process_lost("killed by signal 11", rig_suspected=True)
        assert (setup.model_name, setup.saved[0]) == ("clean", "")
        assert setup.switcher.wanted.is_clean

    play(scenario)


def test_a_process_killed_from_outside_is_blamed_on_nobody() -> None:
    """However often."""

    async def scenario(setup: Setup) -> None:
        setup.load("good")
        await setup.settle()
        for _ in range(2 * CRASHES):
            setup.switcher.audio_process_lost("killed by signal 9", rig_suspected=False)
        assert (setup.model_name, setup.switcher.quarantined) == ("good", set())

    play(scenario)


def test_another_device_has_the_current_model_built_again() -> None:
    """At its rate; while it is the same device nothing is built."""

    async def scenario(setup: Setup) -> None:
        setup.load("good")
        await setup.settle()
        setup.switcher.device_opened(device())
        await setup.settle()
        assert len(setup.builder.requests) == 1
        setup.audio.device = device(96_000)
        setup.switcher.device_opened(setup.audio.device)
        await setup.settle()
        assert [request.rate_hz for request in setup.builder.requests] == [48_000, 96_000]
        assert setup.audio.played[-1].rate_hz == 96_000

    play(scenario)


def test_a_device_that_changes_during_a_build_is_noticed_at_its_end() -> None:
    """The rig for the old rate is built again for the new one."""

    async def scenario(setup: Setup) -> None:
        setup.builder.gate.clear()
        job = setup.load("good")
        await setup.settle()
        setup.audio.device = device(96_000)
        setup.switcher.device_opened(setup.audio.device)
        setup.builder.gate.set()
        await setup.settle()
        assert job.result == "good"
        assert [request.rate_hz for request in setup.builder.requests] == [48_000, 96_000]
        wanted = setup.switcher.rig_to_play()
        assert wanted is not None
        assert wanted[0].rate_hz == 96_000

    play(scenario)


def test_another_quality_has_the_current_model_built_again() -> None:
    """All later rigs have it, too; the size that the player wants stays what it is."""

    async def scenario(setup: Setup) -> None:
        setup.load("good")
        await setup.settle()
        setup.switcher.reduce(SMALL)
        await setup.settle()
        setup.load("other")
        await setup.settle()
        setup.switcher.reduce(FULL_QUALITY)
        await setup.settle()
        assert setup.built == ["good", "good", "other", "other"]
        assert [each.reduction for each in setup.builder.requests] == [
            FULL_QUALITY,
            SMALL,
            SMALL,
            FULL_QUALITY,
        ]
        assert {each.chain["model"].size for each in setup.builder.requests} == {None}
        current = setup.switcher.current
        assert current is not None
        assert (current.name, current.reduction) == ("other", FULL_QUALITY)

    play(scenario)


def test_a_quality_that_is_wanted_during_a_build_is_in_force_after_it() -> None:
    """The request of a client is carried out, and its model then built again."""

    async def scenario(setup: Setup) -> None:
        setup.builder.gate.clear()
        job = setup.load("good")
        await setup.settle()
        setup.switcher.reduce(SMALL)
        setup.builder.gate.set()
        await setup.settle()
        assert job.result == "good"
        assert [each.reduction for each in setup.builder.requests] == [FULL_QUALITY, SMALL]

    play(scenario)


def test_a_quality_that_is_wanted_during_a_load_that_fails_is_in_force_after_it() -> None:
    """The model that plays on is built again, once."""

    async def scenario(setup: Setup) -> None:
        setup.load("good")
        await setup.settle()
        setup.builder.broken = {"bad"}
        setup.builder.gate.clear()
        job = setup.load("bad")
        await setup.settle()
        setup.switcher.reduce(SMALL)
        setup.builder.gate.set()
        await setup.settle()
        assert job.error is not None
        current = setup.switcher.current
        assert current is not None
        assert (current.name, current.reduction) == ("good", SMALL)
        assert setup.built == ["good", "bad", "good"]

    play(scenario)


def test_a_quality_that_is_wanted_during_a_rebuild_that_fails_is_tried() -> None:
    """Each quality once."""

    async def scenario(setup: Setup) -> None:
        setup.load("good")
        await setup.settle()
        setup.builder.broken = {"good"}
        setup.builder.gate.clear()
        setup.switcher.reduce(SMALL)
        await setup.settle()
        setup.switcher.reduce(Reduction(0.25))
        setup.builder.gate.set()
        await setup.settle()
        assert [each.reduction for each in setup.builder.requests] == [
            FULL_QUALITY,
            SMALL,
            Reduction(0.25),
        ]
        assert setup.model_name == "good"

    play(scenario)


def test_a_quality_that_cannot_be_built_leaves_the_model_playing() -> None:
    """It does not give way to the clean rig."""

    async def scenario(setup: Setup) -> None:
        setup.load("good")
        await setup.settle()
        setup.builder.broken = {"good"}
        setup.builder.is_file_fault = False
        setup.switcher.reduce(SMALL)
        await setup.settle()
        assert setup.model_name == "good"
        assert setup.built == ["good", "good"]

    play(scenario)


def test_a_model_that_cannot_be_built_for_the_new_device_gives_way_to_the_clean_rig() -> None:
    """As when its file was removed."""

    async def scenario(setup: Setup) -> None:
        setup.load("good")
        await setup.settle()
        setup.builder.broken = {"good"}
        setup.audio.device = device(96_000)
        setup.switcher.device_opened(setup.audio.device)
        await setup.settle()
        assert setup.model_name == "clean"

    play(scenario)


def test_an_unexpected_error_does_not_end_the_switcher(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is logged, the job fails, and the next request is carried out."""

    async def scenario(setup: Setup) -> None:
        async def fail(request: BuildRequest) -> Any:
            raise RuntimeError("boom")

        with monkeypatch.context() as patch:
            patch.setattr(setup.builder, "build", fail)
            job = setup.load("one")
            await setup.settle()
        assert job.error is not None
        assert (job.error.code, job.error.text) == ("io", "boom")
        assert setup.load("two").result is None
        await setup.settle()
        assert setup.model_name == "two"

    play(scenario)


def test_candidates_may_be_any_iterable() -> None:
    """An empty one is an error, not silence."""

    async def scenario(setup: Setup) -> None:
        job = setup.request((), "", Scope.MAIN, "model", "model")
        await setup.settle()
        assert job.error is not None
        assert job.error.text == "no model can be played"

    play(scenario)
