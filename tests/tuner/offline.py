"""Pitch of a recording, offline and by other means than the tuner's: what it is compared with.

The frequencies of the partials are the maxima of a long, finely sampled spectrum (a Kaiser window,
32 times zero padding, a parabola through the logarithms); pitch and inharmonicity follow from all
partials by unweighted robust least squares of scipy.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

WINDOW_S = 0.5
PADDING = 32
BETA = 12.0


def partials_of(
    sound: NDArray[np.float64], rate_hz: int, about_hz: float, highest_hz: float = 3000.0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return numbers and frequencies of the partials within 40 dB of the strongest."""
    size = PADDING * (1 << (sound.size - 1).bit_length())
    levels = np.log(np.abs(np.fft.rfft(sound * np.kaiser(sound.size, BETA), size)) + 1e-12)
    bin_hz = rate_hz / size
    numbers, hertz, heights = [], [], []
    for number in range(1, min(10, int(highest_hz / about_hz)) + 1):
        low, high = (int(number * about_hz * f / bin_hz) for f in (0.985, 1.015))
        at = low + int(np.argmax(levels[low:high]))
        if low < at < high - 1:
            before, here, after = levels[at - 1 : at + 2]
            numbers.append(number)
            hertz.append((at + 0.5 * (before - after) / (before - 2.0 * here + after)) * bin_hz)
            heights.append(here)
    strong = np.array(heights) > max(heights) - np.log(100.0)
    return np.array(numbers)[strong], np.array(hertz)[strong]


def pitch_of(sound: NDArray[np.float64], rate_hz: int, about_hz: float) -> tuple[float, float]:
    """Return the pitch [Hz] of a sound and the median misfit [cents] of its partials."""
    numbers, hertz = partials_of(sound, rate_hz, about_hz)

    def errors(guess: NDArray[np.float64]) -> NDArray[np.float64]:
        pitch, stiffness = about_hz * 2.0 ** (guess[0] / 1200.0), abs(guess[1]) * 1e-4
        model = numbers * pitch * np.sqrt((1 + stiffness * numbers**2) / (1 + stiffness))
        return np.asarray(1200.0 * np.log2(hertz / model))

    found = least_squares(errors, [0.0, 0.5], loss="soft_l1", f_scale=1.0)
    return float(about_hz * 2.0 ** (found.x[0] / 1200.0)), float(np.median(np.abs(found.fun)))
