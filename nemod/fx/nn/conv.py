"""Causal dilated convolution over a block, with the last input frames as state.

The taps are gathered into one matrix and multiplied in one matrix product: with the few channels
of audio models that is several times faster on a CPU than XLA's convolution. All arrays here are
[channels, frames], so that gathering copies contiguous frames.
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


def gather(past: jax.Array, block: jax.Array, kernel: int, dilation: int) -> list[jax.Array]:
    """Return the taps [channels, frames], the oldest first.

    `past` is [channels, (kernel - 1) * dilation], the frames before `block`.
    """
    frames = block.shape[1]
    total = past.shape[1]
    taps = []
    for tap in range(kernel):
        delay = dilation * (kernel - 1 - tap)
        if delay == 0:
            taps.append(block)
        elif delay >= frames:
            taps.append(past[:, total - delay : total - delay + frames])
        else:
            taps.append(jnp.concatenate([past[:, total - delay :], block[:, : frames - delay]], 1))
    return taps


def windows(
    signal: jax.Array, start: jax.Array | int, kernel: int, dilation: jax.Array | int, frames: int
) -> jax.Array:
    """Return the taps of `signal` [channels, ...] from `start` on, [kernel * channels, frames].

    The oldest tap first, as concatenating the result of `gather`, but as one operation: the taps
    of a long kernel as many small operations would be dispatched to XLA's thread pool.
    """
    tap = np.arange(kernel, dtype=np.int32)[:, None] * jnp.int32(dilation)
    at = jnp.int32(start) + tap + np.arange(frames, dtype=np.int32)[None]
    taken = signal.at[:, at].get(mode="promise_in_bounds")
    return taken.transpose(1, 0, 2).reshape(kernel * signal.shape[0], frames)


def remember(past: jax.Array, block: jax.Array) -> list[jax.Array]:
    """Return the new past as a list of pieces, to be concatenated along the frames."""
    frames = block.shape[1]
    total = past.shape[1]
    if total > frames:
        return [past[:, frames:], block]
    return [block[:, frames - total :]]


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
    after = jnp.concatenate(remember(state, block), 1)
    if network.kernel >= LONG_KERNEL and network.inputs == 1:
        signal = jnp.concatenate([state, block], 1)[None]
        out = jax.lax.conv_general_dilated(
            signal,
            w[:, None, :],
            window_strides=(1,),
            padding="VALID",
            rhs_dilation=(network.dilation,),
        )[0]
    else:
        taps = gather(state, block, network.kernel, network.dilation)
        out = w @ jnp.concatenate(taps, 0)
    return after, (out + bias).T


def silence(channels: int, frames: int) -> Past:
    """Return silence [channels, frames] as the past of a convolution."""
    return jnp.zeros((channels, frames), jnp.float32) if channels * frames else ()


def past_of(state: Past, channels: int) -> jax.Array:
    """Return the past as an array [channels, frames], which may have no frames."""
    if isinstance(state, tuple):
        return jnp.asarray(np.zeros((channels, 0), np.float32))
    return state
