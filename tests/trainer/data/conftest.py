"""A synthetic recording of a device without faults, and folders for it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from scipy import signal

Sound = NDArray[np.float64]
RATE = 22_050
SECONDS = 20


def plucked(seed: int = 1, seconds: int = SECONDS) -> Sound:
    """Return randomly plucked strings with one long rest; a note is a decaying sum of partials."""
    random = np.random.default_rng(seed)
    sound = np.zeros(seconds * RATE)
    for start in range(0, sound.size - RATE, RATE // 3):
        if 8.0 < start / RATE < 9.5:
            continue
        time = np.arange(min(RATE, sound.size - start)) / RATE
        base = 82.41 * 2 ** (random.uniform(0, 30) / 12)
        partials = [
            np.exp(-time * (2 + n)) * np.sin(2 * np.pi * base * n * time * (1 + 1e-4 * n * n)) / n
            for n in range(1, 13)
            if base * n < 9_000
        ]
        sound[start : start + time.size] += random.uniform(0.05, 0.4) * np.sum(partials, axis=0)
    # The strings are muted during the rest.
    rest = slice(round(9.2 * RATE), round(10 * RATE))
    sound[rest] = 0
    return np.asarray(0.5 * sound / np.max(np.abs(sound)))


def pedal(dry: Sound, drive: float = 12.0) -> Sound:
    """Return the output of an overdrive: high-pass, tanh, low-pass, output capacitor."""
    before = signal.lfilter(*signal.butter(1, 100, "high", fs=RATE), dry)
    after = signal.lfilter(*signal.butter(1, 5_000, fs=RATE), np.tanh(drive * before))
    return np.asarray(0.4 * signal.lfilter(*signal.butter(1, 15, "high", fs=RATE), after))


Lay = Callable[..., Path]


@pytest.fixture
def lay(tmp_path: Path) -> Lay:
    """Return `lay(dry, wet, rate, wet_rate, name, folder)`, which writes a folder with one pair."""

    def write(
        dry: Sound,
        wet: Sound,
        rate: int = RATE,
        wet_rate: int | None = None,
        name: str = "",
        folder: str = "set",
        subtype: str = "FLOAT",
    ) -> Path:
        place = tmp_path / folder
        place.mkdir(parents=True, exist_ok=True)
        stem = f"{name}-" if name else ""
        soundfile.write(place / f"{stem}input.wav", dry, rate, subtype=subtype)
        soundfile.write(place / f"{stem}output.wav", wet, wet_rate or rate, subtype=subtype)
        return place

    return write


@pytest.fixture(scope="session")
def clean() -> tuple[Sound, Sound]:
    """Return a dry and a wet signal without faults."""
    dry = plucked()
    return dry, pedal(dry)
