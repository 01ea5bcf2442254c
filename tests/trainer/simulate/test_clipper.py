"""The clipper circuit, compared with its differential equations in float64.

The component values are stated here a second time, from the circuit diagram.
"""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.integrate import solve_ivp
from scipy.signal import chirp

from trainer.simulate import spice
from trainer.simulate.circuit import find

Signal = NDArray[np.float64]

RATE = 48_000
THERMAL_V = 1.380649e-23 * (273.15 + 27.0) / 1.602176634e-19
"""[V] kT/q at the 27 degrees Celsius of SPICE."""
COUPLING_F, INPUT_OHM, DIVIDER = 10e-9, 109e3, 27.0 / 109.0
CLIPPER_OHM, CLIPPER_F = 2.2e3, 10e-9
TONE_OHM, TONE_F = 3.3e3, 10e-9
SATURATION_A, EMISSION_V = 2.52e-9, 1.752 * THERMAL_V

pytestmark = pytest.mark.ngspice


def amplitude(decibels: float) -> float:
    """Return the factor of a level."""
    return float(10.0 ** (decibels / 20.0))


@pytest.mark.parametrize(
    ("gain", "level", "gain_db", "level_db"),
    [(0.0, 1.0, 6.0, 0.0), (0.6, 0.5, 24.0, -9.0), (1.0, 0.0, 36.0, -18.0)],
)
def test_the_small_signal_response_is_that_of_three_filters(
    gain: float, level: float, gain_db: float, level_db: float
) -> None:
    """Below the diodes' threshold: gains in decibels, corners of 146 Hz, 7.2 kHz and 4.8 kHz."""
    sweep = np.zeros(4096)
    sweep[100:3100] = chirp(np.arange(3000) / RATE, 20.0, 3000 / RATE, 20_000.0, "logarithmic")
    sweep *= 0.05 / amplitude(gain_db)
    output = spice.simulate(find("clipper"), {"gain": gain, "level": level}, sweep, RATE)
    hertz = np.fft.rfftfreq(4096, 1.0 / RATE)
    band = (hertz >= 60.0) & (hertz <= 10_000.0)
    s = 2j * np.pi * hertz[band]
    high_pass = s * COUPLING_F * INPUT_OHM / (1.0 + s * COUPLING_F * INPUT_OHM)
    low_passes = (1.0 + s * CLIPPER_OHM * CLIPPER_F) * (1.0 + s * TONE_OHM * TONE_F)
    expected = DIVIDER * amplitude(gain_db + level_db) * high_pass / low_passes
    # ngspice interpolates the input linearly, between points at this multiple of the sample rate.
    expected *= np.sinc(hertz[band] / (spice.INPUT_FACTOR * RATE)) ** 2
    ratio = (np.fft.rfft(output) / np.fft.rfft(sweep))[band] / expected
    assert np.abs(20.0 * np.log10(np.abs(ratio))).max() < 0.05
    assert np.abs(np.angle(ratio, deg=True)).max() < 0.5


def two_strings(time: Signal) -> Signal:
    """Return two decaying tones with a few partials [V]; 0 V at the start."""
    sound = np.zeros_like(time)
    for hertz, volts in ((110.0, 0.4), (164.8, 0.3)):
        for partial in (1, 2, 3, 5):
            sound += volts / partial * np.sin(2.0 * np.pi * hertz * partial * time)
    decayed: Signal = sound * np.exp(-time / 0.04) * (1.0 - np.exp(-time / 0.002))
    return decayed


def solved(sound: Callable[[Signal], Signal], seconds: float, gain_db: float) -> Signal:
    """Return the output [frames] at 0 dB of level from the differential equations of the circuit.

    The clipper is C dv/dt = (u - v) / R - 2 Is sinh(v / nVt) (D. T. Yeh, "Digital implementation of
    musical distortion circuits by analysis and simulation", 2009).
    """

    def slope(time: float, state: Signal) -> list[float]:
        coupling, clipped, toned = state
        across = float(sound(np.array([time]))[0]) - coupling
        driven = across * DIVIDER * amplitude(gain_db)
        diodes = 2.0 * SATURATION_A * np.sinh(clipped / EMISSION_V)
        return [
            across / (INPUT_OHM * COUPLING_F),
            ((driven - clipped) / CLIPPER_OHM - diodes) / CLIPPER_F,
            (clipped - toned) / (TONE_OHM * TONE_F),
        ]

    times = np.arange(round(seconds * RATE)) / RATE
    found = solve_ivp(
        slope, (0.0, seconds), [0.0] * 3, "Radau", times, rtol=1e-8, atol=1e-10, max_step=1e-4
    )
    return np.asarray(found.y[2], np.float64)


@pytest.mark.parametrize(("gain", "gain_db"), [(0.0, 6.0), (0.6, 24.0), (1.0, 36.0)])
def test_the_distortion_is_that_of_the_differential_equation(gain: float, gain_db: float) -> None:
    """Within an ESR of 1e-6, from hardly clipping to hard clipping."""
    seconds = 0.05
    volts = two_strings(np.arange(round(seconds * RATE)) / RATE)
    expected = solved(two_strings, seconds, gain_db)
    output = spice.simulate(find("clipper"), {"gain": gain, "level": 1.0}, volts, RATE)
    assert np.sum((output - expected) ** 2) / np.sum(expected**2) < 1e-6
    assert np.abs(expected).max() > 0.25
