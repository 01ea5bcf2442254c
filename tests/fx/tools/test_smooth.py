"""Parameter smoothing in closed form, compared with the one-pole recursion in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nemod.fx.effect import chain
from nemod.fx.gain import gain
from nemod.fx.tools.smooth import rest, smooth, smoothed

RATE_HZ = 48_000.0


def recursion(start: float, target: float, smooth_s: float, frames: int) -> np.ndarray:
    """Follow the target frame by frame, in float64."""
    factor = np.exp(-1.0 / (smooth_s * RATE_HZ))
    values = []
    value = start
    for _ in range(frames):
        value = target + (value - target) * factor
        values.append(value)
    return np.array(values)


@pytest.mark.parametrize("frames", [1, 63, 64, 65, 1000, 65_536])
def test_equals_the_recursion(frames):
    """For any block length, within rounding and the snap to the target."""
    state = rest(jnp.array([1.0, -12.0], jnp.float32))
    targets = jnp.array([0.25, 12.0], jnp.float32)
    _, controls = smooth(state, targets, (0.02, 0.01), RATE_HZ, frames)
    assert controls.shape == (2, frames)
    assert np.allclose(recursion(1.0, 0.25, 0.02, frames), controls[0], rtol=0, atol=1.5e-6)
    assert np.allclose(recursion(-12.0, 12.0, 0.01, frames), controls[1], rtol=0, atol=5e-6)


def test_time_constant_is_in_seconds():
    """After one time constant 1 / e of the distance is left, at any rate."""
    for rate_hz in (44_100.0, 96_000.0):
        frames = round(0.02 * rate_hz)
        state = rest(jnp.zeros(1, jnp.float32))
        _, controls = smooth(state, jnp.ones(1, jnp.float32), (0.02,), rate_hz, frames)
        assert np.isclose(1.0 - np.exp(-1.0), controls[0, -1], rtol=1e-5)


def test_arrives_at_the_target_to_the_bit():
    """After a second the control equals the target and stays constant."""
    target = jnp.array([0.7, 5.3e-4, 15.8], jnp.float32)
    state, _ = smooth(rest(jnp.zeros(3, jnp.float32)), target, (0.02,) * 3, RATE_HZ, 48_000)
    _, controls = smooth(state, target, (0.02,) * 3, RATE_HZ, 64)
    assert np.array_equal(np.repeat(np.asarray(target)[:, None], 64, axis=1), controls)


def test_arrives_in_blocks_of_one_frame():
    """However short the blocks are, the distance becomes zero."""
    step = jax.jit(lambda state, target: smooth(state, target, (0.005,), RATE_HZ, 1)[0])
    state, target = rest(jnp.zeros(1, jnp.float32)), jnp.full(1, 0.3, jnp.float32)
    for _ in range(4000):
        state = step(state, target)
    assert [[np.float32(0.3)], [0.0]] == np.asarray(state).tolist()


def test_zero_is_the_target_from_the_first_frame():
    """An effect that crossfades by itself gets its target at once."""
    state = rest(jnp.array([350.0, 0.0], jnp.float32))
    _, controls = smooth(state, jnp.array([20.0, 1.0], jnp.float32), (0.0, 0.02), RATE_HZ, 130)
    assert np.all(np.asarray(controls[0]) == np.float32(20.0))
    assert 0.0 < controls[1, 0] < 0.01


def test_smoothed_effect_starts_at_rest(noise):
    """The first targets hold from the first frame."""
    rig = smoothed(gain("gain"), RATE_HZ)
    targets = jnp.array([0.5], jnp.float32)
    _, out = rig.process((), targets, rig.init((), targets), jnp.asarray(noise))
    assert np.array_equal(noise * np.float32(0.5), out)


def test_smoothed_effect_needs_a_row_for_each_control():
    """A control without a row in the table has no time constant."""
    with pytest.raises(KeyError, match="nonsense"):
        smoothed(gain("nonsense"), RATE_HZ)


SIZES = (1, 17, 64, 65, 128, 512)
RIG = smoothed(chain("two", gain("input"), gain("output")), RATE_HZ)
PROCESS = jax.jit(RIG.process)


def _render(moves, signal, cuts):
    """Play the 512 frames of each move in blocks of the given lengths."""
    weights = ((), ())
    state = RIG.init(weights, jnp.ones(2, jnp.float32))
    out = []
    for number, (targets, sizes) in enumerate(zip(moves, cuts, strict=True)):
        start, end = 512 * number, 512 * (number + 1)
        for size in sizes:
            while start + size <= end:
                targets = np.asarray(targets, np.float32)
                block = signal[start : start + size]
                state, block = PROCESS(weights, targets, state, block)
                out.append(np.asarray(block))
                start += size
                if size != 1:
                    break
    return np.concatenate(out)


knobs = st.tuples(st.floats(0.0, 16.0, width=32), st.floats(0.0, 16.0, width=32))
cuts = st.lists(st.sampled_from(SIZES), max_size=12).map(lambda sizes: (*sizes, 1))


@given(moves=st.lists(st.tuples(knobs, cuts), min_size=1, max_size=4))
@settings(deadline=None, max_examples=20)
def test_sound_does_not_depend_on_block_cuts(moves):
    """Targets that move at common frames give one output, however the blocks between are cut."""
    signal = np.random.default_rng(1).uniform(-1, 1, 512 * len(moves)).astype(np.float32)
    targets = [knob for knob, _ in moves]
    whole = _render(targets, signal, [(512,)] * len(moves))
    cut = _render(targets, signal, [sizes for _, sizes in moves])
    assert np.max(np.abs(whole - cut)) <= 1e-5 * max(1e-3, np.max(np.abs(whole)))
