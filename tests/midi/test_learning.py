"""Learning from recorded bytes: what is bound, how, and what is left out."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from nemod.control.errors import Code, ControlError
from nemod.control.events import Event, MidiLearned, MidiLearning, MidiListChanged, Source
from nemod.control.jobs import Job
from nemod.control.midi import Unbound
from nemod.midi.binding import Binding, Encoding, Mode, Pull
from nemod.midi.messages import Kind, Message, Port
from nemod.midi.store import BindingStore
from tests.midi.conftest import KEYBOARD, PEDAL, Stage
from tests.osc.conftest import MemoryRig

ME = Source("osc", "phone")


async def ended(job: Job) -> Job:
    """Wait until a job has written the file."""
    for _ in range(1000):
        if job.is_over:
            return job
        await asyncio.sleep(0.002)
    raise AssertionError("the job did not end")


def run(work: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        await work()

    asyncio.run(main())


def learned(stage: Stage, target: str, play: Callable[[], None], how: str = "") -> Binding:
    """Return what is bound when a controller does something."""

    async def work() -> None:
        job = stage.rig.controller.midi.learn(target, ME, how)
        play()
        stage.wait(2.0)
        assert (await ended(job)).error is None

    run(work)
    return stage.store.content.bindings[-1]


def test_a_knob(stage: Stage) -> None:
    """Bound to its device and port, and at work at once; while it was learned it did nothing."""
    binding = learned(stage, "gain", lambda: stage.play("b2 14 40 14 41 14 42"))
    assert binding == Binding(
        kind=Kind.CC, number=20, channel=3, target="gain", device=PEDAL.device, port=PEDAL.port
    )
    assert stage.position("gain") == 0.5
    stage.play("b2 14 7f")
    assert stage.position("gain") == 1.0
    stage.play("b2 14 00", KEYBOARD)
    assert stage.position("gain") == 1.0


@pytest.mark.parametrize("data", ["00 10", "20 10", "78 00", "7b 00", "7f 7f"])
def test_bank_select_and_channel_modes_are_not_learned(data: str, stage: Stage) -> None:
    """Whatever comes with a program change; the knob that is moved after it is."""
    assert learned(stage, "gain", lambda: stage.play(f"b0 {data} 14 40")).number == 20


@pytest.mark.parametrize("data", ["10 40 30 11", "30 11 10 40", "10 40 30 11 10 41 30 12"])
def test_a_pair_is_one_controller_of_14_bits(data: str, stage: Stage) -> None:
    """Whichever half comes first."""
    binding = learned(stage, "gain", lambda: stage.play(f"b0 {data}"))
    assert (binding.number, binding.encoding) == (16, Encoding.FOURTEEN_BIT)


@pytest.mark.parametrize("number", [33, 48, 60, 63])
def test_controllers_33_to_63_alone_are_learned(number: int, stage: Stage) -> None:
    binding = learned(stage, "gain", lambda: stage.play(bytes((0xB0, number, 50))))
    assert (binding.number, binding.encoding) == (number, Encoding.ABSOLUTE)


def test_a_footswitch_that_is_pressed_and_released_toggles(stage: Stage) -> None:
    def play() -> None:
        stage.play("b0 50 7f")
        stage.wait(0.3)
        stage.play("b0 50 00")

    binding = learned(stage, "bypass", play)
    assert (binding.number, binding.mode) == (80, Mode.TOGGLE)
    assert stage.position("bypass") == 0.0
    stage.play("b0 50 7f")
    assert stage.position("bypass") == 1.0


def test_a_footswitch_that_latches_is_followed(stage: Stage) -> None:
    """It sends nothing when the foot leaves it."""
    assert learned(stage, "bypass", lambda: stage.play("b0 50 7f")).mode is Mode.LATCH
    stage.play("b0 50 00")
    assert stage.position("bypass") == 0.0


def test_a_footswitch_that_sends_the_same_value_each_time_toggles(stage: Stage) -> None:
    """It looks as if it latched, until it is pressed again."""
    learned(stage, "bypass", lambda: stage.play("b0 50 7f"))
    for expected in (1.0, 0.0, 1.0):
        stage.wait(0.5)
        stage.play("b0 50 7f")
        assert stage.position("bypass") == expected


def test_a_fader_for_a_switch_is_on_above_the_middle(stage: Stage) -> None:
    binding = learned(stage, "bypass", lambda: stage.play("b0 14 30 14 40 14 50"))
    assert binding.mode is Mode.MOMENTARY


def test_a_pad_a_program_a_key_and_a_pin(stage: Stage) -> None:
    """Notes, keys and pins are switches; a program is bound by its number."""
    pad = learned(stage, "preset/next", lambda: stage.play("90 24 64 80 24 00"))
    assert (pad.kind, pad.number, pad.mode) == (Kind.NOTE, 36, Mode.TOGGLE)
    program = learned(stage, "panic", lambda: stage.play("c0 07"))
    assert (program.kind, program.number, program.mode) == (Kind.PROGRAM, 7, None)
    key = learned(stage, "bypass", lambda: stage.deliver(Message(Kind.KEY, 0, 109, 127)))
    assert (key.kind, key.number, key.mode) == (Kind.KEY, 109, Mode.TOGGLE)
    stage.play("c0 07")
    assert stage.position("mute") == 1.0


def test_what_a_press_loads(stage: Stage) -> None:
    """The number that is named; without one the current preset for a pad, its own for a program."""
    numbered = learned(stage, "preset/load", lambda: stage.play("b0 50 7f 50 00"), "2")
    assert (numbered.number, numbered.value) == (80, 2.0)
    stage.play("b0 50 7f 50 00")
    assert stage.rig.controller.presets.number == 2
    pad = learned(stage, "preset/load", lambda: stage.play("90 24 64 80 24 00"))
    assert pad.value == 2.0
    program = learned(stage, "preset/load", lambda: stage.play("c0 01"))
    assert program.value is None
    stage.wait(1.0)
    stage.play("c0 01")
    assert stage.rig.controller.presets.number == 1


@pytest.mark.parametrize("encoding", [one for one in Encoding if one.is_relative])
def test_an_endless_encoder_is_named(encoding: Encoding, stage: Stage) -> None:
    """Its values alone do not tell."""
    assert learned(stage, "gain", lambda: stage.play("b0 1e 01"), encoding).encoding is encoding


def test_a_pedal_that_jitters_is_not_the_one_that_is_moved(stage: Stage) -> None:
    """Its last value is known."""
    stage.play("b0 04 40")

    def play() -> None:
        stage.play("b0 04 41 04 40 04 3f")
        stage.wait(0.2)
        stage.play("b0 14 40")

    assert learned(stage, "gain", play).number == 20


@pytest.mark.parametrize("step", [1, 2, -1])
def test_a_knob_that_was_moved_before_and_is_turned_slowly(step: int, stage: Stage) -> None:
    """What counts is how far it is from where it stood when learning began."""
    stage.play("b0 14 40")
    turned = [0x40 + step * count for count in range(1, 5)]
    play = b"".join(bytes((0xB0, 20, value)) for value in turned)
    assert learned(stage, "gain", lambda: stage.play(play)).number == 20


def test_what_is_not_learned_does_what_it_always_does(stage: Stage) -> None:
    """A switch that is held is released, and a pedal is not dead until somebody moves a knob."""
    stage.use("- {cc: 81, target: bypass, mode: momentary}\n- {cc: 20, target: bass}\n")
    stage.play("b0 51 7f")
    assert stage.position("bypass") == 1.0

    def play() -> None:
        stage.play("b0 51 00")
        assert stage.position("bypass") == 0.0
        stage.play("b0 0e 40 14 7f")
        assert stage.position("bass") == 1.0

    assert learned(stage, "gain", play).number == 14


def test_a_control_has_one_target_and_keeps_the_ends_of_its_pedal(stage: Stage) -> None:
    """Learned again, with what was set up for the hardware; other controls of a target stay."""
    stage.use("- {device: FCB1010, cc: 11, target: level, low: 4, high: 120}\n")
    binding = learned(stage, "delay/mix", lambda: stage.play("b0 0b 40 0b 50"))
    assert (binding.target, binding.low, binding.high) == ("delay/mix", 4, 120)
    assert len(stage.store.content.bindings) == 1
    learned(stage, "delay/mix", lambda: stage.play("b0 14 40"))
    assert [one.number for one in stage.store.content.bindings] == [11, 20]


def test_an_encoder_at_pins_is_learned_again_with_its_wiring(stage: Stage) -> None:
    """A binding without a device is for the default chip; inversion and pins stay."""
    stage.use("- {encoder: [17, 18], target: gain, invert: true, pull: down}\n")
    chip = Port("gpiochip0")
    step = Message(Kind.ENCODER, 0, 17, 1)
    binding = learned(stage, "bass", lambda: stage.deliver(step, chip))
    assert (binding.number, binding.second, binding.invert) == (17, 18, True)
    assert (binding.pull, len(stage.store.content.bindings)) == (Pull.DOWN, 1)


def test_an_encoder_whose_other_pin_is_unknown_is_not_learned(stage: Stage) -> None:
    async def work() -> None:
        job = stage.rig.controller.midi.learn("gain", ME)
        stage.deliver(Message(Kind.ENCODER, 0, 17, 1), Port("gpiochip1"))
        stage.wait(1.0)
        code, text = failed(await ended(job))
        assert code == "value"
        assert "second pin" in text

    run(work)
    assert stage.store.content.bindings == ()


def test_a_program_of_a_bank_stays_beside_that_of_any(stage: Stage) -> None:
    stage.use("- {device: FCB1010, program: 7, bank: 2, target: panic}\n")
    learned(stage, "bypass", lambda: stage.play("c0 07"))
    assert [one.bank for one in stage.store.content.bindings] == [2, None]


def test_nothing_is_written_where_nothing_changes(rig: MemoryRig, tmp_path: Path) -> None:
    path = tmp_path / "bindings.yaml"
    stage = Stage(rig, path)
    learned(stage, "gain", lambda: stage.play("b0 14 40"))
    before = path.stat().st_ino
    learned(stage, "gain", lambda: stage.play("b0 14 50"))
    assert path.stat().st_ino == before


def test_everybody_is_told(stage: Stage) -> None:
    events = stage.rig.controller.subscribe(kinds=(MidiLearning, MidiLearned, MidiListChanged))
    learned(stage, "gain", lambda: stage.play("b0 14 40"))
    told: list[Event] = events.take()
    assert told == [
        MidiListChanged(1, 2),
        MidiLearned("gain", "cc of FCB1010", 20),
        MidiLearning("", ME),
    ]
    first, *rest = stage.rig.controller.midi.bindings
    assert (first.target, first.control, first.device) == ("gain", "cc 20", "FCB1010 MIDI 1")
    assert len(rest) == 7
    assert all(one.is_default for one in rest)


def test_it_is_there_after_a_restart(rig: MemoryRig, tmp_path: Path) -> None:
    """And gone after it is unlearned."""
    path = tmp_path / "bindings.yaml"
    stage = Stage(rig, path)
    learned(stage, "gain", lambda: stage.play("b0 14 40"))
    assert len(BindingStore(path).load().bindings) == 1

    async def unlearn() -> None:
        await ended(stage.rig.controller.midi.unlearn(Unbound("gain"), ME))

    run(unlearn)
    assert BindingStore(path).load().bindings == ()
    stage.play("b0 14 7f")
    assert stage.position("gain") == 0.5


def test_an_edited_file_is_used_without_a_restart(rig: MemoryRig, tmp_path: Path) -> None:
    path = tmp_path / "bindings.yaml"

    async def work() -> None:
        stage = Stage(rig, path)
        path.write_text("bindings: [{cc: 20, target: gain}]\n")
        stage.wait(2.1)
        for _ in range(500):
            if stage.store.content.bindings:
                break
            await asyncio.sleep(0.002)
        await asyncio.sleep(0.01)
        stage.play("b0 14 7f")
        assert stage.position("gain") == 1.0

    run(work)


def failed(job: Job) -> tuple[str, str]:
    assert job.error is not None
    return job.error.code, job.error.text


def test_learning_ends_when_it_is_cancelled_superseded_or_waits_too_long(stage: Stage) -> None:
    """Its job fails with `busy`, and controllers do again what they did."""
    midi = stage.rig.controller.midi
    first = midi.learn("gain", ME)
    second = midi.learn("bass", ME)
    assert failed(first) == ("busy", "cancelled")
    assert midi.learning == "bass"
    midi.cancel()
    assert failed(second) == ("busy", "cancelled")
    third = midi.learn("gain", ME)
    stage.wait(61.0)
    assert failed(third) == ("busy", "no controller was moved")
    assert midi.learning == ""
    stage.play("b0 07 7f")
    assert stage.position("level") == 1.0


@pytest.mark.parametrize(
    ("target", "how", "code"),
    [
        ("gian", "", Code.NOT_FOUND),
        ("shutdown", "", Code.NOT_FOUND),
        ("gain", "relative", Code.VALUE),
        ("gain", "3", Code.VALUE),
        ("preset/load", "-1", Code.VALUE),
        ("preset/load", "9" * 400, Code.VALUE),
    ],
)
def test_what_cannot_be_learned(target: str, how: str, code: Code, stage: Stage) -> None:
    """Turning the machine off least of all."""
    with pytest.raises(ControlError) as raised:
        stage.rig.controller.midi.learn(target, ME, how)
    assert raised.value.code is code


def test_unlearning_what_is_not_bound_is_an_error(stage: Stage) -> None:
    with pytest.raises(ControlError, match="no control is bound"):
        stage.rig.controller.midi.unlearn(Unbound("preset/load"), ME)


def test_a_disk_that_fails_fails_the_job(rig: MemoryRig, tmp_path: Path) -> None:
    """Nothing is bound then."""
    (tmp_path / "file").write_text("")
    stage = Stage(rig, tmp_path / "file" / "bindings.yaml")

    async def work() -> None:
        job = rig.controller.midi.learn("gain", ME)
        stage.play("b0 14 40")
        stage.wait(1.0)
        code, text = failed(await ended(job))
        assert (code, text[:11]) == ("io", "not written")

    run(work)
    assert stage.store.content.bindings == ()


def test_without_the_surface_every_request_is_an_error(rig: MemoryRig) -> None:
    with pytest.raises(ControlError, match=r"midi\.enable"):
        rig.controller.midi.learn("gain", ME)
    assert rig.controller.midi.bindings == rig.controller.midi.ports == ()
