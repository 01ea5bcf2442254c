"""`Dataset`: aligned dry and wet signals with knob positions, split in three."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Signal = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Pair:
    """One recording of a device at one setting of its knobs, both signals aligned."""

    name: str
    """Name of its source, for messages."""
    dry: Signal
    """[frames] Input of the device."""
    wet: Signal
    """[frames] Output of the device, aligned with `dry`."""
    knobs: tuple[float, ...] = ()
    """Knob positions in the order of `Dataset.knobs`, each 0..1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Path and options with which a data set was read; None: as the manifest states."""

    path: Path
    """A folder, a manifest or, with `wet`, the dry recording."""
    wet: Path | None = None
    """The wet recording of a data set of two files."""
    rate: int | None = None
    """[Hz]"""
    channel: int | None = None
    """From 1."""
    invert: bool | None = None
    force: bool = False
    cut_at_jumps: bool = False


@dataclass(frozen=True, slots=True)
class Dataset:
    """Pairs of one device at one sample rate, split into training, validation and test."""

    name: str
    rate: int
    """[Hz]"""
    knobs: tuple[str, ...]
    """Names of the device's knobs, in the order of the model's inputs."""
    train: tuple[Pair, ...]
    validation: tuple[Pair, ...]
    test: tuple[Pair, ...]
    digest: str
    """SHA-256 of the signals and knob positions, in hex; identifies the data of a model."""
    defaults: Mapping[str, float] = field(default_factory=dict)
    """Default positions of knobs, 0..1; a knob that is not listed has none."""
    reading: Reading | None = None
    """How to read it again; None if it was not read from files."""
