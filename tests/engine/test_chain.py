"""From chains to effects and parts: the order of a rig comes from data alone."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nemod.builder import build as build_module
from nemod.builder import compile as compile_module
from nemod.builder.build import build_chain
from nemod.builder.compile import WarmParts
from nemod.builder.filled_chain import FilledChain, clean
from nemod.chain import DEFAULT_CHAIN, Chain, read_chain
from nemod.control.settings import Settings
from nemod.engine import chain as chain_module
from nemod.engine.chain import Content, Path, Placed, PlacedModel, rig_effects
from nemod.engine.compiled_rig import CompiledSteps
from nemod.engine.packing import leaves_of
from nemod.engine.parts import rig_parts, whole_rig
from nemod.formats.model import Model
from nemod.fx.effect import Block, Controls, Effect
from tests.engine.conftest import RATE_HZ, tiny

BLOCK = 64


def names(path: Path) -> list[Any]:
    """Return effects, models by their slot and the branches of a split, in order."""
    found: list[Any] = []
    for each in path:
        if isinstance(each, Placed):
            found.append(each.effect.name)
        elif isinstance(each, PlacedModel):
            found.append(each.slot)
        else:
            found.append((names(each.a), names(each.b)))
    return found


def content(chain: list[Any], models: Mapping[str, Model] | None = None) -> Content:
    return Content(chain=read_chain(chain), models=models or {})


@pytest.mark.parametrize("knobs", [0, 1, 2, 3])
def test_drive_and_fader_replace_the_knobs_that_a_model_lacks(knobs: int) -> None:
    """The first knob is the gain, the second the level."""
    layout = whole_rig(Content(models={"model": tiny(knobs=knobs)}), RATE_HZ).layout
    assert ("gain" in layout, "level" in layout) == (knobs < 1, knobs < 2)
    assert [path for path in layout if path.startswith("knob/")] == [
        f"knob/{number + 1}" for number in range(knobs)
    ]


def test_the_default_chain_has_its_documented_order() -> None:
    """Dynamics between the trim and the drive, tone and echoes after the model, limiter last."""
    effects = rig_effects(Content(models={"model": tiny()}), RATE_HZ)
    before, after = ["gain:input", "gate", "compressor"], ["eq", "delay", "reverb"]
    assert names(effects.wet) == [*before, "model", *after, "gain:level", "gain:output"]
    assert names((*effects.after_bypass, effects.last)) == ["mute", "limiter"]


def test_the_layout_is_the_order_of_the_chain() -> None:
    """The controls of the effects one after the other, with the bypass before the mute."""
    layout = whole_rig(Content(models={"model": tiny(knobs=1)}), RATE_HZ).layout
    knobs = ("enable", "threshold", "attack", "hold", "release")
    assert layout[:6] == ("input", *(f"gate/{knob}" for knob in knobs))
    assert layout[12:14] == ("knob/1", "bass")
    assert layout[-3:] == ("output", "bypass", "mute")


def test_slots_may_stand_in_any_order_and_in_branches() -> None:
    """The fader of the first model stays behind all, that of another one right behind it."""
    models = {"pedal": tiny(), "model2": tiny("GRU")}
    chain = ["reverb", {"pedal": {"kind": "model"}}, {"split": {"a": ["model2"], "b": ["eq"]}}]
    effects = rig_effects(content(chain, models), RATE_HZ)
    wet = ["gain:input", "reverb", "pedal", (["model2"], ["eq"]), "gain:level", "gain:output"]
    assert names(effects.wet) == wet
    parts = rig_parts(content(chain, models), RATE_HZ)
    assert [part.inputs for part in parts] == [
        *((0,), (1,), (2,), (3,), (4,), (5,), (3,), (0, 6, 7)),
    ]
    layout = whole_rig(content(chain, models), RATE_HZ).layout
    assert layout.index("model2/level") < layout.index("bass") < layout.index("level")
    assert len(set(layout)) == len(layout)


def test_a_slot_without_a_file_is_no_more_than_a_gain() -> None:
    """An empty cabinet is nothing at all, an empty model a drive and a fader, both at 0 dB."""
    empty = content(["model", "cab", "model2", "cab2"], {"model": tiny()})
    wet = names(rig_effects(empty, RATE_HZ).wet)
    assert wet == ["gain:input", "model", "gain:gain", "gain:level", "gain:level", "gain:output"]
    parts = rig_parts(empty, RATE_HZ)
    assert [part.model for part in parts] == ["", "model", ""]


def test_a_chain_without_slots_passes_the_guitar() -> None:
    """With the trims, the bypass and the limiter alone."""
    rig = build_chain(FilledChain(chain=Chain(())), RATE_HZ, BLOCK, Settings(chain=Chain(())))
    assert rig.layout == ("input", "output", "bypass", "mute")
    block = np.linspace(-0.5, 0.5, BLOCK, dtype=np.float32)
    _, sound = rig.loaded.call(rig.loaded.weights, rig.loaded.controls, rig.loaded.fresh(), block)
    np.testing.assert_array_equal(sound[:BLOCK], block)


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


@pytest.mark.parametrize("rate_hz", [RATE_HZ, 44_100])
@pytest.mark.parametrize("keeps", [True, False])
@pytest.mark.parametrize("order", [["eq", "model"], ["model", "eq"]])
def test_an_effect_anywhere_brings_its_weights_and_settles_itself(
    order: list[str], keeps: bool, rate_hz: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one program and in the three of a resampled rig, without a change of either."""
    kinds = {**chain_module.EFFECTS, "eq": lambda _rate_hz: counting(keeps)}
    monkeypatch.setattr(build_module, "EFFECTS", kinds)
    monkeypatch.setattr(build_module, "verified", lambda _model, policy, *_: policy)
    monkeypatch.setattr(compile_module.program_cache, "fetch", lambda _name: None)
    monkeypatch.setattr(compile_module.program_cache, "store", lambda _name, _program: None)
    monkeypatch.setattr("nemod.builder.build_steps.WARM_PARTS", WarmParts())
    filled = FilledChain(chain=read_chain(order), models={"model": tiny()})
    shipped = build_chain(filled, rate_hz, BLOCK, Settings(chain=filled.chain)).shipped
    rigs = [step.program for step in shipped.steps] if isinstance(shipped, CompiledSteps) else []
    assert bool(rigs) == (rate_hz != RATE_HZ)
    all_parts: list[Any] = rigs or [shipped]
    leaves = [leaf for part in all_parts for leaf in leaves_of(part.state, part.places)]
    counts = [leaf for leaf in leaves if leaf.dtype == np.int32]
    assert len(counts) == 2
    frames, blocks = (int(count) for count in counts)
    assert frames == blocks * BLOCK
    assert (blocks > 0) == keeps


def test_an_effect_that_halves_the_sound_does_so_before_and_after_the_model(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The model of this rig is linear, so that both places give the same sound."""
    kinds = {**chain_module.EFFECTS, "eq": lambda _rate_hz: counting(False)}
    monkeypatch.setattr(chain_module, "EFFECTS", kinds)
    block = np.linspace(-0.3, 0.3, BLOCK, dtype=np.float32)
    outputs = [
        played(content(order, {"model": clean()}), Settings(), block[None])
        for order in (["eq", "model"], ["model", "eq"], ["model"])
    ]
    np.testing.assert_array_equal(outputs[0], outputs[1])
    np.testing.assert_allclose(outputs[0][:BLOCK], outputs[2][:BLOCK] / 2, atol=1e-7)


def played(made: Content, settings: Settings, blocks: np.ndarray) -> np.ndarray:
    """Return what a rig gives for blocks [count, frames], as one program, meters included."""
    spec, layout, _ = whole_rig(made, RATE_HZ)
    controls = jnp.asarray(settings.vector(layout))
    state = spec.init(spec.weights, controls)
    process = jax.jit(spec.process)
    out = []
    for block in blocks:
        state, sound = process(spec.weights, controls, state, jnp.asarray(block))
        out.append(np.asarray(sound))
    return np.concatenate(out)


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
    bare = Chain(tuple(p for p in DEFAULT_CHAIN.places if p.kind not in ("gate", "comp")))
    outputs = [
        played(Content(chain=chain, models={"model": tiny(unit)}), settings, sound)
        for chain in (DEFAULT_CHAIN, bare)
    ]
    assert np.array_equal(outputs[0], outputs[1])
