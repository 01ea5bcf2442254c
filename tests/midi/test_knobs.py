"""Knobs, faders and encoders: take-over, 14 bits, relative encodings."""

from collections.abc import Callable

import pytest
import structlog

from nemod.control.events import Source
from nemod.midi.messages import Kind, Message
from tests.midi.conftest import Stage

PHONE = Source("osc", "phone")
StageWith = Callable[[str], Stage]


def test_a_knob_takes_over_after_a_preset(stage_with: StageWith) -> None:
    """It has to pass the position that the preset has set, from either side."""
    stage = stage_with("- {cc: 20, target: gain}\n")
    stage.play("b0 14 00")
    assert stage.position("gain") == 0.0
    stage.play("c0 01")  # gain 0.5
    stage.play("b0 14 20 14 30")
    assert stage.position("gain") == 0.5
    stage.play("b0 14 41")
    assert stage.position("gain") == pytest.approx(65 / 127)
    stage.play("b0 14 10")
    assert stage.position("gain") == pytest.approx(16 / 127)


def test_a_fast_turn_past_the_position_is_caught(stage_with: StageWith) -> None:
    """All values of the turn arrive at once; only the last one is set."""
    stage = stage_with("- {cc: 20, target: gain}\n")
    stage.play("b0 14 00")
    stage.rig.controller.set("gain", 0.5, PHONE)
    commits = len(stage.rig.commits)
    stage.play("b0" + "".join(f" 14 {value:02x}" for value in range(1, 101)))
    assert stage.position("gain") == pytest.approx(100 / 127)
    assert len(stage.rig.commits) == commits + 1


def test_a_knob_that_was_never_moved_takes_over_after_a_preset(stage_with: StageWith) -> None:
    """It is caught near the position."""
    stage = stage_with("- {cc: 20, target: gain}\n- {cc: 21, target: level}\n")
    stage.rig.use_knobs("drive", "tone")
    stage.play("c0 01")  # gain is 0.5 before and after it
    stage.play("b0 14 7f")
    assert stage.position("gain") == 0.5
    stage.play("b0 14 40")
    assert stage.position("gain") == pytest.approx(64 / 127)


def test_a_knob_sets_what_only_a_model_has_set(stage_with: StageWith) -> None:
    stage = stage_with("- {cc: 21, target: level}\n")
    stage.rig.use_knobs("drive", "tone")
    stage.play("b0 15 7f")
    assert stage.position("level") == 1.0


def test_a_knob_that_was_not_moved_since_the_change_waits(stage_with: StageWith) -> None:
    """Where nothing is known of it, it is caught near the position only."""
    stage = stage_with("- {cc: 20, target: gain}\n")
    stage.play("b0 14 40")
    stage.rig.controller.set("gain", 0.9, PHONE)
    stage.play("b0 14 30")
    assert stage.position("gain") == 0.9
    stage.play("b0 14 72")
    assert stage.position("gain") == pytest.approx(0x72 / 127)


def test_two_knobs_of_one_parameter_catch_each_other(stage_with: StageWith) -> None:
    stage = stage_with("- {cc: 20, target: gain}\n- {cc: 21, target: gain}\n")
    stage.play("b0 14 00")
    stage.play("b0 15 00")
    stage.play("b0 15 7f")
    stage.play("b0 14 20")
    assert stage.position("gain") == 1.0


def test_a_knob_may_jump(stage_with: StageWith) -> None:
    stage = stage_with("- {cc: 20, target: gain, takeover: false}\n")
    stage.play("b0 14 00")
    stage.rig.controller.set("gain", 0.9, PHONE)
    stage.play("b0 14 10")
    assert stage.position("gain") == pytest.approx(16 / 127)


def test_fourteen_bits(stage_with: StageWith) -> None:
    """The upper half alone counts as with 0; the lower one follows it, or comes alone."""
    stage = stage_with("- {cc: 16, target: gain, encoding: 14-bit}\n")
    stage.play("b0 10 40")
    assert stage.position("gain") == pytest.approx(0x40 * 128 / 16383)
    stage.play("b0 30 01")
    assert stage.position("gain") == pytest.approx((0x40 * 128 + 1) / 16383)
    stage.play("b0 10 7f 30 7f")
    assert stage.position("gain") == 1.0


def test_bend_and_pressure(stage_with: StageWith) -> None:
    stage = stage_with("- {bend: true, target: gain}\n- {pressure: true, target: bass}\n")
    stage.play("e0 00 40 d0 7f")
    assert stage.position("gain") == pytest.approx(8192 / 16383)
    assert stage.position("bass") == 1.0


@pytest.mark.parametrize(
    ("encoding", "right", "left"),
    [
        ("twos-complement", "01 02", "7f"),
        ("binary-offset", "41 42", "3f"),
        ("signed-bit", "01 02", "41"),
    ],
)
def test_endless_encoders(encoding: str, right: str, left: str, stage_with: StageWith) -> None:
    """Three steps to the right, then one to the left; no take-over is needed."""
    stage = stage_with(f"- {{cc: 30, target: gain, encoding: {encoding}, step: 0.1}}\n")
    stage.rig.controller.set("gain", 0.2, PHONE)
    for value in right.split():
        stage.play(f"b0 1e {value}")
    assert stage.position("gain") == pytest.approx(0.5)
    stage.play(f"b0 1e {left}")
    assert stage.position("gain") == pytest.approx(0.4)


def test_an_encoder_steps_through_choices_presets_and_beats(stage_with: StageWith) -> None:
    """One choice, one preset, one BPM a step."""
    stage = stage_with(
        "- {cc: 30, target: delay/note, encoding: twos-complement}\n"
        "- {cc: 31, target: preset/next, encoding: twos-complement}\n"
        "- {encoder: [5, 6], target: tempo/bpm}\n"
    )
    before = stage.rig.controller.value("delay/note")
    stage.play("b0 1e 01")
    assert stage.rig.controller.value("delay/note") == before + 1
    stage.play("b0 1f 01")
    stage.wait(0.1)
    stage.play("b0 1f 7f")
    assert stage.rig.controller.presets.number == 2
    stage.deliver(Message(Kind.ENCODER, 0, 5, -3))
    assert stage.rig.controller.value("tempo/bpm") == pytest.approx(117.0)


def test_a_knob_of_a_model(stage_with: StageWith) -> None:
    """By the name that its file gives; another model does not have it, and that is said."""
    stage = stage_with("- {cc: 20, target: knob/bias}\n")
    with structlog.testing.capture_logs() as logs:
        stage.play("b0 14 7f")
    assert "no such parameter" in logs[0]["reason"]
    stage.rig.use_knobs("drive", "tone", "bias")
    stage.play("b0 14 00")
    stage.play("b0 14 7f")
    assert stage.position("knob/3") == 1.0
