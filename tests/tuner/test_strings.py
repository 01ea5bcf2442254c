"""The tuner on plucked strings whose pitch is known by construction.

NEMOD_TUNER_STRINGS sets how many are played; without it, few enough for a quick run.
"""

import os
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from nemod.tuner.notes import note_name, note_number
from nemod.tuner.tuner import Reading, Tuner
from tests.tuner.strings import HIGHEST_HZ, LOWEST_HZ, draw, synthesise

STRINGS = int(os.environ.get("NEMOD_TUNER_STRINGS", "60"))
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


def read(rng: np.random.Generator, hz: float, rate_hz: int) -> Note:
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


@pytest.fixture(scope="module")
def notes() -> list[Note]:
    """Strings over the whole range, at every rate in turn."""
    rng = np.random.default_rng(15)
    span = np.log2(HIGHEST_HZ / LOWEST_HZ)
    places = (np.arange(STRINGS) + rng.uniform(0.0, 1.0, STRINGS)) / STRINGS
    return [
        read(rng, LOWEST_HZ * 2.0 ** (span * place), RATES_HZ[number % len(RATES_HZ)])
        for number, place in enumerate(places)
    ]


def test_steady_notes_are_read_within_a_cent(notes: list[Note]) -> None:
    """Aim: 1 cent in the median, 3 at worst; what is reached is far below."""
    errors = np.abs(np.concatenate([note.errors() for note in notes]))
    heard = errors[~np.isnan(errors)]
    assert np.median(heard) < 0.1
    assert heard.max() < 1.0
    assert np.isnan(errors).mean() < 0.01


def test_no_reading_is_an_octave_off(notes: list[Note]) -> None:
    """From the first reading on, the attack included: no other note than the string's."""
    for note in notes:
        for reading in note.readings:
            if reading.note:
                off = 1200.0 * np.log2(reading.hz / note.hz)
                assert abs(off) < 30.0, (note.hz, reading)


def test_every_string_is_read_soon_after_its_pluck(notes: list[Note]) -> None:
    """Low notes take longer: 0.3 s at most, 0.2 s in the middle."""
    first = np.array([note.first_s for note in notes])
    assert np.median(first) < 0.2
    assert first.max() < 0.31


def test_the_name_and_the_cents_are_those_of_the_frequency(notes: list[Note]) -> None:
    """The nearest note, except within the hysteresis around the middle between two notes."""
    for note in notes:
        reading = note.readings[-1] if note.audible >= len(note.readings) else None
        if reading is None or not reading.note:
            continue
        at = note_number(note.hz)
        if abs(abs(at - round(at)) - 0.5) > 0.1:
            assert reading.note == note_name(round(at))
            assert reading.cents == pytest.approx(100.0 * (at - round(at)), abs=1.0)
