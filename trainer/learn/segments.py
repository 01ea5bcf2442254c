"""Cuts recordings into segments and shuffles them into batches, reproducibly for a seed."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nemod.common.errors import ConfigError, did_you_mean
from trainer.data.dataset import Pair
from trainer.learn.batch import arrange
from trainer.learn.recipe import Recipe

Signal = NDArray[np.float32]


class Batch(NamedTuple):
    """A batch of segments in the layout of `trainer.learn.batch`."""

    inputs: Signal
    """[frames, groups, 1 + knobs, lanes]"""
    target: Signal
    """[frames, groups, 1, lanes]"""


def inputs_of(pair: Pair) -> Signal:
    """Return the network's inputs [frames, 1 + knobs]: dry, then the knob positions."""
    columns = [np.full_like(pair.dry, position) for position in pair.knobs]
    return np.stack([pair.dry, *columns], axis=1)


class Unused(NamedTuple):
    """Training recordings that are not used."""

    short: int
    """Number of pairs shorter than a segment."""
    silent: int
    """Number of pairs with the level knob at 0."""
    seconds: float
    """Length of both together."""


class Segments:
    """The segments of the training pairs, shuffled in each epoch."""

    def __init__(
        self, pairs: tuple[Pair, ...], recipe: Recipe, knobs: tuple[str, ...] = ()
    ) -> None:
        """Raise ConfigError if no pair has a whole segment or the level knob is not in the data."""
        self._level = _index_of(recipe.level_knob, knobs) if recipe.level_knob else None
        given = pairs
        if self._level is not None:
            # A silent recording cannot be scaled to another level.
            pairs = tuple(pair for pair in pairs if pair.knobs[self._level] > 0.0)
            if given and not pairs:
                problem = (
                    f"level_knob {recipe.level_knob!r} is at 0 in all training recordings, which "
                    "are silent there: record at other positions, or omit level_knob"
                )
                raise ConfigError("recipe", [problem])
        chunks = (recipe.segment_frames - recipe.warmup_frames) // recipe.chunk_frames
        self.frames = recipe.warmup_frames + chunks * recipe.chunk_frames
        """Frames of a segment: the warm-up and whole chunks."""
        self._recipe = recipe
        self._pairs = [pair for pair in pairs if pair.dry.size >= self.frames]
        if not self._pairs:
            longest = max((pair.dry.size for pair in pairs), default=0)
            raise ConfigError(
                "recipe",
                [
                    f"segment_frames {recipe.segment_frames}, but the longest of the training "
                    f"recordings has {longest} frames: choose a smaller segment_frames"
                ],
            )
        self._silent, self._short = len(given) - len(pairs), len(pairs) - len(self._pairs)
        self._unused_frames = sum(pair.dry.size for pair in given)
        self._unused_frames -= sum(pair.dry.size for pair in self._pairs)
        self.count = sum(pair.dry.size // self.frames for pair in self._pairs)
        """Segments of an epoch."""
        self.batch = recipe.batch
        self.batches = max(1, self.count // self.batch)
        """Batches of an epoch."""

    def unused(self, rate: int) -> Unused:
        """Return the recordings that are not used; `rate` [Hz] is their sample rate."""
        return Unused(self._short, self._silent, round(self._unused_frames / rate, 3))

    def epoch(self, number: int) -> Iterator[Batch]:
        """Yield the batches of an epoch; cuts and order depend on the seed and the number.

        Segments beyond the last whole batch are dropped, different ones in each epoch. With fewer
        segments than a batch holds, some are repeated.
        """
        rng = np.random.default_rng([self._recipe.seed, number])
        places = []
        for pair in self._pairs:
            whole, slack = divmod(pair.dry.size, self.frames)
            first = int(rng.integers(0, slack + 1))
            places += [(pair, first + self.frames * place) for place in range(whole)]
        order = rng.permutation(len(places))
        order = np.resize(order, self.batches * self.batch)
        for row in order.reshape(self.batches, self.batch):
            chosen = [places[place] for place in row]
            levels = rng.random(len(chosen)) if self._level is not None else None
            yield self._cut(chosen, levels)

    def _cut(self, places: list[tuple[Pair, int]], levels: NDArray[np.float64] | None) -> Batch:
        knobs = len(places[0][0].knobs)
        inputs = np.empty((len(places), self.frames, 1 + knobs), np.float32)
        target = np.empty((len(places), self.frames, 1), np.float32)
        for row, (pair, at) in enumerate(places):
            span = slice(at, at + self.frames)
            inputs[row, :, 0] = pair.dry[span]
            inputs[row, :, 1:] = pair.knobs
            target[row, :, 0] = pair.wet[span]
            if levels is not None and self._level is not None:
                inputs[row, :, 1 + self._level] = levels[row]
                target[row] *= np.float32(levels[row] / pair.knobs[self._level])
        return Batch(arrange(inputs), arrange(target))


def _index_of(name: str, knobs: tuple[str, ...]) -> int:
    if name in knobs:
        return knobs.index(name)
    allowed = ", ".join(knobs) or "none: the data have no knobs"
    problem = (
        f"level_knob {name!r} is not a knob of the data{did_you_mean(name, knobs)} ({allowed})"
    )
    raise ConfigError("recipe", [problem])
