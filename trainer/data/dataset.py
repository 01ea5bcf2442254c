"""What the trainer learns from: dry and wet signals with their knob values, split in three."""

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
    """Where it comes from, for messages."""
    dry: Signal
    """[frames] What went into the device."""
    wet: Signal
    """[frames] What came out, aligned with `dry`."""
    knobs: tuple[float, ...] = ()
    """Knob positions in the order of `Dataset.knobs`, each 0..1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Where a data set lies, and what was asked for as it was read; None: as its manifest says."""

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
    """Pairs of one device at one sample rate, split into what is learnt, steered by and judged."""

    name: str
    rate: int
    """[Hz]"""
    knobs: tuple[str, ...]
    """Names of the device's knobs, in the order of the model's inputs."""
    train: tuple[Pair, ...]
    validation: tuple[Pair, ...]
    test: tuple[Pair, ...]
    digest: str
    """SHA-256 of the signals and knob values, in hex: which data a model was made from."""
    defaults: Mapping[str, float] = field(default_factory=dict)
    """Default positions of knobs, 0..1; a knob that is not listed has none."""
    reading: Reading | None = None
    """How to read it again; None where it came from no file."""
