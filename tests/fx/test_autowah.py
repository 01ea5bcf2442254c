"""Auto-wah: its resonance, its sweep and its level against float64."""

import numpy as np
import pytest

from nemod.fx.autowah import autowah
from nemod.fx.effect import stereo_form
from tests.fx.moving import RATE_HZ, check_off, controls_of

WAH = autowah(RATE_HZ)
FRAMES = 9600


@pytest.mark.parametrize("q", [0.7, 5.0])
def test_the_response_at_rest_is_that_of_the_band_pass(play, q):
    """H = s / (s^2 + s / Q + 1), with the gain Q at the resonance."""
    controls = controls_of(WAH, frequency=500.0, range=0.0, resonance=q)
    out = play(WAH, controls, np.eye(1, FRAMES)[0], [64]).astype(np.float64)
    hz = np.fft.rfftfreq(FRAMES, 1.0 / RATE_HZ)[:-1]
    s = 1j * np.tan(np.pi * hz / RATE_HZ) / np.tan(np.pi * 500.0 / RATE_HZ)
    np.testing.assert_allclose(np.fft.rfft(out)[:-1], s / (s * s + s / q + 1.0), atol=1e-4)
    assert np.abs(np.fft.rfft(out))[100] == pytest.approx(q, rel=1e-4)  # 500 Hz


def wah(signal, *, sensitivity, frequency, octaves, q, attack_ms, release_ms):
    """Return the effect alone, frame by frame in float64, by the equations of the filter."""
    rise, fall = (1.0 - np.exp(-1000.0 / (ms * RATE_HZ)) for ms in (attack_ms, release_ms))
    level, band, low, out = 0.0, 0.0, 0.0, []
    for x in signal.astype(np.float64):
        size = abs(x)
        level += (rise if size > level else fall) * (size - level)
        hz = frequency * 2.0 ** (octaves * min(1.0, sensitivity * level))
        g = np.tan(np.pi * min(hz, 0.45 * RATE_HZ) / RATE_HZ)
        # Both integrators at once: v = band + g (x - v / q - w), w = low + g v.
        v, w = np.linalg.solve([[1.0 + g / q, g], [-g, 1.0]], [band + g * x, low])
        band, low = 2.0 * v - band, 2.0 * w - low
        out.append(v)
    return np.array(out)


@pytest.mark.parametrize("octaves", [3.5, -1.5])
def test_the_resonance_follows_the_level(play, noise, octaves):
    """Up or down, with its attack and release, through loud and quiet."""
    signal = noise[:2048] * np.repeat([0.02, 0.5, 0.1, 0.01], 512).astype(np.float32)
    own = {"sensitivity": 3.0, "frequency": 400.0, "resonance": 4.0, "attack": 3.0}
    controls = controls_of(WAH, **own, release=30.0, range=octaves)
    expected = wah(
        signal, sensitivity=3.0, frequency=400.0, octaves=octaves, q=4.0, attack_ms=3.0,
        release_ms=30.0,
    )  # fmt: skip
    np.testing.assert_allclose(play(WAH, controls, signal, [64]), expected, atol=2e-4)


def test_two_channels_have_the_resonance_of_the_louder_one(play, noise):
    """So the colour of a sound is the same on both sides."""
    controls = controls_of(WAH)
    out = play(stereo_form(WAH), controls, np.stack([0.25 * noise, noise]), [64])
    np.testing.assert_allclose(out[1], play(WAH, controls, noise, [64]), atol=1e-6)
    np.testing.assert_allclose(out[0], 0.25 * out[1], atol=1e-6)


def test_off_is_the_input_to_the_bit_and_forgets_the_level(play, noise):
    """Switched on again, it is as at first."""
    check_off(play, WAH, noise)
