"""Rigs of several programs: the same sound as float64 arithmetic, aligned, each compiled once."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import fftconvolve, lfilter

import nemod
from nemod.builder import build_steps as build_steps_module
from nemod.builder.build import build_chain
from nemod.builder.compile import WarmParts
from nemod.builder.filled_chain import FilledChain
from nemod.chain import read_chain
from nemod.common.errors import ModelError
from nemod.control.settings import Settings
from nemod.engine.active_rig import ActiveRig
from nemod.engine.chain import Content
from nemod.engine.compiled_rig import CompiledSteps
from nemod.formats.impulse_response import ImpulseResponse, playable
from nemod.formats.model import Model
from nemod.fx.cabinet import cabinet
from nemod.parameters.slot_paths import slot_row
from tests.engine.conftest import RATE_HZ, alone64, tiny
from tests.engine.test_chain import played

BLOCK = 64
Sound = NDArray[np.float32]
Wide = NDArray[np.float64]
SILENCE = 4000
"""[frames] In which the tiny models come to rest, to the last digit of a float32."""
LONG = pytest.mark.long
BOARD: list[Any] = [
    {"pedal": {"kind": "model"}},
    {"split": {"a": ["model2"], "b": ["delay"]}},
    "cab",
    "delay2",
]
POSITIONS = {
    "gain": 0.6,
    "level": 0.7,
    "model2/gain": 0.8,
    "model2/level": 0.3,
    "model2/knob/3": 0.9,
    "split/mix": 0.6,
    "split/level_a": 0.8,
    "split/level_b": 0.5,
    "delay/mix": 0.5,
    "delay/time": 0.2,
    "delay/feedback": 0.5,
    "delay2/mix": 0.4,
    "delay2/time": 0.15,
    "cab/enable": 1.0,
}


def board(rate_hz: int = RATE_HZ) -> FilledChain:
    """Return a pedal into an amp beside a delay, through a cabinet and another delay."""
    return FilledChain(
        chain=read_chain(BOARD),
        models={
            "pedal": replace(tiny("LSTM"), sample_rate=rate_hz),
            "model2": replace(tiny("GRU", 3), sample_rate=rate_hz),
        },
        responses={"cab": response()},
    )


def response() -> ImpulseResponse:
    rng = np.random.default_rng(5)
    samples = (rng.normal(0.0, 0.1, 300) * np.exp(-np.arange(300) / 60.0)).astype(np.float32)
    samples[0] = 0.5
    return ImpulseResponse(name="cab", samples=samples, rate_hz=RATE_HZ, channels=1, note="")


@pytest.fixture(scope="module")
def sound() -> Sound:
    """Noise and then silence, quiet enough for the limiter."""
    x = np.random.default_rng(8).normal(0.0, 0.03, 1100)
    x[700:] = 0.0
    return x.astype(np.float32)


def control(path: str) -> float:
    """Return what an effect gets for a position of `POSITIONS`."""
    row = slot_row(read_chain(BOARD), path)
    return row.control(POSITIONS.get(path, row.default))


def model64(model: Model, x: Wide, *knobs: float) -> Wide:
    """Return a model from rest, and its DC blocker: a first-order high-pass at 5 Hz, bilinear."""
    given = np.concatenate([np.zeros(SILENCE), x]).astype(np.float32)
    out = alone64(model, given, knobs)
    moved = out[SILENCE:] - out[SILENCE - 1]
    warped = math.tan(math.pi * 5.0 / RATE_HZ)
    filtered = lfilter([1.0, -1.0], [1.0 + warped, warped - 1.0], moved)
    return np.asarray(filtered, np.float64)


def delay64(slot: str, x: Wide) -> Wide:
    """Return a delay: out = x + echo, echo = what was sent before, sent = mix x + feedback echo."""
    mix, feedback = control(f"{slot}/mix"), control(f"{slot}/feedback")
    frames = round(control(f"{slot}/time") * RATE_HZ / 1000.0)
    sent, echo = np.zeros_like(x), np.zeros_like(x)
    for n in range(x.size):
        echo[n] = sent[n - frames] if n >= frames else 0.0
        sent[n] = mix * x[n] + feedback * echo[n]
    return x + echo


def board64(x: Sound) -> Wide:
    """Return the board in float64."""
    filled = board()
    pedal = model64(filled.models["pedal"], x.astype(np.float64) * control("gain"))
    # Three knobs, so the second model has neither drive nor fader; its first two are its own.
    amp = model64(filled.models["model2"], pedal, 0.8, 0.3, 0.9)
    mix = POSITIONS["split/mix"]
    both = control("split/level_a") * min(1.0, 2.0 * (1.0 - mix)) * amp + control(
        "split/level_b"
    ) * min(1.0, 2.0 * mix) * delay64("delay", pedal)
    loudspeaker = fftconvolve(both, playable(response(), RATE_HZ))[: x.size]
    return delay64("delay2", loudspeaker) * control("level")


@pytest.mark.parametrize("block", [17, *(pytest.param(n, marks=LONG) for n in (1, BLOCK, 131))])
def test_two_models_a_split_and_two_delays_equal_float64(sound: Sound, block: int) -> None:
    """At any block size, below 2e-6 of full scale."""
    expected = board64(sound)
    assert 0.05 < np.abs(expected).max() < 0.8
    found = nemod.render(board(), sound, RATE_HZ, settings=POSITIONS, block=block)
    np.testing.assert_allclose(found, expected, atol=2e-6)


@LONG
def test_several_programs_play_what_one_would() -> None:
    """The same effects and models, joined as a rig with one model is."""
    filled = board()
    positions = Settings(POSITIONS, chain=filled.chain)
    positions.use_knobs(filled.knobs)
    x = np.random.default_rng(3).normal(0.0, 0.03, 960).astype(np.float32)
    loudspeaker = cabinet(playable(response(), RATE_HZ), BLOCK)
    content = Content(chain=filled.chain, models=filled.models, cabinets={"cab": loudspeaker})
    rig = build_chain(filled, RATE_HZ, BLOCK, positions).loaded
    state, out = rig.fresh(), []
    for block in x.reshape(-1, BLOCK):
        state, heard = rig.call(rig.weights, rig.controls, state, block)
        out.append(np.asarray(heard))
    # The joined rig is not warmed up: silence first, in which the models come to rest.
    silence = np.zeros((round(0.6 * RATE_HZ / BLOCK), BLOCK), np.float32)
    whole = played(content, positions, np.concatenate([silence, x.reshape(-1, BLOCK)]))
    expected = whole.reshape(-1, BLOCK + 3)[len(silence) :]
    np.testing.assert_allclose(np.array(out)[:, :-1], expected[:, :-1], atol=3e-6)


# --- rates and latency -------------------------------------------------------------------------


def line(*models: Model) -> FilledChain:
    """Return a chain of models alone."""
    slots = ("model", "model2", "model3")[: len(models)]
    return FilledChain(chain=read_chain(list(slots)), models=dict(zip(slots, models, strict=True)))


def test_models_of_several_rates_play_one_after_the_other(sound: Sound) -> None:
    """As if each was rendered on its own: resampled, at the device's rate, delayed."""
    rates = {"LSTM": 48_000, "GRU": 44_100}
    models = [replace(tiny(unit), sample_rate=rate_hz) for unit, rate_hz in rates.items()]
    models.append(replace(tiny("LSTM", seed=7), sample_rate=22_050))
    built = build_chain(line(*models), 44_100, BLOCK, Settings(chain=line(*models).chain))
    assert built.policies == {"model": "resample", "model2": "exact", "model3": "delay"}
    assert built.latency_frames == built.latencies["model"] > 0
    # From silence: what a resampler answers before an abrupt start is not in a file.
    sound = np.concatenate([np.zeros(500, np.float32), sound])
    expected = sound
    for model in models:
        expected = nemod.render(line(model), expected, 44_100)
    found = nemod.render(line(*models), sound, 44_100)
    np.testing.assert_allclose(found, expected, atol=3e-6)


def test_branches_of_different_latency_are_aligned(sound: Sound) -> None:
    """A resampled model beside the plain signal: the mix is the sum of both alone."""
    filled = FilledChain(
        chain=read_chain([{"split": {"a": ["model"]}}]),
        models={"model": replace(tiny("LSTM"), sample_rate=48_000)},
    )
    outputs = [
        nemod.render(filled, sound, 44_100, settings={"split/mix": mix}) for mix in (0.0, 1.0, 0.5)
    ]
    np.testing.assert_array_equal(outputs[1], sound)
    np.testing.assert_allclose(outputs[2], outputs[0] + outputs[1], atol=2e-6)
    alone = nemod.render(line(filled.models["model"]), sound, 44_100)
    np.testing.assert_allclose(outputs[0], alone, atol=1e-6)
    dry = nemod.render(filled, sound, 44_100, settings={"bypass": 1.0})
    np.testing.assert_array_equal(dry, sound)


# --- programs ----------------------------------------------------------------------------------


def programs(filled: FilledChain, rate_hz: int = RATE_HZ) -> dict[str, bytes]:
    """Return the program of each model of a chain, by the model's name."""
    shipped = build_chain(filled, rate_hz, BLOCK, Settings(chain=filled.chain)).shipped
    assert isinstance(shipped, CompiledSteps)
    found = {}
    for slot, model in filled.models.items():
        paths = build_steps_module.rig_parts(
            Content(chain=filled.chain, models=filled.models), rate_hz, is_joined=False
        )
        number = next(n for n, part in enumerate(paths) if part.model == slot)
        found[model.name] = shipped.steps[number].program.executable
    return found


def test_a_models_program_is_the_same_wherever_it_stands() -> None:
    """First or second, before other models, with other effects: it is compiled once."""
    first, second, third = tiny("LSTM"), tiny("GRU", 1), tiny("GRU", 2)
    one = programs(line(first, second))
    other = programs(line(second, third, first))
    assert one[first.name] == other[first.name]
    assert one[second.name] == other[second.name]
    effects = FilledChain(
        chain=read_chain(["gate", "model", "eq", "model2"]),
        models={"model": second, "model2": first},
    )
    assert programs(effects)[first.name] == one[first.name]


def test_another_model_leaves_all_other_programs_as_they_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Neither compiled nor loaded nor warmed up again; so a switch takes as long as for one."""
    monkeypatch.setattr(build_steps_module, "WARM_PARTS", WarmParts())
    models = [tiny("LSTM"), tiny("GRU", 1), tiny("GRU", 1, seed=9)]
    build_chain(line(*models[:2]), RATE_HZ, BLOCK, Settings(chain=line(*models[:2]).chain))
    made: list[str] = []
    compile_rig = build_steps_module.compile_rig

    def counting(spec: Any, *what: Any) -> Any:
        made.append(what[2][0])
        return compile_rig(spec, *what)

    monkeypatch.setattr(build_steps_module, "compile_rig", counting)
    changed = line(models[0], models[2])
    build_chain(changed, RATE_HZ, BLOCK, Settings(chain=changed.chain))
    # The test of the new model is a rig of three parts, of which the model is the same.
    assert made.count("model") <= 2
    made.clear()
    build_chain(changed, RATE_HZ, BLOCK, Settings(chain=changed.chain))
    assert made == []


def test_a_model_that_cannot_be_played_is_named_by_its_slot() -> None:
    """So the daemon knows which file it is."""
    broken = tiny("GRU")
    weights = (broken.weights[0]._replace(bias=broken.weights[0].bias + np.nan), broken.weights[1])
    with pytest.raises(ModelError, match="its output is not finite") as caught:
        nemod.render(line(tiny(), replace(broken, weights=weights)), [0.0], RATE_HZ)
    assert caught.value.slot == "model2"


# --- tails -------------------------------------------------------------------------------------


def test_parts_that_are_alike_keep_the_tails_of_their_slots() -> None:
    """A part that is kept from another rig, or from another branch, has tails of other names."""
    found = []
    for data in (
        [{"split": {"a": ["model", "delay"], "b": ["model2", "delay2"]}}],
        ["model", "model2", {"echo": {"kind": "delay"}}],
        ["model", "model2", "delay"],
    ):
        chain = read_chain(data)
        models = {
            slot.name: tiny(seed=number) for number, slot in enumerate(chain.of_kind("model"))
        }
        filled = FilledChain(chain=chain, models=models)
        built = build_chain(filled, RATE_HZ, BLOCK, Settings(chain=chain))
        assert isinstance(built.shipped, CompiledSteps)
        found.append({name for step in built.shipped.steps for name in step.program.tails})
    assert found == [{"delay/delay", "delay2/delay"}, {"echo/delay"}, {"delay/delay"}]


def test_each_delay_continues_that_of_its_slot() -> None:
    """The next rig plays what rings in both, though its models are others."""
    x = np.random.default_rng(2).normal(0.0, 0.05, 40 * BLOCK).astype(np.float32)
    rigs = []
    for number, seed in enumerate((3, 4)):
        filled = replace(board(), models={"pedal": tiny(seed=seed), "model2": tiny("GRU", 3)})
        positions = Settings(POSITIONS, chain=filled.chain)
        built = build_chain(filled, RATE_HZ, BLOCK, positions)
        rigs.append(ActiveRig(number + 1, built.loaded))
    old, new = rigs
    for block in x.reshape(-1, BLOCK):
        old.state, _ = old.call(old.weights, old.controls, old.state, block)
    tails = old._tails(old.state)
    assert {"delay/delay", "delay2/delay", "cab/cabinet"} <= set(tails)
    new.continue_tails(old)
    for name in ("delay/delay", "delay2/delay"):
        mine, theirs = new._tails(new.state)[name], tails[name]
        assert np.abs(theirs[0].read()).max() > 0.001
        for one, other in zip(mine, theirs, strict=True):
            np.testing.assert_array_equal(one.read(), other.read())
