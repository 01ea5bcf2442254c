"""Strings over the whole range, each played to a tuner: for the tests and the page."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nemod.tuner.tuner import Reading, Tuner
from tests.tuner.strings import HIGHEST_HZ, LOWEST_HZ, draw, synthesise

RATES_HZ = (44_100, 48_000, 88_200, 96_000, 192_000)
SECONDS = 1.2
STEADY_S = 0.5
"""[s] From the pluck; until then the window fills."""
AUDIBLE_DB = 14.0
"""A note counts while it is this far above its noise, RMS over the last 0.1 s."""
BLOCK = 64


class Note(NamedTuple):
    """What the tuner says of one string."""

    hz: float
    readings: list[Reading]
    """One each 50 ms."""
    first_s: float
    """From the pluck to the first reading."""
    audible: int
    """Readings until the string has faded into its noise."""

    def errors(self) -> NDArray[np.float64]:
        """Return the errors [cents] of all readings of the steady, audible note; NaN for none."""
        steady = self.readings[round(STEADY_S / 0.05) : self.audible]
        hz = np.array([one.hz or np.nan for one in steady])
        return 1200.0 * np.log2(hz / self.hz)


def read_string(rng: np.random.Generator, hz: float, rate_hz: int) -> Note:
    """Play a string to a tuner, after a short silence, in blocks."""
    pluck = draw(rng, hz)
    sound, clean = synthesise(pluck, rng, rate_hz, SECONDS)
    silence = round(0.2 * rate_hz)
    sound = np.concatenate([np.zeros(silence), sound])
    tuner = Tuner(rate_hz)
    readings, first_s, heard = [], np.inf, 0
    for start in range(0, sound.size - BLOCK, BLOCK):
        reading = tuner.push(sound[start : start + BLOCK])
        if reading is None:
            continue
        after_s = (start + BLOCK - silence) / rate_hz
        if after_s > 0.0:
            readings.append(reading)
            heard += bool(reading.note)
            first_s = after_s if heard == 1 and reading.note else first_s
    tenth = rate_hz // 10
    powers = [np.mean(clean[n : n + tenth] ** 2) for n in range(0, clean.size - tenth, tenth // 2)]
    noise = (0.3 * 10.0 ** (pluck.noise_db / 20.0)) ** 2
    audible = sum(10.0 * np.log10(power / noise) > AUDIBLE_DB for power in powers)
    return Note(hz, readings, first_s, audible)


def read_strings(count: int) -> list[Note]:
    """Play strings over the whole range, at every rate in turn."""
    rng = np.random.default_rng(15)
    span = np.log2(HIGHEST_HZ / LOWEST_HZ)
    places = (np.arange(count) + rng.uniform(0.0, 1.0, count)) / count
    return [
        read_string(rng, LOWEST_HZ * 2.0 ** (span * place), RATES_HZ[number % len(RATES_HZ)])
        for number, place in enumerate(places)
    ]
