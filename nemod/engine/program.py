"""Compile a `RigSpec` into a serialised program, and load it again.

A call of a program costs more than what a small model computes, and most of that for the arrays
that it takes and returns. So it has few: `(weights, state) -> state`, each a list of one packed
array and of the large ones (`nemod.engine.packing`). Controls, block and sound are at the start of
the first array of the state (`Exchange`), in memory that the caller writes and reads. All of the
state is donated, so that a program updates it in place.
"""

import ctypes
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import serialize_executable
from numpy.typing import NDArray

from nemod.engine.active_rig import Call, Frames
from nemod.engine.compiled_rig import CompiledRig, Exchange, HostArray
from nemod.engine.packing import STATE_LIMIT, WEIGHTS_LIMIT, Packing, leaves_of
from nemod.engine.rig import AnyRigSpec, RigSpec
from nemod.fx.tools.fuse import fused

jax.config.update("jax_cpu_enable_async_dispatch", False)  # type: ignore[no-untyped-call]

Arrays = list[jax.Array]
Run = Callable[[Sequence[jax.Array | HostArray], Sequence[jax.Array | HostArray]], Arrays]
"""(weights, state) -> state"""


class ProgramState:
    """The state of a program, in memory of its own. Thread: one at a time."""

    __slots__ = ("_address", "_exchange", "arrays", "block", "controls", "sound")

    def __init__(self, arrays: Arrays, exchange: Exchange) -> None:
        """Start with these arrays, to which nothing else may refer (see `on_device`)."""
        self.arrays = arrays
        """Empty after a call that failed: the state was passed to it and is lost."""
        self._exchange = exchange
        self._address = 0
        self.find_memory()

    def find_memory(self) -> None:
        """Look up where controls, block and sound are, after a call may have moved the state."""
        if _shares_memory():
            address = self.arrays[0].unsafe_buffer_pointer()
            if address == self._address:
                return
            self._address = address
            numbers = _memory_at(address, self._exchange.size)
        else:
            numbers = np.array(self.arrays[0])[: self._exchange.size]
        controls, block, _ = self._exchange
        self.controls = numbers[:controls]
        self.block = numbers[controls : self._exchange.inputs].reshape(block)
        self.sound = numbers[self._exchange.inputs :]

    def host(self) -> list[HostArray]:
        """Return copies of the arrays."""
        return [np.array(array) for array in self.arrays]


@dataclass(frozen=True, slots=True)
class Program:
    """A loaded program."""

    call: Call
    """Its states are `ProgramState`s; the sound that it returns is the caller's own."""
    block_frames: int


@dataclass(frozen=True, slots=True)
class Packings:
    """How a rig's program takes its weights and its state."""

    weights: Packing
    state: Packing
    exchange: Exchange

    @classmethod
    def of(cls, spec: AnyRigSpec, block_frames: int) -> "Packings":
        """Return the packings of a rig for one block size."""
        controls = _floats(len(spec.layout))
        shape = (spec.signals, block_frames) if spec.signals > 1 else (block_frames,)
        block = _floats(*shape)
        state = jax.eval_shape(spec.init, spec.weights, controls)
        _, sound = jax.eval_shape(spec.process, spec.weights, controls, state, block)
        exchange = Exchange(len(spec.layout), shape, math.prod(sound.shape))
        return cls(
            Packing.of(spec.weights, WEIGHTS_LIMIT),
            Packing.of(state, STATE_LIMIT, exchange.size),
            exchange,
        )


def first_state(
    spec: AnyRigSpec, packing: Packing, controls: NDArray[np.float32]
) -> list[HostArray]:
    """Return the packed state before the first block, for these controls [n]."""
    return packing.pack_host(jax.jit(spec.init)(spec.weights, controls))


def tail_places(spec: AnyRigSpec) -> dict[str, tuple[int, ...]]:
    """Return which places of a packed state the next rig continues, by effect."""
    state = jax.eval_shape(spec.init, spec.weights, _floats(len(spec.layout)))
    leaves, tree = jax.tree.flatten(state)
    numbered = jax.tree.unflatten(tree, range(len(leaves)))
    return {name: tuple(jax.tree.leaves(tail)) for name, tail in spec.tails(numbered).items()}


def compile_spec(spec: AnyRigSpec, packings: Packings) -> bytes:
    """Compile a rig for one block size and return the serialised program."""
    payload, _, _ = serialize_executable.serialize(compiled_program(spec, packings))
    # The argument trees consist of lists; `load_program` rebuilds them from the counts.
    return bytes(payload)


def compiled_program(spec: AnyRigSpec, packings: Packings) -> jax.stages.Compiled:
    """Compile a rig for one block size."""
    controls, block, _ = packings.exchange
    inputs = packings.exchange.inputs

    def step(state: Arrays, weights: Arrays) -> tuple[Arrays, tuple[()]]:
        given = jax.lax.slice(state[0], (0,), (inputs,))
        after, sound = spec.process(
            packings.weights.unpack(weights),
            given[:controls],
            packings.state.unpack(state),
            given[controls:].reshape(block),
        )
        return packings.state.pack(after, jnp.concatenate([given, sound])), ()

    def call(weights: Arrays, state: Arrays) -> Arrays:
        return fused(step)(state, weights)[0]

    def shapes(packing: Packing, tree: object) -> list[jax.ShapeDtypeStruct]:
        return list(jax.eval_shape(lambda of: packing.pack(of, jnp.zeros(packing.first)), tree))

    state = jax.eval_shape(spec.init, spec.weights, _floats(controls))
    lowered = jax.jit(call, donate_argnums=1).lower(
        shapes(packings.weights, spec.weights), shapes(packings.state, state)
    )
    return lowered.compile()


def _floats(*shape: int) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(shape, jnp.float32)  # type: ignore[no-untyped-call]


def load_program(rig: CompiledRig, block_frames: int) -> Program:
    """Load the program of a rig, or of a part of one.

    Thread: any but the audio thread; takes milliseconds.
    """
    in_tree = jax.tree.structure((([0] * len(rig.weights), [0] * len(rig.state)), {}))
    out_tree = jax.tree.structure([0] * len(rig.state))
    run = serialize_executable.deserialize_and_load(rig.executable, in_tree, out_tree)
    return Program(_call_of(run), block_frames)


def _call_of(run: Run) -> Call:
    shares_memory = _shares_memory()

    def call(
        weights: Sequence[jax.Array | HostArray],
        controls: Frames,
        state: ProgramState,
        block: Frames,
    ) -> tuple[ProgramState, Frames]:
        arrays: Sequence[jax.Array | HostArray] = state.arrays
        state.arrays = []
        if not arrays:
            raise RuntimeError("the state was lost in a call that failed")
        state.controls[:] = controls
        state.block[:] = block
        if not shares_memory:
            first = np.array(arrays[0])
            first[: controls.size] = controls
            first[controls.size : controls.size + block.size] = block.reshape(-1)
            arrays = [first, *arrays[1:]]
        state.arrays = run(weights, arrays)
        state.find_memory()
        return state, state.sound.copy()

    return call


@cache
def _shares_memory() -> bool:
    """Return whether the memory of a jax array can be written and read between two calls.

    Found by trying: a program has to see what was written, and its result has to be readable.
    Otherwise controls and block are passed as arguments.
    """
    doubled = jax.jit(lambda array: 2.0 * array, donate_argnums=0)
    array = on_device([np.zeros(64, np.float32)])[0]
    written = np.arange(1.0, 65.0, dtype=np.float32)
    _memory_at(array.unsafe_buffer_pointer(), 64)[:] = written
    result = doubled(array)
    return np.array_equal(_memory_at(result.unsafe_buffer_pointer(), 64), 2.0 * written)


def _memory_at(address: int, count: int) -> NDArray[np.float32]:
    """Return numbers that lie at an address; whoever holds them keeps their owner alive, too."""
    numbers: NDArray[np.float32] = np.ctypeslib.as_array(
        (ctypes.c_float * count).from_address(address)
    )
    return numbers


def on_device(arrays: Sequence[HostArray]) -> list[jax.Array]:
    """Return copies of arrays as a program takes them, each in a buffer of its own, filled.

    Not by `jnp.array`, which compiles a program for every new shape. Thread: any but the audio
    thread.
    """
    copies = [jax.device_put(array.copy(), may_alias=False) for array in arrays]
    # A copy that were still being made could overwrite what is written into the buffer.
    return [array.block_until_ready() for array in copies]


def fresh_state(rig: CompiledRig) -> ProgramState:
    """Return the warmed-up state of a rig in memory of its own. Thread: any but the audio one."""
    return ProgramState(on_device(rig.state), rig.exchange)


def state_leaves(rig: CompiledRig, state: ProgramState) -> list[HostArray]:
    """Return copies of the arrays of the effects in a state of a rig."""
    return leaves_of(state.host(), rig.places)


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
    rig = compiled_rig(spec, 1, one)
    load_program(rig, 1).call([], one, fresh_state(rig), one)


def compiled_rig(
    spec: AnyRigSpec, block_frames: int, controls: NDArray[np.float32], executable: bytes = b""
) -> CompiledRig:
    """Return a rig in its first state; `executable` is its program, compiled here by default."""
    packings = Packings.of(spec, block_frames)
    return CompiledRig(
        executable=executable or compile_spec(spec, packings),
        weights=packings.weights.pack_host(spec.weights),
        state=first_state(spec, packings.state, controls),
        controls=controls,
        places=packings.state.places,
        exchange=packings.exchange,
        tails=tail_places(spec),
    )
