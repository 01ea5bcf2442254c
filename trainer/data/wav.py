"""Reads one channel of a sound file, and resamples it."""

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import samplerate
import soundfile

from nemod.common.wav_repair import needs_repair, read_header, repaired
from trainer.data.dataset import Signal
from trainer.data.faults import DataError, find

QUALITY = "sinc_best"
MAX_RUNS_PER_FRAME = 1e-3
"""Changes per frame below which further channels are knob positions, not sound."""
MIN_POSITION = 0.01
"""Smallest position above 0 of a knob; lower values are the noise of a converter."""
MIN_HELD_S = 0.02
"""[s] Least time at a knob position; a click is shorter."""


@dataclass(frozen=True, slots=True)
class Recording:
    """One channel of a file."""

    path: Path
    samples: Signal
    """[frames] +-1 is full scale."""
    rate: int
    """[Hz]"""
    channels: int
    """Number of channels of the file."""
    knobs: Signal | None = None
    """[frames, knobs] Further channels, if they are knob positions."""


def read(path: Path, channel: int, label: str) -> Recording:
    """Return `channel` (from 1) of a file; of a mono file its only channel.

    GuitarML's conditioned files have the sound in the first channel and a knob in each further
    one; they are recognised by their steps.

    Raises: DataError for a file that is missing, not a sound or empty, and for a missing channel.
    """
    if not path.is_file():
        raise DataError([find("missing-file", label, file=path)])
    try:
        with path.open("rb") as file:
            sound, rate = soundfile.read(_repaired(file), dtype="float32", always_2d=True)
    except (OSError, soundfile.SoundFileError) as error:
        reason = str(error).partition(": ")[2].rstrip(".: ") or "unknown format"
        raise DataError([find("unreadable", str(path), reason=reason)]) from None
    if not sound.shape[0]:
        raise DataError([find("empty", label, file=path.name)])
    channels = sound.shape[1]
    if channels == 1:
        channel = 1
    if channel > channels:
        problem = f"channel {channel} was requested, but {path} has {channels}"
        raise DataError([find("manifest", label, problem=problem)])
    further = sound[:, 1:] if channels > 1 else None
    knobs = None
    if further is not None and _steps(further, int(rate)):
        knobs, channel = further, 1
    samples = np.ascontiguousarray(sound[:, channel - 1])
    return Recording(path, samples, int(rate), channels, knobs)


def _repaired(file: BinaryIO) -> BinaryIO:
    """Return a sound file; of a WAV file with a wrong length in its header, a corrected copy."""
    header = read_header(file)
    if header is not None and needs_repair(file, header):
        return repaired(file, header)[0]
    file.seek(0)
    return file


def _steps(further: Signal, rate: int) -> bool:
    """Return whether channels [frames, n] are constant except for a few steps, as knobs are."""
    if not np.isfinite(further).all() or further.min() < 0 or further.max() > 1:
        return False
    if not further.any() or np.any((further > 0) & (further < MIN_POSITION)):
        return False
    moved = np.diff(further, axis=0) != 0
    if np.count_nonzero(moved, axis=0).max(initial=0) > MAX_RUNS_PER_FRAME * further.shape[0]:
        return False
    steps = np.flatnonzero(moved.any(axis=1))
    return bool(np.diff(steps, prepend=-1).min(initial=rate) >= MIN_HELD_S * rate)


def resample(samples: Signal, old: int, new: int) -> Signal:
    """Return `samples` [frames] at another rate (libsamplerate's best band-limited interpolator).

    Values that are not finite are replaced by 0.
    """
    finite = np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0)
    return np.asarray(samplerate.resample(finite, new / old, QUALITY), np.float32)
