"""The default chain, and rigs of other chains: the order of a rig comes from data alone."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nemod.builder import build as build_module
from nemod.builder.build import build
from nemod.control.settings import Settings
from nemod.engine import rig as rig_module
from nemod.engine.chain import DEFAULT_CHAIN, Chain, Slot, effects
from nemod.engine.packing import leaves_of
from nemod.engine.rig import rig_spec
from nemod.formats.model import Model
from nemod.fx.compressor import compressor
from nemod.fx.effect import Block, Controls, Effect, Nothing
from nemod.fx.gain import gain
from nemod.fx.gate import gate
from nemod.fx.limiter import limiter
from tests.engine.conftest import RATE_HZ, tiny

BLOCK = 64


def names(model: Model) -> list[str]:
    """Return the effects of a model's rig, in order."""
    return [effect.name for effect in effects(DEFAULT_CHAIN.slots, model, RATE_HZ)]


@pytest.mark.parametrize("knobs", [0, 1, 2, 3])
def test_drive_and_fader_replace_the_knobs_that_a_model_lacks(knobs: int) -> None:
    """The first knob is the gain, the second the level."""
    found = names(tiny(knobs=knobs))
    assert ("gain:gain" in found, "gain:level" in found) == (knobs < 1, knobs < 2)


def test_the_default_chain_has_its_documented_order() -> None:
    """Dynamics between the trim and the drive, tone and echoes after the model, limiter last."""
    before = ["gain:input", "gate", "compressor", "gain:gain"]
    tone = ["dc_blocker", "eq", "delay", "reverb"]
    assert names(tiny()) == [*before, *tone, "gain:level", "gain:output", "mute", "limiter"]


def test_the_layout_is_the_order_of_the_chain() -> None:
    """The controls of the effects one after the other, with the bypass before the mute."""
    layout = rig_spec(tiny(knobs=1), RATE_HZ).layout
    knobs = ("enable", "threshold", "attack", "hold", "release")
    assert layout[:6] == ("input", *(f"gate/{knob}" for knob in knobs))
    assert layout[12:14] == ("knob/1", "bass")
    assert layout[-3:] == ("output", "bypass", "mute")


class Counted:
    """Stands for the counting effect's two weights, so that nobody can guess their number."""

    factor = np.float32(0.5)
    offset = np.float32(0.0)


def counting(keeps: bool) -> Effect[tuple[np.float32, np.float32], tuple[jax.Array, jax.Array]]:
    """Return an effect that halves the sound and counts frames and blocks in its state."""

    def init(_weights: Any, _controls: jax.Array) -> tuple[jax.Array, jax.Array]:
        return jnp.zeros((), jnp.int32), jnp.zeros((), jnp.int32)

    def process(
        weights: Any, _controls: Controls, state: tuple[jax.Array, jax.Array], block: Block
    ) -> tuple[tuple[jax.Array, jax.Array], Block]:
        frames, blocks = state
        return (frames + block.shape[0], blocks + 1), block * weights[0] + weights[1]

    def settle(warm: Any, fresh: Any) -> Any:
        return warm if keeps else fresh

    return Effect(
        name="counting",
        weights=(Counted.factor, Counted.offset),
        init=init,
        process=process,
        settle=settle,
    )


def chain_with(slot: Slot, place: str) -> Chain:
    """Return a short chain with a slot at the front of one of its groups."""
    short = Chain(
        before_model=(Slot(lambda _rate_hz: gain("input")),),
        after_model=(Slot(lambda _rate_hz: gain("output")),),
        after_bypass=(),
        last=Slot(limiter),
    )
    return short._replace(**{place: (slot, *getattr(short, place))})


@pytest.mark.parametrize("rate_hz", [RATE_HZ, 44_100])
@pytest.mark.parametrize("keeps", [True, False])
@pytest.mark.parametrize("place", ["before_model", "after_model", "after_bypass"])
def test_an_effect_anywhere_brings_its_weights_and_settles_itself(
    place: str, keeps: bool, rate_hz: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one program and in the three of a resampled rig, without a change of either."""
    slots = chain_with(Slot(lambda _rate_hz: counting(keeps)), place)
    monkeypatch.setattr(build_module.program_cache, "fetch", lambda _name: None)
    monkeypatch.setattr(build_module.program_cache, "store", lambda _name, _program: None)
    built = build(tiny(), rate_hz, BLOCK, Settings(), slots=slots)
    shipped: Any = built.shipped
    all_parts = [shipped] if rate_hz == RATE_HZ else shipped.parts
    leaves = [leaf for part in all_parts for leaf in leaves_of(part.state, part.places)]
    counts = [leaf for leaf in leaves if leaf.dtype == np.int32]
    assert len(counts) == 2
    frames, blocks = (int(count) for count in counts)
    assert frames == blocks * BLOCK
    assert (blocks > 0) == keeps


def test_an_effect_that_halves_the_sound_does_so_before_and_after_the_model() -> None:
    """The model of this rig is linear, so that both places give the same sound."""
    block = np.linspace(-0.3, 0.3, BLOCK, dtype=np.float32)
    outputs = []
    for place in ("before_model", "after_model"):
        slots = chain_with(Slot(lambda _rate_hz: counting(False)), place)
        spec = rig_module.rig_spec(build_module.clean(), RATE_HZ, slots)
        controls = jnp.asarray(Settings().vector(spec.layout))
        state = spec.init(spec.weights, controls)
        _, sound = jax.jit(spec.process)(spec.weights, controls, state, jnp.asarray(block))
        outputs.append(np.asarray(sound)[:BLOCK])
    np.testing.assert_array_equal(outputs[0], outputs[1])
    np.testing.assert_allclose(outputs[0], block / 2, atol=1e-7)


def without_dynamics() -> Chain:
    """Return the default chain without gate and compressor."""
    front = DEFAULT_CHAIN.before_model
    kept = tuple(slot for slot in front if slot.make not in (gate, compressor))
    assert len(kept) == len(front) - 2
    return DEFAULT_CHAIN._replace(before_model=kept)


@pytest.mark.parametrize(("unit", "block_frames"), [("LSTM", 1), ("GRU", 65), ("LSTM", 1000)])
def test_the_rig_is_bit_identical_to_one_without_dynamics_while_both_are_off(
    unit: str, block_frames: int
) -> None:
    """Whatever stands on their other knobs; sound, meters and quiet passages included."""
    settings = Settings({"gate/threshold": 1.0, "comp/makeup": 1.0, "input": 0.7, "gain": 0.6})
    rng = np.random.default_rng(9)
    count = max(3000 // block_frames, 2)
    sound = rng.uniform(-0.5, 0.5, (count, block_frames)).astype(np.float32)
    sound[count // 2 :] *= np.float32(1e-4)
    outputs = []
    for slots in (DEFAULT_CHAIN, without_dynamics()):
        spec = rig_spec(tiny(unit), RATE_HZ, slots)
        controls = jnp.asarray(settings.vector(spec.layout))
        state = spec.init(spec.weights, controls)
        process = jax.jit(spec.process)
        played = []
        for block in sound:
            state, out = process(spec.weights, controls, state, jnp.asarray(block))
            played.append(np.asarray(out))
        outputs.append(np.concatenate(played))
    assert np.array_equal(outputs[0], outputs[1])


def test_latencies_add_up() -> None:
    """Over all parts of a rig."""

    def late(_rate_hz: float) -> Effect[Nothing, Nothing]:
        effect = gain("input")
        return Effect(
            name="late",
            controls=("input",),
            weights=(),
            init=effect.init,
            process=effect.process,
            latency_frames=5,
        )

    slots = Chain((Slot(late),), (Slot(late),), (Slot(late),), Slot(late))
    assert rig_spec(tiny(), RATE_HZ, slots).latency_frames == 20
