"""Compiles the training step: truncated back-propagation through time over a batch."""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import optax
from jax.sharding import AxisType, PartitionSpec
from jax.typing import ArrayLike

from nemod.formats.network import Network
from nemod.fx.nn.network import State, Weights
from trainer.learn.batch import Process, batched, groups_of, in_pieces, initial_state
from trainer.learn.loss import loss
from trainer.learn.recipe import Recipe

PIECE_FRAMES = 64
"""Most frames whose residuals the backward pass keeps at once: they fit the cache."""

REPLICATED = PartitionSpec()  # type: ignore[no-untyped-call]
SHARDED = PartitionSpec(None, "core")  # type: ignore[no-untyped-call]
"""Values that are replicated on every core, and values that are sharded along the groups."""

NOT_COMPILED = (
    *("learning_rate", "final_rate", "schedule", "ramp", "plateau_validations"),
    *("seed", "epochs", "minutes", "patience", "validate_every"),
)
"""Fields of a recipe that the compiled program does not depend on."""


class Learner(NamedTuple):
    """The state of training that a step updates."""

    weights: Weights
    optimizer: optax.OptState


Tree = TypeVar("Tree")
Learn = Callable[[Learner, ArrayLike, ArrayLike, ArrayLike], tuple[Learner, jax.Array]]
"""(learner, inputs, target, learning rate) -> (learner, mean loss of the batch)"""


def optimizer(recipe: Recipe) -> optax.GradientTransformation:
    """Return Adam with gradient clipping, without the learning rate."""
    inner = optax.chain(optax.clip_by_global_norm(recipe.clip), optax.scale_by_adam())

    def update(
        gradients: Weights, state: optax.OptState, weights: Weights | None = None
    ) -> tuple[Weights, optax.OptState]:
        # optax mixes dtypes and ranks, which the strict mode of the tests forbids.
        with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
            updated: tuple[Weights, optax.OptState] = inner.update(gradients, state, weights)
            return updated

    return optax.GradientTransformation(inner.init, update)


def process_of(network: Network, frames: int) -> Process:
    """Return the network over a batch, recomputed in pieces; lengths are multiples of `frames`."""
    piece = max(size for size in range(1, PIECE_FRAMES + 1) if frames % size == 0)
    return in_pieces(batched(network), piece)


def learn(network: Network, recipe: Recipe, rate: int, floor: float) -> Learn:
    """Return the compiled program that trains on a batch; `rate` [Hz] is the sample rate.

    A batch has `recipe.warmup_frames`, which only initialise the state, and whole chunks. The
    optimiser makes a step per chunk; the state is carried over without its gradient. The groups of
    lanes are sharded over jax's devices, which are the cores. Recipes that differ only in fields of
    `NOT_COMPILED` share a program.
    """
    default = Recipe()
    same = {name: getattr(default, name) for name in NOT_COMPILED}
    return _compiled(network, replace(recipe, **same), rate, floor)


@lru_cache(maxsize=4)
def _compiled(network: Network, recipe: Recipe, rate: int, floor: float) -> Learn:
    cores = _cores(recipe)
    change = optimizer(recipe)
    play = process_of(network, recipe.chunk_frames)
    warm = process_of(network, recipe.warmup_frames) if recipe.warmup_frames else None

    def chunk(
        carry: tuple[Learner, State, jax.Array], part: tuple[jax.Array, ...]
    ) -> tuple[tuple[Learner, State, jax.Array], jax.Array]:
        (weights, optimizer_state), state, learning_rate = carry
        inputs, target = part

        def objective(weights: Weights) -> tuple[jax.Array, State]:
            after, output = play(weights, state, inputs)
            flat = (recipe.chunk_frames, -1)
            return loss(recipe, rate, floor, target.reshape(flat), output.reshape(flat)), after

        (value, after), gradients = jax.value_and_grad(objective, has_aux=True)(weights)
        if cores > 1:
            value, gradients = _mean_over_cores((value, gradients))
        updates, optimizer_state = change.update(gradients, optimizer_state)
        updates = jax.tree.map(lambda update: -learning_rate * update, updates)
        learner = Learner(optax.apply_updates(weights, updates), optimizer_state)
        return (learner, after, learning_rate), value

    def run(
        learner: Learner, inputs: jax.Array, target: jax.Array, learning_rate: jax.Array
    ) -> tuple[Learner, jax.Array]:
        state = initial_state(network, learner.weights, inputs)
        skipped = recipe.warmup_frames
        if warm:
            state, _ = warm(learner.weights, state, inputs[:skipped])
        parts = [
            signal[skipped:].reshape(-1, recipe.chunk_frames, *signal.shape[1:])
            for signal in (inputs, target)
        ]
        (learner, _, _), values = jax.lax.scan(chunk, (learner, state, learning_rate), tuple(parts))
        return learner, jnp.mean(values)

    return _sharded(run, cores, (REPLICATED, SHARDED, SHARDED, REPLICATED), donate=True)


def gradient(
    network: Network, recipe: Recipe, error: Callable[[jax.Array, jax.Array], jax.Array]
) -> Callable[[Weights, ArrayLike, ArrayLike], Weights]:
    """Return (weights, inputs, target) -> gradient of `error` of target and output.

    It does the work of one chunk of `learn` without the optimiser, for benchmarks.
    """
    cores = _cores(recipe)
    play = process_of(network, recipe.chunk_frames)

    def run(weights: Weights, inputs: jax.Array, target: jax.Array) -> Weights:
        state = initial_state(network, weights, inputs)

        def objective(weights: Weights) -> jax.Array:
            return error(target, play(weights, state, inputs)[1])

        gradients = jax.grad(objective)(weights)
        return _mean_over_cores(gradients) if cores > 1 else gradients

    return _sharded(run, cores, (REPLICATED, SHARDED, SHARDED))


def _mean_over_cores(values: Tree) -> Tree:
    mean: Tree = jax.lax.pmean(values, "core")  # type: ignore[no-untyped-call]
    return mean


def _cores(recipe: Recipe) -> int:
    """Return the largest number of jax devices over which a batch can be sharded evenly."""
    groups = groups_of(recipe.batch)
    return max(n for n in range(1, len(jax.devices()) + 1) if groups % n == 0)


def _sharded(
    run: Callable[..., Any], cores: int, given: tuple[PartitionSpec, ...], donate: bool = False
) -> Callable[..., Any]:
    """Return the compiled program that runs on each core with its shard of the batch."""
    if cores > 1:
        mesh = jax.make_mesh((cores,), ("core",), (AxisType.Auto,), devices=jax.devices()[:cores])
        run = jax.shard_map(run, mesh=mesh, in_specs=given, out_specs=REPLICATED, check_vma=False)
    return jax.jit(run, donate_argnums=(0,) if donate else ())
