"""The delay inside a recurrence that runs at another rate: FIR weights whose gain is never above 1.

A recurrence feeds its state back after one frame of the rate that it was trained at. At a rate
`ratio` times as high that time is `ratio` frames, mostly not a whole number, so the state is
interpolated between frames: A. Carson, A. Wright, J. Chowdhury, V. Valimaki and S. Bilbao, "Sample
rate independent recurrent neural networks for audio effects processing", DAFx 2024.

The interpolator stands inside a loop. Where its gain exceeds 1 at any frequency, a cell with a
forget gate near 1 has a loop gain above 1 there and oscillates; where it does not, every linear
loop that is stable with a whole delay stays stable (maximum modulus). Lagrange interpolation of
third order keeps to that only between the middle two of its points (T. I. Laakso et al., "Splitting
the unit delay", IEEE Signal Processing Magazine 13(1), 1996), which needs a delay of two frames.
"""

import math

import numpy as np
from numpy.typing import NDArray

TAPS = 8
"""[frames] Length of the interpolator for delays of one to two frames.

Measured at 44.1 to 48 kHz (`tests/benchmarks/rates.py`): the error is within 3 dB of third-order
Lagrange interpolation for every model with 8, not with 6; further taps gain less than 1 dB.
"""
_WHOLE = 1e-9
"""[frames] A delay this near to a whole number counts as one."""
_LARGEST_RHO = 1e12


def state_taps(ratio: float) -> tuple[float, ...]:
    """Return the weights of the states 1, 2, ... frames ago for a delay of `ratio` frames.

    A whole number of frames is one tap. The weights sum to 1, their mean delay is `ratio`, and the
    gain is at most 1 at every frequency. Raises: ValueError below one frame, which would need
    states that are not known yet.
    """
    if ratio < 1.0 - _WHOLE:
        raise ValueError(f"a delay of {ratio} frames: at least 1 is expected")
    if abs(ratio - round(ratio)) < _WHOLE:
        return (*(0.0,) * (round(ratio) - 1), 1.0)
    if ratio < 2.0:
        return tuple(flat_gain_delay(ratio - 1.0, TAPS).tolist())
    first = math.floor(ratio) - 1
    return (*(0.0,) * (first - 1), *lagrange_delay(ratio, range(first, first + 4)))


def lagrange_delay(delay: float, points: range) -> tuple[float, ...]:
    """Return the weights that interpolate a polynomial through `points` [frames] at `delay`."""
    return tuple(
        math.prod((delay - other) / (point - other) for other in points if other != point)
        for point in points
    )


def flat_gain_delay(delay: float, taps: int) -> NDArray[np.float64]:
    """Return a FIR filter [taps] that delays by 0 < `delay` < 1 frames, its gain at most 1.

    Its squared gain is 1 - (s / rho)^n with n = taps - 1, s = 4 sin^2(w / 2) and rho >= 4: as flat
    at 0 Hz as its length allows. The zeros follow: s_k = rho e^(2 pi i k / n), and s = 2 - z - 1/z
    has one root inside the unit circle. With all of them inside, the delay falls from its largest
    at rho = 4 to 0; with the real one (k = 0) outside, it rises from there to 1. Two taps are
    linear interpolation, three are Lagrange interpolation of second order.
    """
    outside = delay > _mean_delay(_zeros(4.0, taps - 1, outside=False))
    low, high = math.log(4.0), math.log(_LARGEST_RHO)
    for _ in range(60):
        middle = (low + high) / 2.0
        found = _mean_delay(_zeros(math.exp(middle), taps - 1, outside=outside))
        if (found < delay) == outside:
            low = middle
        else:
            high = middle
    weights = np.asarray(np.poly(_zeros(math.exp(low), taps - 1, outside=outside)).real)
    return np.asarray(weights / weights.sum())


def _zeros(rho: float, count: int, *, outside: bool) -> NDArray[np.complex128]:
    """Return the filter's zeros; `outside` reflects the real negative one at the unit circle."""
    half = 1.0 - rho * np.exp(2j * np.pi * np.arange(count) / count) / 2.0
    # The roots' product is 1: the larger one is found without cancellation, and inverted.
    root = np.sqrt(half * half - 1.0)
    larger = np.where(np.abs(half + root) > np.abs(half - root), half + root, half - root)
    zeros = 1.0 / larger
    if outside:
        zeros[0] = larger[0]
    return np.asarray(zeros)


def _mean_delay(zeros: NDArray[np.complex128]) -> float:
    """Return the delay [frames] at 0 Hz of a filter with these zeros."""
    return float(np.sum(-zeros / (1.0 - zeros)).real)
