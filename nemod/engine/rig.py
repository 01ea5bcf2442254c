"""From effects to a `RigSpec`: the functions of a rig, or of a part of one, before it is compiled.

A rig has parts: runs of effects, and models. Where all of it runs at one rate and there is one
model, the parts are joined into one program (`joined`); any other rig compiles each of them, and
the audio process calls them one after the other (`nemod.engine.steps`).
The output of a rig, and so of its last part, is [outputs * frames + 3]: the block, or left and then
right, then the peaks that `peaks` returns.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from nemod.formats.model import Model
from nemod.fx.bypass import BYPASS, dry_wet_mix
from nemod.fx.effect import (
    AnyEffect,
    Effect,
    PerEffect,
    S,
    Tails,
    W,
    merged,
    no_tails,
    per_frame,
    start_fresh,
)
from nemod.fx.nn.network import State
from nemod.fx.nn.neural import NeuralWeights, neural
from nemod.fx.tools.smooth import rest, smooth, smoothed
from nemod.parameters.table import param

MIN_BLOCK_FRAMES = 1
MAX_BLOCK_FRAMES = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class RigSpec(Generic[W, S]):
    """A rig, or a part of one, before it is compiled."""

    layout: tuple[str, ...]
    """Paths of the controls in the table of parameters; a path may occur for several slots."""
    latency_frames: int
    weights: W
    init: Callable[[W, jax.Array], S]
    """(weights, targets [n]) -> state before the first block"""
    process: Callable[[W, jax.Array, S, jax.Array], tuple[S, jax.Array]]
    """(weights, targets [n], state, block) -> (state, sound)"""
    settle: Callable[[S, S], S] = start_fresh
    """(state after a warm-up on silence, state of `init`) -> state to start playing with"""
    tails: Callable[[S], Tails] = no_tails
    """state -> the parts that the next rig continues; see `Effect.tails`"""
    signals: int = 1
    """With more than one, a block is [signals, frames]."""


AnyRigSpec: TypeAlias = RigSpec[Any, Any]
"""A rig whose weights and state the caller does not look into."""
PerPart: TypeAlias = tuple[Any, ...]
"""The weights or the states of a rig, one per part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of a rig, and what it is connected to.

    Signal 0 is the input of the rig, signal n + 1 the output of its part n.
    """

    spec: AnyRigSpec
    paths: tuple[str, ...]
    """Canonical paths of its controls, or `nemod.engine.chain.UNITY`, in the order of the spec."""
    inputs: tuple[int, ...]
    """Its signals, all of earlier parts."""
    signature: tuple[Any, ...]
    """All that its program depends on but rate and block size; compared by its `repr`."""
    model: str = ""
    """The slot of its model; empty for a run of effects."""
    has_own_rate: bool = False
    """Whether it runs at the rate of its model, between resamplers."""


def run_spec(effect: Effect[W, S], rate_hz: int) -> RigSpec[W, tuple[S, jax.Array]]:
    """Return an effect, of one signal or of several, with its smoothing."""
    with_smoothing = smoothed(effect, rate_hz)
    return RigSpec(
        layout=effect.controls,
        latency_frames=effect.latency_frames,
        weights=effect.weights,
        init=with_smoothing.init,
        process=with_smoothing.process,
        settle=with_smoothing.settle,
        tails=with_smoothing.tails,
    )


class BackState(NamedTuple):
    """The state of the last part."""

    smoothing: jax.Array
    after_model: PerEffect
    after_bypass: PerEffect
    last: Any


def back_spec(
    after: AnyEffect, ending: AnyEffect, last: AnyEffect, rate_hz: int, *, wet_signals: int = 1
) -> RigSpec[PerEffect, BackState]:
    """Return the last part of a rig: effects, bypass, more effects, and the meters.

    A block is [1 + wet_signals, frames]: the dry signal, then what `after` takes. `ending` and
    `last` have as many channels as `after` gives.
    """
    layout = (*after.controls, BYPASS, *ending.controls, *last.controls)
    smooth_s = tuple(param(path).smooth_s for path in layout)
    counts = (len(after.controls), 1, len(ending.controls))
    cuts = np.cumsum(counts).tolist()

    def init(weights: PerEffect, targets: jax.Array) -> BackState:
        for_after, _, for_ending, for_last = jnp.split(targets, cuts)
        return BackState(
            rest(targets),
            after.init(weights[0], for_after),
            ending.init(weights[1], for_ending),
            last.init(weights[2], for_last),
        )

    def process(
        weights: PerEffect, targets: jax.Array, state: BackState, signals: jax.Array
    ) -> tuple[BackState, jax.Array]:
        dry, given = signals[0], signals[1] if wet_signals == 1 else signals[1:]
        frames = dry.shape[0]
        smoothing, controls = smooth(state.smoothing, targets, smooth_s, rate_hz, frames)
        for_after, bypass, for_ending, for_last = jnp.split(controls, cuts)
        after_state, wet = after.process(weights[0], for_after, state.after_model, given)
        mixed = dry_wet_mix(bypass[0], dry, wet)
        ending_state, ended = ending.process(weights[1], for_ending, state.after_bypass, mixed)
        last_state, out = last.process(weights[2], for_last, state.last, ended)
        now = BackState(smoothing, after_state, ending_state, last_state)
        return now, jnp.concatenate([out.reshape(-1), peaks(dry, ended, out)])

    def settle(warm: BackState, fresh: BackState) -> BackState:
        return BackState(
            fresh.smoothing,
            after.settle(warm.after_model, fresh.after_model),
            ending.settle(warm.after_bypass, fresh.after_bypass),
            last.settle(warm.last, fresh.last),
        )

    def tails(state: BackState) -> Tails:
        return merged(
            after.tails(state.after_model),
            ending.tails(state.after_bypass),
            last.tails(state.last),
        )

    return RigSpec(
        layout=layout,
        latency_frames=sum(effect.latency_frames for effect in (after, ending, last)),
        weights=(after.weights, ending.weights, last.weights),
        init=init,
        process=process,
        settle=settle,
        tails=tails,
        signals=1 + wet_signals,
    )


def joined(parts: Sequence[Part]) -> RigSpec[PerPart, PerPart]:
    """Return a rig whose parts run at one rate as one program."""
    specs = [part.spec for part in parts]
    cuts = np.cumsum([len(spec.layout) for spec in specs[:-1]]).tolist()

    def init(weights: PerPart, targets: jax.Array) -> PerPart:
        each = zip(specs, weights, jnp.split(targets, cuts), strict=True)
        return tuple(spec.init(own, wanted) for spec, own, wanted in each)

    def process(
        weights: PerPart, targets: jax.Array, state: PerPart, block: jax.Array
    ) -> tuple[PerPart, jax.Array]:
        after = []
        signals = [block]
        each = zip(parts, weights, jnp.split(targets, cuts), state, strict=True)
        for part, own, wanted, memory in each:
            given = [signals[number] for number in part.inputs]
            given_block = given[0] if len(given) == 1 else jnp.stack(given)
            now, sound = part.spec.process(own, wanted, memory, given_block)
            after.append(now)
            signals.append(sound)
        return tuple(after), signals[-1]

    def settle(warm: PerPart, fresh: PerPart) -> PerPart:
        each = zip(specs, warm, fresh, strict=True)
        return tuple(spec.settle(after, before) for spec, after, before in each)

    def tails(state: PerPart) -> Tails:
        each = zip(specs, state, strict=True)
        return merged(*(spec.tails(own) for spec, own in each))

    return RigSpec(
        layout=tuple(path for spec in specs for path in spec.layout),
        latency_frames=sum(spec.latency_frames for spec in specs),
        weights=tuple(spec.weights for spec in specs),
        init=init,
        process=process,
        settle=settle,
        tails=tails,
    )


def peaks(block: jax.Array, before_limiter: jax.Array, out: jax.Array) -> jax.Array:
    """Return [peak of the input, peak before the limiter, sum of all magnitudes].

    Of two channels the louder one has the peak. The sum is non-finite as soon as any sample is: a
    maximum may skip NaN.
    """
    everything = jnp.sum(per_frame(jnp.abs(block), out) + jnp.abs(before_limiter) + jnp.abs(out))
    return jnp.stack([jnp.max(jnp.abs(block)), jnp.max(jnp.abs(before_limiter)), everything])


def model_spec(model: Model) -> RigSpec[NeuralWeights, State]:
    """Return a rig that is the model alone: nothing else changes the samples."""
    net = neural(model)

    def process(
        weights: NeuralWeights, targets: jax.Array, state: State, block: jax.Array
    ) -> tuple[State, jax.Array]:
        controls = jnp.broadcast_to(targets[:, None], (targets.shape[0], block.shape[0]))
        state, out = net.process(weights, controls, state, block)
        return state, jnp.concatenate([out, peaks(block, out, out)])

    return RigSpec(
        layout=net.controls,
        latency_frames=net.latency_frames,
        weights=net.weights,
        init=net.init,
        process=process,
        settle=net.settle,
    )
