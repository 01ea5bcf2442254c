"""Recorded bytes in, positions and presets out."""

import asyncio
from collections.abc import Callable

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from nemod.control.events import Source
from nemod.midi.messages import CLOCK, Kind, Message
from nemod.parameters.table import param
from nemod.presets.preset import Preset
from tests.midi.conftest import KEYBOARD, PEDAL, Stage
from tests.osc.conftest import MemoryRig

PHONE = Source("osc", "phone")
StageWith = Callable[[str], Stage]


# --- what works without any bindings -------------------------------------------------------------


def test_a_program_change_loads_the_preset_of_its_number(stage: Stage) -> None:
    stage.play("c0 02")
    assert stage.rig.controller.presets.name == "Lead"
    assert stage.position("gain") == pytest.approx(0.8)


def test_the_bank_counts_on(stage: Stage) -> None:
    """Program 2 of bank 0 is preset 2; in any other bank there is none, and nothing changes."""
    stage.play("b0 00 00 b0 20 00 c0 02")
    assert stage.rig.controller.presets.number == 2
    with structlog.testing.capture_logs() as logs:
        stage.wait(1.0)
        stage.play("b0 00 01 c0 01")
    assert "no preset has number 16385" in logs[0]["reason"]
    assert stage.rig.controller.presets.number == 2


def test_volume_and_expression(stage: Stage) -> None:
    """CC 7 is the level's whole way, CC 11 silence to 0 dB."""
    stage.play("b0 07 7f")
    assert stage.position("level") == 1.0
    stage.play("b0 0b 00")  # passes nothing: the knob has to catch the position first
    assert stage.position("level") == 1.0


def test_expression_alone(stage: Stage) -> None:
    stage.play("b0 0b 7f")
    assert stage.rig.controller.value("level") == pytest.approx(0.0)
    stage.play("b0 0b 00")
    assert stage.position("level") == 0.0


def press(stage: Stage, number: int, seconds: float = 0.1) -> None:
    stage.play(bytes((0xB0, number, 127)))
    stage.wait(seconds)
    stage.play(bytes((0xB0, number, 0)))
    stage.wait(0.3)


def test_four_footswitches(stage: Stage) -> None:
    """Previous preset, next preset, bypass, tuner."""
    presets = stage.rig.controller.presets
    press(stage, 61)
    assert presets.number == 0
    press(stage, 61)
    assert presets.number == 1
    press(stage, 60)
    assert presets.number == 0
    press(stage, 62)
    assert stage.position("bypass") == 1.0
    press(stage, 62)
    assert stage.position("bypass") == 0.0
    press(stage, 63)
    assert stage.position("tuner/enable") == 1.0


def test_the_fourth_held_taps_the_tempo(stage: Stage) -> None:
    """Each press after it is a tap; the tuner stays off."""
    press(stage, 63, 0.8)
    stage.wait(0.9)
    for _ in range(4):
        press(stage, 63, 0.2)  # every 0.5 s
    assert stage.rig.controller.value("tempo/bpm") == pytest.approx(120.0)
    assert stage.position("tuner/enable") == 0.0


def test_what_is_bound_has_no_default_and_defaults_can_be_turned_off(
    stage_with: StageWith,
) -> None:
    stage = stage_with("- {cc: 7, device: FCB1010, target: gain}\n")
    stage.play("b0 07 7f")
    assert (stage.position("gain"), stage.position("level")) == (1.0, param("level").default)
    stage.play("b0 07 00", KEYBOARD)
    assert stage.position("level") == 0.0
    stage.use("defaults: false\nbindings: []\n")
    stage.play("c0 02")
    assert stage.rig.controller.presets.number == -1


# --- switches ------------------------------------------------------------------------------------


def test_modes_of_switches(stage_with: StageWith) -> None:
    stage = stage_with(
        "- {cc: 80, target: mute, mode: momentary}\n"
        "- {cc: 81, target: bypass, mode: latch}\n"
        "- {note: 36, target: comp/enable, mode: toggle}\n"
        "- {note: 37, target: gain, range: [0.2, 0.8]}\n"
    )
    stage.play("b0 50 7f")
    assert stage.position("mute") == 1.0
    stage.play("b0 50 00")
    assert stage.position("mute") == 0.0
    stage.play("b0 51 7f")
    assert stage.position("bypass") == 1.0
    stage.play("b0 51 00")
    assert stage.position("bypass") == 0.0
    for expected in (1.0, 0.0):
        stage.play("90 24 01 90 24 00")
        stage.wait(0.2)
        assert stage.position("comp/enable") == expected
    for expected in (0.8, 0.2):
        stage.play("90 25 64 80 25 00")
        stage.wait(0.2)
        assert stage.position("gain") == expected


def test_a_press_sets_a_value_or_loads_a_number(stage_with: StageWith) -> None:
    stage = stage_with(
        "- {cc: 80, target: delay/mix, value: 0.3}\n"
        "- {note: 40, target: preset/load, value: 2}\n"
        "- {program: 9, target: toggle/tuner}\n"
        "- {program: any, bank: 3, target: preset/load, offset: -1}\n"
        "- {cc: 82, target: preset/load}\n"
    )
    stage.play("b0 50 7f 50 00")
    assert stage.position("delay/mix") == 0.3
    stage.play("90 28 64")
    assert stage.rig.controller.presets.number == 2
    stage.play("c0 09")
    assert stage.position("tuner/enable") == 1.0
    stage.wait(0.1)
    stage.play("b0 20 03 c0 01")
    stage.wait(0.1)
    assert stage.rig.controller.presets.number == 0
    stage.play("b0 52 01")
    assert stage.rig.controller.presets.number == 1


def test_keys_and_pins(stage_with: StageWith) -> None:
    """Page-turn pedals and buttons are switches as any other."""
    stage = stage_with(
        "- {key: PAGEDOWN, device: FCB1010, target: preset/next}\n"
        "- {pin: 17, target: bypass}\n"
        "- {pin: 3, target: shutdown}\n"
    )
    stage.deliver(Message(Kind.KEY, 0, 109, 127))
    assert stage.rig.controller.presets.number == 0
    stage.deliver(Message(Kind.PIN, 0, 17, 127))
    assert stage.position("bypass") == 1.0


def test_the_machine_is_turned_off_by_a_long_press_only(stage_with: StageWith) -> None:
    stage = stage_with("- {pin: 3, target: shutdown}\n")
    for seconds, expected in ((1.5, 0), (2.1, 1)):
        stage.deliver(Message(Kind.PIN, 0, 3, 127))
        stage.wait(seconds)
        stage.deliver(Message(Kind.PIN, 0, 3, 0))
        assert len(stage.shutdowns) == expected
        stage.wait(1.0)


def test_a_footswitch_that_sends_no_releases_does_not_turn_the_machine_off(
    stage_with: StageWith,
) -> None:
    """A single message is a short press; a switch whose release was seen can be held."""
    stage = stage_with("- {cc: 80, target: shutdown}\n- {cc: 81, target: mute, long: shutdown}\n")
    for message in ("b0 50 7f", "b0 51 7f"):
        stage.play(message)
        stage.wait(10.0)
    assert stage.shutdowns == []
    stage.play("b0 50 00")
    stage.wait(1.0)
    stage.play("b0 50 7f")
    stage.wait(2.1)
    assert len(stage.shutdowns) == 1


def test_unplugging_releases_what_is_held(stage_with: StageWith) -> None:
    """And bindings are there again when the controller is."""
    stage = stage_with("- {cc: 80, device: FCB1010, target: mute, mode: momentary}\n")
    stage.play("b0 50 7f")
    stage.unplug(PEDAL)
    assert stage.position("mute") == 0.0
    stage.plug(PEDAL)
    stage.play("b0 50 7f")
    assert stage.position("mute") == 1.0


# --- clock ---------------------------------------------------------------------------------------


def tick(stage: Stage, bpm: float, count: int) -> None:
    for _ in range(count):
        stage.wait(60.0 / bpm / 24.0)
        stage.deliver(CLOCK)


def test_the_clock_sets_the_tempo(stage: Stage) -> None:
    tick(stage, 90.0, 60)
    assert stage.rig.controller.value("tempo/bpm") == pytest.approx(90.0)


def test_the_clock_wins_again_after_a_preset(stage: Stage) -> None:
    tick(stage, 90.0, 60)
    stage.rig.controller.set_value("tempo/bpm", 140.0, PHONE)
    tick(stage, 90.0, 30)
    assert stage.rig.controller.value("tempo/bpm") == pytest.approx(90.0)


def test_of_two_clocks_the_one_that_goes_on_is_followed(stage: Stage) -> None:
    """The other one when it is unplugged."""
    for place in range(60):
        stage.wait(60.0 / 90.0 / 24.0)
        stage.deliver(CLOCK)
        if place % 2:
            stage.deliver(CLOCK, KEYBOARD)
    assert stage.rig.controller.value("tempo/bpm") == pytest.approx(90.0)
    stage.unplug(PEDAL)
    for _ in range(60):
        stage.wait(60.0 / 100.0 / 24.0)
        stage.deliver(CLOCK, KEYBOARD)
    assert stage.rig.controller.value("tempo/bpm") == pytest.approx(100.0)


def test_a_bank_that_is_bound_is_one_of_its_own(stage_with: StageWith) -> None:
    """Its programs count from 0, and all other banks do what they always do."""
    stage = stage_with("- {device: FCB1010, program: any, bank: 1, target: model/load}\n")
    rig = stage.rig.controller
    stage.play("b0 20 01 c0 01")
    stage.wait(0.1)
    assert (rig.model_index, rig.presets.number) == (1, -1)
    stage.play("b0 20 00 c0 02")
    stage.wait(0.1)
    assert rig.presets.number == 2


def test_a_knob_loads_a_number_again_after_another_client(stage_with: StageWith) -> None:
    stage = stage_with("- {cc: 82, target: preset/load}\n")
    presets = stage.rig.controller.presets
    stage.play("b0 52 01")
    presets.load(2, PHONE)
    stage.wait(0.1)
    assert presets.number == 2
    stage.play("b0 52 01")
    assert presets.number == 1


def test_the_clock_of_another_device_is_not_followed(stage_with: StageWith) -> None:
    stage = stage_with("clock: nanoKEY\nbindings: []\n")
    tick(stage, 90.0, 60)
    assert stage.rig.controller.value("tempo/bpm") == pytest.approx(120.0)
    stage.use("clock: off\nbindings: []\n")
    tick(stage, 90.0, 60)
    assert stage.rig.controller.value("tempo/bpm") == pytest.approx(120.0)


# --- lamps ---------------------------------------------------------------------------------------


def test_lamps_follow_whoever_changes_something(stage_with: StageWith) -> None:
    """At once when it is connected, after every change, and after a press."""
    stage = stage_with(
        "- {cc: 80, channel: 2, device: FCB1010, target: bypass, echo: true}\n"
        "- {note: 36, device: FCB1010, target: preset/load, value: 1, echo: true}\n"
    )
    assert stage.lamps() == ["b1 50 00", "90 24 00"]
    stage.rig.controller.set("bypass", 1.0, PHONE)
    assert stage.lamps() == ["b1 50 7f"]
    stage.play("b1 50 7f b1 50 00")
    assert stage.lamps() == ["b1 50 00"]
    stage.play("90 24 40 90 24 00")
    assert stage.lamps() == ["90 24 7f"]
    stage.unplug(PEDAL)
    stage.plug(PEDAL)
    assert stage.lamps() == ["b1 50 00", "90 24 7f"]
    assert stage.lamps(KEYBOARD) == []


def test_a_motor_fader_is_not_moved_under_the_finger(stage_with: StageWith) -> None:
    """It goes where others set it, in its own resolution."""
    stage = stage_with(
        "- {bend: true, channel: 1, target: gain, echo: true}\n"
        "- {cc: 16, channel: 1, target: bass, encoding: 14-bit, echo: true}\n"
    )
    stage.lamps()
    stage.play("e0 00 20")
    stage.play("b0 10 20 30 05")
    assert stage.lamps() == []
    stage.rig.controller.set("gain", 1.0, PHONE)
    stage.rig.controller.set("bass", 0.0, PHONE)
    assert stage.lamps() == ["e0 7f 7f", "b0 10 00", "b0 30 00"]


def test_lamps_are_not_flooded(stage_with: StageWith) -> None:
    """A thousand changes in 20 ms are one message: the last value."""
    stage = stage_with("- {cc: 20, channel: 1, device: FCB1010, target: gain, echo: true}\n")
    stage.lamps()
    for step in range(1000):
        stage.rig.controller.set("gain", step / 999, PHONE)
    assert stage.lamps() == ["b0 14 7f"]


# --- too much ------------------------------------------------------------------------------------


def test_a_flood_is_few_changes_and_says_so(rig: MemoryRig, stage_with: StageWith) -> None:
    """10,000 values in a second, in the pieces that a loop reads: one commit each, the last."""
    stage = stage_with("- {cc: 20, target: gain}\n")
    commits = len(rig.commits)
    with structlog.testing.capture_logs() as logs:
        for piece in range(20):
            values = [bytes((0xB0, 20, (piece + step) % 128)) for step in range(500)]
            stage.play(b"".join(values))
            stage.wait(0.05)
    assert len(rig.commits) - commits <= 20
    assert stage.position("gain") == pytest.approx((19 + 499) % 128 / 127)
    assert [line["event"] for line in logs] == ["MIDI flood"]


def test_a_stuck_switch_and_a_flood_of_programs_queue_nothing(rig: MemoryRig, stage: Stage) -> None:
    """At most twenty requests a second, and the last program is the one that is loaded."""
    requests: list[int] = []
    load = rig.controller.presets.load
    rig.controller.presets.load = lambda which, source: (  # type: ignore[method-assign]
        requests.append(which),
        load(which, source),
    )[1]
    for step in range(1000):
        stage.play(bytes((0xC0, step % 3, 0xB0, 61, 127, 61, 0)))
        stage.wait(0.001)
    stage.play("c0 01")
    stage.wait(0.2)
    assert len(requests) <= 24
    assert rig.controller.presets.number == 1


def test_an_error_inside_ends_nothing(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is logged; the next message works."""
    monkeypatch.setattr(stage.surface._mapper, "handle", lambda _batch: 1 // 0)
    with structlog.testing.capture_logs() as logs:
        stage.play("b0 07 7f")
    assert logs[0]["event"] == "MIDI message failed"
    monkeypatch.undo()
    stage.play("b0 07 7f")
    assert stage.position("level") == 1.0


def test_an_unknown_target_is_said_when_the_file_is_read(stage_with: StageWith) -> None:
    with structlog.testing.capture_logs() as logs:
        stage_with("- {cc: 20, target: gian}\n- {cc: 21, target: knob/any}\n")
    (line,) = [line for line in logs if line["event"] == "binding without effect"]
    assert "did you mean 'gain'" in line["reason"]


# --- anything ------------------------------------------------------------------------------------

EVERY_KIND = """\
- {cc: 1, target: gain, encoding: 14-bit}
- {cc: 2, target: delay/note, encoding: twos-complement}
- {cc: 3, target: preset/load}
- {cc: 4, target: bypass, mode: latch, long: tempo/tap, echo: true}
- {note: 60, target: mute, mode: momentary}
- {bend: true, target: level, curve: slow, low: 100, high: 90}
- {pressure: true, target: snapshot/load}
- {program: 3, target: panic}
"""


@settings(max_examples=30, deadline=None)
@given(st.lists(st.binary(max_size=60), max_size=8), st.booleans())
def test_no_bytes_do_any_harm(pieces: list[bytes], is_learning: bool) -> None:
    """Nothing fails, and all positions stay within 0..1; with bindings and while learning."""
    made = MemoryRig()
    made.presets.kept[0] = Preset(name="Clean")

    async def work() -> None:
        stage = Stage(made)
        stage.use(EVERY_KIND)
        if is_learning:
            made.controller.midi.learn("bass", PHONE)
        for data in pieces:
            stage.play(bytes(0x80 | byte if byte % 5 == 0 else byte for byte in data))
            stage.wait(0.05)

    with structlog.testing.capture_logs() as logs:
        asyncio.run(work())
    assert [line for line in logs if line["log_level"] == "error"] == []
    assert all(0.0 <= position <= 1.0 for position in made.controller.positions().values())
