"""Compile many small operations into one machine-code kernel.

XLA's CPU backend runs a program as a list of kernels, one per fused operation, and dispatches them
to a thread pool as they become ready. For a block of sound both cost more than the arithmetic, and
a real-time thread must not wait for a pool. But a small loop is compiled whole into one kernel (the
pass `small-while-loop-hoisting`; `nemod.common.xla` raises its limit, and keeps matrix products
from becoming calls of a library, which no such loop may hold). So the operations are put into a
loop that runs once.
"""

from collections.abc import Callable
from typing import TypeVar, TypeVarTuple

import jax
import jax.numpy as jnp

S = TypeVar("S")
"""State: a pytree of arrays."""
T = TypeVar("T")
"""Outputs: a pytree of arrays."""
Inputs = TypeVarTuple("Inputs")
"""Pytrees of arrays."""


def fused(step: Callable[[S, *Inputs], tuple[S, T]]) -> Callable[[S, *Inputs], tuple[S, T]]:
    """Return `step` (a pure function) in a form that XLA compiles as one kernel.

    The state is updated in place. A step that holds a Fourier transform or a scatter gives the same
    values, but in several kernels. The result has no reverse-mode derivative: it is
    for playing, not for training.
    """

    def once(state: S, *inputs: *Inputs) -> tuple[S, T]:
        _, shapes = jax.eval_shape(step, state, *inputs)
        zeros: T = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
        # Hidden from the optimizer, which would unroll a loop that is known to run once.
        count = jax.lax.optimization_barrier(jnp.int32(1))  # type: ignore[no-untyped-call]

        def body(carry: tuple[jax.Array, S, T]) -> tuple[jax.Array, S, T]:
            # Tied to the count: what depends on the inputs alone would be moved out of the loop,
            # into kernels of its own.
            at, *tied = jax.lax.optimization_barrier((carry[0], *inputs))  # type: ignore[no-untyped-call]
            return at + 1, *step(carry[1], *tied)

        _, state, outputs = jax.lax.while_loop(
            lambda carry: carry[0] < count, body, (jnp.int32(0), state, zeros)
        )
        return state, outputs

    return once
