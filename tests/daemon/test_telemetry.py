"""Meters and counts over audio planes that come and go."""

from nemod.daemon.telemetry import Telemetry
from nemod.engine.ipc import TelemetryRecord


def report(**given: float) -> TelemetryRecord:
    """Return a report with these values, all others 0."""
    return TelemetryRecord(**{**dict.fromkeys(TelemetryRecord._fields, 0), **given})  # type: ignore[arg-type]


def test_counts_go_on_when_another_process_plays() -> None:
    """Totals never fall; a reset forgets the clips of all that have played."""
    readings = Telemetry()
    readings.add(report(clips=2, late=7, xruns=3, tape_lost=5))
    readings.begin_again()
    names = ("clips", "late", "xruns", "tape_lost")
    assert [readings.total(name) for name in names] == [2, 7, 3, 5]
    readings.add(report(clips=1, xruns=1))
    assert (readings.meters()["clip"], readings.total("xruns")) == (3, 4)
    readings.reset()
    assert readings.meters()["clip"] == 0
    readings.begin_again()
    readings.add(report(clips=4))
    assert readings.meters()["clip"] == 4


def test_meters_show_the_highest_of_a_moment() -> None:
    """In dBFS; when nothing is reported any more they fall to silence."""
    readings = Telemetry()
    readings.add(report(peak_in=0.1, peak_out=1.0, load_peak=0.5))
    readings.add(report(peak_in=0.01, peak_out=0.1, load_peak=0.2))
    meters = readings.meters()
    assert (round(meters["in"], 3), round(meters["out"], 3)) == (-20.0, 0.0)
    assert readings.load_peak == 0.5
    readings.begin_again()
    assert readings.meters()["out"] <= -100.0
