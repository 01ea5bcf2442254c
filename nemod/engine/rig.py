"""The rig: the order of effects around a model, and its one compiled program.

A program takes and gives flat lists of arrays, so that it can be shipped without the types that it
was made from: `(weights, controls, state, block) -> (state, sound)`. `sound` [frames + 3] is the
block followed by three peaks: of the input, of the output, and of everything (which is not finite
as soon as any sample is not).
"""

import os

# Work stays on the calling thread: a pool's wake-up costs more than a block's arithmetic.
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")
os.environ.setdefault("JAX_PLATFORMS", "cpu")

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import serialize_executable
from numpy.typing import NDArray

from nemod.formats.model import Model
from nemod.fx.bypass import bypassable, mute
from nemod.fx.dc import dc_blocker
from nemod.fx.delay import delay
from nemod.fx.effect import Effect, Weights, chain
from nemod.fx.eq import eq
from nemod.fx.gain import gain
from nemod.fx.limiter import limiter
from nemod.fx.neural import model_weights, neural
from nemod.fx.reverb import reverb
from nemod.fx.smooth import smoothed

jax.config.update("jax_cpu_enable_async_dispatch", False)  # type: ignore[no-untyped-call]

MIN_BLOCK_FRAMES = 1
MAX_BLOCK_FRAMES = 65_536

PEAK_IN, PEAK_OUT, PEAK_ANY = -3, -2, -1
"""Places in `sound` of the three peaks."""

Leaves = list[Any]
Call = Callable[[Leaves, Any, Leaves, Any], tuple[Leaves, Any]]
"""(weights, controls [n], state, block [frames]) -> (state, sound [frames + 3]).

The state that goes in is donated: its buffers are used again.
"""


class Recipe(NamedTuple):
    """What a rig is before it is compiled."""

    layout: tuple[str, ...]
    """Paths of the controls."""
    latency_frames: int
    weights: Weights
    init: Callable[[Weights, jax.Array], Any]
    process: Callable[[Weights, jax.Array, Any, jax.Array], tuple[Any, jax.Array]]
    """(weights, targets [n], state, block) -> (state, sound)"""


def recipe(model: Model, rate_hz: int) -> Recipe:
    """Return the whole rig around a model, at the device's rate.

    The model's first and second knob are `gain` and `level` where it has them; where it has not,
    the drive before it and the fader after everything take their place.
    """
    net = neural(model)
    knobs = len(model.knobs)
    stages: list[tuple[Effect, Weights]] = [(gain("input"), ())]
    if knobs < 1:
        stages.append((gain("gain"), ()))
    stages += [
        (net, model_weights(model)),
        (dc_blocker(rate_hz), ()),
        (eq(rate_hz), ()),
        (delay(rate_hz), ()),
        (reverb(rate_hz), ()),
    ]
    if knobs < 2:
        stages.append((gain("level"), ()))
    stages.append((gain("output"), ()))
    sounding = chain("sounding", *(effect for effect, _ in stages))
    before_limiter = smoothed(chain("rig", bypassable(sounding), mute()), rate_hz)
    safe = limiter(rate_hz)
    weights = (tuple(own for _, own in stages), ())

    def init(weights: Weights, targets: jax.Array) -> Any:
        return before_limiter.init(weights, targets), safe.init((), jnp.zeros(0, jnp.float32))

    def process(
        weights: Weights, targets: jax.Array, state: Any, block: jax.Array
    ) -> tuple[Any, jax.Array]:
        playing, limiting = state
        playing, wet = before_limiter.process(weights, targets, playing, block)
        none = jnp.zeros((0, block.shape[0]), jnp.float32)
        limiting, out = safe.process((), none, limiting, wet)
        peaks = jnp.stack([jnp.max(jnp.abs(signal)) for signal in (block, wet, out)])
        # The second peak is the one before the limiter: above its threshold it is at work.
        peaks = peaks.at[2].set(jnp.sum(peaks))
        return (playing, limiting), jnp.concatenate([out, peaks])

    return Recipe(
        layout=before_limiter.effect.controls,
        latency_frames=before_limiter.effect.latency_frames,
        weights=weights,
        init=init,
        process=process,
    )


def model_recipe(model: Model) -> Recipe:
    """Return the model alone: nothing else touches the samples."""
    net = neural(model)

    def process(
        weights: Weights, targets: jax.Array, state: Any, block: jax.Array
    ) -> tuple[Any, jax.Array]:
        controls = jnp.broadcast_to(targets[:, None], (targets.shape[0], block.shape[0]))
        state, out = net.process(weights, controls, state, block)
        peak_in, peak_out = jnp.max(jnp.abs(block)), jnp.max(jnp.abs(out))
        return state, jnp.concatenate([out, jnp.stack([peak_in, peak_out, peak_in + peak_out])])

    return Recipe(
        layout=net.controls,
        latency_frames=net.latency_frames,
        weights=model_weights(model),
        init=net.init,
        process=process,
    )


def flat_weights(made: Recipe) -> list[NDArray[np.float32]]:
    """Return the recipe's weights as a program takes them."""
    return [np.asarray(leaf) for leaf in jax.tree.leaves(made.weights)]


def first_state(made: Recipe, controls: NDArray[np.float32]) -> list[NDArray[Any]]:
    """Return the state before the first block, for these controls [n], as a program takes it."""
    state = made.init(made.weights, jnp.asarray(controls))
    return [np.array(leaf) for leaf in jax.tree.leaves(state)]


def compile_recipe(made: Recipe, block_frames: int) -> bytes:
    """Trace and compile a recipe for one block size; return the serialized program."""
    controls = np.zeros(len(made.layout), np.float32)
    weight_tree = jax.tree.structure(made.weights)
    state_tree = jax.tree.structure(jax.eval_shape(made.init, made.weights, jnp.asarray(controls)))

    def call(weights: Leaves, targets: Any, state: Leaves, block: Any) -> tuple[Leaves, Any]:
        after, sound = made.process(
            jax.tree.unflatten(weight_tree, weights),
            targets,
            jax.tree.unflatten(state_tree, state),
            block,
        )
        return jax.tree.leaves(after), sound

    block = np.zeros(block_frames, np.float32)
    lowered = jax.jit(call, donate_argnums=2).lower(
        flat_weights(made), controls, first_state(made, controls), block
    )
    payload, in_tree, out_tree = serialize_executable.serialize(lowered.compile())
    # The trees are of lists alone; they are rebuilt from the counts where the program is loaded.
    del in_tree, out_tree
    return bytes(payload)


@dataclass(frozen=True, slots=True)
class Program:
    """A loaded program."""

    call: Call
    block_frames: int


def load_program(executable: bytes, weights: int, state: int, block_frames: int) -> Program:
    """Load a serialized program that takes this many weight and state leaves.

    Thread: any but the audio thread; takes milliseconds.
    """
    arguments = ([0] * weights, 0, [0] * state, 0)
    in_tree = jax.tree.structure((arguments, {}))
    out_tree = jax.tree.structure(([0] * state, 0))
    loaded = serialize_executable.deserialize_and_load(executable, in_tree, out_tree)
    return Program(loaded, block_frames)
