"""Chains and pieces: effects that consist of effects."""

from dataclasses import replace
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from nemod.fx.delay import delay
from nemod.fx.effect import Block, Controls, Effect, chain, in_pieces
from nemod.fx.eq import eq
from nemod.fx.gain import gain
from nemod.fx.reverb import reverb


def test_chain_plays_its_effects_in_order(play, noise):
    """Each effect gets its own controls and the output of the one before it."""
    effects = (gain("gain"), eq(48_000.0), delay(48_000.0), gain("level"))
    settings = ([3.0], [6.0, -3.0, 4.0], [0.5, 7.0, 0.4], [0.25])
    together = chain("all", *effects)
    expected = noise
    for effect, controls in zip(effects, settings, strict=True):
        expected = play(effect, controls, expected)
    assert together.controls == tuple(path for effect in effects for path in effect.controls)
    out = play(together, np.concatenate(settings), noise, [64])
    assert np.max(np.abs(expected - out)) < 1e-6 * np.max(np.abs(expected))


def test_chains_nest_and_latencies_add(play, noise):
    """A chain is an effect, with the sum of the latencies."""
    late = replace(gain("input"), latency_frames=3)
    nested = chain("outer", chain("inner", late, gain("gain")), late)
    assert nested.latency_frames == 6
    out = play(nested, [2.0, 3.0, 0.5], noise)
    assert np.array_equal(noise * np.float32(2.0) * np.float32(3.0) * np.float32(0.5), out)


def test_pieces_are_the_whole(play, noise):
    """Called with 48 frames at a time, and a remainder, an effect has the same output."""
    controls = np.random.default_rng(1).uniform(-12, 12, (3, len(noise))).astype(np.float32)
    whole = play(eq(48_000.0), controls, noise)
    pieces = play(in_pieces(eq(48_000.0), 48), controls, noise, [1000])
    assert np.max(np.abs(whole - pieces)) <= 1e-6 * np.max(np.abs(whole))


class Weights(NamedTuple):
    factor: jax.Array


def counter(name: str, factor: float) -> Effect[Weights, jax.Array]:
    """Return an effect with a weight, whose state counts frames from `factor` on."""

    def init(weights: Weights, _controls: jax.Array) -> jax.Array:
        return weights.factor + 0.0  # a buffer of its own: the state is donated

    def process(
        weights: Weights, _controls: Controls, state: jax.Array, block: Block
    ) -> tuple[jax.Array, Block]:
        return state + block.shape[0], block * weights.factor

    return Effect(name=name, weights=Weights(jnp.float32(factor)), init=init, process=process)


def test_a_chain_provides_the_weights_of_its_effects(play, noise):
    """Nested too; nothing else knows how many weights an effect has."""
    nested = chain("outer", counter("first", 2.0), chain("inner", gain("gain"), counter("x", 3.0)))
    assert [float(leaf) for leaf in jax.tree.leaves(nested.weights)] == [2.0, 3.0]
    assert np.array_equal(noise * np.float32(6.0), play(nested, [1.0], noise, [64]))


def test_each_effect_of_a_chain_decides_what_it_keeps_of_a_warm_up(noise):
    """By default it starts fresh; another may keep its state, or a part of it."""
    keeps = replace(counter("keeps", 5.0), settle=lambda warm, _fresh: warm)
    adds = replace(counter("adds", 7.0), settle=lambda warm, fresh: warm + fresh)
    effects = chain("all", counter("forgets", 3.0), chain("inner", keeps, gain("gain")), adds)
    fresh = effects.init(effects.weights, jnp.ones(1))
    controls = jnp.ones((1, 64))
    warm, _ = effects.process(effects.weights, controls, fresh, jnp.asarray(noise[:64]))
    settled = effects.settle(warm, fresh)
    assert jax.tree.structure(settled) == jax.tree.structure(fresh)
    assert [float(leaf) for leaf in jax.tree.leaves(settled)] == [3.0, 69.0, 78.0]


def test_a_chain_names_the_tails_of_its_effects():
    """Also through a chain within it; an effect that says nothing has none."""
    effects = chain("outer", gain("gain"), chain("inner", delay(48_000.0)), reverb(48_000.0))
    state = effects.init(effects.weights, jnp.zeros(len(effects.controls)))
    tails = effects.tails(state)
    assert tails.keys() == {"delay", "reverb"}
    assert tails["delay"] is state[1][0]
    assert tails["reverb"] is state[2]
    assert gain("gain").tails(()) == {}
