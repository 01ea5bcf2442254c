"""The rig: the order of effects around a model, and its one compiled program.

A program takes and gives flat lists of arrays, so that it can be shipped without the types that it
was made from: `(weights, controls, state, block) -> (state, sound)`. `sound` [frames + 3] is the
block followed by the peak of the input, the peak before the limiter, and the sum of all magnitudes
(which is not finite as soon as any sample is not).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import serialize_executable
from numpy.typing import NDArray

from nemod.formats.model import Model
from nemod.fx.bypass import BYPASS, mute, past
from nemod.fx.dc import dc_blocker, settled
from nemod.fx.delay import delay
from nemod.fx.effect import Effect, Weights, chain
from nemod.fx.eq import eq
from nemod.fx.fuse import fused
from nemod.fx.gain import gain
from nemod.fx.limiter import limiter
from nemod.fx.nn.neural import model_weights, neural
from nemod.fx.reverb import reverb
from nemod.fx.smooth import rest, smooth, smoothed
from nemod.parameters.table import param

jax.config.update("jax_cpu_enable_async_dispatch", False)  # type: ignore[no-untyped-call]

MIN_BLOCK_FRAMES = 1
MAX_BLOCK_FRAMES = 65_536

Leaves = list[Any]
Call = Callable[[Leaves, Any, Leaves, Any], tuple[Leaves, Any]]
"""(weights, controls [n], state, block [frames]) -> (state, sound [frames + 3]).

The state that goes in is donated: its buffers are used again.
"""


class RigSpec(NamedTuple):
    """What a rig is before it is compiled."""

    layout: tuple[str, ...]
    """Paths of the controls."""
    latency_frames: int
    weights: Weights
    init: Callable[[Weights, jax.Array], Any]
    process: Callable[[Weights, jax.Array, Any, jax.Array], tuple[Any, jax.Array]]
    """(weights, targets [n], state, block) -> (state, sound)"""
    settle: Callable[[Any, Any], Any] = lambda warm, _fresh: warm
    """(state after silence, state before the first block) -> state to begin with"""
    signals: int = 1
    """How many signals a block holds."""


class RigParts(NamedTuple):
    """The three parts of a rig, each with a smoother of its own; see `recipe`."""

    front: RigSpec
    """block [frames] -> what the model hears [frames]"""
    model: RigSpec
    """what the model hears [frames] -> what it answers [frames]"""
    back: RigSpec
    """[2, frames]: the block and the model's answer -> sound [frames + 3]"""

    @property
    def layout(self) -> tuple[str, ...]:
        """Paths of all controls, part after part."""
        return tuple(path for part in self for path in part.layout)

    def split(self, controls: Any) -> list[Any]:
        """Return the controls [n] of each part."""
        return np.split(controls, np.cumsum([len(part.layout) for part in self[:-1]]).tolist())


def parts(model: Model, rate_hz: int, model_rate_hz: int) -> RigParts:
    """Return a rig in parts: `rate_hz` is the device's, `model_rate_hz` that of the middle part.

    The model's first and second knob are `gain` and `level` where it has them; where it has not,
    the drive before it and the fader after everything take their place.
    """
    knobs = len(model.knobs)
    drive = [gain("input"), *([gain("gain")] if knobs < 1 else [])]
    stages = [dc_blocker(rate_hz), eq(rate_hz), delay(rate_hz), reverb(rate_hz)]
    stages += [*([gain("level")] if knobs < 2 else []), gain("output")]
    return RigParts(
        front=_part(chain("front", *drive), rate_hz, ((),) * len(drive)),
        model=_part(neural(model), model_rate_hz, model_weights(model)),
        back=_back(chain("back", *stages), rate_hz, ((),) * len(stages)),
    )


def _part(effect: Effect, rate_hz: int, weights: Weights) -> RigSpec:
    """Return an effect with its smoother."""
    fed = smoothed(effect, rate_hz)
    return RigSpec(effect.controls, effect.latency_frames, weights, fed.init, fed.process)


def _back(stages: Effect, rate_hz: int, weights: Weights) -> RigSpec:
    """Return what stands after the model: effects, the way past everything, mute, limiter."""
    final = [mute(), limiter(rate_hz)]
    ending = chain("ending", *final)
    layout = (*stages.controls, BYPASS, *ending.controls)
    smooth_s = tuple(param(path).smooth_s for path in layout)
    cuts = (len(stages.controls), len(stages.controls) + 1)

    def init(weights: Weights, targets: jax.Array) -> Any:
        then, _, last = jnp.split(targets, cuts)
        memories = stages.init(weights, then), ending.init(((),) * len(final), last)
        return (rest(targets), *memories)

    def process(
        weights: Weights, targets: jax.Array, state: Any, heard: jax.Array
    ) -> tuple[Any, jax.Array]:
        distance, memory, end = state
        block, answer = heard[0], heard[1]
        distance, controls = smooth(distance, targets, smooth_s, rate_hz, block.shape[0])
        then, around, last = jnp.split(controls, cuts)
        memory, wet = stages.process(weights, then, memory, answer)
        mixed = past(around[0], block, wet)
        end, out = ending.process(((),) * len(final), last, end, mixed)
        _, audible = mute().process((), last, (), mixed)  # what the limiter hears
        return (distance, memory, end), jnp.concatenate([out, peaks(block, audible, out)])

    return RigSpec(layout, stages.latency_frames, weights, init, process, signals=2)


def rig_spec(model: Model, rate_hz: int) -> RigSpec:
    """Return the whole rig around a model, all of it at the device's rate, as one program."""
    return joined(parts(model, rate_hz, rate_hz))


def joined(made: RigParts) -> RigSpec:
    """Return a rig whose parts run at one rate, as one program.

    What stands before the model is one kernel, and what stands after it another; see
    `nemod.fx.fuse`.
    """
    cuts = np.cumsum([len(part.layout) for part in made[:-1]]).tolist()

    def init(weights: Weights, targets: jax.Array) -> Any:
        each = zip(made, weights, jnp.split(targets, cuts), strict=True)
        return tuple(part.init(own, wanted) for part, own, wanted in each)

    def process(
        weights: Weights, targets: jax.Array, state: Any, block: jax.Array
    ) -> tuple[Any, jax.Array]:
        def run(
            part: RigSpec, own: Weights
        ) -> Callable[[Any, jax.Array, jax.Array], tuple[Any, jax.Array]]:
            return lambda memory, wanted, signal: part.process(own, wanted, memory, signal)

        for_front, for_model, for_back = jnp.split(targets, cuts)
        before, inner, after = state
        front, back = run(made.front, weights[0]), run(made.back, weights[2])
        before, driven = fused(front)(before, for_front, block)
        inner, answer = made.model.process(weights[1], for_model, inner, driven)
        after, sound = fused(back)(after, for_back, jnp.stack([block, answer]))
        return (before, inner, after), sound

    def settle(warm: Any, fresh: Any) -> Any:
        # The model stays as silence left it; what it did on the way there is not to be heard again
        # from the delay and the reverb, and the blocker has nothing left to block.
        _, inner, (_, (blocker, *_), _) = warm
        front, _, (distance, (_, *stages), end) = fresh
        return front, inner, (distance, (settled(blocker), *stages), end)

    return RigSpec(
        layout=made.layout,
        latency_frames=sum(part.latency_frames for part in made),
        weights=tuple(part.weights for part in made),
        init=init,
        process=process,
        settle=settle,
    )


def peaks(block: jax.Array, before_limiter: jax.Array, out: jax.Array) -> jax.Array:
    """Return what follows the sound: [peak in, peak before the limiter, sum of everything].

    The sum is for telling whether anything is not finite: a maximum may pass over NaN.
    """
    everything = jnp.sum(jnp.abs(block) + jnp.abs(before_limiter) + jnp.abs(out))
    return jnp.stack([jnp.max(jnp.abs(block)), jnp.max(jnp.abs(before_limiter)), everything])


def model_spec(model: Model) -> RigSpec:
    """Return the model alone: nothing else touches the samples."""
    net = neural(model)

    def process(
        weights: Weights, targets: jax.Array, state: Any, block: jax.Array
    ) -> tuple[Any, jax.Array]:
        controls = jnp.broadcast_to(targets[:, None], (targets.shape[0], block.shape[0]))
        state, out = net.process(weights, controls, state, block)
        return state, jnp.concatenate([out, peaks(block, out, out)])

    return RigSpec(
        layout=net.controls,
        latency_frames=net.latency_frames,
        weights=model_weights(model),
        init=net.init,
        process=process,
    )


def flat_weights(made: RigSpec) -> list[NDArray[np.float32]]:
    """Return the recipe's weights as a program takes them."""
    return [np.asarray(leaf) for leaf in jax.tree.leaves(made.weights)]


def first_state(made: RigSpec, controls: NDArray[np.float32]) -> list[NDArray[Any]]:
    """Return the state before the first block, for these controls [n], as a program takes it."""
    return host_leaves(made.init(made.weights, jnp.asarray(controls)))


def host_leaves(tree: Any) -> list[NDArray[Any]]:
    """Return the arrays of a pytree as a program takes them, copied to numpy."""
    return [np.array(leaf) for leaf in jax.tree.leaves(tree)]


def offset_blocked(back: Any, offset: float) -> Any:
    """Return the state of a rig's last part in which the model's resting offset is old news."""
    distance, (_, *stages), end = back
    return distance, (jnp.array([offset, 0.0], jnp.float32), *stages), end


def compile_spec(made: RigSpec, block_frames: int) -> bytes:
    """Trace and compile a recipe for one block size; return the serialized program.

    Where the recipe takes several signals, `block` is [signals, frames].
    """
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

    shape = (made.signals, block_frames) if made.signals > 1 else (block_frames,)
    block = np.zeros(shape, np.float32)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedRig:
    """A rig that can be called: `call(weights, controls, fresh(), block)`."""

    call: Call
    weights: Leaves
    controls: NDArray[np.float32]
    """[n] The controls that it was warmed up with."""
    fresh: Callable[[], Leaves]
    """Returns the warmed state, in buffers of its own. Thread: any but the audio thread."""


def load_program(executable: bytes, weights: int, state: int, block_frames: int) -> Program:
    """Load a serialized program that takes this many weight and state leaves.

    Thread: any but the audio thread; takes milliseconds.
    """
    arguments = ([0] * weights, 0, [0] * state, 0)
    in_tree = jax.tree.structure((arguments, {}))
    out_tree = jax.tree.structure(([0] * state, 0))
    loaded = serialize_executable.deserialize_and_load(executable, in_tree, out_tree)
    return Program(loaded, block_frames)


def on_device(leaves: list[NDArray[Any]]) -> list[jax.Array]:
    """Return copies of arrays as a program takes them, each with a buffer of its own.

    Not by `jnp.array`, which compiles a program for every shape that it meets. Thread: any but
    the audio thread.
    """
    return [jax.device_put(leaf.copy(), may_alias=False) for leaf in leaves]


def wake_up() -> None:
    """Make jax do once what it does slowly the first time: start its backend, load a program."""
    made = RigSpec(
        layout=("x",),
        latency_frames=0,
        weights=(),
        init=lambda weights, targets: (jnp.zeros(1, jnp.float32),),
        process=lambda weights, targets, state, block: (state, block * targets[0]),
    )
    one = np.ones(1, np.float32)
    program = load_program(compile_spec(made, 1), 0, 1, 1)
    np.asarray(program.call([], one, on_device([one]), one)[1])
