"""Laws of every effect: independent of block cuts, finite, and no non-finite sample is hidden."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nemod.chain import DEFAULT_CHAIN
from nemod.engine.chain import EFFECTS as KINDS
from nemod.engine.chain import Content, Placed, behind_each_model, rig_effects
from nemod.fx.effect import AnyEffect, chain
from nemod.parameters.table import param

RATE_HZ = 48_000.0
SIZES = (1, 17, 64, 65, 512)
FRAMES = 4096


def _effects() -> dict[str, AnyEffect]:
    """Return every effect of the default chain, of each kind one, and a chain of them all."""
    wet, after_bypass, last = rig_effects(Content(), RATE_HZ)
    placed = [*wet, behind_each_model(RATE_HZ), *after_bypass, last]
    made = [each.effect for each in placed if isinstance(each, Placed)]
    kinds = {effect.name.partition(":")[0]: effect for effect in made}
    first, *rest = kinds.values()
    return kinds | {"chain": chain("chain", chain("inner", first, *rest[:3]), *rest[3:])}


EFFECTS = _effects()
FURTHER = {kind: make(RATE_HZ) for kind, make in KINDS.items() if DEFAULT_CHAIN.first(kind) is None}
"""Effects that the default chain does not have."""
ALL = EFFECTS | FURTHER


def controls_at(effect: AnyEffect, position: float) -> np.ndarray:
    """Return every control at one position (0..1) of its knob."""
    return np.array([param(path).control(position) for path in effect.controls], np.float32)


@st.composite
def moving_controls(draw, effect: AnyEffect) -> np.ndarray:
    """Draw controls [controls, FRAMES] that jump at up to three frames."""
    edges = sorted(draw(st.lists(st.integers(1, FRAMES - 1), max_size=3)))
    controls = np.empty((len(effect.controls), FRAMES), np.float32)
    for start, end in zip([0, *edges], [*edges, FRAMES], strict=True):
        for row, path in enumerate(effect.controls):
            # In the lower half of its range the delay has echoes within the signal.
            controls[row, start:end] = param(path).control(draw(st.floats(0.0, 0.6)))
    return controls


@pytest.mark.parametrize("name", EFFECTS)
@given(data=st.data())
@settings(deadline=None, max_examples=6)
def test_sound_does_not_depend_on_block_cuts(play, noise, name, data):
    """Several blocks of any length equal one block, with constant and with moving controls."""
    effect = EFFECTS[name]
    controls = data.draw(moving_controls(effect))
    sizes = data.draw(st.lists(st.sampled_from(SIZES), min_size=1, max_size=40))
    whole = play(effect, controls, 2.0 * noise)
    # The list repeats up to the end of the signal; the remainder is played frame by frame.
    order, left = [], FRAMES
    while left >= max(sizes):
        order += [size for size in sizes if (left := left - size) >= 0]
        left = FRAMES - sum(order)
    cut = play(effect, controls, 2.0 * noise, [*order, 1])
    assert np.max(np.abs(whole - cut)) <= 1e-5 * max(1e-3, float(np.max(np.abs(whole))))


@pytest.mark.parametrize("name", FURTHER)
def test_sound_of_further_effects_does_not_depend_on_block_cuts(play, noise, name):
    """With controls that jump, the switch among them."""
    effect = FURTHER[name]
    rng = np.random.default_rng(23)
    controls = np.concatenate(
        [
            np.repeat(
                [[param(path).control(rng.uniform())] for path in effect.controls], length, axis=1
            )
            for length in (300, 1000, 1700, 1096)
        ],
        axis=1,
    ).astype(np.float32)
    controls[0] = np.repeat([1.0, 0.4, 0.0, 1.0], [300, 1800, 50, 1946])
    whole = play(effect, controls, noise)
    cut = play(effect, controls, noise, [64])
    assert np.max(np.abs(whole - cut)) <= 1e-5 * float(np.max(np.abs(whole)))


@pytest.mark.parametrize("position", [0.0, 1.0])
@pytest.mark.parametrize("name", ALL)
def test_finite_after_ten_seconds_of_noise(play, name, position):
    """Full-scale noise with every knob at one end gives a finite output."""
    effect = ALL[name]
    signal = np.random.default_rng(11).uniform(-1, 1, 118 * FRAMES).astype(np.float32)
    controls = controls_at(effect, position)
    out = play(effect, controls, signal, [FRAMES])
    assert np.all(np.isfinite(out))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("name", ALL)
def test_hides_no_non_finite_sample(play, noise, name, bad):
    """A non-finite sample makes the output of its own frame non-finite."""
    effect = ALL[name]
    signal = noise[:512].copy()
    signal[100] = bad
    out = play(effect, controls_at(effect, 0.5), signal, [64])
    assert not np.isfinite(out[100])
    assert np.all(np.isfinite(out[:100]))


@pytest.mark.parametrize("name", ALL)
def test_state_keeps_its_shape_and_every_leaf_its_buffer(compiled, name):
    """States in and out have equal shapes and 32-bit types, and no two leaves share memory."""
    effect = ALL[name]
    controls = jnp.asarray(controls_at(effect, 0.5))
    state = effect.init(effect.weights, controls)
    frames = np.repeat(np.asarray(controls)[:, None], 64, axis=1)
    before = jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), state)
    pointers = []
    for _ in range(2):
        leaves = jax.tree.leaves(state)
        assert all(leaf.dtype in (jnp.float32, jnp.int32) for leaf in leaves)
        pointers = [leaf.unsafe_buffer_pointer() for leaf in leaves]
        assert len(pointers) == len(set(pointers))
        state, _ = compiled(effect)(effect.weights, frames, state, np.zeros(64, np.float32))
    assert before == jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), state)


@pytest.mark.parametrize("name", ALL)
def test_settled_state_has_the_shape_of_a_fresh_one(compiled, name):
    """So that it can be shipped in the place of the fresh one."""
    effect = ALL[name]
    controls = jnp.asarray(controls_at(effect, 0.5))
    fresh = effect.init(effect.weights, controls)
    frames = np.repeat(np.asarray(controls)[:, None], 64, axis=1)
    first = effect.init(effect.weights, controls)
    warm, _ = compiled(effect)(effect.weights, frames, first, np.zeros(64, np.float32))
    settled = effect.settle(warm, fresh)
    shape = jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), fresh)
    assert shape == jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), settled)


def test_longest_block_is_the_same_sound(play):
    """65,536 frames at once equal the same frames in small blocks."""
    effect = EFFECTS["chain"]
    signal = np.random.default_rng(13).uniform(-0.5, 0.5, 65_536).astype(np.float32)
    controls = controls_at(effect, 0.4)
    whole = play(effect, controls, signal)
    cut = play(effect, controls, signal, [512])
    assert np.max(np.abs(whole - cut)) <= 1e-5 * max(1e-3, float(np.max(np.abs(whole))))
