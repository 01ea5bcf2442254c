"""Delay, compared with a delay line that is written frame by frame in float64."""

from functools import cache

import numpy as np
import pytest

from nemod.fx.delay import delay
from nemod.fx.effect import stereo_form
from nemod.fx.tools.ring import FADE_S

RATE_HZ = 48_000.0

echo = cache(delay)
PING_PONG = stereo_form(delay(RATE_HZ))


def impulse(frames: int) -> np.ndarray:
    signal = np.zeros(frames, np.float32)
    signal[0] = 1.0
    return signal


def line(signal, mix, times_ms, feedback, rate_hz):
    """Play the delay frame by frame; a crossfade completes before the next begins."""
    fade = round(FADE_S * rate_hz)
    wanted = np.round(np.asarray(times_ms, np.float64) * rate_hz / 1000.0).astype(int)
    memory = np.zeros(len(signal) + 1)
    old = new = wanted[0]
    done = fade
    out = []
    for n, sample in enumerate(signal.astype(np.float64)):
        if done == fade and wanted[n] != new:
            old, new, done = new, wanted[n], 0
        done = min(done + 1, fade)
        share = done / fade
        weight = share * share * (3.0 - 2.0 * share)
        first, second = (memory[n - d] if n >= d else 0.0 for d in (old, new))
        echo = (1.0 - weight) * first + weight * second
        memory[n] = mix[n] * sample + feedback[n] * echo
        out.append(sample + echo)
    return np.array(out)


@pytest.mark.parametrize("rate_hz", [44_100.0, 48_000.0, 96_000.0])
@pytest.mark.parametrize("time_ms", [1.0, 20.0, 350.0, 2000.0])
def test_impulse_returns_at_its_time(play, rate_hz, time_ms):
    """Echoes are at exactly round(time * rate) frames and its multiples, scaled by the feedback."""
    at = round(time_ms * rate_hz / 1000.0)
    out = play(echo(rate_hz), [0.5, time_ms, 0.6], impulse(4096 * (3 * at // 4096 + 1)), [4096])
    assert [0, at, 2 * at, 3 * at] == np.flatnonzero(out)[:4].tolist()
    assert np.allclose([1.0, 0.5, 0.3, 0.18], out[[0, at, 2 * at, 3 * at]], rtol=1e-6)


def test_no_mix_is_the_input_to_the_bit(play, noise):
    """The dry sound is at unity gain, and nothing is sent into the line."""
    assert np.array_equal(noise, play(echo(RATE_HZ), [0.0, 5.0, 0.95], noise, [64]))


def test_full_mix_keeps_the_dry_sound(play):
    """Mix is the level of the echo; the dry sound stays at unity gain."""
    out = play(echo(RATE_HZ), [1.0, 10.0, 0.0], impulse(512), [64])
    assert out[[0, 480]].tolist() == [1.0, 1.0]


def test_echoes_ring_out_after_the_mix_is_turned_down(play):
    """They keep their level and their feedback; what is played after it has no echo."""
    signal = np.zeros(4096, np.float32)
    signal[[0, 500]] = 1.0
    mix = np.full(4096, 0.5, np.float32)
    mix[400:] = 0.0
    controls = np.stack([mix, np.full(4096, 20.0), np.full(4096, 0.5)]).astype(np.float32)
    out = play(echo(RATE_HZ), controls, signal, [64])
    assert np.flatnonzero(out).tolist() == [0, 500, 960, 1920, 2880, 3840]
    assert out[[960, 1920, 2880, 3840]].tolist() == [0.5, 0.25, 0.125, 0.0625]


@pytest.mark.parametrize("size", [1, 64, 65, 4096])
def test_moving_time_follows_the_definition(play, noise, size):
    """Crossfades begin, wait and end at the defined frames, for any block length."""
    times = np.full(4096, 3.0, np.float32)
    times[100:] = 17.0
    times[700:1500] = 4.0  # during the crossfade: takes effect at its end
    times[3000:] = 9.0
    mix = np.linspace(0.2, 0.9, 4096).astype(np.float32)
    feedback = np.linspace(0.8, 0.3, 4096).astype(np.float32)
    controls = np.stack([mix, times, feedback])
    expected = line(noise, mix, times, feedback, RATE_HZ)
    out = play(echo(RATE_HZ), controls, noise, [size])
    assert np.max(np.abs(expected - out)) < 1e-5 * np.max(np.abs(expected))


def test_no_click_when_the_time_moves(play):
    """The largest step of a sine grows by no more than the slope of the crossfade."""
    n = np.arange(24_000)
    sine = np.sin(2.0 * np.pi * 220.0 * n / RATE_HZ).astype(np.float32)
    times = np.full(24_000, 40.0, np.float32)
    times[12_000:] = 73.3
    controls = np.stack([np.ones(24_000), times, np.zeros(24_000)]).astype(np.float32)
    wet = play(echo(RATE_HZ), controls, sine, [64]) - sine
    steps = np.abs(np.diff(wet[6000:]))
    sine_step = 2.0 * np.sin(np.pi * 220.0 / RATE_HZ)
    # Smoothstep is steepest in the middle: 1.5 per fade, times a difference of at most 2.
    assert np.max(steps) < sine_step + 3.0 / (FADE_S * RATE_HZ)


def test_full_feedback_stays_bounded(play):
    """Ten seconds of full-scale input at 0.95, with a moving time, stay below 21."""
    rng = np.random.default_rng(5)
    frames = 480 * 1024
    signal = np.sign(rng.uniform(-1, 1, frames)).astype(np.float32)
    times = np.repeat(rng.uniform(1.0, 30.0, frames // 480), 480)
    controls = np.stack([np.ones(frames), times, np.full(frames, 0.95)]).astype(np.float32)
    out = play(echo(RATE_HZ), controls, signal, [4096])
    assert np.max(np.abs(out)) <= 1.0 + 1.0 / (1.0 - 0.95)


def ping_pong(signal, mix, times_ms, feedback, rate_hz):
    """Play the ping-pong delay frame by frame: each line is fed with the echo of the other one."""
    fade = round(FADE_S * rate_hz)
    wanted = np.round(np.asarray(times_ms, np.float64) * rate_hz / 1000.0).astype(int)
    left, right = signal.astype(np.float64)
    sent = mix * np.stack([left + right, left - right]) / np.sqrt(2.0)
    memory = np.zeros((2, signal.shape[1] + 1))
    old = new = wanted[0]
    done = fade
    out = signal.astype(np.float64)
    for n in range(signal.shape[1]):
        if done == fade and wanted[n] != new:
            old, new, done = new, wanted[n], 0
        done = min(done + 1, fade)
        share = done / fade
        weight = share * share * (3.0 - 2.0 * share)
        first, second = (memory[:, n - d] if n >= d else np.zeros(2) for d in (old, new))
        echo = (1.0 - weight) * first + weight * second
        memory[:, n] = sent[:, n] + feedback[n] * echo[::-1]
        out[:, n] += echo
    return out


@pytest.mark.parametrize("time_ms", [1.0, 20.0])
def test_echoes_alternate_between_left_and_right(play, time_ms):
    """They are where the mono delay has them, and 3 dB louder, each in one channel alone."""
    at = round(time_ms * RATE_HZ / 1000.0)
    both = np.stack([impulse(4096), impulse(4096)])
    out = play(PING_PONG, [0.5, time_ms, 0.6], both, [64])
    assert [0, at, 3 * at] == np.flatnonzero(out[0])[:3].tolist()
    assert [0, 2 * at, 4 * at] == np.flatnonzero(out[1])[:3].tolist()
    loud = np.sqrt(2.0) * 0.5
    assert np.allclose([1.0, loud, loud * 0.36], out[0, [0, at, 3 * at]], rtol=1e-6)
    assert np.allclose([1.0, loud * 0.6, loud * 0.6**3], out[1, [0, 2 * at, 4 * at]], rtol=1e-6)


@pytest.mark.parametrize("size", [64, 4096])
def test_ping_pong_with_a_moving_time_follows_the_definition(play, size):
    """Two different channels, for any block length."""
    sides = np.random.default_rng(4).uniform(-1, 1, (2, 4096)).astype(np.float32)
    times = np.full(4096, 3.0, np.float32)
    times[100:] = 17.0
    times[700:1500] = 4.0
    mix = np.linspace(0.2, 0.9, 4096).astype(np.float32)
    feedback = np.linspace(0.8, 0.3, 4096).astype(np.float32)
    expected = ping_pong(sides, mix, times, feedback, RATE_HZ)
    out = play(PING_PONG, np.stack([mix, times, feedback]), sides, [size])
    assert np.max(np.abs(expected - out)) < 1e-5 * np.max(np.abs(expected))


def test_the_sum_of_both_channels_is_the_mono_delay(play, noise):
    """Divided by sqrt(2); so their mean power is the power of the mono echoes."""
    settings = [0.7, 5.0, 0.8]
    mono = play(echo(RATE_HZ), settings, noise, [64]) - noise
    both = play(PING_PONG, settings, np.stack([noise, noise]), [64]) - noise
    np.testing.assert_allclose(both.sum(axis=0) / np.sqrt(2.0), mono, atol=2e-6)
    assert abs(10.0 * np.log10(np.mean(both**2) / np.mean(mono**2))) < 0.3


def test_ping_pong_without_mix_is_the_input_to_the_bit(play, noise):
    """In both channels."""
    both = np.stack([noise, noise[::-1]])
    out = play(PING_PONG, [0.0, 5.0, 0.95], both, [64])
    assert np.array_equal(both, out)
