"""Switches that bounce, latch, never release, or are held."""

from nemod.midi.switches import LongPressSwitch, Switch
from tests.osc.conftest import FakeTimers


class Pressed:
    """A switch under a foot, and what it did."""

    def __init__(self, **more: object) -> None:
        self.timers = FakeTimers()
        self.did: list[str] = []
        start = self.timers.time_s

        def note(word: str) -> object:
            return lambda time_s: self.did.append(f"{word} {time_s - start:.2f}")

        if "hold_s" in more:
            self.switch: Switch | LongPressSwitch = LongPressSwitch(
                self.timers,
                note("short"),
                note("long"),
                **more,  # type: ignore[arg-type]
            )
        else:
            calls = {word: note(word) for word in ("press", "release", "repeat") if word in more}
            options = {key: value for key, value in more.items() if key not in calls}
            calls.setdefault("press", note("press"))
            self.switch = Switch(self.timers, **calls, **options)  # type: ignore[arg-type]

    def play(self, text: str) -> list[str]:
        """`1` presses, `0` releases, numbers between them are seconds."""
        for word in text.split():
            if word in ("1", "0"):
                self.switch.take(word == "1")
            else:
                self.timers.advance(float(word))
        return self.did


def test_presses_and_releases() -> None:
    assert Pressed(release=True).play("1 0.5 0 0.50 1") == [
        "press 0.00",
        "release 0.50",
        "press 1.00",
    ]


def test_a_press_that_bounces_is_one() -> None:
    """And a stuck switch presses 33 times a second at most."""
    assert Pressed().play("1 0.01 0 0.01 1 0.50 1") == ["press 0.00", "press 0.52"]
    assert len(Pressed().play("1 0.001 0 0.001 " * 500)) <= 34


def test_a_switch_without_releases_presses_each_time() -> None:
    assert len(Pressed().play("1 0.50 1 0.50 1")) == 3
    did = Pressed(repeat=True, release=True).play("1 0.50 1 0.50 0")
    assert did == ["press 0.00", "repeat 0.50", "release 1.00"]


def test_the_first_message_of_a_latching_switch_may_be_off() -> None:
    assert Pressed(release=True).play("0 1.5 1 1.5 0 0.50 0") == [
        "release 0.00",
        "press 1.50",
        "release 3.00",
    ]


def test_short_and_long_presses() -> None:
    """A short one counts from when it was pressed; a long one fires while it is held."""
    pedal = Pressed(hold_s=0.6, sends_releases=True)
    assert pedal.play("1 0.2 0 0.8 1 0.7") == ["short 0.00", "long 1.00"]
    assert pedal.play("5.0 0 1.0 1 0.1 0") == ["short 0.00", "long 1.00", "short 7.70"]


def test_a_switch_that_is_not_known_to_release_waits_for_it_once() -> None:
    """The first long press fires at its release; after it, in time."""
    assert Pressed(hold_s=0.6).play("1 1.5 0 0.5 1 0.7") == ["long 0.00", "long 2.00"]


def test_a_switch_without_releases_has_short_presses_only() -> None:
    """The first is clear after two seconds, or at the second; from then on at once."""
    assert Pressed(hold_s=0.6).play("1 3.0 1") == ["short 0.00", "short 3.00"]
    assert Pressed(hold_s=0.6).play("1 1.0 1 1.0 1") == ["short 1.00", "short 2.00"]


def test_after_a_long_press_that_taps_each_press_is_a_tap() -> None:
    """Until three seconds have passed."""
    pedal = Pressed(hold_s=0.6, sends_releases=True, taps=True)
    assert pedal.play("1 0.8 0 0.7 1 0.1 0 0.4 1 0.1 0 3.4 1 0.1 0") == [
        "long 0.00",
        "long 1.50",
        "long 2.00",
        "short 5.50",
    ]


def test_a_switch_that_is_unplugged_while_it_is_held_is_released() -> None:
    """A long press that is under way is none."""
    momentary = Pressed(release=True)
    momentary.play("1 0.5")
    momentary.switch.let_go()
    momentary.switch.let_go()
    assert momentary.did == ["press 0.00", "release 0.50"]
    held = Pressed(hold_s=0.6, sends_releases=True)
    held.play("1 0.5")
    held.switch.let_go()
    assert held.play("5.0") == []
