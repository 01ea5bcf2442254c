"""Parameter smoothing: from targets, one per block, to control signals, one value per frame.

A one-pole low-pass per control, in closed form: the distance to the target shrinks by the same
factor every frame, so a whole block is one multiplication by a table of powers of that factor.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic

import jax
import jax.numpy as jnp
import numpy as np

from nemod.fx.effect import Block, Controls, Effect, S, Tails, W
from nemod.parameters.table import param

ARRIVED = 1e-6
"""[control unit] Distance below which a control snaps to its target: 120 dB below full scale."""

_ROW = 64
"""Frames per row of the table, which is the product of two factors to stay small."""


def rest(targets: jax.Array) -> jax.Array:
    """Return the smoother's state [2, controls] for controls at rest at `targets` [controls]."""
    return jnp.stack([targets, jnp.zeros_like(targets)])


def smooth(
    state: jax.Array, targets: jax.Array, smooth_s: tuple[float, ...], rate_hz: float, frames: int
) -> tuple[jax.Array, Controls]:
    """Return the state after `frames` and the smoothed controls [controls, frames].

    `smooth_s` has one time constant [s] per control; with 0 the target holds from the first
    frame. The state is the last target and the distance to it, float32 [2, controls]: a distance
    only shrinks, so it loses no precision however short the blocks are, and a control that has
    arrived equals its target bit for bit.
    """
    start = (state[1] + (state[0] - targets))[:, None]
    distance = start + start * _covered(smooth_s, rate_hz, frames)
    distance = jnp.where(jnp.abs(distance) < ARRIVED, 0.0, distance)
    return jnp.stack([targets, distance[:, -1]]), targets[:, None] + distance


def _covered(smooth_s: tuple[float, ...], rate_hz: float, frames: int) -> jax.Array:
    """Return minus the covered share of the distance after 1, 2, ... frames [controls, frames].

    The remaining share would be nearly one for the first frames, and its rounding to float32 would
    make short blocks arrive earlier or later than long ones.
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
class Smoothed(Generic[W, S]):
    """An effect that takes targets [controls] instead of control signals.

    As `Effect`, but `process(weights, targets, state, block)` takes one target per control, which
    holds for the whole block. The state is that of the effect and that of the smoother.
    """

    init: Callable[[W, jax.Array], tuple[S, jax.Array]]
    process: Callable[[W, jax.Array, tuple[S, jax.Array], Block], tuple[tuple[S, jax.Array], Block]]
    settle: Callable[[tuple[S, jax.Array], tuple[S, jax.Array]], tuple[S, jax.Array]]
    tails: Callable[[tuple[S, jax.Array]], Tails]


def smoothed(effect: Effect[W, S], rate_hz: float) -> Smoothed[W, S]:
    """Return the effect with smoothed controls, with the time constants of the parameter table.

    Raises: KeyError for a control that has no row in the parameter table.
    """
    smooth_s = tuple(param(path).smooth_s for path in effect.controls)

    def init(weights: W, targets: jax.Array) -> tuple[S, jax.Array]:
        return effect.init(weights, targets), rest(targets)

    def process(
        weights: W, targets: jax.Array, state: tuple[S, jax.Array], block: Block
    ) -> tuple[tuple[S, jax.Array], Block]:
        inner, distance = state
        distance, controls = smooth(distance, targets, smooth_s, rate_hz, block.shape[-1])
        inner, block = effect.process(weights, controls, inner, block)
        return (inner, distance), block

    def settle(warm: tuple[S, jax.Array], fresh: tuple[S, jax.Array]) -> tuple[S, jax.Array]:
        return effect.settle(warm[0], fresh[0]), fresh[1]

    def tails(state: tuple[S, jax.Array]) -> Tails:
        return effect.tails(state[0])

    return Smoothed(init=init, process=process, settle=settle, tails=tails)
