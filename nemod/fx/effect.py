"""The whole plug-in API: what an effect is, and how effects become one.

An effect is a value made of two pure functions. What is fixed (sizes, sample rate) is closed over
when the effect is built; only arrays cross `jax.jit`. State goes in as an argument and comes out
as the result, so the daemon, the offline renderer and the trainer run the very same functions.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

Block = jax.Array
"""float32 [frames], mono, +-1.0 full scale."""
Controls = jax.Array
"""float32 [controls, frames]: the effect's control signals, smoothed, in the row's control unit
(see `nemod.parameters.table`), in the order of `Effect.controls`."""
Weights = Any
"""Pytree of float32 arrays: what was learnt or measured; never changes while playing."""
State = Any
"""Pytree of arrays: what an effect remembers between blocks. Same shapes in and out; every leaf
has a buffer of its own, because the engine donates them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """A recipe for changing sound.

    `init(weights, controls)` is called once, before the first block, with the controls' first
    values (float32 [controls]); nothing glides at the start. `process(weights, controls, state,
    block)` is called for every block, of any length, and must give the same sound however the
    signal is cut into blocks.
    """

    name: str
    controls: tuple[str, ...] = ()
    """Paths of the parameters it listens to."""
    init: Callable[[Weights, jax.Array], State]
    process: Callable[[Weights, Controls, State, Block], tuple[State, Block]]
    latency_frames: int = 0


def chain(name: str, *effects: Effect) -> Effect:
    """Return the effects in order as one effect; weights and states are tuples, one per effect."""
    spans: list[slice] = []
    start = 0
    for effect in effects:
        spans.append(slice(start, start + len(effect.controls)))
        start += len(effect.controls)

    def init(weights: Weights, controls: jax.Array) -> State:
        return tuple(
            effect.init(own, controls[span])
            for effect, own, span in zip(effects, weights, spans, strict=True)
        )

    def process(
        weights: Weights, controls: Controls, state: State, block: Block
    ) -> tuple[State, Block]:
        states = []
        for effect, own, span, memory in zip(effects, weights, spans, state, strict=True):
            after, block = effect.process(own, controls[span], memory, block)
            states.append(after)
        return tuple(states), block

    return Effect(
        name=name,
        controls=tuple(path for effect in effects for path in effect.controls),
        init=init,
        process=process,
        latency_frames=sum(effect.latency_frames for effect in effects),
    )


def in_pieces(effect: Effect, frames: int) -> Effect:
    """Return the effect fed at most `frames` at a time, whatever the length of the block.

    For an effect with a feedback path: as long as its shortest loop is no shorter than a piece,
    the whole piece can be computed at once from what is already known.
    """

    def process(
        weights: Weights, controls: Controls, state: State, block: Block
    ) -> tuple[State, Block]:
        total = block.shape[0]
        whole, rest = divmod(total, frames)
        if total <= frames:
            return effect.process(weights, controls, state, block)
        cut = whole * frames

        def step(memory: State, piece: tuple[Controls, Block]) -> tuple[State, Block]:
            return effect.process(weights, piece[0], memory, piece[1])

        pieces = controls[:, :cut].reshape(controls.shape[0], whole, frames).transpose(1, 0, 2)
        state, out = jax.lax.scan(step, state, (pieces, block[:cut].reshape(whole, frames)))
        out = out.reshape(cut)
        if rest:
            state, tail = effect.process(weights, controls[:, cut:], state, block[cut:])
            out = jnp.concatenate([out, tail])
        return state, out

    return Effect(
        name=effect.name,
        controls=effect.controls,
        init=effect.init,
        process=process,
        latency_frames=effect.latency_frames,
    )
