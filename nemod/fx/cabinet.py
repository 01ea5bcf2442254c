"""Cabinet: convolution with an impulse response, without latency.

Uniformly partitioned convolution in the frequency domain (T. G. Stockham, "High-speed convolution
and correlation", 1966; partitioned: W. G. Gardner, "Efficient convolution without input-output
delay", 1995), by overlap-add. The partitions are as long as a block of the device, or a whole part
of it. So a whole partition of input is there whenever the effect is called, no output waits for
later input, and every block costs the same: a complex product per tap and partition, and two
transforms. A block without such a part, such as one of 131 frames, is padded inside of the effect
(`_padded`).

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
SHORTEST_PARTITION = 32
"""[frames] A longer block is not divided into shorter ones, which cost a product per tap each."""


def length_class(taps: int) -> int:
    """Return the number of taps to which a response is padded.

    Responses of one class have the same program.
    """
    if taps <= WIDE_CLASS:
        return max(MIN_CLASS, 1 << (taps - 1).bit_length())
    return WIDE_CLASS * math.ceil(taps / WIDE_CLASS)


def partition_frames(frames: int) -> int:
    """Return the length of a partition: the largest whole part of a block that is short enough.

    Where that is too short, the parts of a block are as equal as they can be and the last one is
    padded.
    """
    fewest = math.ceil(frames / LONGEST_PARTITION)
    for parts in range(fewest, frames // min(frames, SHORTEST_PARTITION) + 1):
        if frames % parts == 0:
            return frames // parts
    return math.ceil(frames / fewest)


class CabinetWeights(NamedTuple):
    """A response, and the matrices of the transforms, which are the same for all."""

    spectra: jax.Array
    """float32 [2, 2 * partitions, bins]; see `spectra`, or `padded_spectra`."""
    forward: jax.Array
    """float32 [frames of a partition, 2 * bins]; see `transforms`."""
    back: jax.Array
    """float32 [2 * bins, 2 * frames of a partition]"""


class CabinetState(NamedTuple):
    """What is still to be heard of past inputs."""

    spectra: jax.Array
    """float32 [2, partitions, bins]: real and imaginary parts of the outputs to come, a ring; with
    padded blocks [2, blocks, partitions of a block, bins]."""
    position: jax.Array
    """int32 [1]: the partition of the ring that is the next output, or the block."""
    overlap: jax.Array
    """float32 [frames of a partition]: of the last output, what reaches into the next; zero with
    padded blocks."""


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


def padded_spectra(taps: NDArray[np.floating], frames: int, partition: int) -> NDArray[np.float32]:
    """Return the spectra of a response for blocks whose last partition is padded, twice.

    float32 [2, 2 * blocks, 2 * parts - 1, bins], where `parts` are the partitions of a block. At
    [block, parts - 1 + step] stands what an input does to the partition that is `step` partitions
    later (earlier if negative) in the block that is `block` blocks later.
    """
    parts = math.ceil(frames / partition)
    size = length_class(taps.size)
    blocks = (size + parts * partition - 2) // frames + 1
    # Of input t and output u, counted from the starts of their partitions: the response at
    # delay + u - t. So a window reaches one partition to either side of the delay.
    steps = np.arange(1 - parts, parts)
    delays = frames * np.arange(blocks)[:, None] + partition * steps
    before = parts * partition
    padded = np.zeros(before + int(delays.max()) + partition)
    padded[before : before + taps.size] = taps[: padded.size - before]
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * partition)
    bins = np.fft.rfft(windows[before + delays - partition])
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


def _padded(
    weights: CabinetWeights, state: CabinetState, block: Block, partition: int
) -> tuple[CabinetState, Block]:
    """Return the convolution of a block whose last partition is padded.

    The starts of the partitions lie on no even grid: from the last one of a block to the first one
    of the next it is less far than from any other to its next. So the spectra are those of windows
    of the response, one for each distance there is, and the ring is one of blocks; the outputs are
    what does not wrap (overlap-save).
    """
    coming, position, overlap = state
    _, blocks, parts, bins = coming.shape
    at = position[0]
    zero = jnp.zeros_like(at)
    # The block that was heard last is the farthest of those to come.
    heard = jnp.where(at == 0, blocks, at) - 1
    is_heard = (jnp.arange(blocks, dtype=jnp.int32) == heard)[None, :, None, None]
    coming = jnp.where(is_heard, 0.0, coming)

    def convolve(
        coming: jax.Array, numbered: tuple[jax.Array, jax.Array]
    ) -> tuple[jax.Array, jax.Array]:
        number, piece = numbered
        first = (zero, blocks - at, parts - 1 - number, zero)
        own = jax.lax.dynamic_slice(weights.spectra, first, coming.shape)
        real, imaginary = _product(piece, weights.forward).reshape(2, 1, 1, bins)
        coming = coming + jnp.stack(
            [real * own[0] - imaginary * own[1], imaginary * own[0] + real * own[1]]
        )
        now = jax.lax.dynamic_slice(coming, (zero, at, number, zero), (2, 1, 1, bins))
        return coming, _product(now.reshape(-1), weights.back)[partition:]

    frames = block.shape[0]
    pieces = jnp.pad(block, (0, parts * partition - frames)).reshape(parts, partition)
    numbers = jnp.arange(parts, dtype=jnp.int32)
    coming, out = jax.lax.scan(convolve, coming, (numbers, pieces))
    after = jnp.where(position + 1 == blocks, 0, position + 1)
    return CabinetState(coming, after, overlap), out.reshape(-1)[:frames]


def cabinet(taps: NDArray[np.floating], frames: int) -> Effect[CabinetWeights, CabinetState]:
    """Return the convolution with a response [taps], for blocks of `frames` alone.

    The controls are a switch, 0 for the input and 1 for the cabinet, and a gain of the cabinet, an
    amplitude ratio; at 0 no bit of the input changes. A sample that is not finite makes the output
    of its partition non-finite, and of the following ones.
    """
    partition = partition_frames(frames)
    is_padded = frames % partition != 0
    own_spectra = padded_spectra(taps, frames, partition) if is_padded else spectra(taps, partition)
    count = own_spectra.shape[1] // 2
    ring = (2, count, -(-frames // partition)) if is_padded else (2, count)
    weights = CabinetWeights(*map(jnp.asarray, (own_spectra, *transforms(partition))))

    def init(_weights: CabinetWeights, _controls: jax.Array) -> CabinetState:
        return CabinetState(
            jnp.zeros((*ring, partition + 1), jnp.float32),
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
        if is_padded:
            state, wet = _padded(weights, state, block, partition)
        elif partition == frames:
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
