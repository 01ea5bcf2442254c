"""The sound of a rig that no longer plays, continued from what it has played last.

A crossfade needs the old rig's sound for 30 ms. Where there is no time to play two rigs in one
block, that sound is continued by repetition, as telephony conceals lost packets (ITU-T G.711
Appendix I, 1999): the last milliseconds are searched for the place where the sound went on as it
has ended now, and what followed there is repeated. While it fades out under the new sound, that is
close to what the old rig would have played, and costs next to nothing.
"""

import math

import numpy as np
from numpy.typing import NDArray

SHORTEST_S, LONGEST_S = 0.005, 0.025
"""[s] Limits of what is repeated: a shorter piece would buzz, a longer one would be older than a
crossfade, and even a bass has a note's period between them."""
MATCH_S = 0.005
"""[s] How much of the end is compared."""
JOIN_S = 0.001
"""[s] In which the step at a join fades out."""
_SEARCH_HZ = 24_000
"""At higher rates every n-th frame is compared, and then all of them near what was found."""
_TINY = 1e-12

Block = NDArray[np.float32]


class Continuation:
    """The last milliseconds of a sound, and how it goes on. Thread: audio, unless stated."""

    def __init__(self, rate_hz: int, block_shape: tuple[int, ...], frames: int) -> None:
        """`frames`: the longest continuation; blocks may reach past it. Allocates all memory."""
        self._shortest = max(1, round(SHORTEST_S * rate_hz))
        self._longest = max(2, round(LONGEST_S * rate_hz))
        self._match = max(1, round(MATCH_S * rate_hz))
        self._step = max(1, rate_hz // _SEARCH_HZ)
        # One frame more: the join compares with the frame before the piece.
        self._size = self._longest + self._match + 1
        self._past = np.zeros((*block_shape[:-1], self._size), np.float32)
        self._at = 0
        join = max(1, round(JOIN_S * rate_hz))
        self._join = (0.5 + 0.5 * np.cos(np.pi * np.arange(join) / join)).astype(np.float32)
        self._places = np.arange(frames + block_shape[-1])
        self._sound = np.zeros((*block_shape[:-1], self._places.size), np.float32)
        self._taken = 0
        self._length = 0
        """[frames] What is to be repeated; 0: not searched yet."""

    def forget(self) -> None:
        """Another sound is noted from now on."""
        self._length = 0

    def note(self, sound: Block) -> None:
        """Note a block [..., frames] that was played."""
        recent = sound[..., -self._size :]
        first = min(recent.shape[-1], self._size - self._at)
        self._past[..., self._at : self._at + first] = recent[..., :first]
        rest = recent.shape[-1] - first
        if rest:
            self._past[..., :rest] = recent[..., first:]
        self._at = (self._at + recent.shape[-1]) % self._size

    def search(self) -> None:
        """Search now for what to repeat, to spare `start` that. Thread: any.

        While it is called the audio thread may note more: what is found is as good.
        """
        self._length = self._best_length(np.roll(self._past, -self._at, axis=-1))

    def start(self) -> None:
        """Begin to continue what was noted last."""
        past = np.roll(self._past, -self._at, axis=-1)
        length = self._length or self._best_length(past)
        piece = past[..., -length:].copy()
        # From the end back to the beginning of the piece there may be a small step.
        join = self._join[:length]
        step = past[..., -1:] - past[..., -length - 1 : -length]
        piece[..., : join.size] += step * join
        self._sound[...] = piece[..., self._places % length]
        self._taken = 0

    def take(self, frames: int) -> Block:
        """Return the next block [..., frames]; the caller may change it."""
        begin = self._taken
        self._taken = begin + frames
        return self._sound[..., begin : begin + frames]

    def _best_length(self, past: Block) -> int:
        """Return how much [frames] to repeat: after which the end of the sound is most similar."""
        mono = past if past.ndim == 1 else past.sum(axis=0)
        step = self._step
        near = mono[-1::-step][::-1]
        match = self._match // step
        shortest, longest = self._shortest // step, self._longest // step
        before = near[near.size - match - longest : near.size - shortest]
        products = np.correlate(before, near[-match:], "valid")
        sums = np.concatenate(([0.0], np.cumsum(before * before, dtype=np.float64)))
        scores = products / np.sqrt(sums[match:] - sums[:-match] + _TINY)
        # The last place in `before` is the shortest length.
        about = step * (shortest + scores.size - 1 - int(np.argmax(scores)))
        end = mono[-self._match :]

        def score(length: int) -> float:
            piece = mono[-self._match - length : -length]
            return float(piece @ end) / math.sqrt(float(piece @ piece) + _TINY)

        return max(
            range(max(about - step + 1, self._shortest), min(about + step, self._longest + 1)),
            key=score,
        )
