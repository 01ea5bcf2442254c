"""Impulse responses: kinds of sound files, other rates, trimming, level, what is refused."""

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.signal
import soundfile
from numpy.typing import NDArray

from nemod.common.errors import CabinetError
from nemod.formats.impulse_response import (
    LONGEST_FILE_S,
    PRE_FRAMES,
    cut,
    level,
    load_impulse_response,
    longest_taps,
    playable,
    resampled,
    trimmed,
)

RATE = 48_000


def speaker(rate_hz: float, frames: int, at_s: float = 0.0) -> NDArray[np.float64]:
    """Return samples of a sum of damped sines below 4 kHz that begins smoothly at `at_s`."""
    t = np.arange(frames) / rate_hz - at_s
    t = np.maximum(t, 0.0)
    out = np.zeros(frames)
    for hz, decay_s, gain in ((110.0, 0.01, 0.5), (800.0, 0.004, 0.6), (2500.0, 0.002, 1.0)):
        # The fourth power makes the onset as smooth as a loudspeaker's.
        out += (
            gain * (t * 4000.0) ** 4 * np.exp(-t / decay_s - t * 4000.0) * np.sin(6.2832 * hz * t)
        )
    return out / 4.0


def response_db(samples: NDArray[np.float64], rate_hz: int) -> NDArray[np.float64]:
    """Return the response at 30 frequencies from 60 Hz to 8 kHz."""
    hz = np.geomspace(60.0, 8000.0, 30)
    phases = np.exp(-2j * np.pi * hz[:, None] * np.arange(samples.size) / rate_hz)
    return np.asarray(20.0 * np.log10(np.abs(phases @ samples)))


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write a sound file and return its path."""

    def made(samples: Any, rate_hz: int = RATE, name: str = "cab.wav", **how: Any) -> Path:
        path = tmp_path / name
        soundfile.write(path, samples, rate_hz, **how)
        return path

    return made


@pytest.mark.parametrize(
    ("name", "subtype", "within"),
    [
        ("a.wav", "PCM_16", 2.0**-15),
        ("a.wav", "PCM_24", 2.0**-23),
        ("a.wav", "PCM_32", 2.0**-23),
        ("a.wav", "FLOAT", 0.0),
        ("a.wav", "DOUBLE", 1e-7),
        ("a.aiff", "PCM_24", 2.0**-23),
        ("a.flac", "PCM_24", 2.0**-23),
    ],
)
def test_reads_any_sound_file(
    name: str, subtype: str, within: float, write: Callable[..., Path]
) -> None:
    """To the precision of its samples."""
    samples = speaker(RATE, 2000).astype(np.float32)
    found = load_impulse_response(write(samples, name=name, subtype=subtype))
    assert np.abs(found.samples - samples).max() <= within
    assert (found.name, found.rate_hz, found.channels) == ("a", RATE, 1)


def test_reads_the_first_of_several_channels(write: Callable[..., Path]) -> None:
    """A stereo file is two microphones, or two copies of one."""
    samples = np.stack([speaker(RATE, 500), np.ones(500)], axis=1).astype(np.float32)
    found = load_impulse_response(write(samples, subtype="FLOAT"))
    np.testing.assert_array_equal(found.samples, samples[:, 0])
    assert found.channels == 2


def test_at_its_own_rate_no_sample_changes_but_for_the_level(write: Callable[..., Path]) -> None:
    """The silence before the onset is gone, and nothing else."""
    samples = speaker(RATE, 3000, at_s=0.01)
    taps = playable(load_impulse_response(write(samples, subtype="DOUBLE")), RATE)
    onset = int(np.argmax(np.abs(samples) >= 1e-3))
    expected = samples[onset:]
    gain = float(taps @ expected[: taps.size] / (expected[: taps.size] @ expected[: taps.size]))
    np.testing.assert_allclose(taps, gain * expected[: taps.size].astype(np.float32), rtol=1e-6)
    assert np.sum(expected[taps.size :] ** 2) < 1e-10 * np.sum(expected**2)


@pytest.mark.parametrize("from_hz", [44_100, 48_000, 96_000])
@pytest.mark.parametrize("to_hz", [44_100, 48_000, 96_000])
def test_the_response_is_the_same_at_another_rate(from_hz: int, to_hz: int) -> None:
    """Against the same analog response sampled at that rate: amplitude and time."""
    length_s = 0.06
    given = speaker(from_hz, round(length_s * from_hz))
    wanted = speaker(to_hz, round(length_s * to_hz)) * (from_hz / to_hz)
    found = resampled(given, from_hz, to_hz)
    # The silence before it is whole frames at both rates, so that no sample moves.
    step = from_hz // math.gcd(from_hz, to_hz)
    at = 0 if from_hz == to_hz else step * -(-PRE_FRAMES // step) * to_hz // from_hz
    error = np.abs(found[at : at + wanted.size] - wanted).max() / np.abs(wanted).max()
    assert error < 1e-4
    levelled = [trimmed(one) for one in (found, wanted)]
    difference = response_db(levelled[0], to_hz) - response_db(levelled[1], to_hz)
    assert np.abs(difference).max() < 0.01


def test_all_are_equally_loud_for_pink_noise(write: Callable[..., Path]) -> None:
    """Whatever the level of the file, and as loud as none."""
    rng = np.random.default_rng(3)
    count = 1 << 17
    spectrum = np.fft.rfft(rng.normal(size=count))
    hz = np.fft.rfftfreq(count, 1.0 / RATE)
    band = (hz >= 80.0) & (hz <= 5000.0)
    pink = np.fft.irfft(np.where(band, spectrum / np.sqrt(np.maximum(hz, 1.0)), 0.0), count)
    for number, gain in enumerate((1.0, 0.01)):
        path = write(gain * speaker(RATE, 3000 + 500 * number), subtype="FLOAT")
        taps = playable(load_impulse_response(path), RATE)
        size = 1 << 18
        out = np.fft.irfft(np.fft.rfft(pink, size) * np.fft.rfft(taps, size), size)
        change_db = 10.0 * np.log10(np.sum(out**2) / np.sum(pink**2))
        assert abs(change_db) < 0.1


def test_the_level_of_an_impulse_is_one() -> None:
    """It is the gain of a wire."""
    assert level(np.eye(1, 100)[0], RATE) == pytest.approx(1.0)
    assert level(0.25 * np.eye(1, 70_000)[0], 96_000) == pytest.approx(0.25)


def test_a_long_response_is_faded_out() -> None:
    """At the longest length, without a step at its end."""
    found = cut(np.ones(5000), 1000)
    assert found.size == 1000
    np.testing.assert_array_equal(found[:900], 1.0)
    assert np.abs(np.diff(found)).max() < 0.02
    assert found[-1] == pytest.approx(0.0, abs=1e-12)
    np.testing.assert_array_equal(cut(found, 1000), found)
    assert longest_taps(RATE) == RATE


def test_refuses_what_is_no_impulse_response(tmp_path: Path, write: Callable[..., Path]) -> None:
    """With a sentence that names the file and what is expected."""
    empty, text = tmp_path / "empty.wav", tmp_path / "text.wav"
    empty.touch()
    text.write_text("no sound")
    not_finite = speaker(RATE, 500)
    not_finite[77] = np.nan
    cases = [
        (tmp_path / "missing.wav", "cannot be read: No such file"),
        (tmp_path, "is no ordinary file"),
        (empty, "is empty"),
        (text, "cannot be read as sound"),
        (write(np.zeros(0), name="none.wav"), "holds no samples"),
        (write(np.zeros(500), name="silent.wav"), "is silent between 80 and 5000 Hz"),
        (
            write(scipy.signal.firwin(501, 12_000, fs=RATE, pass_zero=False), name="high.wav"),
            "between 80 and 5000 Hz, where a guitar is, it is",
        ),
        (write(not_finite, name="nan.wav", subtype="FLOAT"), "frame 77 of channel 1 is nan"),
        (write(speaker(4000, 500), 4000, "slow.wav"), "4000 Hz; sample rates from 8000"),
        (
            write(np.ones(int(8000 * LONGEST_FILE_S) + 1), 8000, "song.wav"),
            f"is longer than {LONGEST_FILE_S:g} s",
        ),
    ]
    for path, reason in cases:
        with pytest.raises(CabinetError) as caught:
            load_impulse_response(path)
        assert str(caught.value).startswith(f"{path}: ")
        assert reason in caught.value.reason


def test_refuses_a_file_that_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before it is read."""
    monkeypatch.setattr("nemod.formats.impulse_response.MAX_BYTES", 100)
    path = tmp_path / "large.wav"
    soundfile.write(path, speaker(RATE, 500), RATE)
    with pytest.raises(CabinetError, match="has at most 100"):
        load_impulse_response(path)


def test_a_pipe_is_refused_at_once(tmp_path: Path) -> None:
    """Opening it would wait for a writer."""
    path = tmp_path / "pipe.wav"
    os.mkfifo(path)
    with pytest.raises(CabinetError, match="no ordinary file"):
        load_impulse_response(path)
