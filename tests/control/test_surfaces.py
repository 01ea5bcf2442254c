"""Two surfaces on one control core: OSC, and a client in memory, each sees what the other does."""

from collections.abc import Callable

import pytest

from nemod.control.events import (
    MAX_FINISHED_JOBS,
    MODEL,
    Changed,
    JobDone,
    JobFailed,
    ModelChanged,
    Source,
)
from nemod.parameters.parameter import Parameter, ParameterKind
from nemod.parameters.table import TABLE
from tests.control.conftest import MemoryClient
from tests.midi.conftest import Stage
from tests.osc.conftest import Desk, MemoryRig

Connect = Callable[[str], MemoryClient]
OSC = Source("osc")


@pytest.fixture
def desk(rig: MemoryRig) -> Desk:
    """The OSC surface, without sockets."""
    return Desk(rig)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.path)
def test_every_parameter_set_over_osc_is_an_event_with_its_source(
    row: Parameter, rig: MemoryRig, connect: Connect, desk: Desk
) -> None:
    """And set by the client it is what OSC answers to a query."""
    path, is_position = row.path, not row.in_unit and row.kind is not ParameterKind.ENUM
    lowest, highest = (0.0, 1.0) if is_position else (row.low, row.high)
    client = connect("one")
    desk.say(f"/nemo/{path}", "f", highest)
    assert client.events() == [Changed(path, 1.0, OSC)]
    client.set(path, 0.0)
    ((address, (answer,)),) = desk.say(f"/nemo/{path}")
    assert (address, float(answer)) == (f"/nemo/{path}", lowest)  # type: ignore[arg-type]


def test_both_surfaces_load_models_and_see_the_others_loads(
    rig: MemoryRig, connect: Connect, desk: Desk
) -> None:
    """The end of a job is an event for every surface, with who started it."""
    one, two = connect("one"), connect("two")
    desk.say("/nemo/model/load", "s", "fuzz")
    *_, done = one.events()
    assert isinstance(done, JobDone)
    assert (done.kind, done.result, done.source) == ("model", "fuzz", OSC)
    two.events()
    assert one.load("amp lead").result == "Amp Lead"
    *_, done = two.events()
    assert isinstance(done, JobDone)
    assert (done.result, done.source) == ("Amp Lead", one.source)
    assert desk.say("/nemo/model/current") == [("/nemo/model/current", ["Amp Lead"])]


def test_a_superseded_load_is_told_to_everyone(
    rig: MemoryRig, connect: Connect, desk: Desk
) -> None:
    """OSC's request supersedes the client's, whose job fails with the code `busy`."""
    rig.is_slow = True
    client = connect("one")
    job = client.load("fuzz")
    desk.say("/nemo/model/load", "s", "Amp Lead")
    assert job.error is not None
    assert job.error.code == "busy"
    (failed,) = client.events()
    assert isinstance(failed, JobFailed)
    assert (failed.job_id, failed.code, failed.source) == (job.id, "busy", client.source)
    rig.finish_load()
    assert rig.model_name == "Amp Lead"


def test_nobody_gets_his_own_unchanged_value(rig: MemoryRig, connect: Connect) -> None:
    """The other client does; a value that was clipped comes back to its sender, too."""
    one, two = connect("one"), connect("two")
    one.set("bass", 0.3)
    assert (one.events(), two.events()) == ([], [Changed("bass", 0.3, one.source)])
    one.set("bass", 1.5)
    clipped = Changed("bass", 1.0, one.source, is_adjusted=True)
    assert (one.events(), two.events()) == ([clipped], [clipped])


def test_an_older_value_of_another_never_follows_the_own_newer_one(
    rig: MemoryRig, connect: Connect
) -> None:
    """A client that set the last value has nothing to be told."""
    one, two = connect("one"), connect("two")
    two.set("bass", 0.9)
    one.set("bass", 0.1)
    assert one.events() == []
    assert two.events() == [Changed("bass", 0.1, one.source)]


def test_a_reader_that_never_reads_holds_the_last_values_in_bounded_memory(
    rig: MemoryRig, connect: Connect, desk: Desk
) -> None:
    """100,000 changes leave one event per parameter: the last value of each."""
    idle = connect("idle")
    for step in range(50_000):
        rig.controller.set("bass", step % 997 / 997, OSC)
        rig.controller.set("mid", step % 991 / 991, OSC)
    expected = {path: rig.settings.get(path) for path in ("bass", "mid")}
    events = idle.events()
    assert {
        event.path: event.position for event in events if isinstance(event, Changed)
    } == expected
    assert len(events) == 2


def test_finished_jobs_of_a_reader_that_never_reads_are_bounded(
    rig: MemoryRig, connect: Connect
) -> None:
    """The newest stay, the others are counted."""
    idle, other = connect("idle"), connect("other")
    jobs = [other.load("fuzz") for _ in range(MAX_FINISHED_JOBS + 10)]
    waiting = [event.job_id for event in idle.events() if isinstance(event, JobDone)]
    assert waiting == [job.id for job in jobs[10:]]
    assert idle._events.lost_jobs == 10


def test_a_closed_subscription_gets_nothing(rig: MemoryRig) -> None:
    """Nor is it remembered."""
    with rig.controller.subscribe() as events:
        rig.controller.set("bass", 0.1, OSC)
        assert len(events.take()) == 1
    rig.controller.set("bass", 0.2, OSC)
    assert events.take() == []


def test_defaults_of_a_new_model_are_events_of_the_model(rig: MemoryRig, connect: Connect) -> None:
    """A knob that was never set moves with the model; one that was set does not."""
    client = connect("one")
    rig.controller.set("gain", 0.9, OSC)
    client.events()
    rig.use_knobs("drive", "tone", "bias")
    events = client.events()
    assert Changed("level", 0.5, MODEL) in events
    assert Changed("knob/3", 0.5, MODEL) in events
    assert not any(isinstance(event, Changed) and event.path == "gain" for event in events)


def test_events_can_be_awaited(rig: MemoryRig) -> None:
    """A surface sleeps until something happens."""
    import asyncio

    async def run() -> list[object]:
        events = rig.controller.subscribe()
        waiting = asyncio.create_task(events.next())
        await asyncio.sleep(0)
        rig.events.publish(ModelChanged("fuzz", OSC))
        return list(await waiting)

    assert asyncio.run(run()) == [ModelChanged("fuzz", OSC)]


def test_a_controller_moves_what_osc_shows_and_the_other_way_round(
    rig: MemoryRig, connect: Connect, desk: Desk
) -> None:
    """A knob's move is an event with its device; after a change over OSC it takes over softly."""
    stage, client = Stage(rig), connect("one")
    stage.play("b0 07 7f")
    assert client.events()[0] == Changed("level", 1.0, Source("midi", "FCB1010 MIDI 1 cc 7"))
    assert desk.say("/nemo/level") == [("/nemo/level", [1.0])]
    desk.say("/nemo/level", "f", 0.25)
    stage.play("b0 07 7e")
    assert rig.controller.position("level") == 0.25
    stage.play("b0 07 10")
    assert rig.controller.position("level") == 16 / 127
