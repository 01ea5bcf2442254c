"""Meters and counts over several audio processes."""

from nemod.control.events import EventStream, Meters
from nemod.daemon.telemetry import Count, Telemetry
from nemod.engine.ipc import TelemetryRecord

COUNTS: tuple[Count, ...] = ("clips", "late", "xruns", "recording_lost")


def record(**given: float) -> TelemetryRecord:
    """Return a record with these values, all others 0."""
    return TelemetryRecord(**{**dict.fromkeys(TelemetryRecord._fields, 0), **given})  # type: ignore[arg-type]


def test_counts_go_on_when_another_process_plays() -> None:
    """Totals never fall; a reset forgets the clips of all that have played."""
    telemetry = Telemetry()
    telemetry.add(record(clips=2, late=7, xruns=3, recording_lost=5))
    telemetry.new_process()
    assert [telemetry.total(name) for name in COUNTS] == [2, 7, 3, 5]
    telemetry.add(record(clips=1, xruns=1))
    assert (telemetry.meters().clips, telemetry.total("xruns")) == (3, 4)
    telemetry.reset()
    assert telemetry.meters().clips == 0
    telemetry.new_process()
    telemetry.add(record(clips=4))
    assert telemetry.meters().clips == 4


def test_meters_show_the_highest_peak_of_a_moment() -> None:
    """In dBFS; with a new process they start at silence."""
    telemetry = Telemetry()
    telemetry.add(record(peak_in=0.1, peak_out=1.0, load_peak=0.5))
    telemetry.add(record(peak_in=0.01, peak_out=0.1, load_peak=0.2))
    meters = telemetry.meters()
    assert (round(meters.in_dbfs, 3), round(meters.out_dbfs, 3)) == (-20.0, 0.0)
    assert telemetry.load_peak == 0.5
    telemetry.new_process()
    assert telemetry.meters().out_dbfs <= -100.0


def test_meters_are_events_for_those_who_want_them() -> None:
    """And are not made for anybody else."""
    events = EventStream()
    telemetry = Telemetry(events)
    telemetry.add(record(peak_in=1.0))
    with events.subscribe([Meters]) as listener:
        telemetry.add(record(peak_in=1.0, clips=2))
        (meters,) = listener.take()
    assert isinstance(meters, Meters)
    assert (round(meters.in_dbfs, 3), meters.clips) == (0.0, 2)
