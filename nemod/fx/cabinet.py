"""Cabinet: convolution with an impulse response, without latency.

Uniformly partitioned convolution in the frequency domain (T. G. Stockham, "High-speed convolution
and correlation", 1966; partitioned: W. G. Gardner, "Efficient convolution without input-output
delay", 1995), by overlap-add. The partitions are as long as a block of the device. So a whole
partition of input is there whenever the effect is called, no output waits for later input, and
every block costs the same: two transforms, and a complex product per tap.

In the textbook's form spectra of past inputs are kept and summed over all partitions. Here, as in
the transposed form of a FIR filter, each input is multiplied with all partitions at once and added
to the spectra of the outputs to come: a loop without a sum, which fills vector registers. It also
means that the state does not depend on the response. The next rig's cabinet continues it, so that
what the former cabinet has begun rings out.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from nemod.fx.effect import Block, Controls, Effect
from nemod.fx.tools.fuse import fused

ENABLE = "cab/enable"
LEVEL = "cab/level"

MIN_CLASS = 1024
"""[taps] Shortest class of lengths."""
WIDE_CLASS = 8192
"""[taps] Up to here a class is twice as long as the one before, beyond by this much longer."""


def length_class(taps: int) -> int:
    """Return the number of taps to which a response is padded.

    Responses of one class have the same program.
    """
    if taps <= WIDE_CLASS:
        return max(MIN_CLASS, 1 << (taps - 1).bit_length())
    return WIDE_CLASS * math.ceil(taps / WIDE_CLASS)


class CabinetState(NamedTuple):
    """What is still to be heard of past inputs."""

    spectra: jax.Array
    """float32 [2, partitions, bins]: real and imaginary parts of the outputs to come, a ring."""
    position: jax.Array
    """int32 [1]: the partition of the ring that is the next output."""
    overlap: jax.Array
    """float32 [frames]: the part of the last output that reaches into the next."""


def transform_frames(frames: int) -> int:
    """Return the length of the transform: at least twice a partition, and of small factors."""
    size = 2 * frames
    while _rough_part(size) > 1:
        size += 2
    return size


def _rough_part(number: int) -> int:
    """Return a number without its factors 2, 3 and 5; the others make a transform slow."""
    for factor in (2, 3, 5):
        while number % factor == 0:
            number //= factor
    return number


def spectra(taps: NDArray[np.floating], frames: int) -> NDArray[np.float32]:
    """Return the spectra of a response, twice, in the order in which `process` reads them.

    float32 [2, 2 * partitions, bins], real and imaginary parts. The second copy spares the modulo
    where the ring has turned.
    """
    count = math.ceil(length_class(taps.size) / frames)
    padded = np.zeros(count * frames)
    padded[: taps.size] = taps
    bins = np.fft.rfft(padded.reshape(count, frames), transform_frames(frames))
    once = np.stack([bins.real, bins.imag]).astype(np.float32)
    return np.concatenate([once, once], axis=1)


def cabinet(taps: NDArray[np.floating], frames: int) -> Effect[jax.Array, CabinetState]:
    """Return the convolution with a response [taps], for blocks of `frames` alone.

    The controls are a switch, 0 for the input and 1 for the cabinet, and a gain of the cabinet, an
    amplitude ratio; at 0 no bit of the input changes. A sample that is not finite makes the output
    of its block non-finite, and of the following ones.
    """
    weights = jnp.asarray(spectra(taps, frames))
    count = weights.shape[1] // 2
    size = transform_frames(frames)

    def init(_weights: jax.Array, _controls: jax.Array) -> CabinetState:
        return CabinetState(
            jnp.zeros((2, count, size // 2 + 1), jnp.float32),
            jnp.zeros(1, jnp.int32),
            jnp.zeros(frames, jnp.float32),
        )

    def process(
        weights: jax.Array, controls: Controls, state: CabinetState, block: Block
    ) -> tuple[CabinetState, Block]:
        if block.shape[0] != frames:
            raise ValueError(f"a block of {block.shape[0]} frames; {frames} are expected")
        spectrum = jnp.fft.rfft(block, size)

        def accumulate(
            ring: tuple[jax.Array, jax.Array], real: jax.Array, imaginary: jax.Array
        ) -> tuple[tuple[jax.Array, jax.Array], jax.Array]:
            coming, position = ring
            at = position[0]
            zero = jnp.zeros_like(at)
            own = jax.lax.dynamic_slice(weights, (zero, count - at, zero), coming.shape)
            # The partition that was heard last is the farthest of those to come.
            heard = jnp.where(at == 0, count, at) - 1
            is_heard = (jnp.arange(count, dtype=jnp.int32) == heard)[None, :, None]
            product = jnp.stack(
                [real * own[0] - imaginary * own[1], imaginary * own[0] + real * own[1]]
            )
            coming = jnp.where(is_heard, 0.0, coming) + product
            now = jax.lax.dynamic_slice(coming, (zero, at, zero), (2, 1, coming.shape[2]))
            after = jnp.where(position + 1 == count, 0, position + 1)
            return (coming, after), now[:, 0]

        (coming, position), now = fused(accumulate)(
            (state.spectra, state.position), spectrum.real[None], spectrum.imag[None]
        )
        sound = jnp.fft.irfft(jax.lax.complex(now[0], now[1]), size)
        wet = (sound[:frames] + state.overlap) * controls[1]
        out = (1.0 - controls[0]) * block + controls[0] * wet
        return CabinetState(coming, position, sound[frames : 2 * frames]), out

    return Effect(
        name="cabinet",
        controls=(ENABLE, LEVEL),
        weights=weights,
        init=init,
        process=process,
        tails=lambda state: {"cabinet": state},
    )
