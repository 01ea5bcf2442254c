"""Checks of takes, each with a simulated fault."""

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
    """Return a second of loud noise between clicks."""
    return assemble({"train": noise(RATE, 0)[20_000:28_000]}, RATE, 0.5)


def late(sound: Sound, frames: int = LATENCY) -> Sound:
    """Return a sound [frames] delayed."""
    return np.concatenate([np.zeros(frames, np.float32), sound])[: sound.size]


def hiss(sound: Sound, level: float, seed: int = 0) -> Sound:
    """Return a sound with noise of this RMS."""
    random = np.random.default_rng(seed).standard_normal(sound.size)
    return (sound + level * random).astype(np.float32)


def test_latency_and_levels_of_a_clean_take(signal: CaptureSignal) -> None:
    """A delay and 6 dB of attenuation cause no fault and no remark."""
    found = measure(signal, 0.5 * late(signal.played))
    assert (found.latency, found.inverted) == (LATENCY, False)
    assert found.peak_dbfs == pytest.approx(-12.04, abs=0.01)
    assert (found.faults, found.remarks) == ([], [])


@pytest.mark.parametrize("level", [1e-4, 1e-3])
def test_latency_is_exact_in_noise(signal: CaptureSignal, level: float) -> None:
    """Averaging four clicks keeps the latency exact."""
    assert measure(signal, hiss(np.tanh(late(signal.played)), level)).latency == LATENCY


def test_inverted_polarity_is_reported(signal: CaptureSignal) -> None:
    """An inverting fuzz is not a fault."""
    found = measure(signal, -0.5 * np.tanh(5.0 * late(signal.played)))
    assert (found.latency, found.inverted, found.faults) == (LATENCY, True, [])


@pytest.mark.parametrize(
    ("device", "fault"),
    [
        (lambda sound: 0.0 * sound, "no signal from the device"),
        (lambda sound: hiss(0.0 * sound, 0.01), "no signal from the device"),
        (lambda sound: np.clip(4.0 * late(sound), -1.0, 1.0), "input clips"),
        (lambda sound: np.delete(late(sound), np.s_[9_000:9_064]), "64 frames were lost"),
    ],
)
def test_an_unusable_take_is_reported(signal: CaptureSignal, device: Device, fault: str) -> None:
    """Each device causes exactly one fault."""
    recorded = device(signal.played).astype(np.float32)
    recorded = np.concatenate([recorded, np.zeros(signal.played.size - recorded.size, np.float32)])
    faults = measure(signal, recorded).faults
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
    """A remark does not make the take unusable."""
    found = measure(signal, device(signal.played).astype(np.float32))
    assert found.faults == []
    assert len(found.remarks) == 1
    assert remark in found.remarks[0]


def test_a_silent_take_has_the_given_latency(signal: CaptureSignal) -> None:
    """With a volume at 0 no click is audible, and the latency is that of earlier takes."""
    found = measure(signal, 0.0 * signal.played, LATENCY)
    assert (found.latency, found.silent) == (LATENCY, True)


def test_values_that_are_not_finite_are_reported(signal: CaptureSignal) -> None:
    """A faulty driver can deliver NaN."""
    recorded = late(signal.played)
    recorded[5000] = np.nan
    assert "NaN or infinite" in measure(signal, recorded).faults[0]
