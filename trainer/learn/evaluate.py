"""Runs a model over whole recordings with the kernels of nemod, and computes its errors."""

from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple, TypedDict

import jax
import numpy as np
from numpy.typing import NDArray

from nemod.common.errors import ConfigError
from nemod.formats.network import Network
from nemod.formats.weights import Weights
from nemod.fx.nn.network import kernel
from trainer.data.dataset import Dataset, Pair
from trainer.data.levels import SILENT_POWER
from trainer.learn.recipe import Recipe
from trainer.learn.segments import inputs_of

Signal = NDArray[np.float32]


class RecordingScore(TypedDict):
    """The error of a model on one recording, as in result.json."""

    name: str
    knobs: dict[str, float]
    esr: float | None
    """None for a silent target."""


class Score(NamedTuple):
    """Errors of a model over recordings, without pre-emphasis."""

    loss: float
    """esr_weight ESR + dc_weight DC of each recording, averaged; the power of a target is at least
    a floor."""
    esr: float
    """sum (y - ŷ)² over sum y², of all recordings together; NaN if they are silent."""
    dc: float
    """The squared mean of the error over the power of the target, averaged over recordings."""


@partial(jax.jit, static_argnums=0)
def _play(network: Network, weights: Weights, inputs: jax.Array) -> jax.Array:
    inner = kernel(network)

    def one(signal: jax.Array) -> jax.Array:
        return inner.process(weights, inner.init(weights), signal)[1][:, 0]

    # A batch of one uses the same program as nemod, for equal results.
    return one(inputs[0])[None] if inputs.shape[0] == 1 else jax.vmap(one)(inputs)


def play(network: Network, weights: Weights, pairs: Sequence[Pair]) -> list[Signal]:
    """Return the model's output for each dry recording, from the initial state.

    Recordings of the same length are processed as one batch.
    """
    outputs: list[Signal] = [np.zeros(0, np.float32)] * len(pairs)
    alike = defaultdict(list)
    for place, pair in enumerate(pairs):
        alike[pair.dry.size].append(place)
    for places in alike.values():
        inputs = np.stack([inputs_of(pairs[place]) for place in places])
        for place, output in zip(places, np.asarray(_play(network, weights, inputs)), strict=True):
            outputs[place] = output
    return outputs


def power(pairs: Sequence[Pair]) -> float:
    """Return the mean power of the targets."""
    total = sum(float(np.sum(np.square(pair.wet, dtype=np.float64))) for pair in pairs)
    return total / max(1, sum(pair.wet.size for pair in pairs))


def silence(dataset: Dataset) -> float:
    """Return the power below which a target of the data set counts as silent."""
    return SILENT_POWER * power([*dataset.train, *dataset.validation, *dataset.test])


def refuse_silence(dataset: Dataset) -> None:
    """Raise ConfigError if the training or the validation set is silent."""
    quiet = silence(dataset)
    parts = {"train": "learn", "validation": "compare models with"}
    problems = [
        f"the {part} part is silent: there is nothing to {what}"
        for part, what in parts.items()
        if (pairs := getattr(dataset, part)) and power(pairs) <= quiet
    ]
    if problems:
        raise ConfigError(dataset.name, problems)


def esr(target: Signal, output: Signal, silent: float = 0.0) -> float:
    """Return sum (y - ŷ)² over sum y² in float64; NaN for a target power up to `silent`."""
    expected = target.astype(np.float64)
    energy = float(np.sum(expected**2))
    if energy <= silent * expected.size:
        return float("nan")
    return float(np.sum((expected - output) ** 2)) / energy


def loss_of_silence(dataset: Dataset, recipe: Recipe) -> float:
    """Return the validation loss of a silent output."""
    pairs = dataset.validation or dataset.train
    floor = recipe.energy_floor * power(dataset.train)
    return score(pairs, [np.zeros_like(pair.wet) for pair in pairs], floor, recipe.chosen_by).loss


def score(
    pairs: Sequence[Pair],
    outputs: Sequence[Signal],
    floor: float,
    weights: tuple[float, float] = (0.75, 0.25),
    silent: float = 0.0,
) -> Score:
    """Return the errors of the outputs for the pairs.

    `floor` is the least power of a target in `loss`; targets with a joint power of at most `silent`
    are silent.
    """
    losses, means, error_energy, energy = [], [], 0.0, 0.0
    for pair, output in zip(pairs, outputs, strict=True):
        expected = pair.wet.astype(np.float64)
        error = expected - output
        strength = max(float(np.mean(expected**2)), floor)
        ratio = float(np.mean(error**2)) / strength
        means.append(float(np.mean(error)) ** 2 / strength)
        losses.append(weights[0] * ratio + weights[1] * means[-1])
        error_energy += float(np.sum(error**2))
        energy += float(np.sum(expected**2))
    audible = energy > silent * sum(pair.wet.size for pair in pairs)
    whole = error_energy / energy if audible else float("nan")
    return Score(float(np.mean(losses)), whole, float(np.mean(means)))
