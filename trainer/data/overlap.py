"""Whether what a model is judged by is also what it learns from."""

from collections.abc import Sequence

import numpy as np
from scipy import signal

from trainer.data.dataset import Signal
from trainer.data.faults import Finding, find
from trainer.data.takes import Take

PIECE_S = 0.25
PIECES = 4
SAME = 0.9999
"""Correlation from which two pieces are copies; two plucks of one string stay below."""


def overlaps(takes: Sequence[Take]) -> list[Finding]:
    """Return which takes of a later split are in an earlier one too, at the same knobs.

    Some loud pieces of each are looked for, at any place of the other.
    """
    findings = []
    order = {None: 0, "train": 0, "validation": 1, "test": 2}
    for take in takes:
        for other in takes:
            if order[other.split] >= order[take.split] or other.knobs != take.knobs:
                continue
            seconds = shared(take.dry, other.dry, take.rate)
            if seconds and shared(take.wet, other.wet, take.rate):
                findings.append(
                    find(
                        "overlap",
                        take.name,
                        seconds=seconds,
                        other=other.name,
                        other_split=other.split or "train",
                    )
                )
                break
    return findings


def shared(part: Signal, whole: Signal, rate: int) -> float:
    """Return how many seconds of the pieces of `part` [frames] are in `whole` [frames]."""
    size = round(PIECE_S * rate)
    if min(part.size, whole.size) < size:
        return 0.0
    running = np.concatenate([[0.0], np.cumsum(np.square(whole, dtype=np.float64))])
    energy = np.maximum(running[size:] - running[:-size], 1e-12)
    found = 0
    for piece in _loudest(part, size):
        match = signal.oaconvolve(whole.astype(np.float64), piece[::-1], mode="valid")
        likeness = match / np.sqrt(energy * float(piece @ piece))
        # The loudest pieces are far above rounding; silence divided by silence is left out.
        likeness[energy < 1e-3 * float(piece @ piece)] = 0
        found += bool(likeness.max() > SAME)
    return found * PIECE_S


def _loudest(part: Signal, size: int) -> list[Signal]:
    """Return the loudest piece of each quarter, in float64."""
    pieces = []
    for quarter in np.array_split(part.astype(np.float64), PIECES):
        count = quarter.size // size
        if count:
            rows = quarter[: count * size].reshape(count, size)
            best = rows[int(np.argmax(np.sum(rows**2, axis=1)))]
            if best.any():
                pieces.append(best)
    return pieces
