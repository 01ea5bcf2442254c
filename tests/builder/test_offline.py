"""The rig over an array: `nemod.render`."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import nemod
from nemod.builder.build import build
from nemod.builder.filled_chain import clean
from nemod.common.errors import ModelError
from nemod.control.settings import Settings
from nemod.engine.compiled_rig import CompiledRig
from nemod.engine.packing import leaves_of
from nemod.formats.model import Knob, Model
from nemod.formats.weights import DenseWeights
from tests.engine.conftest import RATE_HZ, MakeModel, alone64, tiny

Sound = NDArray[np.float32]

EFFECTS = {
    "gain": 0.6,
    "bass": 0.7,
    "treble": 0.4,
    "delay/mix": 0.4,
    "delay/time": 0.3,
    "reverb/mix": 0.3,
    "reverb/predelay": 0.01,
}


@pytest.fixture(scope="module")
def at_defaults(guitar: Sound) -> Sound:
    """What the rig makes of the guitar when no knob has been moved."""
    return nemod.render(tiny(), guitar, RATE_HZ)


@pytest.mark.parametrize("unit", ["LSTM", "GRU"])
def test_the_model_alone_is_its_equations(unit: str, guitar: Sound) -> None:
    """From zeros, with nothing else touching a sample."""
    model = tiny(unit)
    expected = alone64(model, guitar)
    actual = nemod.render(model, guitar, RATE_HZ, model_only=True)
    assert actual.dtype == np.float32
    np.testing.assert_allclose(actual, expected, atol=2e-6)


@pytest.mark.parametrize("unit", ["LSTM", "GRU"])
def test_knobs_reach_the_model_by_every_name(unit: str, guitar: Sound) -> None:
    """As gain and level, by number, and by the name that the file gives, in any case."""
    model = tiny(unit, 2)
    expected = alone64(model, guitar[:500], (0.9, 0.2))
    for first, second in (("gain", "level"), ("knob/1", "knob/2"), ("knob/Gain", "knob/TONE")):
        settings = {first: 0.9, second: 0.2}
        actual = nemod.render(model, guitar[:500], RATE_HZ, settings=settings, model_only=True)
        np.testing.assert_allclose(actual, expected, atol=2e-6)


def test_a_knob_has_the_range_of_its_file(guitar: Sound) -> None:
    """Position 0.25 of -2..2 is -1."""
    model = tiny("LSTM", 1)
    wide = Model(
        name="wide",
        dialect=model.dialect,
        network=model.network,
        weights=model.weights,
        knobs=(Knob("gain", -2.0, 2.0),),
    )
    expected = alone64(model, guitar[:500], (-1.0,))
    actual = nemod.render(wide, guitar[:500], RATE_HZ, settings={"gain": 0.25}, model_only=True)
    np.testing.assert_allclose(actual, expected, atol=2e-6)


@pytest.mark.parametrize("block", [1, 65, 512])
@pytest.mark.parametrize("unit", ["LSTM", "GRU"])
def test_the_model_alone_does_not_depend_on_the_block(unit: str, block: int, guitar: Sound) -> None:
    """A last block that is not full included."""
    expected = nemod.render(tiny(unit), guitar, RATE_HZ, model_only=True)
    actual = nemod.render(tiny(unit), guitar, RATE_HZ, model_only=True, block=block)
    np.testing.assert_allclose(actual, expected, atol=1e-6)


# One frame a block at a low rate: the warm-up is that many calls.
@pytest.mark.parametrize(("block", "rate_hz"), [(1, 8000), (65, RATE_HZ), (512, RATE_HZ)])
def test_the_rig_does_not_depend_on_the_block(block: int, rate_hz: int, guitar: Sound) -> None:
    """All effects on, the warm-up before the first sample too."""
    expected = nemod.render(tiny(), guitar, rate_hz, settings=EFFECTS)
    actual = nemod.render(tiny(), guitar, rate_hz, settings=EFFECTS, block=block)
    assert np.abs(expected).max() > 0.1
    np.testing.assert_allclose(actual, expected, atol=1e-5)


@pytest.mark.parametrize("frames", [0, 1, 64, 65])
def test_the_length_stays(frames: int, guitar: Sound) -> None:
    """Of nothing, too."""
    assert nemod.render(tiny(), guitar[:frames], RATE_HZ, model_only=True).shape == (frames,)


def test_two_renderings_are_equal_to_the_bit(guitar: Sound, at_defaults: Sound) -> None:
    """Nothing is left over from the first, and the signal so far is all that counts."""
    again = nemod.render(tiny(), guitar[:200], RATE_HZ)
    np.testing.assert_array_equal(again, at_defaults[:200])


def test_lists_and_wider_numbers_are_taken(guitar: Sound) -> None:
    """Whatever becomes float32 [frames]."""
    expected = nemod.render(tiny(), guitar[:100], RATE_HZ, model_only=True)
    for given in (guitar[:100].tolist(), guitar[:100].astype(np.float64)):
        actual = nemod.render(tiny(), given, RATE_HZ, model_only=True)
        np.testing.assert_array_equal(actual, expected)


def test_progress_is_told_block_by_block(guitar: Sound) -> None:
    """In frames, the last one being all of them."""
    told: list[int] = []
    nemod.render(tiny(), guitar[:150], RATE_HZ, model_only=True, progress=told.append)
    assert told == [64, 128, 150]


@pytest.mark.parametrize(
    ("path", "position"),
    [
        ("input", 0.6),
        ("gain", 0.6),
        ("level", 0.6),
        ("output", 0.6),
        ("bass", 0.9),
        ("mid", 0.9),
        ("treble", 0.9),
        ("delay/mix", 0.5),
        ("reverb/mix", 0.5),
        ("bypass", 1.0),
        ("mute", 1.0),
    ],
)
def test_every_setting_changes_the_sound(
    path: str, position: float, guitar: Sound, at_defaults: Sound
) -> None:
    """From the first sample that it can reach."""
    settings = {"delay/time": 0.4, "reverb/predelay": 0.0, path: position}
    after = nemod.render(tiny(), guitar, RATE_HZ, settings=settings)
    assert np.abs(after - at_defaults).max() > 1e-3


def test_mute_is_silence_and_bypass_is_the_guitar(guitar: Sound) -> None:
    """At once: nothing glides at the start."""
    assert not nemod.render(tiny(), guitar, RATE_HZ, settings={"mute": 1.0}).any()
    bypassed = nemod.render(tiny(), guitar, RATE_HZ, settings={"bypass": 1.0})
    np.testing.assert_array_equal(bypassed, guitar)


def test_effects_go_on_hearing_while_bypassed() -> None:
    """An echo of what was played during the bypass is there after it, as if there had been none."""
    settings = Settings()
    for path, position in (("delay/mix", 1.0), ("delay/time", 0.7)):  # 204 ms: 153 blocks
        settings.set(path, position)
    ready = build(tiny(), RATE_HZ, 64, settings)
    rig, around = ready.loaded, ready.layout.index("bypass")
    blocks = np.zeros((180, 64), np.float32)
    blocks[0, 10] = 0.5

    def play(bypassed_blocks: int) -> Sound:
        state, heard = rig.fresh(), []
        for number, block in enumerate(blocks):
            controls = rig.controls.copy()
            controls[around] = float(number < bypassed_blocks)
            state, sound = rig.call(rig.weights, controls, state, block)
            heard.append(np.array(sound[:64]))
        return np.concatenate(heard[140:])  # the switch has long arrived

    expected = play(0)
    assert np.abs(expected).max() > 0.1
    np.testing.assert_allclose(play(5), expected, atol=1e-6)


def test_the_rest_is_the_model_where_every_effect_is_flat(guitar: Sound) -> None:
    """But for the DC blocker, which lets through what is fast: a tone's level is the model's."""
    seconds = np.arange(9600) / RATE_HZ
    tone = (0.3 * np.sin(2 * np.pi * 1000.0 * seconds)).astype(np.float32)
    alone = alone64(tiny(), tone)[4800:]
    rig = nemod.render(tiny(), tone, RATE_HZ)[4800:]
    expected, actual = np.abs(np.fft.rfft(alone)), np.abs(np.fft.rfft(rig))
    assert actual[100] == pytest.approx(expected[100], rel=1e-3)
    assert actual[200] == pytest.approx(expected[200], rel=1e-3, abs=1e-3 * expected[100])


@pytest.mark.parametrize(
    ("knobs", "path", "alias"), [(0, "knob/1", "gain"), (1, "knob/2", "level")]
)
def test_the_first_two_knobs_exist_for_every_model(
    knobs: int, path: str, alias: str, guitar: Sound
) -> None:
    """Where the model has none they are the drive before it and the level after it."""
    model = tiny("LSTM", knobs)
    expected = nemod.render(model, guitar, RATE_HZ, settings={alias: 0.7})
    np.testing.assert_array_equal(
        nemod.render(model, guitar, RATE_HZ, settings={path: 0.7}), expected
    )
    assert np.abs(expected - nemod.render(model, guitar, RATE_HZ)).max() > 1e-3


def echoes(mix: float, feedback: float) -> dict[str, float]:
    """Return settings of a delay of 100 ms."""
    time = np.log(100.0 / 1.0) / np.log(2000.0 / 1.0)
    return {"delay/mix": mix, "delay/time": float(time), "delay/feedback": feedback / 0.95}


def test_a_tail_is_so_much_silence_more(guitar: Sound) -> None:
    """The start is the same to the bit, and the tail is what silence after the samples gives."""
    settings = echoes(0.5, 0.5)
    plain = nemod.render(tiny(), guitar, RATE_HZ, settings=settings)
    done: list[int] = []
    long = nemod.render(tiny(), guitar, RATE_HZ, settings=settings, tail=0.25, progress=done.append)
    assert long.shape == (guitar.size + 12_000,)
    assert done[-1] == long.size
    np.testing.assert_array_equal(long[: guitar.size], plain)
    padded = np.concatenate([guitar, np.zeros(12_000, np.float32)])
    np.testing.assert_array_equal(long, nemod.render(tiny(), padded, RATE_HZ, settings=settings))
    assert np.abs(long[guitar.size :]).max() > 0.01


@pytest.mark.parametrize("feedback", [0.0, 0.5, 0.9])
def test_the_tail_ends_with_the_last_echo_above_90_db(feedback: float) -> None:
    """Each echo is `feedback` times the one before; ten seconds is the end of all tails.

    The rig without a model: two impulses that cancel, so that the DC blocker adds nothing, and
    echoes of them every 100 ms.
    """
    sound = np.zeros(480, np.float32)
    sound[:2] = 0.25, -0.25
    out = nemod.render(clean(), sound, RATE_HZ, settings=echoes(0.5, feedback), tail="auto")
    first = float(np.abs(out[4700:4900]).max())
    assert first > 0.05
    last = 1 if feedback == 0.0 else 1 + int(np.log(10.0**-4.5 / first) / np.log(feedback))
    assert abs(out.size - 4800 * last) < 0.01 * RATE_HZ
    everything = nemod.render(clean(), sound, RATE_HZ, settings=echoes(0.5, feedback), tail=10.0)
    np.testing.assert_array_equal(everything[: out.size], out)
    assert np.abs(everything[out.size :]).max() < 10.0**-4.5 <= abs(out[-1])


def test_a_tail_of_silence_is_no_frame_and_one_that_never_ends_is_10_s() -> None:
    """A loop that hardly decays is still loud then."""
    sound = np.zeros(480, np.float32)
    assert nemod.render(clean(), sound, 8000, tail="auto").size == 480
    sound[0] = 0.5
    settings = echoes(1.0, 0.95) | {"output": 1.0}
    assert nemod.render(clean(), sound, 8000, settings=settings, tail="auto").size > 70_000
    settings["reverb/mix"] = settings["reverb/size"] = 1.0
    loud = nemod.render(clean(), sound, 8000, settings=settings, tail="auto")
    assert loud.size == 480 + 10 * 8000


def exploding() -> Model:
    """Return an LSTM whose output is beyond the range of 32 bits as soon as it makes a sound."""
    model = tiny()
    recurrent, head = model.weights
    return replace(model, weights=(recurrent, head._replace(w=np.full_like(head.w, 3e38))))


@pytest.mark.parametrize("rate_hz", [RATE_HZ, 44_100])
@pytest.mark.parametrize("model_only", [True, False])
def test_an_output_that_is_not_finite_is_an_error(model_only: bool, rate_hz: int) -> None:
    """Never silence: the model is named, and the frame where no test of the rig came before it."""
    where = (
        r"the output is not finite at frame \d+ \(" if model_only else "its output is not finite"
    )
    with pytest.raises(ModelError, match=rf"tiny-lstm-0: .*{where}"):
        nemod.render(exploding(), np.full(300, 0.5), rate_hz, model_only=model_only)


def test_the_first_frame_that_is_not_finite_is_named() -> None:
    """A gain of 1e38 makes a sample of 100 infinite and leaves one of 1 alone."""
    model = replace(
        clean(), weights=DenseWeights(np.full((1, 1), 1e38, np.float32), np.zeros(1, np.float32))
    )
    sound = np.zeros(300, np.float32)
    sound[211] = 100.0
    with pytest.raises(
        ModelError, match=r"clean: the output is not finite at frame 211 \(0\.00 s\)"
    ):
        nemod.render(model, sound, RATE_HZ, model_only=True)


AT_REST: dict[str, dict[str, float]] = {
    "flat": {},
    "echoes": {"delay/mix": 0.5, "delay/time": 0.8, "delay/feedback": 1.0},
    "a room": {"reverb/mix": 1.0},
    "loud": {"output": 1.0, "level": 1.0, "treble": 1.0},
}


@pytest.mark.parametrize("settings", AT_REST.values(), ids=AT_REST.keys())
def test_the_rig_starts_at_rest(settings: dict[str, float]) -> None:
    """Silence in is silence out for the first second; no echo of the model's start is heard."""
    out = nemod.render(tiny(), np.zeros(RATE_HZ), RATE_HZ, settings=settings)
    assert np.abs(out).max() < 1e-5


def test_the_rig_is_at_rest_behind_a_closed_fader() -> None:
    """Silence that is made after the model does not stand for a model that rests."""
    open_rig = build(tiny(), RATE_HZ, 64, Settings())
    assert isinstance(open_rig.shipped, CompiledRig)
    for closed in ({"level": 0.0}, {"mute": 1.0}, {"bypass": 1.0}):
        shut = build(tiny(), RATE_HZ, 64, Settings(closed))
        assert isinstance(shut.shipped, CompiledRig)
        differ = [
            not np.array_equal(one, other)
            for one, other in zip(
                leaves_of(open_rig.shipped.state, open_rig.shipped.places),
                leaves_of(shut.shipped.state, shut.shipped.places),
                strict=True,
            )
        ]
        # The smoother alone knows: its targets are others.
        assert sum(differ) == 1


ERRORS: dict[str, tuple[Callable[[MakeModel, Sound], Any], str]] = {
    "stereo": (
        lambda make, x: nemod.render(make(), np.stack([x, x]), RATE_HZ),
        r"shape \(2, 3000\): mono",
    ),
    "a number": (lambda make, x: nemod.render(make(), 0.5, RATE_HZ), "mono"),
    "NaN": (
        lambda make, x: nemod.render(make(), np.where(np.arange(3000) == 7, np.nan, x), RATE_HZ),
        "sample 7 is nan",
    ),
    "infinity": (lambda make, x: nemod.render(make(), [0.0, np.inf], RATE_HZ), "sample 1 is inf"),
    "block 0": (
        lambda make, x: nemod.render(make(), x, RATE_HZ, block=0),
        "block 0: 1 to 65536 are allowed",
    ),
    "block 65537": (
        lambda make, x: nemod.render(make(), x, RATE_HZ, block=65_537),
        "block 65537: 1 to 65536",
    ),
    "rate 0": (lambda make, x: nemod.render(make(), x, 0), "rate 0: 8000 to 768000 Hz"),
    "rate 1000": (lambda make, x: nemod.render(make(), x, 1000), "rate 1000: 8000 to"),
    "a setting that is not there": (
        lambda make, x: nemod.render(make(), x, RATE_HZ, settings={"gian": 0.5}),
        "no setting is named 'gian', did you mean 'gain'",
    ),
    "a position that is no number": (
        lambda make, x: nemod.render(make(), x, RATE_HZ, settings={"gain": np.nan}),
        "gain = nan: a number from 0 to 1",
    ),
    "a position above 1": (
        lambda make, x: nemod.render(make(), x, RATE_HZ, settings={"gain": 70.0}),
        "gain = 70: a number from 0 to 1",
    ),
    "a position below 0": (
        lambda make, x: nemod.render(make(), x, RATE_HZ, settings={"delay/mix": -0.1}),
        "delay/mix = -0.1: a number from 0 to 1",
    ),
    "a tail below 0": (
        lambda make, x: nemod.render(make(), x, RATE_HZ, tail=-1.0),
        "tail -1.0: 0 to 3600 s, or auto",
    ),
    "a tail that is no number": (
        lambda make, x: nemod.render(make(), x, RATE_HZ, tail=np.nan),
        "tail nan: 0 to 3600 s, or auto",
    ),
    "a knob of a model without": (
        lambda make, x: nemod.render(make(), x, RATE_HZ, settings={"knob/3": 0.5}),
        r"knob '3': this model's knobs are \(none\)",
    ),
    "a knob that the model has not": (
        lambda make, x: nemod.render(make("LSTM", 2), x, RATE_HZ, settings={"knob/3": 0.5}),
        "knob '3': this model's knobs are gain, tone",
    ),
    "a knob's number with a zero before it": (
        lambda make, x: nemod.render(make("LSTM", 3), x, RATE_HZ, settings={"knob/03": 0.5}),
        "knob '03': this model's knobs are gain, tone, depth",
    ),
}


@pytest.mark.parametrize(("wrong", "text"), ERRORS.values(), ids=ERRORS.keys())
def test_what_cannot_be_rendered_is_a_value_error(
    wrong: Callable[[MakeModel, Sound], Any], text: str, guitar: Sound
) -> None:
    """It says what was given and what is allowed."""
    with pytest.raises(ValueError, match=text):
        wrong(tiny, guitar)
