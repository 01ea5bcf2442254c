"""Generates the signal for a capture: silence, clicks, material, clicks, silence.

The noise floor is measured in the silence and the latency at the clicks; the two latencies differ
if frames were lost in between.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainer.simulate.strings import playing

Sound = NDArray[np.float32]

SILENCE_S = 0.3
CLICKS = 4
CLICK_EVERY_S = 0.25
"""[s] Longer than any latency plus the response to a click."""
SWEEP_HZ = (20.0, 0.45)
"""[Hz, share of the sample rate] Lowest and highest frequency."""
SWEEP_S = 4.0
NOISE_S = 6.0
SHARES = (0.8, 0.1, 0.1)
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, slots=True)
class CaptureSignal:
    """A signal to play, and the positions of its parts."""

    played: Sound
    """[frames]"""
    rate_hz: int
    silence: slice
    """Frames in which nothing is played, before the first click."""
    first_clicks: tuple[int, ...]
    """[frames] Positions."""
    last_clicks: tuple[int, ...]
    """[frames] Positions; empty for a short signal without closing clicks."""
    parts: Mapping[str, slice]
    """Frames of train, validation and test."""

    @property
    def digest(self) -> str:
        """SHA-256 of signal and rate, in hex."""
        return hashlib.sha256(self.played.tobytes() + str(self.rate_hz).encode()).hexdigest()

    @property
    def spacing(self) -> int:
        """[frames] Distance of clicks, and the longest latency that can be measured."""
        return round(CLICK_EVERY_S * self.rate_hz)


def material(seconds: float, rate_hz: int, seed: int = 0) -> dict[str, Sound]:
    """Return the default material of each split [frames], with `seconds` of strings for training.

    Training also has sweeps at three levels and noise with a varying level; validation and test
    have other strings, an eighth as long.
    """
    strings = playing(seconds, rate_hz, seed)
    return {
        "train": np.concatenate([sweeps(rate_hz), noise(rate_hz, seed), strings]),
        "validation": playing(max(1.0, seconds / 8.0), rate_hz, seed + 1),
        "test": playing(max(1.0, seconds / 8.0), rate_hz, seed + 2),
    }


def recorded(sound: Sound) -> dict[str, Sound]:
    """Return a recording [frames] cut 80:10:10 into the three splits, normalised to peak 1."""
    whole = sound / np.abs(sound).max()
    edges = [round(share * sound.size) for share in (0.0, SHARES[0], sum(SHARES[:2]), 1.0)]
    return {
        split: whole[start:stop].astype(np.float32)
        for split, start, stop in zip(SPLITS, edges[:-1], edges[1:], strict=True)
    }


def sweeps(rate_hz: int) -> Sound:
    """Return exponential sweeps at -20, -10 and 0 dB [frames], each faded at its ends."""
    low, high = SWEEP_HZ[0], SWEEP_HZ[1] * rate_hz
    time = np.arange(round(SWEEP_S * rate_hz)) / rate_hz
    growth = np.log(high / low) / SWEEP_S
    sweep = np.sin(2.0 * np.pi * low * (np.exp(growth * time) - 1.0) / growth)
    sweep = sweep * _edges(sweep.size, rate_hz)
    return np.concatenate([sweep * 10.0 ** (db / 20.0) for db in (-20.0, -10.0, 0.0)]).astype(
        np.float32
    )


def noise(rate_hz: int, seed: int) -> Sound:
    """Return pink noise whose level rises from -40 to 0 dB and falls again [frames]."""
    rng = np.random.default_rng(seed)
    frames = round(NOISE_S * rate_hz)
    spectrum = np.fft.rfft(rng.standard_normal(frames))
    spectrum /= np.sqrt(np.maximum(1.0, np.fft.rfftfreq(frames, 1.0 / rate_hz) / 60.0))
    sound = np.fft.irfft(spectrum, frames)
    swell = 10.0 ** (-2.0 * np.abs(np.linspace(-1.0, 1.0, frames)))
    sound = sound / np.abs(sound).max() * swell * _edges(frames, rate_hz)
    return np.asarray(sound / np.abs(sound).max(), np.float32)


def _edges(frames: int, rate_hz: int) -> NDArray[np.float64]:
    window = np.ones(frames)
    count = min(round(0.01 * rate_hz), frames // 4)
    window[:count] = np.linspace(0.0, 1.0, count)
    window[-count:] = window[:count][::-1]
    return window


def assemble(
    parts: Mapping[str, Sound], rate_hz: int, peak: float, *, closing: bool = True
) -> CaptureSignal:
    """Return the whole signal: `parts` [frames], whose peak is 1, scaled to `peak`.

    `closing` adds clicks at the end.
    """
    silence = np.zeros(round(SILENCE_S * rate_hz), np.float32)
    spacing = round(CLICK_EVERY_S * rate_hz)
    clicks = np.zeros(CLICKS * spacing, np.float32)
    clicks[::spacing] = peak
    pieces: list[Sound] = [silence]
    at = silence.size
    first = tuple(at + n * spacing for n in range(CLICKS))
    pieces.append(clicks)
    at += clicks.size
    places = {}
    for name, part in parts.items():
        pieces += [(peak * part).astype(np.float32), silence]
        places[name] = slice(at, at + part.size)
        at += part.size + silence.size
    last = tuple(at + n * spacing for n in range(CLICKS)) if closing else ()
    if closing:
        pieces += [clicks, silence]
    played = np.concatenate(pieces)
    quiet = slice(silence.size // 4, silence.size)
    return CaptureSignal(played, rate_hz, quiet, first, last, places)


def probe(rate_hz: int, peak: float) -> CaptureSignal:
    """Return clicks and half a second of noise, to check the levels before a take."""
    burst = noise(rate_hz, 0)
    half = rate_hz // 4
    middle = burst[burst.size // 2 - half : burst.size // 2 + half]
    return assemble({"train": middle}, rate_hz, peak, closing=False)
