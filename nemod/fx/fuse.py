"""One machine-code kernel out of many small operations.

XLA's CPU backend runs a program as a list of kernels, one per fused operation, and deals them out
to a pool of threads as they become ready. For a block of sound both cost more than the arithmetic,
and a real-time thread must not wait for a pool. A loop, however, that holds no matrix product is
compiled whole into one kernel if it is small (the pass `small-while-loop-hoisting`; its limit is
raised in `nemod.common.xla`). So work is put into a loop that runs once.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

Step = Callable[..., tuple[Any, Any]]
"""(state, *inputs) -> (state, outputs): a pure function of pytrees of arrays."""


def fused(step: Step) -> Step:
    """Return the same step, compiled as one kernel; the state is updated in place.

    Where it holds a matrix product, a convolution or a scatter it still gives the same values, in
    several kernels. It cannot be differentiated backwards: it is for playing, not for training.
    """

    def once(state: Any, *inputs: Any) -> tuple[Any, Any]:
        _, shapes = jax.eval_shape(step, state, *inputs)
        nothing = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
        # A count that the compiler cannot see through: it would unroll a loop that runs once.
        count = jax.lax.optimization_barrier(jnp.int32(1))  # type: ignore[no-untyped-call]

        def body(carry: tuple[jax.Array, Any, Any]) -> tuple[jax.Array, Any, Any]:
            return carry[0] + 1, *step(carry[1], *inputs)

        _, state, outputs = jax.lax.while_loop(
            lambda carry: carry[0] < count, body, (jnp.int32(0), state, nothing)
        )
        return state, outputs

    return once
