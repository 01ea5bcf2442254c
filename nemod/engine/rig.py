"""From a chain and a model to a `RigSpec`: the functions of a rig, before they are compiled.

A rig has three parts: the effects before the model, the model, and everything after it. With a
cabinet it has four: what stands between the model and the cabinet belongs to the cabinet's part. At
one rate they are joined into one program; a resampled rig compiles each of them
(`nemod.engine.resampled`).
The output of a rig is [frames + 3]: the block, then the peaks that `peaks` returns. With two
outputs it is [2 * frames + 3], the left block before the right one.

A rig with two outputs is mono up to the first effect behind the cabinet that makes two channels
(`nemod.fx.stereo`). Only the part after the model differs from that of a rig with one output.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from nemod.engine.chain import DEFAULT_CHAIN, Chain, effects
from nemod.formats.model import Model
from nemod.fx.bypass import BYPASS, dry_wet_mix
from nemod.fx.effect import (
    AnyEffect,
    Effect,
    PerEffect,
    S,
    Tails,
    W,
    chain,
    merged,
    no_tails,
    per_frame,
    start_fresh,
)
from nemod.fx.nn.network import State
from nemod.fx.nn.neural import NeuralWeights, neural
from nemod.fx.stereo import in_channels, with_outputs
from nemod.fx.tools.smooth import rest, smooth, smoothed
from nemod.parameters.table import param

MIN_BLOCK_FRAMES = 1
MAX_BLOCK_FRAMES = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class RigSpec(Generic[W, S]):
    """A rig, or a part of one, before it is compiled."""

    layout: tuple[str, ...]
    """Paths of the controls."""
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


class RigParts(NamedTuple):
    """The parts of a rig, each with smoothing of its own."""

    front: AnyRigSpec
    """block [frames] -> input of the model [frames]"""
    model: AnyRigSpec
    """input of the model [frames] -> its output [frames]"""
    back: AnyRigSpec
    """[2, frames]: the block and the output of the part before -> sound [outputs * frames + 3]"""
    cabinet: AnyRigSpec | None = None
    """output of the model [frames] -> the same through the cabinet [frames]; None without one"""

    @property
    def in_order(self) -> tuple[AnyRigSpec, ...]:
        """The parts in the order of the signal."""
        between = () if self.cabinet is None else (self.cabinet,)
        return (self.front, self.model, *between, self.back)

    @property
    def layout(self) -> tuple[str, ...]:
        """Paths of all controls, part after part."""
        return tuple(path for part in self.in_order for path in part.layout)

    @property
    def latency_frames(self) -> int:
        """The sum over the parts, at their own rates."""
        return sum(part.latency_frames for part in self.in_order)


def rig_parts(
    model: Model,
    rate_hz: int,
    model_rate_hz: int,
    slots: Chain = DEFAULT_CHAIN,
    cabinet: AnyEffect | None = None,
    outputs: int = 1,
) -> RigParts:
    """Return the parts of a rig: `rate_hz` is the device's, `model_rate_hz` that of the model.

    `outputs` is 1 or 2.
    """
    before = chain("front", *effects(slots.before_model, model, rate_hz))
    after_model = effects(slots.after_model, model, rate_hz)
    after_cabinet = with_outputs(effects(slots.after_cabinet, model, rate_hz), outputs)
    ending = chain("ending", *effects(slots.after_bypass, model, rate_hz))
    with_cabinet = None
    if cabinet is not None:
        through = chain("cabinet", *after_model, cabinet)
        with_cabinet = _smoothed_part(through, rate_hz)
        after_model = []
    after = chain("back", *after_model, *after_cabinet)
    return RigParts(
        front=_smoothed_part(before, rate_hz),
        model=_smoothed_part(neural(model), model_rate_hz),
        cabinet=with_cabinet,
        back=_back_part(
            after,
            in_channels(ending, outputs),
            in_channels(slots.last.make(rate_hz), outputs),
            rate_hz,
        ),
    )


def rig_spec(
    model: Model,
    rate_hz: int,
    slots: Chain = DEFAULT_CHAIN,
    cabinet: AnyEffect | None = None,
    outputs: int = 1,
) -> AnyRigSpec:
    """Return the whole rig of a model, all of it at the device's rate, as one program."""
    return joined(rig_parts(model, rate_hz, rate_hz, slots, cabinet, outputs))


def _smoothed_part(effect: Effect[W, S], rate_hz: int) -> RigSpec[W, tuple[S, jax.Array]]:
    """Return an effect with its smoothing."""
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
    """The state of the part after the model."""

    smoothing: jax.Array
    after_model: PerEffect
    after_bypass: PerEffect
    last: Any


def _back_part(
    after: AnyEffect, ending: AnyEffect, last: AnyEffect, rate_hz: int
) -> RigSpec[PerEffect, BackState]:
    """Return what follows the model: effects, bypass, more effects, and the meters.

    `after` takes a mono block; `ending` and `last` have as many channels as it gives.
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
        dry, model_output = signals[0], signals[1]
        frames = dry.shape[0]
        smoothing, controls = smooth(state.smoothing, targets, smooth_s, rate_hz, frames)
        for_after, bypass, for_ending, for_last = jnp.split(controls, cuts)
        after_state, wet = after.process(weights[0], for_after, state.after_model, model_output)
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
        signals=2,
    )


def joined(parts: RigParts) -> RigSpec[PerPart, PerPart]:
    """Return a rig whose parts run at one rate as one program."""
    order = parts.in_order
    cuts = np.cumsum([len(part.layout) for part in order[:-1]]).tolist()

    def init(weights: PerPart, targets: jax.Array) -> PerPart:
        each = zip(order, weights, jnp.split(targets, cuts), strict=True)
        return tuple(part.init(own, wanted) for part, own, wanted in each)

    def process(
        weights: PerPart, targets: jax.Array, state: PerPart, block: jax.Array
    ) -> tuple[PerPart, jax.Array]:
        after = []
        signal = block
        each = zip(order, weights, jnp.split(targets, cuts), state, strict=True)
        for part, own, wanted, memory in each:
            given = jnp.stack([block, signal]) if part is parts.back else signal
            now, signal = part.process(own, wanted, memory, given)
            after.append(now)
        return tuple(after), signal

    def settle(warm: PerPart, fresh: PerPart) -> PerPart:
        each = zip(order, warm, fresh, strict=True)
        return tuple(part.settle(after, before) for part, after, before in each)

    def tails(state: PerPart) -> Tails:
        each = zip(order, state, strict=True)
        return merged(*(part.tails(own) for part, own in each))

    return RigSpec(
        layout=parts.layout,
        latency_frames=parts.latency_frames,
        weights=tuple(part.weights for part in order),
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
