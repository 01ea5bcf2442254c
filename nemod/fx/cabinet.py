"""Cabinet: convolution with an impulse response, without latency.

Uniformly partitioned convolution in the frequency domain (T. G. Stockham, "High-speed convolution
and correlation", 1966; partitioned: W. G. Gardner, "Efficient convolution without input-output
delay", 1995), by overlap-add. The partitions are as long as a block of the device, or a whole part
of it. So a whole partition of input is there whenever the effect is called, no output waits for
later input, and every block costs the same: a complex product per tap and partition, and two
transforms.

In the textbook's form spectra of past inputs are kept and summed over all partitions. Here, as in
the transposed form of a FIR filter, each input is multiplied with all partitions at once and added
to the spectra of the outputs to come: a loop without a sum, which fills vector registers. It also
means that the state does not depend on the response. The next rig's cabinet continues it, so that
what the former cabinet has begun rings out.

The transforms are products with a matrix, row by row. For partitions this short they cost a few
microseconds, and they can be a part of the one kernel that a rig is compiled into
(`nemod.fx.tools.fuse`), which a fast Fourier transform cannot.
"""

import math
from functools import cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from nemod.fx.effect import Block, Controls, Effect

ENABLE = "cab/enable"
LEVEL = "cab/level"

MIN_CLASS = 1024
"""[taps] Shortest class of lengths."""
WIDE_CLASS = 8192
"""[taps] Up to here a class is twice as long as the one before, beyond by this much longer."""
LONGEST_PARTITION = 128
"""[frames] The transforms of longer ones would cost more than they save."""


def length_class(taps: int) -> int:
    """Return the number of taps to which a response is padded.

    Responses of one class have the same program.
    """
    if taps <= WIDE_CLASS:
        return max(MIN_CLASS, 1 << (taps - 1).bit_length())
    return WIDE_CLASS * math.ceil(taps / WIDE_CLASS)


def partition_frames(frames: int) -> int:
    """Return the length of a partition: the largest whole part of a block that is short enough."""
    parts = range(math.ceil(frames / LONGEST_PARTITION), frames + 1)
    return frames // next(part for part in parts if frames % part == 0)


class CabinetWeights(NamedTuple):
    """A response, and the matrices of the transforms, which are the same for all."""

    spectra: jax.Array
    """float32 [2, 2 * partitions, bins]; see `spectra`."""
    forward: jax.Array
    """float32 [frames of a partition, 2 * bins]; see `transforms`."""
    back: jax.Array
    """float32 [2 * bins, 2 * frames of a partition]"""


class CabinetState(NamedTuple):
    """What is still to be heard of past inputs."""

    spectra: jax.Array
    """float32 [2, partitions, bins]: real and imaginary parts of the outputs to come, a ring."""
    position: jax.Array
    """int32 [1]: the partition of the ring that is the next output."""
    overlap: jax.Array
    """float32 [frames of a partition]: of the last output, what reaches into the next."""


def spectra(taps: NDArray[np.floating], partition: int) -> NDArray[np.float32]:
    """Return the spectra of a response, twice, in the order in which `process` reads them.

    float32 [2, 2 * partitions, bins], real and imaginary parts. The second copy spares the modulo
    where the ring has turned.
    """
    count = math.ceil(length_class(taps.size) / partition)
    padded = np.zeros(count * partition)
    padded[: taps.size] = taps
    bins = np.fft.rfft(padded.reshape(count, partition), 2 * partition)
    once = np.stack([bins.real, bins.imag]).astype(np.float32)
    return np.concatenate([once, once], axis=1)


@cache
def transforms(partition: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the matrices of the transform of a partition, and of the way back.

    float32 [partition, 2 * bins], of a block that is followed by as much silence, to the real and
    then the imaginary parts; and [2 * bins, 2 * partition].
    """
    forward = np.fft.rfft(np.eye(partition, 2 * partition))
    units = np.eye(partition + 1)
    back = np.fft.irfft(np.concatenate([units, 1j * units]), 2 * partition)
    both = np.concatenate([forward.real, forward.imag], axis=1)
    return both.astype(np.float32), back.astype(np.float32)


def _product(vector: jax.Array, matrix: jax.Array) -> jax.Array:
    """Return vector [n] times matrix [n, m], row by row.

    XLA's own product of this size is four times as slow within a kernel: its sums run over columns.
    """

    def add(row: int | jax.Array, total: jax.Array) -> jax.Array:
        factor: jax.Array = jax.lax.dynamic_index_in_dim(vector, row, keepdims=False)
        numbers: jax.Array = jax.lax.dynamic_index_in_dim(matrix, row, keepdims=False)
        return total + factor * numbers

    zeros = jnp.zeros(matrix.shape[1], jnp.float32)
    total: jax.Array = jax.lax.fori_loop(0, matrix.shape[0], add, zeros)
    return total


def cabinet(taps: NDArray[np.floating], frames: int) -> Effect[CabinetWeights, CabinetState]:
    """Return the convolution with a response [taps], for blocks of `frames` alone.

    The controls are a switch, 0 for the input and 1 for the cabinet, and a gain of the cabinet, an
    amplitude ratio; at 0 no bit of the input changes. A sample that is not finite makes the output
    of its partition non-finite, and of the following ones.
    """
    partition = partition_frames(frames)
    own_spectra = spectra(taps, partition)
    count = own_spectra.shape[1] // 2
    weights = CabinetWeights(*map(jnp.asarray, (own_spectra, *transforms(partition))))

    def init(_weights: CabinetWeights, _controls: jax.Array) -> CabinetState:
        return CabinetState(
            jnp.zeros((2, count, partition + 1), jnp.float32),
            jnp.zeros(1, jnp.int32),
            jnp.zeros(partition, jnp.float32),
        )

    def convolve(
        weights: CabinetWeights, state: CabinetState, block: Block
    ) -> tuple[CabinetState, Block]:
        """Return the convolution of one partition."""
        coming, position, overlap = state
        at = position[0]
        zero = jnp.zeros_like(at)
        own = jax.lax.dynamic_slice(weights.spectra, (zero, count - at, zero), coming.shape)
        # The partition that was heard last is the farthest of those to come.
        heard = jnp.where(at == 0, count, at) - 1
        is_heard = (jnp.arange(count, dtype=jnp.int32) == heard)[None, :, None]
        real, imaginary = _product(block, weights.forward).reshape(2, 1, partition + 1)
        product = jnp.stack(
            [real * own[0] - imaginary * own[1], imaginary * own[0] + real * own[1]]
        )
        coming = jnp.where(is_heard, 0.0, coming) + product
        now = jax.lax.dynamic_slice(coming, (zero, at, zero), (2, 1, partition + 1))
        sound = _product(now.reshape(-1), weights.back)
        after = jnp.where(position + 1 == count, 0, position + 1)
        out = sound[:partition] + overlap
        return CabinetState(coming, after, sound[partition:]), out

    def process(
        weights: CabinetWeights, controls: Controls, state: CabinetState, block: Block
    ) -> tuple[CabinetState, Block]:
        if block.shape[0] != frames:
            raise ValueError(f"a block of {block.shape[0]} frames; {frames} are expected")
        if partition == frames:
            state, wet = convolve(weights, state, block)
        else:
            state, wet = jax.lax.scan(
                lambda memory, piece: convolve(weights, memory, piece),
                state,
                block.reshape(-1, partition),
            )
        out = (1.0 - controls[0]) * block + controls[0] * (wet.reshape(-1) * controls[1])
        return state, out

    return Effect(
        name="cabinet",
        controls=(ENABLE, LEVEL),
        weights=weights,
        init=init,
        process=process,
        tails=lambda state: {"cabinet": state},
    )
