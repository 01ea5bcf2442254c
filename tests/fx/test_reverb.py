"""Reverb: decay, damping, loudness and pre-delay, measured on impulse responses in float64."""

import math
from functools import cache
from itertools import combinations

import numpy as np
import pytest
from scipy import signal as dsp
from scipy.linalg import hadamard

from nemod.fx.effect import stereo_form
from nemod.fx.reverb import (
    CHEAP_LINES_MS,
    TREBLE_HZ,
    TREBLE_LOSS,
    cheap_reverb,
    line_frames,
    reverb,
)
from nemod.fx.tools.ring import FADE_S

RATE_HZ = 48_000.0

reverb_at = cache(reverb)
cheap_at = cache(cheap_reverb)
STEREO = stereo_form(reverb(RATE_HZ))


def decay_s(response, rate_hz):
    """Return the 60 dB decay time, by Schroeder's backward integration between -5 and -35 dB."""
    energy = np.cumsum(response[::-1] ** 2)[::-1]
    level = 10.0 * np.log10(energy / energy[0])
    span = np.flatnonzero((level <= -5.0) & (level >= -35.0))
    slope = np.polyfit(span / rate_hz, level[span], 1)[0]
    return -60.0 / slope


def wet_response(play, size_s, damping, rate_hz=RATE_HZ, make=reverb_at):
    """Return the impulse response without the dry sound."""
    blocks = round((1.3 * size_s + 0.2) * rate_hz / 4096)
    signal = np.zeros(4096 * blocks, np.float32)
    signal[0] = 1.0
    wet = play(make(rate_hz), [1.0, size_s, damping, 0.0], signal, [4096]).astype(np.float64)
    wet[0] -= 1.0
    return wet


@pytest.mark.parametrize("rate_hz", [44_100.0, 48_000.0, 96_000.0])
def test_lines_have_no_common_divisor(rate_hz):
    """With mutually prime lengths, echoes of different lines fall on different frames."""
    assert all(math.gcd(a, b) == 1 for a, b in combinations(line_frames(rate_hz), 2))


@pytest.mark.parametrize(
    ("rate_hz", "size_s"), [(48_000.0, s) for s in (0.3, 1.5, 4.0, 10.0)] + [(44_100.0, 1.5)]
)
def test_decays_in_its_time(play, rate_hz, size_s):
    """Without damping the whole spectrum falls by 60 dB in `size`, within 3 %."""
    assert abs(decay_s(wet_response(play, size_s, 0.0, rate_hz), rate_hz) / size_s - 1.0) < 0.03


@pytest.mark.parametrize("damping", [0.5, 1.0])
def test_damping_shortens_the_treble_decay_only(play, damping):
    """The octave below 140 Hz keeps `size`; the band around TREBLE_HZ has its share of it."""
    size_s = 3.0
    response = wet_response(play, size_s, damping)
    bass = dsp.sosfilt(dsp.butter(4, [70, 140], "bandpass", fs=RATE_HZ, output="sos"), response)
    edges = [TREBLE_HZ * 0.97, TREBLE_HZ * 1.03]
    treble = dsp.sosfilt(dsp.butter(2, edges, "bandpass", fs=RATE_HZ, output="sos"), response)
    assert abs(decay_s(bass, RATE_HZ) / size_s - 1.0) < 0.05
    share = 1.0 - TREBLE_LOSS * damping
    assert abs(decay_s(treble, RATE_HZ) / (size_s * share) - 1.0) < 0.10


def test_no_mix_is_the_input_to_the_bit(play, noise):
    """The dry sound is at unity gain, and nothing is sent into the lines."""
    assert np.array_equal(noise, play(reverb_at(RATE_HZ), [0.0, 2.0, 0.5, 20.0], noise, [64]))


def test_reverberation_rings_out_after_the_mix_is_turned_down(play):
    """Unchanged, with what is still in the pre-delay; what is played after it has none."""
    frames = 12 * 4096
    signal = np.zeros(frames, np.float32)
    signal[0] = 1.0
    controls = np.repeat(np.array([[0.7], [1.5], [0.5], [30.0]], np.float32), frames, axis=1)
    expected = play(reverb_at(RATE_HZ), controls, signal, [4096])
    controls[0, 600:] = 0.0
    signal[700] = 1.0
    expected[700] += 1.0
    assert np.array_equal(expected, play(reverb_at(RATE_HZ), controls, signal, [4096]))


@pytest.mark.parametrize("predelay_ms", [0.0, 10.0, 200.0])
def test_first_reflection_follows_the_predelay(play, predelay_ms):
    """It comes after the pre-delay and the shortest line, to the frame."""
    signal = np.zeros(4 * 4096, np.float32)
    signal[0] = 1.0
    out = play(reverb_at(RATE_HZ), [1.0, 1.5, 0.5, predelay_ms], signal, [4096])
    expected = round(predelay_ms * RATE_HZ / 1000.0) + line_frames(RATE_HZ)[0]
    assert [0, expected] == np.flatnonzero(out)[:2].tolist()


@pytest.mark.parametrize("damping", [0.0, 0.5])
def test_the_cheap_reverb_decays_as_the_other(play, damping):
    """Half the lines have the same time, in the bass and above."""
    full, cheap = (
        decay_s(wet_response(play, 1.5, damping, make=make), RATE_HZ)
        for make in (reverb_at, cheap_at)
    )
    assert abs(cheap / full - 1.0) < 0.03


def test_the_cheap_reverb_has_half_the_lines():
    """The longest of both is the same, so that the echoes spread over the same time."""
    lengths, cheap = line_frames(RATE_HZ), line_frames(RATE_HZ, CHEAP_LINES_MS)
    assert set(cheap) < set(lengths)
    assert (2 * len(cheap), cheap[-1]) == (len(lengths), lengths[-1])


@pytest.mark.parametrize("size_s", [0.3, 4.0])
def test_the_cheap_reverb_is_as_wide_and_as_loud(play, size_s):
    """The channels are not correlated (|r| < 0.1) and equally loud, within 0.3 dB."""
    frames = 4096 * round((2.0 * size_s + 2.0) * RATE_HZ / 4096)
    signal = np.random.default_rng(2).uniform(-1, 1, frames).astype(np.float32)
    start = round(1.5 * size_s * RATE_HZ)
    settings = [1.0, size_s, 0.0, 0.0]
    both = play(stereo_form(cheap_at(RATE_HZ)), settings, np.stack([signal, signal]), [4096])
    left, right = (both - signal)[:, start:].astype(np.float64)
    assert abs(correlation(left, right)) < 0.1
    assert abs(10.0 * np.log10(np.mean(left**2) / np.mean(right**2))) < 0.3
    full = play(STEREO, settings, np.stack([signal, signal]), [4096])
    other = (full - signal)[:, start:].astype(np.float64)
    assert abs(10.0 * np.log10(np.mean([left**2, right**2]) / np.mean(other**2))) < 0.5


@pytest.mark.parametrize("size_s", [0.3, 1.5, 6.0])
def test_full_mix_is_as_loud_as_the_input(play, size_s):
    """White noise and its undamped reverberation have the same power, within 2 dB."""
    frames = 4096 * round((2.0 * size_s + 1.0) * RATE_HZ / 4096)
    signal = np.random.default_rng(2).uniform(-1, 1, frames).astype(np.float32)
    out = play(reverb_at(RATE_HZ), [1.0, size_s, 0.0, 0.0], signal, [4096])
    wet = (out - signal)[round(1.5 * size_s * RATE_HZ) :].astype(np.float64)
    assert abs(10.0 * np.log10(np.mean(wet**2) / np.mean(signal.astype(float) ** 2))) < 2.0


def test_no_click_when_the_predelay_moves(play):
    """With a moving pre-delay the steps of the output are hardly larger than without."""
    frames = 12 * 4096
    n = np.arange(frames)
    sine = np.sin(2.0 * np.pi * 220.0 * n / RATE_HZ).astype(np.float32)
    controls = np.repeat(np.array([[1.0], [1.0], [0.0], [20.0]], np.float32), frames, axis=1)
    still = play(reverb_at(RATE_HZ), controls, sine, [4096]) - sine
    controls[3, 30_000:] = 131.0
    moved = play(reverb_at(RATE_HZ), controls, sine, [4096]) - sine
    steps, usual = np.abs(np.diff(moved))[24_000:], np.max(np.abs(np.diff(still))[24_000:])
    # Eight lines at 1 / sqrt(8) have the crossfade: smoothstep's 1.5 per fade, a step of at most 2.
    assert np.max(steps) < 2.0 * usual + math.sqrt(8.0) * 3.0 / (FADE_S * RATE_HZ)
    assert np.array_equal(still[:30_000], moved[:30_000])


def test_decays_to_nothing(play):
    """After the last note the output falls below -120 dBFS."""
    signal = np.zeros(24 * 4096, np.float32)
    signal[:4800] = 1.0
    out = play(reverb_at(RATE_HZ), [1.0, 0.3, 0.5, 0.0], signal, [4096])
    assert np.max(np.abs(out[48_000:])) < 1e-6


def network(sent, size_s, rate_hz=RATE_HZ):
    """Return the outputs of the lines [8, frames] for what is sent into each of them, undamped.

    The network in float64, in pieces that are as long as the shortest line.
    """
    lengths = np.array(line_frames(rate_hz))
    gain = 10.0 ** (-3.0 * lengths / rate_hz / size_s)[:, None]
    frames, longest, piece = sent.shape[1], lengths.max(), lengths.min()
    mixing = hadamard(8) / math.sqrt(8.0)
    memory, out = np.zeros((8, longest + frames)), np.zeros((8, frames))
    for start in range(0, frames, piece):
        stop = min(start + piece, frames)
        for line, length in enumerate(lengths):
            out[line, start:stop] = memory[line, start + longest - length : stop + longest - length]
        fed = gain * (mixing @ out[:, start:stop]) + np.sqrt(1.0 - gain**2) * sent[:, start:stop]
        memory[:, longest + start : longest + stop] = fed
    return out


SIGNS = np.array([1, -1, 1, -1, 1, -1, 1, -1]) / math.sqrt(8.0)
SIDE = np.array([0, -1, 0, 1, -1, 1, 1, -1]) * math.sqrt(8.5 / 48.0)
LEFT_LINES = np.array([0, 1, 1, 0, 0, 0, 1, 1])[:, None]


def test_both_channels_follow_the_network_in_float64(play):
    """Left and right are sent into four lines each; the outputs are middle and side signals.

    In blocks that are shorter than the shortest line, and in longer ones, which are cut.
    """
    sides = np.random.default_rng(5).uniform(-1, 1, (2, 3 * 4096)).astype(np.float32)
    lines = network(LEFT_LINES * sides[0] + (1 - LEFT_LINES) * sides[1].astype(np.float64), 1.5)
    middle, side = SIGNS @ lines, SIDE @ lines
    expected = sides + np.stack([middle + side, middle - side]) / math.sqrt(2.0)
    for sizes in ([4096], [64]):
        out = play(STEREO, [1.0, 1.5, 0.0, 0.0], sides, sizes)
        np.testing.assert_allclose(out, expected, atol=2e-5)


@pytest.fixture(scope="module", params=[0.3, 1.5, 4.0])
def reverberation(request, play):
    """Return the size [s], and the reverberation of noise with one output [n] and with two [2, n].

    The noise is equal in both channels, and the reverberation steady.
    """
    size_s = request.param
    frames = 4096 * round((2.0 * size_s + 2.0) * RATE_HZ / 4096)
    signal = np.random.default_rng(2).uniform(-1, 1, frames).astype(np.float32)
    start = round(1.5 * size_s * RATE_HZ)
    settings = [1.0, size_s, 0.0, 0.0]
    mono = play(reverb_at(RATE_HZ), settings, signal, [4096]) - signal
    both = play(STEREO, settings, np.stack([signal, signal]), [4096])
    return size_s, mono[start:].astype(np.float64), (both - signal)[:, start:].astype(np.float64)


def correlation(left, right):
    return float(left @ right / math.sqrt((left @ left) * (right @ right)))


BANDS_HZ = ((80, 250), (250, 800), (800, 2500), (2500, 8000))


def test_the_channels_are_not_correlated(reverberation):
    """|r| < 0.1 as a whole and in bands of 1.6 octaves."""
    _, _, (left, right) = reverberation
    assert abs(correlation(left, right)) < 0.1
    for edges in BANDS_HZ:
        sos = dsp.butter(3, edges, "bandpass", fs=RATE_HZ, output="sos")
        assert abs(correlation(dsp.sosfilt(sos, left), dsp.sosfilt(sos, right))) < 0.1, edges


def test_both_channels_are_equally_loud(reverberation):
    """Within 0.3 dB: the reverberation stays in the middle."""
    _, _, (left, right) = reverberation
    assert abs(10.0 * np.log10(np.mean(left**2) / np.mean(right**2))) < 0.3


def test_one_output_has_the_mean_power_of_two(reverberation):
    """Within 0.3 dB, and it is their sum, divided by sqrt(2)."""
    _, mono, both = reverberation
    assert abs(10.0 * np.log10(np.mean(mono**2) / np.mean(both**2))) < 0.3
    np.testing.assert_allclose(both.sum(axis=0) / math.sqrt(2.0), mono, atol=2e-5)


@pytest.mark.parametrize("size_s", [0.3, 1.5])
def test_both_channels_decay_in_its_time(play, size_s):
    """As the one output does, within 3 %; the tail of the impulse response is not correlated."""
    frames = 4096 * round((1.3 * size_s + 0.2) * RATE_HZ / 4096)
    both = np.zeros((2, frames), np.float32)
    both[:, 0] = 1.0
    wet = play(STEREO, [1.0, size_s, 0.0, 0.0], both, [4096]).astype(np.float64) - both
    for response in wet:
        assert abs(decay_s(response, RATE_HZ) / size_s - 1.0) < 0.03
    left, right = wet[:, round(0.06 * RATE_HZ) :]
    assert abs(correlation(left, right)) < 0.1


def test_two_channels_without_mix_are_the_input_to_the_bit(play, noise):
    """Nothing is sent into the lines."""
    both = np.stack([noise, noise[::-1]])
    out = play(STEREO, [0.0, 2.0, 0.5, 20.0], both, [64])
    assert np.array_equal(both, out)
