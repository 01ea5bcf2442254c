"""Finds training data that is also in the validation or the test set.

Copies are found by audio fingerprinting (A. Wang, "An industrial-strength audio search algorithm",
ISMIR 2003): landmarks (peaks within 10 ms) get a short descriptor, which a k-d tree finds at any
offset; the candidates are then compared frame by frame. The cost grows with the length of the set,
not with its square.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d
from scipy.spatial import KDTree

from trainer.data.dataset import Pair, Signal
from trainer.data.faults import Finding, find
from trainer.data.plan import SPLITS, Plan
from trainer.data.split import split
from trainer.data.takes import Progress, Take

PIECE_S = 0.25
PIECES = 4
COPY_CORRELATION = 0.9999
"""Correlation above which two pieces are copies; two plucks of one string stay below."""
RADIUS_S = 0.01
"""[s] A landmark is the largest sample within this distance; the descriptor covers as much."""
BINS = 24
"""Size of the descriptor of each signal: means over as many parts."""
MARKS = 4
"""Number of landmarks of a piece that are looked up, loudest first."""
CANDIDATES = 8
"""Number of candidates that are compared for each landmark."""
MAX_DISTANCE = 0.3
"""Largest distance of two descriptors (of length 1) whose places are compared."""
SLACK_FRAMES = 16
"""Noise moves the peak of a slow wave by up to this much, in both directions."""

Group = tuple[tuple[float, ...], str, str | None]
"""Knobs, split, and stated split."""


@dataclass(slots=True)
class _Places:
    """The landmarks of all pairs of a group."""

    pairs: list[Pair] = field(default_factory=list)
    owners: list[NDArray[np.intp]] = field(default_factory=list)
    """[marks] Index of the pair."""
    marks: list[NDArray[np.intp]] = field(default_factory=list)
    """[marks] Frame in the pair."""
    descriptors: list[NDArray[np.float32]] = field(default_factory=list)
    """[marks, 2 BINS]"""


def overlaps(plan: Plan, takes: Sequence[Take], progress: Progress | None = None) -> list[Finding]:
    """Return a finding for each take with audio of a later split that is also in an earlier one.

    Pairs are compared after the split, at equal knobs: loud pieces of one are searched at any
    offset of the other, and both dry and wet must match. Takes that state the same split, or both
    state none, are not compared: repeated material is then intended.
    """
    stated = {take.name: take.split for take in takes}
    rate = takes[0].rate
    parts = split(plan, takes)
    total = sum(len(pairs) for pairs in parts.values())
    groups: dict[Group, _Places] = {}
    trees: dict[Group, KDTree] = {}
    found: dict[str, Finding] = {}
    done = 0
    for place, name in enumerate(SPLITS):
        for pair in parts[name]:
            if progress is not None:
                progress(done, total, f"copies of {pair.name}")
            done += 1
            earlier = [
                group
                for before in SPLITS[:place]
                for group in groups
                if group[:2] == (pair.knobs, before) and group[2] != stated[pair.name]
            ]
            for group in earlier:
                if pair.name in found:
                    break
                if group not in trees:
                    trees[group] = KDTree(np.concatenate(groups[group].descriptors))
                counts = _copies(pair, groups[group], trees[group], rate)
                if counts:
                    other = groups[group].pairs[min(counts)]
                    seconds = counts[min(counts)] * PIECE_S
                    found[pair.name] = find(
                        "overlap",
                        pair.name,
                        seconds=seconds,
                        other=other.name,
                        other_split=group[1],
                    )
            if name != SPLITS[-1]:
                _add(
                    groups.setdefault((pair.knobs, name, stated[pair.name]), _Places()), pair, rate
                )
    return list(found.values())


def _add(places: _Places, pair: Pair, rate: int) -> None:
    marks = _marks(pair.dry, rate)
    places.owners.append(np.full(marks.size, len(places.pairs), np.intp))
    places.pairs.append(pair)
    places.marks.append(marks)
    places.descriptors.append(_descriptors(pair, marks, rate))


def _marks(samples: Signal, rate: int) -> NDArray[np.intp]:
    """Return the landmarks [frames]: peaks within RADIUS_S, the first of equals."""
    radius = round(RADIUS_S * rate)
    size = np.abs(samples)
    top = (size == maximum_filter1d(size, 2 * radius + 1)) & (size > 0)
    top[1:] &= ~top[:-1]
    marks = np.flatnonzero(top)
    return marks[(marks >= radius) & (marks < samples.size - radius)]


def _descriptors(pair: Pair, marks: NDArray[np.intp], rate: int) -> NDArray[np.float32]:
    """Return the descriptors of landmarks [marks, 2 BINS]: dry and wet, each of length 1 or 0."""
    radius = round(RADIUS_S * rate)
    bounds = np.linspace(-radius, radius, BINS + 1).round().astype(np.intp)
    shapes = []
    for samples in (pair.dry, pair.wet):
        running = np.concatenate([[0.0], np.cumsum(samples, dtype=np.float64)])
        means = np.diff(running[marks[:, None] + bounds], axis=1)
        length = np.linalg.norm(means, axis=1, keepdims=True)
        shapes.append(np.divide(means, length, out=np.zeros_like(means), where=length > 1e-9))
    return np.concatenate(shapes, axis=1).astype(np.float32)


def _copies(pair: Pair, places: _Places, tree: KDTree, rate: int) -> dict[int, int]:
    """Return the number of pieces of a pair that are in each pair of a group, by index."""
    if not tree.n:
        return {}
    size = round(PIECE_S * rate)
    owners, marks = np.concatenate(places.owners), np.concatenate(places.marks)
    own = _marks(pair.dry, rate)
    radius = round(RADIUS_S * rate)
    counts: dict[int, int] = {}
    for start in _loudest(pair.dry, size):
        # A landmark near the edge may not be one in the copy, with other sound beside it.
        inside = own[(own >= start + radius) & (own < start + size - radius)]
        inside = inside[np.argsort(-np.abs(pair.dry[inside]), kind="stable")[:MARKS]]
        if not inside.size:
            continue
        distances, indices = tree.query(
            _descriptors(pair, inside, rate), CANDIDATES, distance_upper_bound=MAX_DISTANCE
        )
        candidates = {
            (int(owners[index]), int(marks[index] - mark))
            for mark, row, near in zip(inside, indices, distances, strict=True)
            for index, distance in zip(row, near, strict=True)
            if np.isfinite(distance)
        }
        for owner in {
            owner
            for owner, shift in candidates
            if _same(pair, places.pairs[owner], start, start + shift, size)
        }:
            counts[owner] = counts.get(owner, 0) + 1
    return counts


def _same(pair: Pair, other: Pair, start: int, at: int, size: int) -> bool:
    """Return whether a piece of a pair, in dry and wet, is a copy of that at `at` of another."""
    return _correlation(pair.dry, other.dry, start, at, size) > COPY_CORRELATION and (
        _correlation(pair.wet, other.wet, start, at, size) > COPY_CORRELATION
    )


def _correlation(samples: Signal, other: Signal, start: int, at: int, size: int) -> float:
    """Return the largest correlation of a piece with the other signal near `at`, 0 in silence."""
    low, high = max(0, at - SLACK_FRAMES), min(other.size, at + size + SLACK_FRAMES)
    if high - low < size:
        return 0.0
    piece = samples[start : start + size].astype(np.float64)
    nearby = other[low:high].astype(np.float64)
    running = np.concatenate([[0.0], np.cumsum(nearby**2)])
    energy = running[size:] - running[:-size]
    own = float(piece @ piece)
    # Rounding noise far below the piece can correlate with it and is no copy.
    loud = energy > 1e-3 * own
    if not own or not loud.any():
        return 0.0
    match = np.correlate(nearby, piece, mode="valid")
    return float(np.max(match[loud] / np.sqrt(energy[loud] * own)))


def _loudest(samples: Signal, size: int) -> list[int]:
    """Return the starts of the loudest piece of each quarter of [frames]."""
    starts = []
    bounds = np.linspace(0, samples.size, PIECES + 1).astype(int)
    for first, last in pairwise(bounds):
        count = (last - first) // size
        rows = samples[first : first + count * size].reshape(count, size)
        levels = np.sum(np.square(rows, dtype=np.float64), axis=1)
        if levels.any():
            starts.append(int(first) + size * int(np.argmax(levels)))
    return starts
