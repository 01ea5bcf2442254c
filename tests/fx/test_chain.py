"""Chains and pieces: effects made of effects."""

from dataclasses import replace

import numpy as np

from nemod.fx.delay import delay
from nemod.fx.effect import chain, in_pieces
from nemod.fx.eq import eq
from nemod.fx.gain import gain


def test_chain_plays_its_effects_in_order(play, noise):
    """Each effect gets its own controls and what the one before it gave."""
    effects = (gain("gain"), eq(48_000.0), delay(48_000.0), gain("level"))
    settings = ([3.0], [6.0, -3.0, 4.0], [0.5, 7.0, 0.4], [0.25])
    both = chain("all", *effects)
    expected = noise
    for effect, controls in zip(effects, settings, strict=True):
        expected = play(effect, controls, expected)
    assert both.controls == tuple(path for effect in effects for path in effect.controls)
    out = play(both, np.concatenate(settings), noise, [64], weights=((),) * 4)
    assert np.max(np.abs(expected - out)) < 1e-6 * np.max(np.abs(expected))


def test_chains_nest_and_latencies_add(play, noise):
    """A chain is an effect like any other, with the sum of the latencies."""
    late = replace(gain("input"), latency_frames=3)
    nested = chain("outer", chain("inner", late, gain("gain")), late)
    assert nested.latency_frames == 6
    out = play(nested, [2.0, 3.0, 0.5], noise, weights=(((), ()), ()))
    assert np.array_equal(noise * np.float32(2.0) * np.float32(3.0) * np.float32(0.5), out)


def test_pieces_are_the_whole(play, noise):
    """Fed 48 frames at a time, with a rest, an effect gives the same sound."""
    controls = np.random.default_rng(1).uniform(-12, 12, (3, len(noise))).astype(np.float32)
    whole = play(eq(48_000.0), controls, noise)
    pieces = play(in_pieces(eq(48_000.0), 48), controls, noise, [1000])
    assert np.max(np.abs(whole - pieces)) <= 1e-6 * np.max(np.abs(whole))
