"""One batch of segments, learnt by truncated back-propagation through time, as one program."""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.sharding import AxisType, PartitionSpec

from nemod.formats.network import Network
from trainer.learn.batch import Process, batched, groups_of, in_pieces, rest
from trainer.learn.loss import loss
from trainer.learn.recipe import Recipe

PIECE_FRAMES = 64
"""Most frames that the backward pass keeps at once: what they leave fits the processor's cache."""


WHOLE = PartitionSpec()  # type: ignore[no-untyped-call]
SPLIT = PartitionSpec(None, "core")  # type: ignore[no-untyped-call]
"""What every core has, and what is split over the cores along the groups."""


NOT_COMPILED = (
    *("learning_rate", "final_rate", "schedule", "ramp", "plateau_validations"),
    *("seed", "epochs", "minutes", "patience", "validate_every"),
)
"""Parts of a recipe that the program of a step does not depend on."""


class Learner(NamedTuple):
    """What changes from step to step."""

    weights: Any
    optimizer: Any


Learn = Callable[[Learner, Any, Any, Any], tuple[Learner, Any]]
"""(learner, inputs, target, rate) -> (learner, mean loss of the batch)"""


def optimizer(recipe: Recipe) -> optax.GradientTransformation:
    """Return Adam after clipping, but for the learning rate."""
    inner = optax.chain(optax.clip_by_global_norm(recipe.clip), optax.scale_by_adam())

    def update(slope: Any, memory: Any, weights: Any = None) -> Any:
        # optax mixes kinds of numbers, also where jax is told to forbid it.
        with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
            return inner.update(slope, memory, weights)

    return optax.GradientTransformation(inner.init, update)


def process_of(network: Network, frames: int) -> Process:
    """Return the network over a batch, recomputed piece by piece; lengths are whole `frames`."""
    piece = max(size for size in range(1, PIECE_FRAMES + 1) if frames % size == 0)
    return in_pieces(batched(network), piece)


def learn(network: Network, recipe: Recipe, rate: int, floor: float) -> Learn:
    """Return the program that learns from a batch, compiled; `rate` [Hz] is the sound's.

    A batch is `recipe.warmup_frames`, played without learning, and whole chunks. In each chunk a
    step of the optimiser is made; the state goes from chunk to chunk without its gradient. The
    groups of lanes are dealt out to jax's devices, which are the processor's cores. Runs that
    differ in nothing that is compiled share one program.
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

    def chunk(carry: Any, part: Any) -> Any:
        (weights, memory), state, speed = carry
        inputs, target = part

        def objective(weights: Any) -> Any:
            after, output = play(weights, state, inputs)
            flat = (recipe.chunk_frames, -1)
            return loss(recipe, rate, floor, target.reshape(flat), output.reshape(flat)), after

        (value, after), slope = jax.value_and_grad(objective, has_aux=True)(weights)
        if cores > 1:
            value, slope = _mean_over_cores((value, slope))
        updates, memory = change.update(slope, memory)
        updates = jax.tree.map(lambda update: -speed * update, updates)
        return (Learner(optax.apply_updates(weights, updates), memory), after, speed), value

    def run(learner: Learner, inputs: jax.Array, target: jax.Array, speed: jax.Array) -> Any:
        state = rest(network, learner.weights, inputs)
        skipped = recipe.warmup_frames
        if warm:
            state, _ = warm(learner.weights, state, inputs[:skipped])
        parts = [
            signal[skipped:].reshape(-1, recipe.chunk_frames, *signal.shape[1:])
            for signal in (inputs, target)
        ]
        (learner, _, _), values = jax.lax.scan(chunk, (learner, state, speed), tuple(parts))
        return learner, jnp.mean(values)

    return _dealt(run, cores, (WHOLE, SPLIT, SPLIT, WHOLE), donate=True)


def gradient(
    network: Network, recipe: Recipe, error: Callable[[jax.Array, jax.Array], jax.Array]
) -> Callable[[Any, Any, Any], Any]:
    """Return (weights, inputs, target) -> gradient, from rest; `error` of target and output.

    It is what `learn` does in one chunk, without a step of the optimiser: for measurements.
    """
    cores = _cores(recipe)
    play = process_of(network, recipe.chunk_frames)

    def run(weights: Any, inputs: jax.Array, target: jax.Array) -> Any:
        state = rest(network, weights, inputs)

        def objective(weights: Any) -> jax.Array:
            return error(target, play(weights, state, inputs)[1])

        slope = jax.grad(objective)(weights)
        return _mean_over_cores(slope) if cores > 1 else slope

    return _dealt(run, cores, (WHOLE, SPLIT, SPLIT))


def _mean_over_cores(values: Any) -> Any:
    return jax.lax.pmean(values, "core")  # type: ignore[no-untyped-call]


def _cores(recipe: Recipe) -> int:
    """Return over how many of jax's devices a batch can be dealt out evenly."""
    groups = groups_of(recipe.batch)
    return max(n for n in range(1, len(jax.devices()) + 1) if groups % n == 0)


def _dealt(
    run: Callable[..., Any], cores: int, given: tuple[PartitionSpec, ...], donate: bool = False
) -> Callable[..., Any]:
    """Return a program that runs on each core with its part of the batch, compiled."""
    if cores > 1:
        mesh = jax.make_mesh((cores,), ("core",), (AxisType.Auto,), devices=jax.devices()[:cores])
        run = jax.shard_map(run, mesh=mesh, in_specs=given, out_specs=WHOLE, check_vma=False)
    return jax.jit(run, donate_argnums=(0,) if donate else ())
