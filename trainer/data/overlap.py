"""Whether what a model is judged by is also what it learns from.

Copies are found as audio fingerprints are looked up: places that the sound itself marks (peaks
within 10 ms) get a short description, which a tree of all places finds again at any offset; what
is found is then compared frame by frame. The work grows with the length of the set, not with its
square. The idea of marks in place of a search at every offset is that of Wang, "An
industrial-strength audio search algorithm" (ISMIR 2003).
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
SAME = 0.9999
"""Correlation from which two pieces are copies; two plucks of one string stay below."""
AROUND_S = 0.01
"""[s] A mark is the greatest sample of as much before and after; that much is described."""
BINS = 24
"""Numbers in the description of each signal: its means over so many parts."""
MARKS = 4
"""Loudest marks of a piece that are looked up."""
NEAREST = 8
"""Places that are compared for each mark."""
ALIKE = 0.3
"""Distance of two descriptions (of length 1) up to which their places are compared."""
SLACK_FRAMES = 16
"""Noise moves the greatest sample of a slow wave; copies are looked for so far to both sides."""

Group = tuple[tuple[float, ...], str, str | None]
"""Knobs, split, and the split that was stated."""


@dataclass(slots=True)
class _Places:
    """The marks of all pairs of a group."""

    pairs: list[Pair] = field(default_factory=list)
    owners: list[NDArray[np.intp]] = field(default_factory=list)
    """[marks] Index of the pair."""
    marks: list[NDArray[np.intp]] = field(default_factory=list)
    """[marks] Frame in the pair."""
    described: list[NDArray[np.float32]] = field(default_factory=list)
    """[marks, 2 BINS]"""


def overlaps(plan: Plan, takes: Sequence[Take], progress: Progress | None = None) -> list[Finding]:
    """Return which takes have a part of a later split that is in an earlier one too.

    What is compared is what the takes are cut into, at the same knobs; some loud pieces of one are
    looked for at any place of the other, where dry and wet must both be the same. Takes that state
    the same split, or both none, are not compared: none of them was called new by anybody.
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
                    trees[group] = KDTree(np.concatenate(groups[group].described))
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
    places.described.append(_described(pair, marks, rate))


def _marks(samples: Signal, rate: int) -> NDArray[np.intp]:
    """Return the frames that no sample within AROUND_S exceeds; of a plateau the first."""
    around = round(AROUND_S * rate)
    size = np.abs(samples)
    top = (size == maximum_filter1d(size, 2 * around + 1)) & (size > 0)
    top[1:] &= ~top[:-1]
    marks = np.flatnonzero(top)
    return marks[(marks >= around) & (marks < samples.size - around)]


def _described(pair: Pair, marks: NDArray[np.intp], rate: int) -> NDArray[np.float32]:
    """Return the shapes of dry and wet around marks [marks, 2 BINS], each of length 1 or silent."""
    around = round(AROUND_S * rate)
    bounds = np.linspace(-around, around, BINS + 1).round().astype(np.intp)
    shapes = []
    for samples in (pair.dry, pair.wet):
        running = np.concatenate([[0.0], np.cumsum(samples, dtype=np.float64)])
        means = np.diff(running[marks[:, None] + bounds], axis=1)
        length = np.linalg.norm(means, axis=1, keepdims=True)
        shapes.append(np.divide(means, length, out=np.zeros_like(means), where=length > 1e-9))
    return np.concatenate(shapes, axis=1).astype(np.float32)


def _copies(pair: Pair, places: _Places, tree: KDTree, rate: int) -> dict[int, int]:
    """Return how many pieces of a pair are in which pairs of a group, by index."""
    if not tree.n:
        return {}
    size = round(PIECE_S * rate)
    owners, marks = np.concatenate(places.owners), np.concatenate(places.marks)
    own = _marks(pair.dry, rate)
    around = round(AROUND_S * rate)
    counts: dict[int, int] = {}
    for start in _loudest(pair.dry, size):
        # A mark near the edge may be none where other sound goes before or after the copy.
        inside = own[(own >= start + around) & (own < start + size - around)]
        inside = inside[np.argsort(-np.abs(pair.dry[inside]), kind="stable")[:MARKS]]
        if not inside.size:
            continue
        distances, indices = tree.query(
            _described(pair, inside, rate), NEAREST, distance_upper_bound=ALIKE
        )
        tried = {
            (int(owners[index]), int(marks[index] - mark))
            for mark, row, near in zip(inside, indices, distances, strict=True)
            for index, distance in zip(row, near, strict=True)
            if np.isfinite(distance)
        }
        for owner in {
            owner
            for owner, shift in tried
            if _same(pair, places.pairs[owner], start, start + shift, size)
        }:
            counts[owner] = counts.get(owner, 0) + 1
    return counts


def _same(pair: Pair, other: Pair, start: int, at: int, size: int) -> bool:
    """Return whether a piece of a pair is a copy, in dry and wet, of that at `at` of another."""
    return _likeness(pair.dry, other.dry, start, at, size) > SAME and (
        _likeness(pair.wet, other.wet, start, at, size) > SAME
    )


def _likeness(samples: Signal, other: Signal, start: int, at: int, size: int) -> float:
    """Return the greatest correlation of a piece with places near `at`, 0 beside silence."""
    low, high = max(0, at - SLACK_FRAMES), min(other.size, at + size + SLACK_FRAMES)
    if high - low < size:
        return 0.0
    piece = samples[start : start + size].astype(np.float64)
    there = other[low:high].astype(np.float64)
    running = np.concatenate([[0.0], np.cumsum(there**2)])
    energy = running[size:] - running[:-size]
    own = float(piece @ piece)
    # Rounding and noise far below the piece are no copy of it.
    loud = energy > 1e-3 * own
    if not own or not loud.any():
        return 0.0
    match = np.correlate(there, piece, mode="valid")
    return float(np.max(match[loud] / np.sqrt(energy[loud] * own)))


def _loudest(samples: Signal, size: int) -> list[int]:
    """Return where the loudest piece of each quarter of [frames] starts."""
    starts = []
    bounds = np.linspace(0, samples.size, PIECES + 1).astype(int)
    for first, last in pairwise(bounds):
        count = (last - first) // size
        rows = samples[first : first + count * size].reshape(count, size)
        levels = np.sum(np.square(rows, dtype=np.float64), axis=1)
        if levels.any():
            starts.append(int(first) + size * int(np.argmax(levels)))
    return starts
