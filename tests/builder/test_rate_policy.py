"""How a model meets another rate: the decision for every pair of rates from 8 to 192 kHz."""

import numpy as np
import pytest

from nemod.builder.rate_policy import delay_error, delay_loss, is_delay_accurate, rate_policy
from nemod.formats.network import Dense, Gru, Lstm, Stack
from tests.formats.test_state_delay import RATES_HZ

RECURRENT = Stack((Lstm(1, 4), Dense(4, 1)))


@pytest.mark.parametrize(
    ("model_hz", "device_hz", "policy"),
    [
        (48_000, 48_000, "exact"),
        (44_100, 48_000, "delay"),
        (22_050, 24_000, "delay"),
        (88_200, 96_000, "resample"),
        (176_400, 192_000, "resample"),
        (11_025, 12_000, "delay"),
        (48_000, 64_000, "resample"),
        (32_000, 44_100, "resample"),
        (44_100, 64_000, "resample"),
        (32_000, 48_000, "resample"),
        (48_000, 88_200, "delay"),
        (24_000, 44_100, "delay"),
        (48_000, 96_000, "delay"),
        (44_100, 96_000, "delay"),
        (48_000, 176_400, "delay"),
        (44_100, 192_000, "delay"),
        (48_000, 44_100, "resample"),
        (48_000, 47_999, "resample"),
        (96_000, 48_000, "resample"),
    ],
)
def test_the_policy_of_a_pair(model_hz: int, device_hz: int, policy: str) -> None:
    """Delayed where that is accurate, resampled elsewhere."""
    assert rate_policy(RECURRENT, model_hz, device_hz) == policy
    assert rate_policy(Gru(1, 4), model_hz, device_hz) == policy
    memoryless = "exact"
    assert rate_policy(Dense(1, 1), model_hz, device_hz) == memoryless


def test_every_pair_follows_the_error() -> None:
    """`delay` where error and, near a ratio of 1, loss are no larger than at 44.1 to 48 kHz.

    The error is the third-order term of the best delay. The loss is that term over the fourth-order
    one of Lagrange interpolation between 1, 2, 3 and 4 frames: the product of 1 + d - k over these.
    """
    d = 48_000 / 44_100 - 1.0
    largest = d * (1.0 - d**2) / (1.0 + d) ** 3
    largest_loss = 44_100 * d * (1.0 - d**2) / (d * (1.0 - d) * (2.0 - d) * (3.0 - d))
    for model_hz in RATES_HZ:
        for device_hz in RATES_HZ:
            ratio = device_hz / model_hz
            part = ratio - 1.0
            error = part * (1.0 - part**2) / ratio**3 if 1.0 <= ratio < 2.0 else 0.0
            delayed = ratio > 1.0 and error <= largest * (1.0 + 1e-9)
            if 1.0 < ratio < 1.1:
                lagrange = part * (1.0 - part) * (2.0 - part) * (3.0 - part)
                loss = model_hz * part * (1.0 - part**2) / lagrange
                delayed = delayed and loss <= largest_loss * (1.0 + 1e-9)
            expected = "exact" if ratio == 1.0 else "delay" if delayed else "resample"
            assert rate_policy(RECURRENT, model_hz, device_hz) == expected, (model_hz, device_hz)


def test_the_error_per_frame_of_the_model() -> None:
    """At 32 to 48 kHz 0.5 x 0.75 / 1.5^3 = 1/9; none at whole ratios; 1/8 is the largest."""
    assert delay_error(1.5) == pytest.approx(1.0 / 9.0)
    assert delay_error(1.0) == delay_error(2.0) == 0.0
    assert delay_error(4.0 / 3.0) == pytest.approx(1.0 / 8.0)
    assert max(delay_error(r) for r in np.linspace(1.0, 2.0, 3001)) == pytest.approx(1.0 / 8.0)


def test_the_loss_is_the_ratio_of_the_two_errors() -> None:
    """At 40 to 60 kHz: d = 0.5, 40000 x 1.5 / (1.5 x 2.5) = 16000; twice that at twice the rate."""
    assert delay_loss(40_000, 60_000) == pytest.approx(16_000.0)
    assert delay_loss(80_000, 120_000) == pytest.approx(32_000.0)


def test_the_gap_between_the_accurate_ratios() -> None:
    """From 48 / 44.1 to 1.7204, where d (1 - d^2) / (1 + d)^3 has the same value again."""
    assert [is_delay_accurate(44_100, hz) for hz in (47_999, 48_000, 48_001)] == [True, True, False]
    assert not is_delay_accurate(100_000, 172_040)
    assert is_delay_accurate(100_000, 172_050)
    assert not is_delay_accurate(48_000, 47_999)


def test_near_a_ratio_of_1_the_models_rate_matters() -> None:
    """At 48 / 44.1 up to 44.1 kHz; near 1 up to 44.1 x 1.08844 x 6 / 1.91156 / 2.91156 = 51.746."""
    assert [is_delay_accurate(147 * n, 160 * n) for n in (299, 300, 301)] == [True, True, False]
    assert is_delay_accurate(51_740, 51_741)
    assert not is_delay_accurate(51_750, 51_751)
