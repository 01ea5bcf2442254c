"""The oscillator against float64 arithmetic, for any cuts of the signal."""

from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nemod.fx.tools import lfo
from nemod.parameters.lfo_shapes import LFO_SHAPES

RATE_HZ = 48_000.0
SHAPE = {name: float(number) for number, name in enumerate(LFO_SHAPES)}
FRAMES = 9600


@jax.jit
def _play(state, rate, shape, holds):
    state, at = lfo.turn(state, rate, shape, RATE_HZ, holds)
    return state, at, lfo.wave(at, shape, rate)


def play(rate_hz, shape, sizes=(FRAMES,), held_at=()):
    """Return state, phases (0 to 1), cycles and values, played in blocks of these lengths."""
    frames = sum(sizes)
    rate = np.broadcast_to(np.float32(rate_hz), frames)
    shapes = np.broadcast_to(np.float32(shape), frames)
    holds = np.zeros(frames, bool)
    holds[list(held_at)] = True
    state, start, found = lfo.rest(), 0, []
    for size in sizes:
        part = slice(start, start + size)
        state, at, values = _play(state, rate[part], shapes[part], holds[part])
        found.append((np.asarray(at.phase) / 2.0**32, np.asarray(at.cycle), np.asarray(values)))
        start += size
    return state, *(np.concatenate(each) for each in zip(*found, strict=True))


def edge(low, high, x):
    """Return a cubic from -1 to 1 between two places."""
    t = np.clip((x - low) / (high - low), 0.0, 1.0)
    return 2.0 * t * t * (3.0 - 2.0 * t) - 1.0


def expected(name, x, rate_hz):
    """Return the definition of a periodic shape in float64."""
    width = min(0.25, lfo.EDGE_S * rate_hz)
    if name == "sine":
        return np.sin(2.0 * np.pi * x)
    if name == "triangle":
        return np.interp(x, [0.0, 0.25, 0.75, 1.0], [0.0, 1.0, -1.0, 0.0])
    if name == "square":
        centred = (x + 0.25) % 1.0  # edges at 0.25 (up) and 0.75 (down)
        up = edge(0.25 - width / 2.0, 0.25 + width / 2.0, centred)
        down = edge(0.75 - width / 2.0, 0.75 + width / 2.0, centred)
        return up - down - 1.0
    rising = np.where(x < 1.0 - width, 2.0 * x / (1.0 - width) - 1.0, -edge(1.0 - width, 1.0, x))
    return rising if name == "ramp up" else -rising


@pytest.mark.parametrize("rate_hz", [5.0, 10.0])
@pytest.mark.parametrize("name", LFO_SHAPES[:5])
def test_periodic_shapes_are_their_definitions(name, rate_hz):
    """With jumps that take `EDGE_S`."""
    _, phase, cycle, values = play(rate_hz, SHAPE[name])
    n = np.arange(FRAMES)
    np.testing.assert_allclose(phase + cycle, n * rate_hz / RATE_HZ, atol=1e-9)
    exact = expected(name, (n * rate_hz / RATE_HZ) % 1.0, rate_hz)
    np.testing.assert_allclose(values, exact, atol=3e-5)


@pytest.mark.parametrize("rate_hz", [0.05, 3.1, 10.0])
def test_the_phase_does_not_drift_in_ten_minutes(rate_hz):
    """It is that of a whole number of frames per cycle, to 2**-32 of a cycle, and never moves off.

    Started at the end of ten minutes from the state that whole-number arithmetic gives, the next
    frames continue it; within a cycle the phases are those of exact fractions.
    """
    length = round(RATE_HZ / rate_hz)
    step, rest = divmod(2**32, length)
    n = 600 * 48_000 + np.arange(64)
    exact = [Fraction(int(k) * 2**32, length) for k in n]
    first = int(n[0]) % length
    start = (first * step + first * rest // length, first * rest % length, int(n[0]) // length)
    state = jnp.asarray(np.array(start, np.uint32).view(np.int32))
    rate, shape = np.full(64, rate_hz, np.float32), np.zeros(64, np.float32)
    _, at, _ = _play(state, rate, shape, np.zeros(64, bool))
    for phase, cycle, wanted in zip(at.phase, at.cycle, exact, strict=True):
        assert int(cycle) * 2**32 + int(phase) == int(wanted)


def test_a_whole_cycle_returns_to_the_first_state():
    """What the state is after 12 cycles of a length that does not divide 2**32."""
    length = 4801
    state, *_ = play(RATE_HZ / length, 0.0, (12 * length,))
    assert np.asarray(state).tolist() == [0, 0, 12]


@pytest.mark.parametrize("name", LFO_SHAPES)
def test_every_shape_is_bounded_continuous_and_free_of_the_block(name):
    """At the highest rate no step is larger than that of an edge, and blocks make no difference."""
    _, _, cycle, values = play(10.0, SHAPE[name])
    assert np.max(np.abs(values)) <= 1.0
    # A cubic edge of height 2 is steepest in its middle: 1.5 times its mean slope.
    assert np.max(np.abs(np.diff(values))) <= 1.5 * 2.0 / (lfo.EDGE_S * RATE_HZ) + 1e-5
    assert cycle[-1] >= 1
    *_, cut = play(10.0, SHAPE[name], (1, 64, 4000, 65, 5470))
    np.testing.assert_array_equal(values, cut)


def test_random_shapes_take_new_values_every_cycle():
    """Uniform between -1 and 1: mean 0, variance 1/3, no correlation of neighbours."""
    *_, held = play(200.0, SHAPE["sample hold"], (240 * 1000,))
    values = held[239::240]  # the last frame of each cycle
    assert abs(np.mean(values)) < 4.0 * np.sqrt(1.0 / 3.0 / 1000.0)
    assert np.var(values) == pytest.approx(1.0 / 3.0, abs=0.04)
    neighbours = np.corrcoef(values[:-1], values[1:])[0, 1]
    assert abs(neighbours) < 4.0 / np.sqrt(1000.0)


def test_smooth_random_passes_through_the_values_of_its_cycles():
    """Each cycle begins where the one before ended, without a corner."""
    _, phase, _, values = play(10.0, SHAPE["random"], (4800 * 8,))
    starts = values[::4800]
    assert len(set(starts.tolist())) == 8
    x = phase[:4800]
    wanted = starts[0] + (starts[1] - starts[0]) * x * x * (3.0 - 2.0 * x)
    np.testing.assert_allclose(values[:4800], wanted, atol=1e-5)


def test_quasi_periodic_cycles_are_a_fifth_longer_or_shorter():
    """Both occur; within a cycle it is a sine."""
    _, phase, cycle, values = play(20.0, SHAPE["uneven sine"], (2400 * 40,))
    lengths = np.bincount(cycle.astype(int))[:-1]
    near = {min((0.8, 1.2), key=lambda share: abs(share - length / 2400)) for length in lengths}
    assert near == {0.8, 1.2}
    short = np.abs(lengths / 2400 - 0.8) < 0.002
    assert np.all(short | (np.abs(lengths / 2400 - 1.2) < 0.002))
    assert 0.25 < np.mean(short) < 0.75
    np.testing.assert_allclose(values, np.sin(2.0 * np.pi * phase), atol=1e-5)


def test_a_rate_that_moves_keeps_the_phase_continuous():
    """The phase is the sum of the rates."""
    rate = np.geomspace(0.1, 10.0, FRAMES)
    _, phase, cycle, _ = play(rate, 0.0)
    lengths = np.round(RATE_HZ / rate.astype(np.float32).astype(np.float64))
    exact = np.concatenate([[0.0], np.cumsum(1.0 / lengths)[:-1]])
    np.testing.assert_allclose(phase + cycle, exact, atol=1e-5)


def test_a_hold_is_the_beginning_of_the_first_cycle():
    """And a shift moves the phase ahead, into the next cycle where it is over."""
    _, phase, cycle, _ = play(10.0, 0.0, held_at=(7000,))
    assert (cycle[6999], cycle[7000]) == (1, 0)
    np.testing.assert_allclose(phase[7000:7003], [0.0, 0.0, 1.0 / 4800.0], atol=1e-9)
    at = lfo.Turn(jnp.uint32([0, 2**31, 2**32 - 2**30]), jnp.uint32([5, 5, 5]))
    ahead = lfo.shifted(at, jnp.float32([0.5, 0.25, 0.5]))
    assert ahead.phase.tolist() == [2**31, 2**31 + 2**30, 2**30]
    assert ahead.cycle.tolist() == [5, 5, 6]


def test_a_shape_that_is_smoothed_moves_without_a_jump():
    """Between two indices both are mixed."""
    shape = np.linspace(0.0, 7.0, FRAMES)
    *_, values = play(10.0, shape)
    assert np.max(np.abs(np.diff(values))) <= 1.5 * 2.0 / (lfo.EDGE_S * RATE_HZ) + 0.003
