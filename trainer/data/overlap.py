"""Whether what a model is judged by is also what it learns from."""

from collections.abc import Sequence

import numpy as np
from scipy import signal

from trainer.data.dataset import Pair, Signal
from trainer.data.faults import Finding, find
from trainer.data.plan import SPLITS, Plan
from trainer.data.split import split
from trainer.data.takes import Take

PIECE_S = 0.25
PIECES = 4
SAME = 0.9999
"""Correlation from which two pieces are copies; two plucks of one string stay below."""


def overlaps(plan: Plan, takes: Sequence[Take]) -> list[Finding]:
    """Return which takes have a part of a later split that is in an earlier one too.

    What is compared is what the takes are cut into, at the same knobs; some loud pieces of one are
    looked for at any place of the other. Takes that state the same split, or both none, are not
    compared: none of them was called new by anybody, and all with all would take minutes.
    """
    stated = {take.name: take.split for take in takes}
    rate = takes[0].rate
    parts = split(plan, takes)
    found: dict[str, Finding] = {}
    for place, name in enumerate(SPLITS):
        for pair in parts[name]:
            earlier = ((before, other) for before in SPLITS[:place] for other in parts[before])
            for before, other in earlier:
                if pair.name in found or stated[pair.name] == stated[other.name]:
                    continue
                if seconds := _common(pair, other, rate):
                    found[pair.name] = find(
                        "overlap", pair.name, seconds=seconds, other=other.name, other_split=before
                    )
    return list(found.values())


def _common(pair: Pair, other: Pair, rate: int) -> float:
    """Return how many seconds two pairs at the same knobs share, in dry and in wet."""
    if pair.knobs != other.knobs:
        return 0.0
    seconds = shared(pair.dry, other.dry, rate)
    return seconds if seconds and shared(pair.wet, other.wet, rate) else 0.0


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
