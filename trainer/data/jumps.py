"""Finds jumps of the latency: buffers that were lost or inserted in one of the recordings."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from trainer.data.align import IDLE_FRAMES
from trainer.data.dataset import Signal
from trainer.data.ends import jump_at_end, jump_at_start
from trainer.data.tracking import SECOND_SURE, Track, track

MERGE_S = 0.16
"""[s] Changes of the track within this time are merged."""
COMPARED_S = 3.0
"""[s] Length before and after a jump that is compared with the model."""
SHORTEST_S = 0.02
NEAR_FRAMES = 6
"""[frames] Range within which the latency is refined."""
FEW_S, PERIOD_S = 0.3, 0.012
"""[s] Length of a side up to which the latency is refined within a range that is longer."""
BETTER = 0.5
"""Largest ratio of the error with a jump to that without it, on each side."""
EXPLAINED = 0.9
"""Largest share of the energy of wet that the model may not predict, on each side of a jump."""
LEAST = 1e-20
GUARD_S = 0.02
"""[s] Accuracy of the position of a jump; as much is removed on both sides of it."""
STEADY_S = 0.5
"""[s] Time before and after a jump in which the latency must be constant."""
MOVED_FRAMES, MOVED_REACH_FRAMES = 8, 24
MOVED = 0.8
"""Largest ratio of the errors at which another latency counts as a change."""
MIN_DRIFT_WINDOWS = 10
"""Windows from which the drift beside a change is measured."""
MAX_REJECTED = 2
"""Rejected changes of the track above which the device is assumed to modulate its delay."""


@dataclass(frozen=True, slots=True)
class Jump:
    """A position at which the latency changes from one frame to the next."""

    at: int
    """[frames] In the wet recording."""
    before: int
    """[frames] Latency before it."""
    after: int
    """[frames] Latency after it."""

    @property
    def frames(self) -> int:
        """[frames] Change of the latency; negative: lost in wet; positive: inserted in wet."""
        return self.after - self.before


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a recording without a jump."""

    first: int
    """[frames] In the wet recording."""
    last: int
    """[frames] End, exclusive."""
    offset: int
    """[frames] Latency minus that of the first piece."""

    def cut(self, dry: Signal, wet: Signal) -> tuple[Signal, Signal]:
        """Return this part of both signals, at the latency of the first piece."""
        first = max(self.first, self.offset, 0)
        last = min(self.last, wet.size, dry.size + self.offset)
        if first >= last:
            return dry[:0], wet[:0]
        return dry[first - self.offset : last - self.offset], wet[first:last]


def find_jumps(dry: Signal, wet: Signal, rate: int, lag: int) -> list[Jump]:
    """Return the jumps of the latency of `wet` [frames] near `lag` [frames], in order of time.

    Clock drift and modulated delays are not jumps. A jump is confirmed if a model of the device
    predicts each side of it worse at the latency of the other side.
    """
    course = track(dry, wet, rate, lag)
    if course is None:
        return []
    changes = _changes(course, rate)
    found, rejected = [], 0
    for number, (first, last) in enumerate(changes):
        start = changes[number - 1][1] if number else 0
        stop = changes[number + 1][0] if number + 1 < len(changes) else course.lags.size - 1
        windows = (start, first, last, stop)
        if _drifts(course, windows):
            continue
        jump = _fitted(course, rate, windows)
        if jump is None:
            rejected += 1
        elif abs(jump.frames) > IDLE_FRAMES:
            found.append(jump)
    if rejected > max(MAX_REJECTED, len(found)) or len(found) > max(3, wet.size / rate / 2):
        return []
    return _with_ends(found, course, rate) if not rejected else found


def _with_ends(found: list[Jump], course: Track, rate: int) -> list[Jump]:
    """Return the jumps that were found, and those close to the start and the end of the sound."""
    guard = round(GUARD_S * rate)
    last = course.target.size
    start = jump_at_start(course, rate, found[0].at - guard if found else last)
    end = jump_at_end(course, rate, found[-1].at + guard if found else 0)
    return [
        *([Jump(start.at, start.short, start.long)] if start else []),
        *found,
        *([Jump(end.at, end.long, end.short)] if end and (not start or end.at > start.at) else []),
    ]


def pieces(jumps: Sequence[Jump], frames: int, rate: int) -> list[Piece]:
    """Return the stretches of a wet recording of `frames` between its jumps.

    The stretches do not overlap in either recording.
    """
    guard = round(GUARD_S * rate)
    edges = [0, *(jump.at for jump in jumps), frames]
    offsets = [0, *(jump.after - jumps[0].before for jump in jumps)]
    found = []
    for number, (start, stop) in enumerate(pairwise(edges)):
        # Inserted frames have no counterpart in dry.
        inserted = max(0, jumps[number - 1].frames) if number else 0
        first = start + inserted + (guard if number else 0)
        last = stop - (guard if number < len(jumps) else 0)
        if first < last:
            found.append(Piece(first, last, offsets[number]))
    return found


def _changes(course: Track, rate: int) -> list[tuple[int, int]]:
    """Return the windows before and after each change of the track."""
    places = np.flatnonzero(np.abs(np.diff(course.lags)) > 1)
    apart = max(1, round(MERGE_S * rate / course.hop))
    groups: list[tuple[int, int]] = []
    for place in places.tolist():
        if groups and place - groups[-1][1] < apart:
            groups[-1] = (groups[-1][0], place + 1)
        else:
            groups.append((place, place + 1))
    smallest = IDLE_FRAMES - NEAR_FRAMES
    return [
        (first, last)
        for first, last in groups
        if abs(int(course.lags[last] - course.lags[first])) > smallest
    ]


def _drifts(course: Track, windows: tuple[int, int, int, int]) -> bool:
    """Return whether a change is what the drift around it adds up to during a rest.

    `windows` as in `_fitted`.
    """
    start, first, last, stop = windows
    heard = course.evidence >= SECOND_SURE
    slopes, edges = [], []
    for windows_of_side, edge in (
        (np.arange(start, first + 1), -1),
        (np.arange(last, stop + 1), 0),
    ):
        known = windows_of_side[heard[windows_of_side]]
        if known.size < MIN_DRIFT_WINDOWS:
            return False
        slopes.append(np.polyfit(course.centres[known], course.lags[known], 1)[0])
        edges.append(int(known[edge]))
    rest = int(course.centres[edges[1]] - course.centres[edges[0]])
    change = int(course.lags[edges[1]] - course.lags[edges[0]])
    return abs(change - float(np.mean(slopes)) * rest) < NEAR_FRAMES


def _fitted(course: Track, rate: int, windows: tuple[int, int, int, int]) -> Jump | None:
    """Return the jump between two windows, or None if the model does not confirm it.

    `windows`: the first and the last with the old latency, the first and the last with the new one.
    """
    sides = _sides(course, rate, windows)
    size = int(course.lags[windows[2]] - course.lags[windows[1]])
    better, left, lags = [], [], []
    for side, other, window in zip(sides, (size, -size), windows[1:3], strict=True):
        if side.size < SHORTEST_S * rate:
            return None
        own = course.lags_at(side)
        # In a short side, the track may be off by a period of the note.
        most = round(PERIOD_S * rate) if side.size < FEW_S * rate else NEAR_FRAMES
        near = range(-most, most + 1)
        errors = [_error(course, side, own + shift) for shift in near]
        lags.append(int(course.lags[window]) + near[int(np.argmin(errors))])
        better.append(min(errors) / max(_error(course, side, own + other), LEAST))
        left.append(min(errors) / max(float(np.sum(course.target[side] ** 2)), LEAST))
    if max(better) > BETTER or max(left) > EXPLAINED:
        return None
    near_frames = round(STEADY_S * rate)
    around = sides[0][-near_frames:], sides[1][:near_frames]
    if any(_moves(course, rate, side, lag) for side, lag in zip(around, lags, strict=True)):
        return None
    span = int(course.centres[windows[1]]), int(course.centres[windows[2]])
    return Jump(_located(course, span, (lags[0], lags[1])), lags[0], lags[1])


def _sides(
    course: Track, rate: int, windows: tuple[int, int, int, int]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the frames before and after a jump that are compared, up to the next changes."""
    start, first, last, stop = (int(course.centres[window]) for window in windows)
    compared = round(COMPARED_S * rate)
    begin = start if windows[0] else 0
    end = stop if windows[3] < course.lags.size - 1 else course.target.size
    return (
        np.arange(max(begin, first - compared), first),
        np.arange(last, min(end, last + compared)),
    )


def _moves(course: Track, rate: int, frames: NDArray[np.intp], lag: int) -> bool:
    """Return whether the latency differs from `lag` in a half of these frames, as if modulated."""
    if frames.size < 2 * SHORTEST_S * rate:
        return False
    shifts = range(-MOVED_REACH_FRAMES, MOVED_REACH_FRAMES + 1, MOVED_FRAMES // 4)
    for half in np.array_split(frames, 2):
        lags = np.full(half.size, lag)
        errors = [_error(course, half, lags + shift) for shift in shifts]
        least = int(np.argmin(errors))
        still = errors[shifts.index(0)]
        if abs(shifts[least]) > MOVED_FRAMES and errors[least] < MOVED * still:
            return True
    return False


def _error(course: Track, frames: NDArray[np.intp], lags: NDArray[np.intp]) -> float:
    """Return the energy of the prediction error at these latencies."""
    places = np.clip(frames - lags, 0, course.predicted.size - 1)
    return float(np.sum((course.target[frames] - course.predicted[places]) ** 2))


def _located(course: Track, span: tuple[int, int], lags: tuple[int, int]) -> int:
    """Return the frame after which the second latency predicts wet better than the first."""
    around = course.window
    frames = np.arange(max(0, span[0] - around), min(course.target.size, span[1] + around))
    places = [np.clip(frames - lag, 0, course.predicted.size - 1) for lag in lags]
    errors = [(course.target[frames] - course.predicted[place]) ** 2 for place in places]
    gained = np.concatenate([[0.0], np.cumsum(errors[0] - errors[1])])
    return int(frames[0]) + int(np.argmin(gained))
