"""The loss, compared with the formulas of the papers in float64."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.signal import freqz

from trainer.learn.loss import dc, emphasised, esr, loss, stft, taps
from trainer.learn.recipe import Recipe

RATE_HZ = 44_100
TARGET = np.random.default_rng(1).standard_normal((4_000, 3)) * 0.1 + 0.02
OUTPUT = 0.8 * TARGET + 0.01 + 0.01 * np.random.default_rng(2).standard_normal((4_000, 3))


def single(signal: np.ndarray) -> jnp.ndarray:
    """Return float32 on the device."""
    return jnp.asarray(signal, jnp.float32)


def test_esr_and_dc_equal_the_papers() -> None:
    """Sums over each signal, in float64, without a floor."""
    error = TARGET - OUTPUT
    expected = [
        (error**2).sum(0) / (TARGET**2).sum(0),
        error.mean(0) ** 2 / (TARGET**2).mean(0),
    ]
    actual = [term(single(TARGET), single(OUTPUT), 0.0) for term in (esr, dc)]
    np.testing.assert_allclose(np.array(actual), expected, rtol=1e-5)


def test_the_loss_is_three_quarters_esr_and_a_quarter_dc() -> None:
    """By default, with first-order pre-emphasis of the ESR and of its floor."""
    floor = 1e-3
    raised, got = (x[1:] - 0.85 * x[:-1] for x in (TARGET, OUTPUT))
    lift = 1.0 + 0.85**2
    ratio = ((raised - got) ** 2).sum(0) / ((raised**2).sum(0) + len(raised) * floor * lift)
    offset = (TARGET - OUTPUT).mean(0) ** 2 / ((TARGET**2).mean(0) + floor)
    expected = 0.75 * ratio.mean() + 0.25 * offset.mean()
    actual = loss(Recipe(), RATE_HZ, floor, single(TARGET), single(OUTPUT))
    np.testing.assert_allclose(float(actual), expected, rtol=1e-5)


def test_the_floor_limits_the_esr_of_a_silent_target() -> None:
    """An error with the power of the floor gives an ESR of 1."""
    silence = jnp.zeros((1_000, 1), jnp.float32)
    actual = float(esr(silence, silence + 0.01, 1e-4)[0])
    assert actual == pytest.approx(1.0, rel=1e-5)


def test_the_stft_term_equals_auraloss() -> None:
    """Spectral convergence plus mean log magnitude error of three resolutions, in float64."""
    terms = []
    for size, hop, window in ((1024, 120, 600), (2048, 240, 1200), (512, 50, 240)):
        shape = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(window) / window)
        magnitudes = []
        for signal in (TARGET, OUTPUT):
            starts = range(0, len(signal) - window + 1, hop)
            pieces = np.stack([signal[at : at + window].T * shape for at in starts], 1)
            power = np.abs(np.fft.rfft(pieces, size)) ** 2
            magnitudes.append(np.sqrt(np.maximum(power, 1e-8)))
        wanted, got = magnitudes
        for one in range(wanted.shape[0]):
            apart = np.linalg.norm(wanted[one] - got[one]) / np.linalg.norm(wanted[one])
            terms.append(apart + np.abs(np.log(wanted[one]) - np.log(got[one])).mean())
    actual = stft(single(TARGET), single(OUTPUT))
    np.testing.assert_allclose(float(actual), np.mean(terms), rtol=1e-4)


def test_the_a_weighting_follows_the_standard() -> None:
    """The table of IEC 61672-1 relative to 1 kHz, with the additional low-pass filter."""
    response = taps("a-weight", RATE_HZ)
    hz = np.array([1_000.0, 2_000.0, 4_000.0, 8_000.0])
    _, got = freqz(response, worN=hz, fs=RATE_HZ)
    _, low = freqz([1.0, 0.85], worN=hz, fs=RATE_HZ)
    decibels = 20.0 * np.log10(np.abs(got / low))
    np.testing.assert_allclose(decibels, [0.0, 1.2, 1.0, -1.1], atol=0.3)


def test_a_long_pre_emphasis_is_a_convolution() -> None:
    """Only frames with all preceding samples are returned."""
    response = taps("a-weight", RATE_HZ)
    expected = np.stack([np.convolve(one, response, "valid") for one in TARGET.T], 1)
    actual = emphasised(single(TARGET), response)
    np.testing.assert_allclose(np.asarray(actual), expected, atol=2e-6)
