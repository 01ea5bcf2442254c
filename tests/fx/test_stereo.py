"""The forms of effects for two channels: each on its own, or one gain for both."""

from dataclasses import replace

import numpy as np
import pytest

from nemod.fx.compressor import compressor
from nemod.fx.dc import dc_blocker
from nemod.fx.effect import in_pieces, stereo_form
from nemod.fx.eq import eq
from nemod.fx.gain import gain
from nemod.fx.gate import gate
from nemod.fx.limiter import limiter
from nemod.fx.tools.ring import in_even_pieces

RATE_HZ = 48_000.0


@pytest.fixture(scope="module")
def sides() -> np.ndarray:
    """Two independent noises [2, 4096], the right one at half the level."""
    return np.random.default_rng(3).uniform(-1, 1, (2, 4096)).astype(np.float32) * np.float32(
        [[1.0], [0.5]]
    )


@pytest.mark.parametrize(
    ("effect", "controls"),
    [(eq(RATE_HZ), [7.0, -5.0, 3.0]), (dc_blocker(RATE_HZ), []), (gain("level"), [0.7])],
    ids=["eq", "dc_blocker", "gain"],
)
def test_each_channel_is_what_the_mono_effect_makes_of_it(play, sides, effect, controls):
    """With a state of its own."""
    out = play(stereo_form(effect), controls, sides, [64])
    expected = np.stack([play(effect, controls, side, [64]) for side in sides])
    np.testing.assert_allclose(out, expected, atol=1e-6)


DYNAMICS = {
    "limiter": (limiter(RATE_HZ), [], 4.0),
    "compressor": (compressor(RATE_HZ), [1.0, -40.0, 4.0, 5.0, 60.0, 6.0], 1.0),
    "gate": (gate(RATE_HZ), [1.0, 0.3, 1.0, 5.0, 20.0], 1.0),
}
"""Effect, its controls, and the level of what it plays."""


@pytest.mark.parametrize("name", DYNAMICS)
def test_both_channels_have_the_gain_of_the_louder_one(play, sides, name):
    """So a sound stays where it is. The gain is that of the mono effect for the louder channel.

    It changes hands: the right channel, half as loud, has the higher magnitude at every fourth
    frame or so.
    """
    effect, controls, level = DYNAMICS[name]
    signal = np.float32(level) * sides * np.repeat([1.0, 0.02, 1.0, 0.1], 1024).astype(np.float32)
    louder = np.abs(signal).max(axis=0)
    assert 0.1 < np.mean(np.abs(signal[1]) == louder) < 0.5
    expected = play(effect, controls, louder, [64]).astype(np.float64) / louder
    assert expected.max() > 1.2 * expected.min()
    out = play(stereo_form(effect), controls, signal, [17, 512])
    np.testing.assert_allclose(out, expected * signal, atol=3e-6)


def test_a_non_finite_sample_of_one_channel_is_not_hidden(play, sides):
    """It stays in its channel, for the engine to detect."""
    signal = sides.copy()
    signal[1, 100] = np.nan
    out = play(stereo_form(limiter(RATE_HZ)), [], signal, [17, 512])
    assert not np.isfinite(out[1, 100])
    assert np.isfinite(out[:, :100]).all()


def test_even_pieces_are_as_long_as_those_of_one_channel():
    """A block of two channels is cut by its frames."""
    seen = []

    def process(_weights, _controls, state, block):
        seen.append(block.shape)
        return state, block

    effect = in_even_pieces(replace(limiter(RATE_HZ), process=process), 64)
    for frames in (64, 100):
        effect.process((), np.zeros((0, frames)), np.zeros(1), np.zeros((2, frames), np.float32))
    assert set(seen) == {(2, 64), (2, 50)}


def test_pieces_of_two_channels_are_those_of_the_whole(play, sides):
    """`in_pieces` cuts both channels, and the rest that fills no piece."""
    effect = stereo_form(limiter(RATE_HZ))
    out = play(in_pieces(effect, 100), [], 3.0 * sides)
    np.testing.assert_allclose(out, play(effect, [], 3.0 * sides), atol=1e-6)
