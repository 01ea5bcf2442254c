"""Knobs that glide: from targets, one per block, to control signals, one value per frame.

A one-pole low-pass per control, in closed form: what is left of the way to the target shrinks by
the same factor every frame, so a whole block is one multiplication by a table of its powers.
"""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from nemod.fx.effect import Block, Controls, Effect, State, Weights
from nemod.parameters.table import param

ARRIVED = 1e-6
"""[the control's unit] A control as near as this is at its target: 120 dB below full scale."""

_ROW = 64
"""Frames per row of the table, which is kept as two factors to stay small."""


def rest(targets: jax.Array) -> jax.Array:
    """Return the smoother's state [2, controls] for controls at rest at `targets` [controls]."""
    return jnp.stack([targets, jnp.zeros_like(targets)])


def smooth(
    state: jax.Array, targets: jax.Array, smooth_s: tuple[float, ...], rate_hz: float, frames: int
) -> tuple[jax.Array, Controls]:
    """Return the state after `frames` and the controls [controls, frames] on their way.

    `smooth_s` has one time constant [s] per control; with 0 the target holds from the first
    frame. The state is the last target and the distance still to go, float32 [2, controls]: a
    distance only ever shrinks, so it loses no precision however short the blocks are, and a
    control that has arrived is its target to the bit.
    """
    start = (state[1] + (state[0] - targets))[:, None]
    distance = start + start * _covered(smooth_s, rate_hz, frames)
    distance = jnp.where(jnp.abs(distance) < ARRIVED, 0.0, distance)
    return jnp.stack([targets, distance[:, -1]]), targets[:, None] + distance


def _covered(smooth_s: tuple[float, ...], rate_hz: float, frames: int) -> jax.Array:
    """Return minus the share of the way that is covered after 1, 2, ... frames.

    Shape [controls, frames]. What is left would be nearly one for the first frames, and float32
    would round it so that short blocks arrive earlier or later than long ones.
    """
    times = [np.inf if seconds == 0.0 else 1.0 / (seconds * rate_hz) for seconds in smooth_s]
    rates = np.array(times, np.float64)[:, None]
    row = min(frames, _ROW)
    within = np.expm1(-rates * np.arange(1, row + 1)).astype(np.float32)
    rows = -(-frames // row)
    if rows == 1:
        return jnp.asarray(within)
    starts = np.zeros((len(smooth_s), rows), np.float32)
    starts[:, 1:] = np.expm1(-rates * row * np.arange(1, rows))
    table = jnp.asarray(starts)[:, :, None] + within[:, None, :] * (1.0 + starts[:, :, None])
    return table.reshape(len(smooth_s), rows * row)[:, :frames]


@dataclass(frozen=True, slots=True, kw_only=True)
class Smoothed:
    """An effect that is fed targets [controls] instead of control signals.

    As with `Effect`, but `process(weights, targets, state, block)` takes one target per control,
    which holds for the whole block. The state is the effect's and the smoother's.
    """

    effect: Effect
    init: Callable[[Weights, jax.Array], State]
    process: Callable[[Weights, jax.Array, State, Block], tuple[State, Block]]


def smoothed(effect: Effect, rate_hz: float) -> Smoothed:
    """Return the effect with a smoother before it, with the time constants of the table.

    Raises: KeyError for a control that has no row in the table of parameters.
    """
    smooth_s = tuple(param(path).smooth_s for path in effect.controls)

    def init(weights: Weights, targets: jax.Array) -> State:
        return effect.init(weights, targets), rest(targets)

    def process(
        weights: Weights, targets: jax.Array, state: State, block: Block
    ) -> tuple[State, Block]:
        inner, distance = state
        distance, controls = smooth(distance, targets, smooth_s, rate_hz, block.shape[0])
        inner, block = effect.process(weights, controls, inner, block)
        return (inner, distance), block

    return Smoothed(effect=effect, init=init, process=process)
