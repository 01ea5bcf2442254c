"""The plug-in API: what an effect is, and how a chain of effects becomes one effect.

An effect is a value that holds pure functions. Sizes and the sample rate are fixed when the effect
is built; only arrays cross `jax.jit`. State is an argument and part of the result, so the daemon,
the offline renderer and the trainer run the same functions.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeAlias, TypeVar

import jax
import jax.numpy as jnp

Block = jax.Array
"""float32 [frames], mono, or [2, frames], left and right; +-1.0 full scale."""
Controls = jax.Array
"""float32 [controls, frames]: smoothed control signals in the control unit of their rows (see
`nemod.parameters.table`), in the order of `Effect.controls`."""
Nothing: TypeAlias = tuple[()]
"""The weights of an effect that has none, and the state of an effect without memory."""

W = TypeVar("W")
"""Weights: a pytree of float32 arrays, learnt or measured, constant while the rig plays."""
S = TypeVar("S")
"""State: a pytree of arrays, the memory between blocks. Shapes stay the same; every leaf needs a
buffer of its own, because the engine donates the state to each call."""


Tails: TypeAlias = Mapping[str, Any]
"""Parts of a state, pytrees, by names that are unique within a rig; see `Effect.tails`."""


def start_fresh(_warm: S, fresh: S) -> S:
    """Return the state of an effect that forgets the warm-up."""
    return fresh


def no_tails(_state: S) -> Tails:
    """Return that nothing in a state outlives a change of rig."""
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect(Generic[W, S]):
    """A unit of the signal chain."""

    name: str
    controls: tuple[str, ...] = ()
    """Paths of the parameters that control it."""
    weights: W = field(compare=False)
    """The weights that `init` and `process` are called with."""
    init: Callable[[W, jax.Array], S]
    """(weights, controls [controls]) -> state before the first block, with the controls at rest."""
    process: Callable[[W, Controls, S, Block], tuple[S, Block]]
    """(weights, controls, state, block) -> (state, block), for blocks of any length. The output
    must not depend on how the signal is cut into blocks."""
    settle: Callable[[S, S], S] = start_fresh
    """(state after a warm-up on silence, state of `init`) -> state to start playing with."""
    tails: Callable[[S], Tails] = no_tails
    """state -> the parts that the next rig continues, so that echoes and reverberation ring out and
    an open gate stays open after a change of rig. An effect of the same name in the next rig starts
    with them."""
    latency_frames: int = 0
    in_stereo: "Callable[[], Effect[Any, Any]] | None" = None
    """Returns the effect for blocks [2, frames], with the same controls and latency. None: each of
    the two channels goes through an effect of its own (see `on_each_channel`)."""
    makes_stereo: bool = False
    """Whether the two outputs of that form differ where its inputs are equal."""


AnyEffect: TypeAlias = Effect[Any, Any]
"""An effect whose weights and state the caller does not look into."""
PerEffect: TypeAlias = tuple[Any, ...]
"""The weights or the states of a chain, one per effect."""


def chain(name: str, *effects: AnyEffect) -> Effect[PerEffect, PerEffect]:
    """Return the effects in order as one effect; weights and states are tuples, one per effect."""
    spans: list[slice] = []
    start = 0
    for effect in effects:
        spans.append(slice(start, start + len(effect.controls)))
        start += len(effect.controls)

    def init(weights: PerEffect, controls: jax.Array) -> PerEffect:
        return tuple(
            effect.init(own, controls[span])
            for effect, own, span in zip(effects, weights, spans, strict=True)
        )

    def process(
        weights: PerEffect, controls: Controls, state: PerEffect, block: Block
    ) -> tuple[PerEffect, Block]:
        states = []
        for effect, own, span, memory in zip(effects, weights, spans, state, strict=True):
            after, block = effect.process(own, controls[span], memory, block)
            states.append(after)
        return tuple(states), block

    def settle(warm: PerEffect, fresh: PerEffect) -> PerEffect:
        each = zip(effects, warm, fresh, strict=True)
        return tuple(effect.settle(after, before) for effect, after, before in each)

    def tails(state: PerEffect) -> Tails:
        each = (effect.tails(own) for effect, own in zip(effects, state, strict=True))
        return merged(*each)

    return Effect(
        name=name,
        controls=tuple(path for effect in effects for path in effect.controls),
        weights=tuple(effect.weights for effect in effects),
        init=init,
        process=process,
        settle=settle,
        tails=tails,
        latency_frames=sum(effect.latency_frames for effect in effects),
        in_stereo=lambda: chain(name, *map(stereo_form, effects)),
        makes_stereo=any(effect.makes_stereo for effect in effects),
    )


def merged(*parts: Tails) -> Tails:
    """Return the tails of several effects as one mapping."""
    return {name: tail for part in parts for name, tail in part.items()}


def in_pieces(effect: Effect[W, S], frames: int) -> Effect[W, S]:
    """Return the effect, called with at most `frames` at a time whatever the length of the block.

    An effect with a feedback path can compute a whole piece at once as long as its shortest loop
    is at least as long as the piece.
    """

    def process(weights: W, controls: Controls, state: S, block: Block) -> tuple[S, Block]:
        total = block.shape[-1]
        whole, rest = divmod(total, frames)
        if total <= frames:
            return effect.process(weights, controls, state, block)
        cut = whole * frames

        def step(memory: S, piece: tuple[Controls, Block]) -> tuple[S, Block]:
            return effect.process(weights, piece[0], memory, piece[1])

        def in_rows(signals: jax.Array) -> jax.Array:
            """Return signals [..., cut] as pieces [whole, ..., frames]."""
            return jnp.moveaxis(signals.reshape(*signals.shape[:-1], whole, frames), -2, 0)

        pieces = in_rows(controls[:, :cut]), in_rows(block[..., :cut])
        state, out = jax.lax.scan(step, state, pieces)
        out = jnp.moveaxis(out, 0, -2).reshape(*block.shape[:-1], cut)
        if rest:
            state, tail = effect.process(weights, controls[:, cut:], state, block[..., cut:])
            out = jnp.concatenate([out, tail], axis=-1)
        return state, out

    return replace(effect, process=process)


def per_frame(signal: jax.Array, block: Block) -> jax.Array:
    """Return a signal [frames], such as a gain, in the form in which it multiplies a block."""
    return signal if block.ndim == 1 else signal[None]


def magnitude(block: Block) -> jax.Array:
    """Return the magnitude [frames] of a block, of two channels that of the louder one.

    What follows it, as the gain of a limiter does, moves both channels alike: otherwise a sound
    would move to the quieter side whenever the gain falls.
    """
    level = jnp.abs(block)
    return level if block.ndim == 1 else jnp.max(level, axis=0)


def stereo_form(effect: AnyEffect) -> AnyEffect:
    """Return the effect for blocks [2, frames]."""
    return on_each_channel(effect) if effect.in_stereo is None else effect.in_stereo()


def on_each_channel(effect: Effect[W, S]) -> Effect[W, S]:
    """Return an effect that plays left and right with the same controls, each with its own state.

    Every array of the state becomes [2, ...].
    """

    def init(weights: W, controls: jax.Array) -> S:
        mono = effect.init(weights, controls)
        both: S = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), mono)
        return both

    def process(weights: W, controls: Controls, state: S, block: Block) -> tuple[S, Block]:
        def one(memory: S, channel: Block) -> tuple[S, Block]:
            return effect.process(weights, controls, memory, channel)

        after: tuple[S, Block] = jax.vmap(one)(state, block)
        return after

    def settle(warm: S, fresh: S) -> S:
        settled: S = jax.vmap(effect.settle)(warm, fresh)
        return settled

    return replace(effect, init=init, process=process, settle=settle)
