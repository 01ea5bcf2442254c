"""How a model is played on a device whose rate is not its own: one decision, and its reasons.

`delay` feeds a recurrent network's state back later (`nemod.formats.state_delay`): no latency, and
a gain of at most 1 inside the loop. `resample` runs the model at its own rate between two streaming
resamplers (`nemod.engine.resampled`): the smaller error, for 2 to 3 ms of latency.

Which recurrent pairs are accurate with `delay` follows from its error, against third-order Lagrange
interpolation: at most 3 dB may be lost to it where it is stable. No causal filter without gain and
with a mean delay of 1 + d frames has less of a third-order term than a first-order all-pass (a
consequence of Schwarz's lemma), d (1 - d^2) / 12 times w^3, and the interpolator is within 2 dB of
that. At a fixed frequency in Hz, for a frame of the model, that is proportional to `delay_error`.
At 44.1 to 48 kHz it costs at most 3 dB (measured: `docs/rates.md`); at ratios from 1.33 to 1.5,
where it is larger, it costs up to 12.5 (`docs/rate-pairs.md`). So no pair is delayed whose
`delay_error` is above that of 44.1 to 48 kHz: between ratios of 1.089 and 1.72 a model is
resampled.

Near a ratio of 1 the model's rate matters too. There Lagrange interpolation has a gain of at most
1.008 and is stable in practice; its error begins with the fourth order, d (1 - d) (2 - d) (3 - d) /
24 times w^4, so at a fixed frequency `delay` loses in proportion to the model's rate. No pair is
delayed that loses more than 44.1 to 48 kHz: at 88.2 to 96 and 176.4 to 192 kHz it would be above
3 dB. From a ratio of 1.72 on Lagrange interpolation makes models oscillate, so there is nothing to
lose, and from 2 on the interpolator is the same, for there its gain is not above 1.
"""

from typing import Literal

from nemod.formats.network import Network
from nemod.formats.rate import is_memoryless, is_recurrent

RatePolicy = Literal["exact", "delay", "resample"]

ACCURATE_PAIR_HZ = (44_100, 48_000)
"""The least accurate pair of a model's and a device's rate that is delayed."""


def delay_error(ratio: float) -> float:
    """Return the third-order error of the best delay for 1 <= `ratio` < 2, up to a factor.

    It is zero at whole ratios and largest near 1.35.
    """
    part = ratio - 1.0
    return part * (1.0 - part**2) / ratio**3


def delay_loss(model_rate_hz: int, rate_hz: int) -> float:
    """Return the error of the best delay over that of Lagrange interpolation, up to a factor.

    That is, the third-order term of the one over the fourth-order term of the other, at a fixed
    frequency in Hz, for ratios from 1 to 2.
    """
    part = rate_hz / model_rate_hz - 1.0
    return model_rate_hz * (1.0 + part) / ((2.0 - part) * (3.0 - part))


def is_delay_accurate(model_rate_hz: int, rate_hz: int) -> bool:
    """Return whether a state that is fed back later is near enough to the true one."""
    ratio, limit = rate_hz / model_rate_hz, ACCURATE_PAIR_HZ[1] / ACCURATE_PAIR_HZ[0]
    if ratio < 1.0 or ratio >= 2.0:
        return ratio >= 2.0
    # Of the ratios with a small error, those near 1 and those above 1.72, only the former lose.
    # The margins are for ratios that are equal but for their rounding, such as 24 to 22.05 kHz.
    is_small = delay_error(ratio) <= delay_error(limit) * (1.0 + 1e-9)
    largest_loss = delay_loss(*ACCURATE_PAIR_HZ) * (1.0 + 1e-9)
    return is_small and (ratio > 1.5 or delay_loss(model_rate_hz, rate_hz) <= largest_loss)


def rate_policy(network: Network, model_rate_hz: int, rate_hz: int) -> RatePolicy:
    """Return how a network is played at a device's rate.

    `exact`: at its own rate, or it has no memory. `delay`: a recurrent network on a faster device,
    where that is accurate. `resample`: all others; below the model's rate the delay would need
    states that are not known yet.
    """
    if model_rate_hz == rate_hz or is_memoryless(network):
        return "exact"
    if is_recurrent(network) and is_delay_accurate(model_rate_hz, rate_hz):
        return "delay"
    return "resample"
