"""Compile a `RigSpec` into a serialised program, and load it again.

A program takes and returns flat lists of arrays, so that it can be shipped without the types that
it was built from: `(weights, controls, state, block) -> (state, sound)`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import serialize_executable
from numpy.typing import NDArray

from nemod.engine.active_rig import Call
from nemod.engine.compiled_rig import HostArray
from nemod.engine.rig import AnyRigSpec, RigSpec

jax.config.update("jax_cpu_enable_async_dispatch", False)  # type: ignore[no-untyped-call]

Leaves = list[jax.Array]


@dataclass(frozen=True, slots=True)
class Program:
    """A loaded program."""

    call: Call
    block_frames: int


def flat_weights(spec: AnyRigSpec) -> list[NDArray[np.float32]]:
    """Return the weights of a rig as its program takes them."""
    return [np.asarray(leaf) for leaf in jax.tree.leaves(spec.weights)]


def first_state(spec: AnyRigSpec, controls: NDArray[np.float32]) -> list[HostArray]:
    """Return the state before the first block, for these controls [n], as a program takes it."""
    return host_leaves(spec.init(spec.weights, jnp.asarray(controls)))


def tail_leaves(spec: AnyRigSpec) -> dict[str, tuple[int, ...]]:
    """Return which arrays of a state, as a program takes it, the next rig continues, by effect."""
    controls = jnp.zeros(len(spec.layout), jnp.float32)
    leaves, tree = jax.tree.flatten(jax.eval_shape(spec.init, spec.weights, controls))
    numbered = jax.tree.unflatten(tree, range(len(leaves)))
    return {name: tuple(jax.tree.leaves(tail)) for name, tail in spec.tails(numbered).items()}


def host_leaves(tree: object) -> list[HostArray]:
    """Return the arrays of a pytree as a program takes them, copied to numpy."""
    return [np.array(leaf) for leaf in jax.tree.leaves(tree)]


def compile_spec(spec: AnyRigSpec, block_frames: int) -> bytes:
    """Compile a rig for one block size and return the serialised program."""
    controls = np.zeros(len(spec.layout), np.float32)
    weight_tree = jax.tree.structure(spec.weights)
    state_tree = jax.tree.structure(jax.eval_shape(spec.init, spec.weights, jnp.asarray(controls)))

    def call(
        weights: Leaves, targets: jax.Array, state: Leaves, block: jax.Array
    ) -> tuple[Leaves, jax.Array]:
        after, sound = spec.process(
            jax.tree.unflatten(weight_tree, weights),
            targets,
            jax.tree.unflatten(state_tree, state),
            block,
        )
        return jax.tree.leaves(after), sound

    shape = (spec.signals, block_frames) if spec.signals > 1 else (block_frames,)
    block = np.zeros(shape, np.float32)
    lowered = jax.jit(call, donate_argnums=2).lower(
        flat_weights(spec), controls, first_state(spec, controls), block
    )
    payload, _, _ = serialize_executable.serialize(lowered.compile())
    # The argument trees consist of lists; `load_program` rebuilds them from the counts.
    return bytes(payload)


def load_program(executable: bytes, weights: int, state: int, block_frames: int) -> Program:
    """Load a serialised program that takes this many weight and state arrays.

    Thread: any but the audio thread; takes milliseconds.
    """
    arguments = ([0] * weights, 0, [0] * state, 0)
    in_tree = jax.tree.structure((arguments, {}))
    out_tree = jax.tree.structure(([0] * state, 0))
    loaded = serialize_executable.deserialize_and_load(executable, in_tree, out_tree)
    return Program(loaded, block_frames)


def on_device(leaves: Sequence[HostArray]) -> list[jax.Array]:
    """Return copies of arrays as a program takes them, each in a buffer of its own, filled.

    Not by `jnp.array`, which compiles a program for every new shape. Thread: any but the audio
    thread.
    """
    copies = [jax.device_put(leaf.copy(), may_alias=False) for leaf in leaves]
    # A copy that were still being made could overwrite what `nemod.engine.tails` writes.
    return [leaf.block_until_ready() for leaf in copies]


def warm_up_jax() -> None:
    """Do once what is slow the first time in jax: start the backend, compile, load a program."""
    spec = RigSpec(
        layout=("x",),
        latency_frames=0,
        weights=(),
        init=lambda _weights, _targets: (jnp.zeros(1, jnp.float32),),
        process=lambda _weights, targets, state, block: (state, block * targets[0]),
    )
    one = np.ones(1, np.float32)
    program = load_program(compile_spec(spec, 1), 0, 1, 1)
    np.asarray(program.call([], one, on_device([one]), one)[1])
