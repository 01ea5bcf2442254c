"""Three-band EQ: low shelf, peaking mid, high shelf.

The responses are those of Robert Bristow-Johnson's Audio EQ Cookbook. The form is the
state-variable filter under the trapezoidal rule (V. Zavalishin, "The Art of VA Filter Design"; the
coefficients for shelves and peaks as in A. Simper, "Solving the continuous SVF equations using
trapezoidal integration", 2013): the same transfer functions, but its two states are those of the
integrators and mean the same for any coefficients. So a knob may move at every frame, where the
states of a direct form would belong to the previous filter. At 0 dB it adds two zeros to the
input: no bit changes.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from nemod.fx.effect import Block, Controls, Effect, Nothing

BASS_HZ = 120.0
"""[Hz] Where the low shelf has half its gain in dB."""
MID_HZ = 700.0
"""[Hz] Centre of the peaking band."""
TREBLE_HZ = 2800.0
"""[Hz] Where the high shelf has half its gain in dB."""
SHELF_Q = math.sqrt(0.5)
"""Steepest shelf that is still monotonic (the cookbook's slope S = 1)."""
MID_Q = 0.7


class _Bands(NamedTuple):
    """Second-order filters; each field is float32 [3], or [frames, 3] before the scan.

    With s1 and s2 the states of a band and x its input, the band- and low-pass outputs are
    `v` = a1 s1 + a2 (x - s2) and `w` = s2 + a2 s1 + a3 (x - s2). The states become 2 v - s1 and
    2 w - s2, and the band's output is m0 x + m1 v + m2 w.
    """

    a1: jax.Array
    a2: jax.Array
    a3: jax.Array
    m0: jax.Array
    m1: jax.Array
    m2: jax.Array


def _bands(gains_db: jax.Array, warped: np.ndarray) -> _Bands:
    """Return low shelf, peak and high shelf for gains [3, frames]; `warped` is tan(w / 2) [3]."""
    root = jnp.exp(gains_db * (math.log(10.0) / 80.0))
    # The cookbook's A = 10^(dB / 40).
    a = root * root
    bass, mid, treble = a
    one = jnp.ones_like(bass)
    g = warped[:, None] * jnp.stack([1.0 / root[0], one, root[2]])
    k = jnp.stack([one / SHELF_Q, 1.0 / (MID_Q * mid), one / SHELF_Q])
    a1 = 1.0 / (1.0 + g * (g + k))
    a2 = g * a1
    m0 = jnp.stack([one, one, treble * treble])
    m1 = k * jnp.stack([bass - 1.0, mid * mid - 1.0, (1.0 - treble) * treble])
    m2 = jnp.stack([bass * bass - 1.0, 0.0 * one, 1.0 - treble * treble])
    # One array, transposed once: the scan reads a frame's coefficients from adjacent memory.
    return _Bands(*jnp.moveaxis(jnp.stack([a1, a2, g * a2, m0, m1, m2]), 2, 1))


def _step(
    states: tuple[jax.Array, ...], frame: tuple[jax.Array, _Bands]
) -> tuple[tuple[jax.Array, ...], jax.Array]:
    """Filter one frame with the three bands; states are scalars, two per band."""
    sample, bands = frame
    after = []
    for band in range(3):
        s1, s2 = states[2 * band], states[2 * band + 1]
        error = sample - s2
        v = bands.a1[band] * s1 + bands.a2[band] * error
        w = s2 + bands.a2[band] * s1 + bands.a3[band] * error
        after += [2.0 * v - s1, 2.0 * w - s2]
        sample = bands.m0[band] * sample + bands.m1[band] * v + bands.m2[band] * w
    return tuple(after), sample


def _step_both(
    states: tuple[jax.Array, ...], frame: tuple[tuple[jax.Array, jax.Array], _Bands]
) -> tuple[tuple[jax.Array, ...], tuple[jax.Array, jax.Array]]:
    """Filter one frame of left and right with the same bands; the states of left come first.

    In scalars, too: arrays of two numbers cost half as much again.
    """
    (left, right), bands = frame
    of_left, left = _step(states[:6], (left, bands))
    of_right, right = _step(states[6:], (right, bands))
    return (*of_left, *of_right), (left, right)


def eq(rate_hz: float, channels: int = 1) -> Effect[Nothing, jax.Array]:
    """Return the three bands in series; their controls are gains in dB.

    The state is float32 [6] for each channel.
    """
    corners_hz = np.array([BASS_HZ, MID_HZ, TREBLE_HZ])
    warped = np.tan(np.pi * corners_hz / rate_hz).astype(np.float32)

    def init(_weights: Nothing, _controls: jax.Array) -> jax.Array:
        return jnp.zeros(6 * channels, jnp.float32)

    def process(
        _weights: Nothing, controls: Controls, state: jax.Array, block: Block
    ) -> tuple[jax.Array, Block]:
        bands = _bands(controls, warped)
        if channels == 1:
            after, block = jax.lax.scan(_step, tuple(state), (block, bands))
            return jnp.stack(after), block
        after, sides = jax.lax.scan(_step_both, tuple(state), ((block[0], block[1]), bands))
        return jnp.stack(after), jnp.stack(sides)

    return Effect(
        name="eq",
        controls=("bass", "mid", "treble"),
        weights=(),
        init=init,
        process=process,
        in_stereo=lambda: eq(rate_hz, channels=2),
    )
