"""Finds jumps of the latency close to the start or the end of the sound.

There, less than half a second has another latency, too little for the windows of
`trainer.data.tracking`. For each cut at a distance of a few milliseconds, and each latency of the
short side, the error of the prediction is compared with that at the latency of the long side.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from trainer.data.align import IDLE_FRAMES
from trainer.data.tracking import Track

SEARCHED_S = 0.6
"""[s] Length of sound at each end that is searched."""
BLOCK_S = 0.005
"""[s] Distance of the cuts."""
SHORTEST_S = 0.03
"""[s] Least length of the short side."""
REACH_S = 0.05
AUDIBLE = 0.02
"""Level relative to the RMS of the recording above which a block belongs to the sound."""
BETTER = 0.4
"""Largest ratio of the errors of the short side, at its own latency and at that of the long one."""
EXPLAINED = 0.6
"""Largest share of the energy that the model may not predict, on either side."""
MISFIT = 0.2
"""Least share of the energy of the short side that is an error at the other latency."""
CALM_S, CALM_FRAMES = 3.0, 8
"""[s, frames] Length of the long side in which its latency may change by no more."""
MOST = 0.99
"""Share of the largest gain from which the shortest side is taken.

Blocks that neither latency explains, as in the attack of a note, add nothing to the gain.
"""
LEAST = 1e-20


@dataclass(frozen=True, slots=True)
class EndJump:
    """A jump close to an end of the sound."""

    at: int
    """[frames] In the wet recording."""
    short: int
    """[frames] Latency between the jump and the end of the sound."""
    long: int
    """[frames] Latency on its other side."""


def jump_at_start(course: Track, rate: int, limit: int) -> EndJump | None:
    """Return the jump within the first sound and before frame `limit`, or None."""
    return _jump(course, rate, limit, 1)


def jump_at_end(course: Track, rate: int, limit: int) -> EndJump | None:
    """Return the jump within the last sound and after frame `limit`, or None."""
    return _jump(course, rate, limit, -1)


def _jump(course: Track, rate: int, limit: int, direction: int) -> EndJump | None:
    """Return a jump near the start (`direction` 1) or the end (-1) of the sound."""
    size = round(BLOCK_S * rate)
    blocks = course.target.size // size
    levels = np.mean(course.target[: blocks * size].reshape(-1, size) ** 2, axis=1)
    audible = np.flatnonzero(levels > AUDIBLE**2 * levels.mean())[::direction]
    if not audible.size:
        return None
    edge = int(audible[0])
    count = round(SEARCHED_S / BLOCK_S)
    searched = np.arange(edge, edge + direction * count, direction)
    searched = searched[(searched >= 0) & (searched < blocks)]
    inside = searched * size < limit - size if direction > 0 else searched * size >= limit
    searched = searched[inside]
    long = _steady_lag(course, rate, searched, size, limit, direction)
    if long is None:
        return None
    errors, energies = _errors(course, searched * size, size, long, round(REACH_S * rate))
    middle = errors.shape[1] // 2
    own = np.cumsum(errors, axis=0)
    # The latency of the long side may be inaccurate by some frames, as with clock drift.
    same = slice(middle - IDLE_FRAMES, middle + IDLE_FRAMES + 1)
    other = own[:, same].min(axis=1)
    gains = other[:, None] - own
    gains[: round(SHORTEST_S / BLOCK_S)] = -np.inf
    gains[:, same] = -np.inf
    highest = gains.max(axis=1)
    most = float(highest.max())
    if not np.isfinite(most) or most <= 0.0:
        return None
    row = int(np.argmax(highest >= MOST * most))
    if row + 1 == searched.size:
        # Nothing on the other side shows that the latency changes here.
        return None
    column = int(np.argmax(gains[row]))
    here, rest = slice(row + 1), slice(row + 1, None)
    short, energy = float(own[row, column]), float(energies[here].sum())
    long_error = float(errors[rest, same].sum(axis=0).min())
    if (
        short > BETTER * other[row]
        or short > EXPLAINED * energy
        or other[row] < MISFIT * energy
        or long_error > EXPLAINED * energies[rest].sum()
    ):
        return None
    at = int(searched[row]) * size + (size if direction > 0 else 0)
    return EndJump(at, long + column - middle, long)


def _steady_lag(
    course: Track, rate: int, searched: NDArray[np.intp], size: int, limit: int, direction: int
) -> int | None:
    """Return the latency where the search ends, or None if it changes there as if modulated."""
    if searched.size < 2 * round(SHORTEST_S / BLOCK_S):
        return None
    last = int(searched[-1]) * size
    inside = direction * (limit - course.centres) > 0
    away = direction * (course.centres - last)
    lags = course.lags[inside & (away >= 0) & (away < CALM_S * rate)]
    if not lags.size or int(np.ptp(lags)) > CALM_FRAMES:
        return None
    return int(lags[0] if direction > 0 else lags[-1])


def _errors(
    course: Track, starts: NDArray[np.intp], size: int, centre: int, reach: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the error of each block at each latency [blocks, latencies], and its energy [blocks].

    Both are relative to the energy around the block, so that loud and quiet blocks count alike.
    """
    n = fft.next_fast_len(size + 2 * reach, real=True)
    pad = reach + abs(centre) + size
    before = np.pad(
        course.predicted, (pad, pad + max(0, course.target.size - course.predicted.size))
    )
    running = np.concatenate([[0.0], np.cumsum(before**2)])
    errors = np.zeros((starts.size, 2 * reach + 1))
    energies = np.zeros(starts.size)
    for row, start in enumerate(starts.tolist()):
        after = course.target[start : start + size]
        near = course.target[max(0, start - size) : start + 2 * size]
        scale = float(np.mean(near**2)) * size + LEAST
        first = pad + start - centre - reach
        a = fft.rfft(before[first : first + size + 2 * reach], n)
        correlation = fft.irfft(np.conj(a) * fft.rfft(after, n), n)[np.arange(-2 * reach, 1)]
        powers = running[first + size : first + size + 2 * reach + 1]
        powers = (powers - running[first : first + 2 * reach + 1])[::-1]
        energy = float(after @ after)
        left = np.clip(energy - 2.0 * correlation + powers, 0.0, energy)  # no block decides alone
        errors[row] = left / scale
        energies[row] = energy / scale
    return errors, energies
