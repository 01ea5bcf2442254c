"""Plucked strings whose pitch is known by construction, in float64."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

LOWEST_HZ, HIGHEST_HZ = 30.87, 1318.5
"""[Hz] B0 and E6."""

Sound = NDArray[np.float64]


class Pluck(NamedTuple):
    """How a string is plucked, and what it is."""

    hz: float
    """Frequency of the first partial: the pitch, as `nemod.tuner.partials` defines it."""
    stiffness: float
    """Inharmonicity `B`: partial n has the frequency `n f sqrt(1 + B n^2)`."""
    position: float
    """Where it is plucked, 0..1 of its length: partials with a node there are missing."""
    pickup: float
    """Where the pickup is, 0..1 of its length."""
    decay_s: float
    """Time constant of the first partial; higher ones decay faster."""
    noise_db: float
    """Level of white noise relative to the peak of the string."""


def draw(rng: np.random.Generator, hz: float) -> Pluck:
    """Return a string of a guitar or a bass with this pitch."""
    octaves = np.log2(hz / LOWEST_HZ)
    return Pluck(
        hz=hz,
        # Thick strings are stiff: bass strings up to 3e-4, the thin strings of a guitar 2e-5.
        stiffness=float(10.0 ** rng.uniform(-4.7, -3.5)),
        position=float(rng.uniform(0.08, 0.35)),
        pickup=float(rng.uniform(0.06, 0.25)),
        decay_s=float(rng.uniform(1.0, 3.0) * 2.0 ** (-0.5 * octaves)),
        noise_db=float(rng.uniform(-70.0, -45.0)),
    )


def partials(pluck: Pluck, rate_hz: float) -> NDArray[np.int64]:
    """Return the numbers of the partials, up to 8 kHz and two octaves of them at least."""
    count = int(min(0.45 * rate_hz, 8000.0) / pluck.hz)
    return np.arange(1, max(4, min(count, 60)) + 1)


def synthesise(
    pluck: Pluck, rng: np.random.Generator, rate_hz: float, seconds: float
) -> tuple[Sound, Sound]:
    """Return the sound of a string from its pluck on, with a peak of 0.3, and without its noise."""
    number = partials(pluck, rate_hz)[:, None]
    base = pluck.hz / np.sqrt(1.0 + pluck.stiffness)
    hertz = number * base * np.sqrt(1.0 + pluck.stiffness * number**2)
    # An ideal string, pulled aside at one place and picked up at another (Fletcher and Rossing).
    shape = np.sin(np.pi * number * pluck.position) * np.sin(np.pi * number * pluck.pickup) / number
    time = np.arange(round(seconds * rate_hz)) / rate_hz
    decay = np.exp(-time * (1.0 + 0.05 * number) / pluck.decay_s)
    phase = rng.uniform(0.0, 2.0 * np.pi, number.shape)
    waves = np.where(hertz < 0.48 * rate_hz, shape, 0.0) * decay
    sound = (waves * np.sin(2.0 * np.pi * hertz * time + phase)).sum(axis=0)
    clean: Sound = 0.3 * sound / np.abs(sound).max()
    noise = rng.normal(0.0, 0.3 * 10.0 ** (pluck.noise_db / 20.0), time.size)
    return clean + noise, clean
