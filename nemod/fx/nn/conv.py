"""Causal dilated convolution over a block, with the last input frames as state.

The taps are copied into one matrix and multiplied in one matrix product: with the few channels of
audio models that is several times faster on a CPU than XLA's convolution. All arrays here are
[channels, frames], so that what is copied are contiguous frames.
"""

import jax
import jax.numpy as jnp
import numpy as np

from nemod.formats.network import Conv1d
from nemod.formats.weights import ConvWeights

LONG_KERNEL = 128
"""From this number of taps of one channel, XLA's own convolution is faster than gathering."""
Past = jax.Array | tuple[()]
"""[channels, frames]: the last input frames, or () for a kernel of one tap."""


def windows(signal: jax.Array, kernel: int, dilation: int, frames: int) -> jax.Array:
    """Return the taps of `signal` [channels, past + frames], [kernel * channels, frames].

    The oldest tap first. A loop that copies slices: a gather would compute an address for every
    number, and one operation per tap would make a large program.
    """
    channels = signal.shape[0]
    if kernel == 1:
        return signal

    def copy(tap: jax.Array, window: jax.Array) -> jax.Array:
        taken = jax.lax.dynamic_slice(
            signal, (np.int32(0), tap * np.int32(dilation)), (channels, frames)
        )
        return jax.lax.dynamic_update_slice(window, taken, (tap * channels, np.int32(0)))

    room = jnp.zeros((kernel * channels, frames), jnp.float32)
    window: jax.Array = jax.lax.fori_loop(np.int32(0), np.int32(kernel), copy, room)
    return window


def conv_init(network: Conv1d) -> Past:
    """Return silence as the state [inputs, past]."""
    return jnp.zeros((network.inputs, network.past), jnp.float32) if network.past else ()


def conv_process(
    network: Conv1d, weights: ConvWeights, state: Past, inputs: jax.Array
) -> tuple[Past, jax.Array]:
    """Return the state and outputs [frames, outputs] of a block [frames, inputs]."""
    block = inputs.T
    w, bias = jnp.asarray(weights.w), jnp.asarray(weights.bias)[:, None]
    if isinstance(state, tuple):
        return (), (w @ block + bias).T
    signal = jnp.concatenate([state, block], 1)
    frames = block.shape[1]
    if network.kernel >= LONG_KERNEL and network.inputs == 1:
        out = jax.lax.conv_general_dilated(
            signal[None],
            w[:, None, :],
            window_strides=(1,),
            padding="VALID",
            rhs_dilation=(network.dilation,),
        )[0]
    else:
        out = w @ windows(signal, network.kernel, network.dilation, frames)
    return signal[:, frames:], (out + bias).T


def silence(channels: int, frames: int) -> Past:
    """Return silence [channels, frames] as the past of a convolution."""
    return jnp.zeros((channels, frames), jnp.float32) if channels * frames else ()


def past_of(state: Past, channels: int) -> jax.Array:
    """Return the past as an array [channels, frames], which may have no frames."""
    if isinstance(state, tuple):
        return jnp.asarray(np.zeros((channels, 0), np.float32))
    return state
