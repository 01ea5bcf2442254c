"""Tap tempo against the arithmetic of intervals."""

import pytest

from nemod.control.events import Source
from nemod.control.settings import Settings
from nemod.parameters.table import param
from tests.osc.conftest import MemoryRig

ME = Source("test")


def bpm(rig: MemoryRig) -> float:
    return rig.controller.value("tempo/bpm")


def tap(rig: MemoryRig, *times_s: float) -> None:
    for time_s in times_s:
        rig.controller.tempo.tap(ME, time_s)


def test_two_taps_set_the_tempo(rig: MemoryRig) -> None:
    """Half a second between them is 120 BPM; one tap alone changes nothing."""
    rig.controller.set_value("tempo/bpm", 90.0, ME)
    tap(rig, 10.0)
    assert bpm(rig) == pytest.approx(90.0)
    tap(rig, 10.4)
    assert bpm(rig) == pytest.approx(150.0)


def test_one_uneven_tap_does_not_change_the_tempo(rig: MemoryRig) -> None:
    """The median of 0.5, 0.5, 0.58, 0.42 s is 0.5 s."""
    tap(rig, 1.0, 1.5, 2.0, 2.58, 3.0)
    assert bpm(rig) == pytest.approx(120.0)


def test_another_tempo_begins_anew(rig: MemoryRig) -> None:
    """Two taps at double time are enough, whatever came before."""
    tap(rig, 1.0, 2.0, 3.0, 4.0, 4.5)
    assert bpm(rig) == pytest.approx(120.0)


def test_a_pause_begins_anew(rig: MemoryRig) -> None:
    """After more than a beat of 20 BPM (3 s) a tap is the first one."""
    tap(rig, 1.0, 1.5, 5.0)
    assert bpm(rig) == pytest.approx(120.0)
    tap(rig, 5.6)
    assert bpm(rig) == pytest.approx(100.0)


def test_a_bouncing_switch_and_old_messages_are_no_taps(rig: MemoryRig) -> None:
    """Neither 10 ms after a tap, nor before it."""
    tap(rig, 1.0, 1.01, 0.2, 1.5)
    assert bpm(rig) == pytest.approx(120.0)


def test_the_tempo_is_limited_to_its_range(rig: MemoryRig) -> None:
    """A tap every 0.1 s is 600 BPM, the fastest is 300."""
    tap(rig, 1.0, 1.1)
    assert bpm(rig) == pytest.approx(300.0)


def test_a_synchronised_delay_follows_tempo_and_note() -> None:
    """Three quarters of a beat at 100 BPM are 450 ms; unsynchronised, the knob counts."""
    settings = Settings()
    own_ms = param("delay/time").value(settings.get("delay/time"))
    settings.set("tempo/bpm", param("tempo/bpm").position(100.0))
    note = param("delay/note")
    settings.set("delay/note", note.position(note.choices.index("1/8 dotted")))
    assert settings.vector(["delay/time"])[0] == pytest.approx(own_ms)
    settings.set("delay/sync", 1.0)
    assert settings.vector(["delay/time"])[0] == pytest.approx(450.0)
