"""The load guard: from telemetry to another quality, an event and a line in the log."""

from dataclasses import replace

import pytest
import structlog

from nemod.builder.messages import FULL_QUALITY, BuildResult, Reduction
from nemod.chain import DEFAULT_CHAIN
from nemod.control.backends import RigFiles
from nemod.control.events import EventStream, QualityChanged
from nemod.control.settings import Settings
from nemod.daemon.built_rig import BuiltRig
from nemod.daemon.load_guard import BUILD_S, LoadGuard
from nemod.daemon.step_down import RESTORE_S
from nemod.engine.ipc import LOAD_BINS, TELEMETRY_S, DeviceOpened, TelemetryRecord
from nemod.parameters.parameter_set import ParameterSet

DEVICE = DeviceOpened(device="card", rate_hz=48_000, block_frames=64, latency_s=0.0, notices=())
CHEAP = Reduction(0.0, is_reverb_cheap=True)


class Player:
    """Plays another quality at once, or when the test says so."""

    def __init__(self) -> None:
        self.is_slow = False
        self.asked: list[Reduction] = []
        self.current: BuiltRig | None = BuiltRig(
            rig_id=1,
            rig=RigFiles(chain=DEFAULT_CHAIN),
            device=DEVICE,
            parameters=ParameterSet(),
            result=BuildResult(
                request_id=1,
                rig=b"",
                layout=(),
                latency_frames=0,
                knobs={},
                infos={},
                cached=True,
                sizes={"model": (0.0, 0.5)},
            ),
        )

    def reduce(self, reduction: Reduction) -> None:
        self.asked.append(reduction)
        if not self.is_slow:
            self.finish(reduction)

    def finish(self, reduction: Reduction) -> None:
        assert self.current is not None
        result = replace(self.current.result, reduction=reduction)
        self.current = replace(self.current, rig_id=self.current.rig_id + 1, result=result)


class Setup:
    """A guard whose time passes with the records that it gets."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.player = Player()
        self.events = EventStream()
        self.heard = self.events.subscribe((QualityChanged,))
        self.settings = Settings(events=self.events)
        self.guard = LoadGuard(self.player, self.settings, self.events, lambda: self.now_s)
        self.blocks = 0

    def run(self, seconds: float, load: float) -> None:
        """Send telemetry for some seconds: 15 blocks in each record, all with the same load."""
        for _ in range(round(seconds / TELEMETRY_S)):
            self.now_s += TELEMETRY_S
            self.blocks += 15
            counts = [0] * LOAD_BINS
            counts[int(20.0 * load + 1e-6)] = 15
            current = self.player.current
            rig_id = current.rig_id if current is not None else 0
            self.guard.add(
                TelemetryRecord(self.blocks, rig_id, 0, 0, 0, 0, 0, 0.0, 0.0, load, load, counts)
            )

    def reported(self) -> list[str]:
        return [each.reduced for each in self.heard.take() if isinstance(each, QualityChanged)]


def test_too_much_load_is_answered_step_by_step_and_undone_afterwards() -> None:
    """Each step after the two seconds that follow the one before; each is an event."""
    setup = Setup()
    setup.run(10.0, 0.5)
    assert (setup.player.asked, setup.guard.reduced) == ([], "")
    seen = []
    for _ in range(3):
        setup.run(2.5, 0.9)
        seen += setup.reported()
    assert seen == ["size", "size, reverb", "size, reverb, overload"]
    assert setup.player.asked == [Reduction(0.0), CHEAP]
    for _ in range(3):
        setup.run(RESTORE_S + 1.0, 0.2)
        seen += setup.reported()
    assert seen[3:] == ["size, reverb", "size", ""]
    assert setup.player.asked[2:] == [Reduction(0.0), FULL_QUALITY]


def test_a_short_peak_is_not_answered() -> None:
    """However high, and again and again, as long as it is in no two seconds that follow."""
    setup = Setup()
    for _ in range(10):
        setup.run(2.0, 0.3)
        setup.run(0.5, 1.2)
    assert setup.reported() == []


def test_while_another_quality_is_built_nothing_else_is_decided() -> None:
    """For as long as a build may take: the load that is measured is still the old one."""
    setup = Setup()
    setup.player.is_slow = True
    setup.run(BUILD_S, 0.9)
    assert setup.player.asked == [Reduction(0.0)]
    setup.player.finish(Reduction(0.0))
    setup.run(1.9, 0.9)
    assert setup.player.asked == [Reduction(0.0)]
    setup.run(0.5, 0.9)
    assert setup.player.asked[1:] == [CHEAP]


def test_a_quality_that_is_never_built_does_not_hold_the_next_step() -> None:
    """After the longest time of a build."""
    setup = Setup()
    setup.player.is_slow = True
    setup.run(3.0 * (BUILD_S + 3.0), 0.9)
    assert setup.player.asked == [Reduction(0.0), CHEAP]
    assert setup.guard.reduced == "size, reverb, overload"


def test_switching_it_off_restores_the_quality_at_once() -> None:
    """What is too much then is only reported."""
    setup = Setup()
    setup.run(5.0, 0.9)
    assert setup.guard.reduced == "size, reverb"
    setup.settings.set("size/auto", 0.0)
    setup.run(TELEMETRY_S, 0.9)
    assert (setup.player.asked[-1], setup.guard.reduced) == (FULL_QUALITY, "")
    setup.run(3.0, 0.9)
    assert (setup.player.asked[-1], setup.guard.reduced) == (FULL_QUALITY, "overload")


def test_another_rig_is_measured_for_itself() -> None:
    """Not with what was played before it."""
    setup = Setup()
    setup.run(1.9, 0.9)
    setup.player.finish(FULL_QUALITY)
    setup.run(1.9, 0.9)
    assert setup.reported() == []
    setup.run(0.5, 0.9)
    assert setup.reported() == ["size"]


def test_before_the_first_rig_nothing_happens() -> None:
    """There is nothing to reduce."""
    setup = Setup()
    setup.player.current = None
    setup.run(5.0, 0.9)
    assert setup.reported() == []


@pytest.mark.parametrize(
    ("seconds", "level", "reduced"),
    [(2.5, "warning", "size"), (7.5, "warning", "size, reverb, overload")],
)
def test_each_step_is_logged_with_its_cause(seconds: float, level: str, reduced: str) -> None:
    """The load, and how many blocks were late."""
    setup = Setup()
    with structlog.testing.capture_logs() as logs:
        setup.run(seconds, 0.9)
    last = logs[-1]
    assert (last["log_level"], last["reduced"], last["load"], last["late"]) == (
        level,
        reduced,
        "90%",
        "0",
    )
