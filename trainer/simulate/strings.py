"""Synthesises guitar playing: notes and chords over the whole neck, soft and loud, with rests.

The string model is the one of the demo device (`nemod.engine.devices.demo.pluck`).
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from nemod.engine.devices.demo import pluck

Signal = NDArray[np.float64]

OPEN_STRINGS = (40, 45, 50, 55, 59, 64)
"""MIDI notes of a guitar in standard tuning, E2 to E4."""
HIGHEST_FRET = 19
CHORDS = (
    (0, 7), (0, 7, 12), (0, 5), (0, 4), (0, 3, 7), (0, 4, 7, 12), (0, 7, 12, 16), (0, 7, 10, 15),
)  # fmt: skip
"""Semitones above the lowest note."""
LOUDNESS_DB = (-22.0, 0.0)
"""[dB] Level of a stroke, relative to the loudest one."""
_RING_S = 2.0
"""[s] Length of a note."""
_TAKES = 3
"""Different plucks of each note."""
_MUTED_S = 0.08
"""[s] Time constant of the decay of a palm-muted string."""


@lru_cache(maxsize=512)
def _string(note: int, take: int, rate_hz: int) -> Signal:
    rng = np.random.default_rng((note, take))
    sound = pluck(440.0 * 2.0 ** ((note - 69) / 12.0), _RING_S, rate_hz, rng)
    fade = round(0.1 * rate_hz)
    sound[-fade:] *= np.linspace(1.0, 0.0, fade)
    sound.flags.writeable = False
    return sound


def playing(seconds: float, rate_hz: int, seed: int = 0) -> NDArray[np.float32]:
    """Return guitar playing [frames] with peak 1, silent at both ends; the same for the same seed.

    Raises: ValueError for less than 0.1 s.
    """
    if seconds < 0.1:
        raise ValueError(f"{seconds} s: expected at least 0.1 s")
    rng = np.random.default_rng(seed)
    frames = round(seconds * rate_hz)
    sound = np.zeros(frames)
    at = min(0.05, 0.1 * seconds)
    while at < seconds - 0.05:
        _stroke(sound, round(at * rate_hz), rate_hz, rng)
        at += float(rng.choice([0.12, 0.18, 0.25, 0.35, 0.5, 0.8, 1.6]))
    edge = min(round(0.01 * rate_hz), frames // 4)
    sound[:edge] *= np.linspace(0.0, 1.0, edge)
    sound[-edge:] *= np.linspace(1.0, 0.0, edge)
    sound /= np.abs(sound).max()
    return sound.astype(np.float32)


def _stroke(sound: Signal, start: int, rate_hz: int, rng: np.random.Generator) -> None:
    """Add a note or a chord to `sound` [frames], in place."""
    lowest = int(rng.choice(OPEN_STRINGS)) + int(rng.integers(0, HIGHEST_FRET + 1))
    chord = CHORDS[rng.integers(len(CHORDS))] if rng.uniform() < 0.4 else (0,)
    strength = 10.0 ** (rng.uniform(*LOUDNESS_DB) / 20.0) / len(chord) ** 0.5
    ring = np.ones(round(_RING_S * rate_hz))
    if rng.uniform() < 0.3:
        ring = np.exp(np.arange(ring.size) / (-_MUTED_S * rate_hz))
    strum_frames = int(rng.uniform(0.0, 0.02) * rate_hz)
    for order, semitones in enumerate(chord):
        # The highest note is the top fret of the highest string.
        note = min(lowest + semitones, OPEN_STRINGS[-1] + HIGHEST_FRET)
        begin = start + order * strum_frames
        string = _string(note, int(rng.integers(_TAKES)), rate_hz)
        frames = max(0, min(string.size, sound.size - begin))
        sound[begin : begin + frames] += strength * string[:frames] * ring[:frames]
