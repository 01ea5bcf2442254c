"""The guitar phrase of the demo device, synthesised as plucked strings.

The string is the plucked-string algorithm of Karplus and Strong ("Digital Synthesis of
Plucked-String and Drum Timbres", Computer Music Journal 7(2), 1983) with the tuning all-pass and
the pick-position comb of Jaffe and Smith ("Extensions of the Karplus-Strong Plucked-String
Algorithm", same issue).
"""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from nemod.engine.devices.base import Block

PEAK = 0.35
"""Peak of the phrase, +-1.0 full scale: what a passive pickup gives an instrument input."""

LEAD_IN_S = 0.05
"""[s] Silence before the first pluck, so that a fade-in does not take its attack."""

_TEMPO_BPM = 96.0
_BEAT_S = 60.0 / _TEMPO_BPM
_RING_S = 2.4
"""[s] How long a string rings."""

# A blues in E, two bars: (beat, MIDI notes from low to high, strength, seconds between strings).
_PHRASE: tuple[tuple[float, tuple[int, ...], float, float], ...] = (
    (0.0, (40, 47, 52), 1.0, 0.012),
    (0.75, (40,), 0.6, 0.0),
    (1.0, (55,), 0.8, 0.0),
    (1.5, (57,), 0.8, 0.0),
    (2.0, (58,), 0.7, 0.0),
    (2.5, (59,), 0.9, 0.0),
    (3.0, (62,), 0.9, 0.0),
    (3.5, (59,), 0.7, 0.0),
    (4.0, (45, 52, 57, 61), 1.0, 0.015),
    (5.0, (64,), 0.8, 0.0),
    (5.5, (62,), 0.8, 0.0),
    (6.0, (59, 64), 0.9, 0.008),
    (6.75, (57,), 0.7, 0.0),
    (7.0, (55,), 0.7, 0.0),
    (7.5, (52,), 0.9, 0.0),
)
_BEATS = 8.0


def pluck(
    pitch_hz: float, seconds: float, rate_hz: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return a plucked string [frames], peak about 1, decaying."""
    frames = round(seconds * rate_hz)
    # The loop is a delay of `length`, half a frame of the averaging filter, and an all-pass.
    loop = rate_hz / pitch_hz - 0.5
    length = int(loop - 0.3)
    fraction = loop - length
    allpass = (1.0 - fraction) / (1.0 + fraction)
    # Low strings ring longer; the loss is per pass of the loop, so it depends on the pitch.
    ring_s = 4.0 * math.sqrt(110.0 / pitch_hz)
    loss = 10.0 ** (-3.0 / (ring_s * pitch_hz))

    noise = rng.uniform(-1.0, 1.0, length)
    # A pick is softer than noise: a short average takes treble off the attack.
    softness = max(1, round(rate_hz / 9_000))
    noise = np.convolve(np.concatenate([noise, noise[:softness]]), np.ones(softness) / softness)
    burst = noise[softness - 1 : softness - 1 + length]
    burst -= burst.mean()
    position = max(1, round(0.18 * length))  # picked at 18 % of the string: a comb
    burst = burst - 0.9 * np.roll(burst, position)

    out = np.empty(frames)
    turn = burst
    last, last_in, last_out = 0.0, 0.0, 0.0
    start = 0
    while start < frames:
        stop = min(start + length, frames)
        out[start:stop] = turn[: stop - start]
        start = stop
        previous = np.concatenate([[last], turn[:-1]])
        last = float(turn[-1])
        averaged = loss * 0.5 * (turn + previous)
        # First-order all-pass, y[n] = a x[n] + x[n-1] - a y[n-1], over one pass of the loop.
        tuned = np.empty(length)
        for index, value in enumerate(averaged.tolist()):
            last_out = allpass * (value - last_out) + last_in
            last_in = value
            tuned[index] = last_out
        turn = tuned
    return out / max(1e-9, float(np.abs(out[: 4 * length]).max()))


def phrase(rate_hz: int, seed: int = 0) -> NDArray[np.float32]:
    """Return the phrase [frames], about five seconds, silent at both ends, to be looped."""
    rng = np.random.default_rng(seed)
    total = round((_BEATS * _BEAT_S) * rate_hz)
    sound = np.zeros(total)
    for beat, notes, strength, spread_s in _PHRASE:
        for order, note in enumerate(notes):
            at_s = LEAD_IN_S + beat * _BEAT_S + order * spread_s
            string = pluck(440.0 * 2.0 ** ((note - 69) / 12.0), _RING_S, rate_hz, rng)
            fade = round(0.2 * rate_hz)
            string[-fade:] *= np.linspace(1.0, 0.0, fade)
            # What still rings at the end goes on at the start of the next repetition.
            ringing = (round(at_s * rate_hz) + np.arange(string.size)) % total
            sound[ringing] += strength * string
    lead = round(LEAD_IN_S * rate_hz)
    ramp = np.linspace(0.0, 1.0, lead) ** 2
    sound[:lead] *= ramp
    sound[-lead:] *= ramp[::-1]
    sound *= PEAK / np.abs(sound).max()
    return sound.astype(np.float32)


class PhrasePlayer:
    """Plays the phrase over and over, from the moment that a rig plays it."""

    def __init__(self, rate_hz: int) -> None:
        self._phrase = phrase(rate_hz)
        self.frames_played: Callable[[], int] = lambda: 0
        """Frames since a rig was first heard; set by the owner of the engine."""

    def fill(self, block: Block) -> None:
        """Write the next frames [frames]. Thread: audio."""
        self._phrase.take(
            range(start := self.frames_played(), start + block.size), mode="wrap", out=block
        )
