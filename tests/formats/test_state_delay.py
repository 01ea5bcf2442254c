"""The delay inside a recurrence: exact in its mean, flat at 0 Hz, and never with gain."""

import numpy as np
import pytest
from numpy.typing import NDArray

from nemod.formats.state_delay import TAPS, flat_gain_delay, lagrange_delay, state_taps

RATES_HZ = (
    8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 64_000, 88_200, 96_000,
    176_400, 192_000,
)  # fmt: skip
PAIRS = [high / low for low in RATES_HZ for high in RATES_HZ if high > low]
OMEGA = np.linspace(0.0, np.pi, 1601)
"""[rad a frame]"""


def response(weights: object, first: int = 1) -> NDArray[np.complex128]:
    """Return the frequency response at `OMEGA` of weights for frames `first`, `first` + 1, ..."""
    taps = np.asarray(weights, np.float64)
    return np.asarray(np.exp(-1j * np.outer(OMEGA, first + np.arange(taps.size))) @ taps)


def test_the_gain_is_at_most_1_at_every_frequency() -> None:
    """Inside a loop a gain above 1 is an oscillation. All pairs of rates and a grid of ratios."""
    near = 1.0 + np.geomspace(1e-8, 1.0, 60)
    for ratio in (*PAIRS, *near, *(3.0 - near), *np.linspace(1, 2, 101), *np.linspace(2, 26, 121)):
        gain = np.abs(response(state_taps(float(ratio)))).max()
        assert gain <= 1.0 + 1e-9, ratio


def test_a_cubic_would_have_gain() -> None:
    """The check above would notice: the figures of third-order Lagrange interpolation."""
    gains = {
        rates: np.abs(response(lagrange_delay(rates[1] / rates[0], range(1, 5)))).max()
        for rates in ((48.0, 88.2), (32.0, 48.0), (44.1, 48.0))
    }
    assert gains[48.0, 88.2] == pytest.approx(1.158, abs=5e-4)
    assert gains[32.0, 48.0] == pytest.approx(1.089, abs=5e-4)
    assert gains[44.1, 48.0] == pytest.approx(1.008, abs=5e-4)


@pytest.mark.parametrize("ratio", [*PAIRS, 1.0001, 1.17, 1.5, 1.7205, 1.999, 2.5, 7.3])
def test_the_mean_delay_is_the_ratio(ratio: float) -> None:
    """A parabola is delayed exactly: the weights' sum and first two moments are right."""
    taps = np.array(state_taps(ratio))
    frames = 1 + np.arange(taps.size)
    assert taps.sum() == pytest.approx(1.0, abs=1e-12)
    assert taps @ frames == pytest.approx(ratio, abs=1e-9)
    assert taps @ (frames - ratio) ** 2 == pytest.approx(0.0, abs=1e-7)


@pytest.mark.parametrize("delay", [0.01, 0.0884, 0.25, 0.5, 0.8375, 0.99])
def test_two_and_three_taps_are_lagrange_interpolation(delay: float) -> None:
    """Of first and second order, by the textbook's formulas."""
    linear = (1.0 - delay, delay)
    parabola = (
        (1.0 - delay) * (2.0 - delay) / 2.0,
        delay * (2.0 - delay),
        delay * (delay - 1.0) / 2.0,
    )
    assert flat_gain_delay(delay, 2) == pytest.approx(linear, abs=1e-12)
    assert flat_gain_delay(delay, 3) == pytest.approx(parabola, abs=1e-12)


@pytest.mark.parametrize("delay", [0.0884, 0.3, 0.7, 0.8375])
@pytest.mark.parametrize("taps", [4, 5, 8])
def test_the_squared_gain_is_flat_at_both_sides_of_its_law(delay: float, taps: int) -> None:
    """It is 1 - c s^n with s = 4 sin^2(w / 2): c is the same at every frequency."""
    weights = flat_gain_delay(delay, taps)
    power = (4.0 * np.sin(OMEGA / 2.0) ** 2) ** (taps - 1)
    loss = 1.0 - np.abs(response(weights, 0)) ** 2
    # By the product of the first and last weights, the highest term of the spectrum.
    expected = -((-1.0) ** (taps - 1)) * weights[0] * weights[-1] * power
    assert loss == pytest.approx(expected, abs=1e-9)


def test_more_taps_come_near_the_all_pass() -> None:
    """The error at low frequencies: d (1 - d^2) / 12 w^3, of a first-order all-pass, is the least.

    Eight taps are within 2 dB of it, a parabola is 11 dB away.
    """
    delay, at = 48.0 / 44.1 - 1.0, 40  # pi / 40
    least = delay * (1.0 - delay**2) / 12.0 * OMEGA[at] ** 3
    errors = {
        taps: abs(response(flat_gain_delay(delay, taps), 0)[at] - np.exp(-1j * OMEGA[at] * delay))
        for taps in (3, TAPS)
    }
    assert 0.0 < 20.0 * np.log10(errors[TAPS] / least) < 2.0
    assert 20.0 * np.log10(errors[3] / least) == pytest.approx(11.0, abs=0.5)


def test_whole_delays_are_one_tap() -> None:
    """Nothing is interpolated between frames that are there."""
    assert state_taps(1.0) == (1.0,)
    assert state_taps(2.0) == (0.0, 1.0)
    assert state_taps(96_000 / 32_000) == (0.0, 0.0, 1.0)


def test_from_two_frames_on_a_cubic_is_delayed_exactly() -> None:
    """The delay lies between the middle two of four points."""

    def cubic(at: float) -> float:
        return 1.0 - 0.3 * at + 0.02 * at**2 - 0.001 * at**3

    for ratio in (96.0 / 44.1, 192.0 / 44.1):
        value = sum(tap * cubic(back) for back, tap in enumerate(state_taps(ratio), start=1))
        assert value == pytest.approx(cubic(ratio), abs=1e-9)


@pytest.mark.parametrize("ratio", [0.5, 44.1 / 48.0])
def test_less_than_a_frame_is_refused(ratio: float) -> None:
    """The state is not known yet."""
    with pytest.raises(ValueError, match="at least 1"):
        state_taps(ratio)
