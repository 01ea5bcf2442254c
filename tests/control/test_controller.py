"""What every surface can do, and how it is refused."""

import asyncio
import math
import threading

import pytest

from nemod.control.controller import MAX_WAITING_RESCANS
from nemod.control.errors import Code, ControlError
from nemod.control.events import Source
from nemod.control.jobs import Job
from nemod.parameters.table import TABLE, param
from tests.osc.conftest import MemoryRig

ME = Source("test")


def test_a_parameter_is_read_in_three_ways(rig: MemoryRig) -> None:
    """Position, value in its unit, and text, by any of its paths."""
    control = rig.controller
    control.set("knob/1", 0.75, ME)
    assert control.position("gain") == control.position("knob/1") == 0.75
    assert control.value("gain") == 12.0
    assert control.text("gain") == "+12.0 dB"
    assert control.describe("knob/1").label == "Gain"


def test_a_value_is_set_in_its_unit_and_clipped(rig: MemoryRig) -> None:
    """The answer is the value that is now in force."""
    control = rig.controller
    assert control.set_value("delay/time", 350.0, ME) == pytest.approx(350.0)
    assert control.set_value("delay/time", 9999.0, ME) == pytest.approx(2000.0)
    assert control.position("delay/time") == 1.0


def test_a_short_form_sets_what_it_stands_for(rig: MemoryRig) -> None:
    """`delay` is `delay/mix`."""
    rig.controller.set("delay", 0.25, ME)
    assert rig.controller.position("delay/mix") == 0.25


def test_a_switch_is_toggled(rig: MemoryRig) -> None:
    """Off to on and back."""
    assert [rig.controller.toggle("mute", ME) for _ in range(3)] == [1.0, 0.0, 1.0]


def test_many_settings_are_one_commit(rig: MemoryRig) -> None:
    """They take effect in one audio block."""
    rig.controller.set_many({"bass": 0.1, "mid": 0.2, "knob/2": 0.3}, ME)
    (snapshot,) = rig.commits
    assert (snapshot["bass"], snapshot["mid"], snapshot["level"]) == (0.1, 0.2, 0.3)


@pytest.mark.parametrize(
    ("path", "position", "code"),
    [("gian", 0.5, Code.UNKNOWN), ("mid", math.nan, Code.VALUE), ("mid", math.inf, Code.VALUE)],
)
def test_many_settings_are_all_or_nothing(
    path: str, position: float, code: Code, rig: MemoryRig
) -> None:
    """One that cannot be set, and none is."""
    before = rig.settings.positions()
    with pytest.raises(ControlError) as caught:
        rig.controller.set_many({"bass": 0.1, path: position}, ME)
    assert caught.value.code is code
    assert rig.settings.positions() == before
    assert rig.commits == []


def test_an_unknown_path_names_a_similar_one(rig: MemoryRig) -> None:
    """In any case."""
    with pytest.raises(ControlError) as caught:
        rig.controller.position("Delay/Tme")
    assert caught.value.hint() == ", did you mean 'delay/time'?"
    assert "/" not in caught.value.text  # no address of any protocol


def test_stepping_passes_over_what_cannot_be_played(rig: MemoryRig) -> None:
    """In both directions, around the list; the start itself comes last."""
    rig.unplayable = {"Amp Lead": "not JSON", "fuzz": "not JSON"}
    rig.controller.step_model(1, ME)
    assert rig.model_name == "Überdrive"
    rig.controller.step_model(-1, ME)
    assert rig.model_name == "Amp Clean"
    rig.quarantined = {"Überdrive"}
    rig.controller.step_model(1, ME)
    assert rig.model_name == "Amp Clean"


def test_a_known_problem_does_not_stop_a_request_by_name(rig: MemoryRig) -> None:
    """It may have been repaired."""
    rig.unplayable = {"fuzz": "not JSON"}
    assert rig.controller.load_model("FUZZ", ME).result == "fuzz"


def test_all_parameters_of_the_table_are_there(rig: MemoryRig) -> None:
    """With their defaults."""
    positions = rig.controller.positions()
    assert positions == {row.path: param(row.path).default for row in TABLE}


def test_rescans_never_run_side_by_side(rig: MemoryRig, monkeypatch: pytest.MonkeyPatch) -> None:
    """A burst of requests is two rescans: the one that runs, and one that all others share."""
    gate = threading.Event()
    running: list[int] = []

    def scan() -> None:
        running.append(threading.get_ident())
        gate.wait(5.0)

    monkeypatch.setattr(rig, "rescan", scan)

    async def run() -> list[Job]:
        jobs = [rig.controller.rescan(ME)]
        while not running:
            await asyncio.sleep(0.001)
        jobs += [rig.controller.rescan(ME) for _ in range(MAX_WAITING_RESCANS)]
        with pytest.raises(ControlError, match="wait already") as caught:
            rig.controller.rescan(ME)
        assert caught.value.code is Code.LIMIT
        assert len(running) == 1
        gate.set()
        while not all(job.is_over for job in jobs):
            await asyncio.sleep(0.001)
        return jobs

    assert {job.result for job in asyncio.run(run())} == {"4"}
    assert len(running) == 2


def test_a_rescan_that_fails_is_an_error_for_those_who_asked(
    rig: MemoryRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the next one runs."""

    def fail() -> None:
        raise OSError("no disk")

    async def run() -> Job:
        with monkeypatch.context() as patch:
            patch.setattr(rig, "rescan", fail)
            job = rig.controller.rescan(ME)
            while not job.is_over:
                await asyncio.sleep(0.001)
        assert job.error is not None
        assert (job.error.code, job.error.text) == (Code.IO, "no disk")
        again = rig.controller.rescan(ME)
        while not again.is_over:
            await asyncio.sleep(0.001)
        return again

    assert asyncio.run(run()).result == "4"
