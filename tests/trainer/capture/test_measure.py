"""What a take says: each fault made on purpose."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from trainer.capture.measure import measure
from trainer.capture.signal import CaptureSignal, assemble, noise

RATE = 8_000
LATENCY = 421

Sound = NDArray[np.float32]
Device = Callable[[Sound], Sound]


@pytest.fixture(scope="module")
def signal() -> CaptureSignal:
    """A second of loud noise between clicks."""
    return assemble({"train": noise(RATE, 0)[20_000:28_000]}, RATE, 0.5)


def late(sound: Sound, frames: int = LATENCY) -> Sound:
    """Return a sound [frames] delayed."""
    return np.concatenate([np.zeros(frames, np.float32), sound])[: sound.size]


def hiss(sound: Sound, level: float, seed: int = 0) -> Sound:
    """Return a sound with noise of this RMS."""
    random = np.random.default_rng(seed).standard_normal(sound.size)
    return (sound + level * random).astype(np.float32)


def test_latency_and_levels_of_a_clean_take(signal: CaptureSignal) -> None:
    """A wire, late and 6 dB down: nothing to say."""
    found = measure(signal, 0.5 * late(signal.played))
    assert (found.latency, found.inverted) == (LATENCY, False)
    assert found.peak_dbfs == pytest.approx(-12.04, abs=0.01)
    assert (found.faults, found.remarks) == ([], [])


@pytest.mark.parametrize("level", [1e-4, 1e-3])
def test_latency_is_exact_in_noise(signal: CaptureSignal, level: float) -> None:
    """Four clicks are averaged."""
    assert measure(signal, hiss(np.tanh(late(signal.played)), level)).latency == LATENCY


def test_inverted_polarity_is_said(signal: CaptureSignal) -> None:
    """An inverting fuzz: the take is fine, and the polarity is told."""
    found = measure(signal, -0.5 * np.tanh(5.0 * late(signal.played)))
    assert (found.latency, found.inverted, found.faults) == (LATENCY, True, [])


@pytest.mark.parametrize(
    ("device", "fault"),
    [
        (lambda sound: 0.0 * sound, "nothing comes back"),
        (lambda sound: hiss(0.0 * sound, 0.01), "nothing comes back"),
        (lambda sound: np.clip(4.0 * late(sound), -1.0, 1.0), "input clips"),
        (lambda sound: np.delete(late(sound), np.s_[9_000:9_064]), "64 frames were lost"),
    ],
)
def test_an_unusable_take_is_reported(signal: CaptureSignal, device: Device, fault: str) -> None:
    """One fault, in words."""
    heard = device(signal.played).astype(np.float32)
    heard = np.concatenate([heard, np.zeros(signal.played.size - heard.size, np.float32)])
    faults = measure(signal, heard).faults
    assert len(faults) == 1
    assert fault in faults[0]


@pytest.mark.parametrize(
    ("device", "remark"),
    [
        (lambda sound: 0.02 * late(sound), "too quiet"),
        (lambda sound: hiss(late(sound), 0.01), "noisy"),
    ],
)
def test_a_poor_take_is_reported(signal: CaptureSignal, device: Device, remark: str) -> None:
    """It is kept all the same."""
    found = measure(signal, device(signal.played).astype(np.float32))
    assert found.faults == []
    assert len(found.remarks) == 1
    assert remark in found.remarks[0]


def test_a_silent_take_keeps_the_latency_that_is_known(signal: CaptureSignal) -> None:
    """With a volume at 0 no click is heard; the wiring is the same as before."""
    found = measure(signal, 0.0 * signal.played, LATENCY)
    assert (found.latency, found.silent) == (LATENCY, True)


def test_numbers_that_are_none_are_told(signal: CaptureSignal) -> None:
    """A driver that hands over NaN."""
    heard = late(signal.played)
    heard[5000] = np.nan
    assert "no numbers" in measure(signal, heard).faults[0]
