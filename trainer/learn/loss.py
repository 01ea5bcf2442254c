"""Computes the training loss: ESR, DC and multi-resolution STFT.

E. Damskägg, L. Juvela, E. Thuillier and V. Välimäki, "Deep learning for tube amplifier emulation",
2019, give the error-to-signal ratio

    ESR = sum (y - ŷ)² / sum y²

of pre-emphasised signals; A. Wright, E. Damskägg and V. Välimäki, "Real-time black-box modelling
with recurrent neural networks", 2019, add the difference of the means,

    DC = (1/N sum (y - ŷ))² / (1/N sum y²),

without pre-emphasis, and weight the two. The sums run over a segment: here over the frames of one
step, separately for each signal of the batch, and the results are averaged over the batch. The
ratios are undefined for a silent target, so a floor is added to the energy: error / (energy + N
floor), with the floor in power per frame.

Signals are [frames, batch].
"""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from trainer.learn.recipe import Recipe

FIRST_ORDER = 0.85
"""Pre-emphasis 1 - 0.85 / z of the papers above."""
STFT_SIZES = ((1024, 120, 600), (2048, 240, 1200), (512, 50, 240))
"""[frames] Transform, hop and window of each resolution (R. Yamamoto, E. Song and J. Kim, "Parallel
WaveGAN", 2020; C. J. Steinmetz and J. D. Reiss, "auraloss", 2020)."""
STFT_FLOOR = 1e-8
"""Lowest power of a bin, which keeps the logarithm finite."""
A_WEIGHT_TAPS = 255


def esr(target: jax.Array, output: jax.Array, floor: float | jax.Array) -> jax.Array:
    """Return the error-to-signal ratio of each signal [batch]; `floor` in power per frame."""
    frames = target.shape[0]
    return jnp.sum((target - output) ** 2, 0) / (jnp.sum(target**2, 0) + frames * floor)


def dc(target: jax.Array, output: jax.Array, floor: float | jax.Array) -> jax.Array:
    """Return the squared difference of the means over the power of each signal [batch]."""
    return jnp.mean(target - output, 0) ** 2 / (jnp.mean(target**2, 0) + floor)


@cache
def taps(pre_emphasis: str, rate: int) -> NDArray[np.float32]:
    """Return the impulse response of a pre-emphasis, the newest sample first."""
    if pre_emphasis == "first-order":
        return np.array([1.0, -FIRST_ORDER], np.float32)
    if pre_emphasis == "a-weight":
        return _a_weight(rate)
    return np.ones(1, np.float32)


def _a_weight(rate: int) -> NDArray[np.float32]:
    """Return the A-curve of IEC 61672-1 as a linear-phase filter, low-passed by 1 + 0.85 / z.

    A. Wright and V. Välimäki, "Perceptual loss function for neural modelling of audio systems",
    2020, call it low-passed A-weighting.
    """
    from scipy.signal import firwin2

    hz = np.linspace(0.0, rate / 2.0, 513)
    f2 = hz**2
    curve = (12_194.0**2 * f2**2) / (
        (f2 + 20.6**2) * np.sqrt((f2 + 107.7**2) * (f2 + 737.9**2)) * (f2 + 12_194.0**2)
    )
    shaped = firwin2(A_WEIGHT_TAPS, hz, curve * 10.0 ** (2.0 / 20.0), fs=rate)
    return np.convolve(shaped, [1.0, FIRST_ORDER]).astype(np.float32)


def emphasised(signal: jax.Array, response: NDArray[np.float32]) -> jax.Array:
    """Return the filtered signal without the frames that lack preceding samples."""
    if response.size == 1:
        return signal
    last = response.size - 1
    if response.size <= 4:
        total: jax.Array = response[0] * signal[last:]
        for delay in range(1, response.size):
            total = total + response[delay] * signal[last - delay : signal.shape[0] - delay]
        return total
    rows = signal.T[:, None]
    kernel = jnp.asarray(response[::-1].copy())[None, None]
    return jax.lax.conv_general_dilated(rows, kernel, (1,), "VALID")[:, 0].T


def spectrum(signal: jax.Array, size: int, hop: int, window: int) -> jax.Array:
    """Return magnitudes [batch, times, bins] with a Hann window; only whole windows are used."""
    frames = signal.shape[0]
    at = np.arange(0, frames - window + 1, hop)[:, None] + np.arange(window)[None]
    shape = np.hanning(window + 1)[:-1].astype(np.float32)
    pieces = signal.T[:, at] * shape[None, None]
    bins = jnp.fft.rfft(pieces, n=size, axis=2)
    return jnp.sqrt(jnp.maximum(bins.real**2 + bins.imag**2, STFT_FLOOR))


def stft(target: jax.Array, output: jax.Array) -> jax.Array:
    """Return spectral convergence plus log magnitude error, averaged over the resolutions, [].

    Resolutions whose window is longer than the signal are omitted.
    """
    terms = []
    for size, hop, window in STFT_SIZES:
        if window > target.shape[0]:
            continue
        wanted, got = (spectrum(signal, size, hop, window) for signal in (target, output))
        apart = jnp.sqrt(jnp.sum((wanted - got) ** 2, (1, 2)) / jnp.sum(wanted**2, (1, 2)))
        logs = jnp.mean(jnp.abs(jnp.log(wanted) - jnp.log(got)), (1, 2))
        terms.append(jnp.mean(apart + logs))
    return jnp.stack(terms).mean()


def loss(
    recipe: Recipe, rate: int, floor: float, target: jax.Array, output: jax.Array
) -> jax.Array:
    """Return the training loss []; `floor` is added to the power of each target."""
    response = taps(recipe.pre_emphasis, rate)
    # Pre-emphasis changes the power of the signals, and of the floor with them.
    gain = float(np.sum(response.astype(np.float64) ** 2))
    emphasised_esr = esr(emphasised(target, response), emphasised(output, response), floor * gain)
    total = recipe.esr_weight * jnp.mean(emphasised_esr)
    total = total + recipe.dc_weight * jnp.mean(dc(target, output, floor))
    if recipe.stft_weight:
        total = total + recipe.stft_weight * stft(target, output)
    return total
