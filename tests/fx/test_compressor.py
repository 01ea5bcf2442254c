"""Compressor: the curve and the times of the paper that it is made from, in float64."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nemod.fx.compressor import ENABLE, KNEE_DB, compressor
from nemod.fx.tools.smooth import smoothed
from nemod.parameters.table import param

RATES_HZ = [44_100, 48_000, 96_000, 192_000]
RATE_HZ = 48_000

compressors = cache(compressor)


def amplitude(db):
    return 10.0 ** (np.asarray(db, float) / 20.0)


def decibels(ratio):
    return 20.0 * np.log10(np.asarray(ratio, float))


def controls(
    threshold_db=-24.0, ratio=4.0, attack_ms=5.0, release_ms=120.0, makeup_db=0.0, enable=1.0
):
    values = [enable, threshold_db, ratio, attack_ms, release_ms, makeup_db]
    return np.array(values, np.float32)


def output_db(level_db, threshold_db, ratio, knee_db=6.0):
    """Return the output level of the static curve: equation 4 of Giannoulis et al."""
    excess = level_db - threshold_db
    if 2.0 * excess < -knee_db:
        return level_db
    if 2.0 * abs(excess) <= knee_db:
        return level_db + (1.0 / ratio - 1.0) * (excess + knee_db / 2.0) ** 2 / (2.0 * knee_db)
    return threshold_db + excess / ratio


def reference(signal, rate_hz, threshold_db, ratio, attack_ms, release_ms, makeup_db):
    """Return the output, in float64: the paper's log-domain, decoupled, feed-forward compressor."""
    attack = np.exp(-1.0 / (attack_ms * rate_hz / 1000.0))
    release = np.exp(-1.0 / (release_ms * rate_hz / 1000.0))
    first = second = 0.0
    out = np.empty(len(signal))
    for frame, sample in enumerate(signal.astype(float)):
        level_db = decibels(max(abs(sample), 1e-6))
        over_db = level_db - output_db(level_db, threshold_db, ratio)
        first = max(over_db, release * first)
        second = attack * second + (1.0 - attack) * first
        out[frame] = sample * amplitude(makeup_db - second)
    return out


def phrase(rate_hz, seconds=0.5):
    """Return two decaying tones and noise."""
    time = np.arange(round(seconds * rate_hz)) / rate_hz
    sound = np.random.default_rng(5).uniform(-0.01, 0.01, time.size)
    for start, hz, peak in ((0.05, 110.0, 0.9), (0.25, 330.0, 0.4)):
        after = time - start
        tone = peak * np.sin(2.0 * np.pi * hz * after) * np.exp(-after / 0.1)
        sound += np.where(after >= 0.0, tone, 0.0)
    return sound.astype(np.float32)


@pytest.mark.parametrize("rate_hz", RATES_HZ)
@pytest.mark.parametrize(
    "knobs", [(-24.0, 4.0, 5.0, 120.0, 6.0), (-60.0, 20.0, 0.1, 10.0, 24.0), (-10, 2, 100, 1000, 0)]
)
def test_is_its_reference(play, rate_hz, knobs):
    """Frame by frame, at every rate."""
    signal = phrase(rate_hz)
    out = play(compressors(rate_hz), controls(*knobs), signal, [4096])
    expected = reference(signal, rate_hz, *knobs)
    assert np.max(np.abs(expected - out)) < 1e-4 * np.max(np.abs(expected))


@pytest.mark.parametrize(("threshold_db", "ratio"), [(-24.0, 4.0), (-40.0, 20.0), (-6.0, 1.5)])
def test_static_curve(play, threshold_db, ratio):
    """A steady magnitude from -80 to 0 dBFS comes out as the curve says, with a knee of 6 dB."""
    assert KNEE_DB == 6.0
    knobs = controls(threshold_db, ratio, attack_ms=0.1)
    for level_db in [*np.arange(-80.0, 0.5, 8.0), *(threshold_db + np.arange(-4.0, 4.1, 1.0))]:
        if level_db > 0.0:
            continue
        signal = np.full(4096, amplitude(level_db), np.float32)
        signal[1::2] *= -1.0
        out = play(compressors(RATE_HZ), knobs, signal, [4096])
        expected = output_db(level_db, threshold_db, ratio)
        assert decibels(abs(out[-1])) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("attack_ms", [0.1, 5.0, 100.0])
def test_attack_time(play, attack_ms):
    """After the time constant, 1 - 1/e of the reduction in dB is there."""
    signal = np.full(24_000, 0.5, np.float32)
    out = play(compressors(RATE_HZ), controls(attack_ms=attack_ms), signal, [4096])
    reduction_db = -decibels(out / signal)
    full_db = decibels(0.5) - output_db(decibels(0.5), -24.0, 4.0)
    frames = attack_ms * RATE_HZ / 1000.0
    counts = np.arange(1, signal.size + 1)
    assert np.allclose(full_db * (1.0 - np.exp(-counts / frames)), reduction_db, atol=2e-3)
    after = np.interp(frames, counts, reduction_db)
    assert after == pytest.approx(full_db * (1.0 - np.exp(-1.0)), abs=0.05)


@pytest.mark.parametrize("release_ms", [10.0, 120.0, 1000.0])
def test_release_time(play, release_ms):
    """The peak detector falls with the release, and the low-pass of the attack follows it."""
    attack_ms = 5.0
    signal = np.full(72_000, 0.001, np.float32)
    signal[:9600] = 0.5
    knobs = controls(attack_ms=attack_ms, release_ms=release_ms)
    out = play(compressors(RATE_HZ), knobs, signal, [4096])
    reduction_db = -decibels(out / signal)[9600:]
    full_db = decibels(0.5) - output_db(decibels(0.5), -24.0, 4.0)
    # Two first-order decays in series, at rest at `full_db` before.
    time_ms = np.arange(1, reduction_db.size + 1) * 1000.0 / RATE_HZ
    share = release_ms * np.exp(-time_ms / release_ms) - attack_ms * np.exp(-time_ms / attack_ms)
    expected = full_db * share / (release_ms - attack_ms)
    # A frame is a step, not a moment: up to one frame of the steepest slope.
    step_db = full_db * 1000.0 / RATE_HZ / release_ms
    assert np.max(np.abs(expected - reduction_db)) < step_db + 2e-3


def test_a_sine_is_compressed_by_its_peak(play):
    """Between two peaks of 100 Hz, 5 ms apart, the detector falls by exp(-5/120) at most."""
    signal = (0.5 * np.sin(2.0 * np.pi * 100.0 * np.arange(24_000) / RATE_HZ)).astype(np.float32)
    out = play(compressors(RATE_HZ), controls(), signal, [4096])
    seen = np.abs(signal[12_000:]) > 0.1
    reduction_db = -decibels(out[12_000:][seen] / signal[12_000:][seen])
    full_db = decibels(0.5) - output_db(decibels(0.5), -24.0, 4.0)
    assert np.all(reduction_db < full_db)
    assert np.all(reduction_db > full_db * np.exp(-5.0 / 120.0))


def test_make_up_is_gain(play, noise):
    """Below the threshold, it is all that changes."""
    quiet = noise * np.float32(0.001)
    out = play(compressors(RATE_HZ), controls(makeup_db=12.0), quiet, [64])
    assert np.allclose(quiet * amplitude(12.0), out, rtol=1e-6, atol=0.0)


def test_a_ratio_of_one_compresses_nothing(play, noise):
    """At any level."""
    out = play(compressors(RATE_HZ), controls(ratio=1.0, threshold_db=-60.0), noise, [64])
    assert np.allclose(noise, out, rtol=1e-6, atol=0.0)


def test_off_changes_no_bit(play, noise):
    """Full scale, silence and denormal numbers."""
    signal = np.concatenate([noise, np.zeros(500), noise * 1e-39]).astype(np.float32)
    out = play(compressors(RATE_HZ), controls(makeup_db=24.0, enable=0.0), signal, [64])
    assert np.array_equal(signal.view(np.int32), out.view(np.int32))


@pytest.mark.parametrize("sizes", [[1], [64], [65], [1000]])
def test_switching_does_not_depend_on_the_blocks(play, sizes):
    """On, off and on again within a block, at another threshold and ratio."""
    signal = phrase(RATE_HZ, 0.25)
    moving = np.repeat(controls(makeup_db=6.0)[:, None], signal.size, axis=1)
    moving[0, 3010:5333] = 0.0
    moving[1, 6000:] = -50.0
    moving[2, 7000:] = 10.0
    whole = play(compressors(RATE_HZ), moving, signal)
    cut = play(compressors(RATE_HZ), moving, signal, sizes)
    assert np.max(np.abs(whole - cut)) < 1e-6
    assert np.array_equal(signal[3010:5333], whole[3010:5333])


@pytest.mark.parametrize("is_on", [False, True])
def test_the_switch_does_not_click(is_on):
    """A tone 18 dB above the threshold, with 24 dB of make-up."""
    effect = compressors(RATE_HZ)
    audible = smoothed(effect, RATE_HZ)
    process = jax.jit(audible.process)
    targets = controls(makeup_db=24.0, enable=float(not is_on))
    tone = 0.05 * np.sin(2.0 * np.pi * 110.0 * np.arange(RATE_HZ) / RATE_HZ)
    tone = tone.astype(np.float32)
    state = audible.init((), jnp.asarray(targets))
    out = []
    for start in range(0, 48_000, 1000):
        if start == 12_000:
            targets[0] = float(is_on)
        state, block = process(
            (), jnp.asarray(targets), state, jnp.asarray(tone[start : start + 1000])
        )
        out.append(np.asarray(block))
    out = np.concatenate(out)
    # 24 dB in 10 ms at most, and the sound at its loudest.
    slope = np.log(10.0) / 20.0 * 24.0 / (0.01 * RATE_HZ)
    loudest = np.max(np.abs(out))
    own = np.max(np.abs(np.diff(tone))) / np.max(np.abs(tone)) * loudest
    assert np.max(np.abs(np.diff(out))) <= own + loudest * slope
    off = slice(0, 12_000) if is_on else slice(36_000, None)
    assert np.array_equal(tone[off], out[off])
    assert param(ENABLE).smooth_s == 0.01


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_silence_denormal_numbers_and_full_scale_are_finite(play, rate_hz):
    """With the most gain, and the shortest and the longest times."""
    signal = np.concatenate([np.zeros(500), np.full(500, 1e-39), np.ones(500), np.zeros(3000)])
    for times_ms in ((0.1, 10.0), (100.0, 1000.0)):
        out = play(compressors(rate_hz), controls(-60.0, 20.0, *times_ms, 24.0), signal, [64])
        assert np.all(np.isfinite(out))
        assert np.max(np.abs(out)) <= amplitude(24.0) * 1.001
