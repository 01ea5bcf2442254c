"""How a model is played on a device whose rate is not its own: one decision, and its reasons.

`delay` feeds a recurrent network's state back later (`nemod.formats.state_delay`): no latency, and
a gain of at most 1 inside the loop. `resample` runs the model at its own rate between two streaming
resamplers (`nemod.engine.resampled`): the smallest error everywhere, for 2 to 3 ms of latency.

Which recurrent pairs are accurate with `delay` follows from the third-order term of its error. No
causal filter without gain and with a mean delay of 1 + d frames has less of it than a first-order
all-pass (a consequence of Schwarz's lemma), d (1 - d^2) / 12 times w^3, and the interpolator is
within 2 dB of that. At a fixed frequency in Hz, for a frame of the model, that is proportional to
`delay_error`. At 44.1 to 48 kHz it costs at most 3 dB against third-order Lagrange interpolation,
whose gain there is above 1 (measured: `docs/rates.md`); at 48 to 64 kHz, 32 to 44.1 kHz and
32 to 48 kHz, where it is larger, it costs up to 8. So no pair is delayed whose `delay_error` is
above that of 44.1 to 48 kHz: between ratios of 1.089 and 1.72 a model is resampled. From a ratio of
2 on the interpolator is the same as ever, for there its gain is not above 1.
"""

from typing import Literal

from nemod.formats.network import Network
from nemod.formats.rate import is_memoryless, is_recurrent

RatePolicy = Literal["exact", "delay", "resample"]

LARGEST_ACCURATE_RATIO = 48_000 / 44_100
"""Up to this ratio, and from where the error is as small again, the state is delayed."""


def delay_error(ratio: float) -> float:
    """Return the third-order error of the best delay for 1 <= `ratio` < 2, up to a factor.

    It is zero at whole ratios and largest near 1.35.
    """
    part = ratio - 1.0
    return part * (1.0 - part**2) / ratio**3


def is_delay_accurate(ratio: float) -> bool:
    """Return whether a state that is delayed by `ratio` frames is near enough to the true one."""
    if ratio < 1.0:
        return False
    # The margin is for ratios that are equal but for their rounding, such as 24 to 22.05 kHz.
    return ratio >= 2.0 or delay_error(ratio) <= delay_error(LARGEST_ACCURATE_RATIO) * (1.0 + 1e-9)


def rate_policy(network: Network, model_rate_hz: int, rate_hz: int) -> RatePolicy:
    """Return how a network is played at a device's rate.

    `exact`: at its own rate, or it has no memory. `delay`: a recurrent network on a faster device,
    where that is accurate. `resample`: all others; below the model's rate the delay would need
    states that are not known yet.
    """
    if model_rate_hz == rate_hz or is_memoryless(network):
        return "exact"
    if is_recurrent(network) and is_delay_accurate(rate_hz / model_rate_hz):
        return "delay"
    return "resample"
