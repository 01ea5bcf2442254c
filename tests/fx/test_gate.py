"""Noise gate: times and levels by arithmetic, and a float64 reference, frame by frame."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nemod.fx.gate import COURSE_DB, ENABLE, FLOOR_DB, HYSTERESIS_DB, WINDOW_S, gate
from nemod.fx.tools.smooth import smoothed
from nemod.parameters.table import param

RATES_HZ = [44_100, 48_000, 96_000, 192_000]
RATE_HZ = 48_000
MS = RATE_HZ // 1000

gates = cache(gate)


def amplitude(db):
    return 10.0 ** (np.asarray(db, float) / 20.0)


def controls(threshold_db=-40.0, attack_ms=1.0, hold_ms=50.0, release_ms=100.0, enable=1.0):
    return np.array([enable, amplitude(threshold_db), attack_ms, hold_ms, release_ms], np.float32)


def reference(signal, rate_hz, threshold_db, attack_ms, hold_ms, release_ms, hysteresis_db=6.0):
    """Return the gain of each frame, in float64, from the times of opening and closing."""
    magnitude = np.abs(signal.astype(float))
    frames = np.arange(len(signal))
    held = round(0.02 * rate_hz) + round(hold_ms * rate_hz / 1000.0)
    # The last frame, up to each, that would keep an open gate open.
    kept = magnitude >= amplitude(threshold_db - hysteresis_db)
    since = np.maximum.accumulate(np.where(kept, frames, -(10**9)))
    expired = np.maximum.accumulate(np.where(frames - since >= held, frames, -1))
    # At the very frame on which the hold expires, the closing threshold still applies.
    opened = np.maximum.accumulate(np.where(magnitude >= amplitude(threshold_db), frames, -1))
    is_open = (opened >= expired) & (opened >= 0)
    gains, gain = np.empty(len(signal)), 0.0
    for frame, opening in enumerate(is_open):
        if opening:
            gain = 1.0 - (1.0 - gain) * amplitude(-60.0 * 1000.0 / (attack_ms * rate_hz))
            gain = gain if 1.0 - gain >= amplitude(-80.0) else 1.0
        else:
            gain *= amplitude(-60.0 * 1000.0 / (release_ms * rate_hz))
            gain = gain if gain >= amplitude(-80.0) else 0.0
        gains[frame] = gain
    return gains


def phrase(rate_hz, seconds=1.5):
    """Return decaying tones with rests of several lengths, and hiss below them all."""
    time = np.arange(round(seconds * rate_hz)) / rate_hz
    rng = np.random.default_rng(3)
    sound = rng.uniform(-1.0, 1.0, time.size) * amplitude(-60.0)
    for start, hz, decay_s in ((0.1, 110.0, 0.03), (0.5, 82.4, 0.05), (0.72, 330.0, 0.02)):
        after = time - start
        tone = 0.5 * np.sin(2.0 * np.pi * hz * after) * np.exp(-after / decay_s)
        sound += np.where(after >= 0.0, tone, 0.0)
    return sound.astype(np.float32)


def test_the_constants_are_those_of_its_documentation():
    """What the arithmetic of these tests is built on."""
    assert (HYSTERESIS_DB, WINDOW_S, COURSE_DB, FLOOR_DB) == (6.0, 0.02, 60.0, -80.0)


@pytest.mark.parametrize("rate_hz", RATES_HZ)
@pytest.mark.parametrize("times_ms", [(1.0, 50.0, 100.0), (10.0, 0.0, 20.0), (0.1, 200.0, 5.0)])
def test_is_its_reference(play, rate_hz, times_ms):
    """Frame by frame, at every rate; the phrase opens and closes the gate several times.

    The gain may arrive, from `FLOOR_DB` away, a frame earlier or later.
    """
    signal = phrase(rate_hz)
    gains = reference(signal, rate_hz, -40.0, *times_ms)
    assert np.sum((gains[1:] > 0.0) & (gains[:-1] == 0.0)) >= 2
    out = play(gates(rate_hz), controls(-40.0, *times_ms), signal, [4096])
    assert np.all(np.abs(out - gains * signal) <= amplitude(-79.9) * np.abs(signal))


def test_off_changes_no_bit(play, noise):
    """Full scale, silence and denormal numbers; below the threshold too."""
    signal = np.concatenate([noise, noise * np.float32(1e-5), np.zeros(500), noise * 1e-39])
    signal = signal.astype(np.float32)
    assert np.any((signal != 0.0) & (np.abs(signal) < np.finfo(np.float32).tiny))
    out = play(gates(RATE_HZ), controls(-20.0, enable=0.0), signal, [64])
    assert np.array_equal(signal.view(np.int32), out.view(np.int32))


@pytest.mark.parametrize("sizes", [[1], [64], [65], [1000]])
def test_switching_does_not_depend_on_the_blocks(play, sizes):
    """On, off and on again within a block, at another threshold and hold."""
    signal = phrase(RATE_HZ, 0.25)
    moving = np.repeat(controls(-30.0, hold_ms=5.0, release_ms=20.0)[:, None], signal.size, axis=1)
    moving[0, 1010:3333] = 0.0
    moving[1, 6000:] = amplitude(-50.0)
    moving[3, 2000:] = 10.0
    whole = play(gates(RATE_HZ), moving, signal)
    assert np.max(np.abs(whole - play(gates(RATE_HZ), moving, signal, sizes))) < 1e-6


@pytest.mark.parametrize("attack_ms", [0.1, 1.0, 50.0])
def test_opens_to_a_thousandth_in_the_attack_time(play, attack_ms):
    """From the first frame above the threshold on; before it there is silence."""
    signal = np.full(8000, 0.001, np.float32)
    signal[1000:] = 0.5
    gains = play(gates(RATE_HZ), controls(attack_ms=attack_ms), signal, [64]) / signal
    frames = attack_ms * MS
    missing = amplitude(-60.0 * np.arange(1, 7001) / frames)
    assert np.all(gains[:1000] == 0.0)
    assert np.allclose(1.0 - missing, gains[1000:], atol=1.1e-4)
    assert np.interp(frames, np.arange(1, 7001), gains[1000:]) == pytest.approx(0.999, abs=1e-3)
    assert np.all(gains[1000 + round(frames * 80.0 / 60.0) + 1 :] == 1.0)


@pytest.mark.parametrize(("hold_ms", "release_ms"), [(0.0, 5.0), (50.0, 100.0), (500.0, 1000.0)])
def test_closes_after_window_and_hold_and_falls_60_db_in_the_release_time(
    play, hold_ms, release_ms
):
    """A note ends before frame 480; what follows is 20 dB below the closing threshold and more."""
    still = round((20.0 + hold_ms) * MS)
    fall = round(release_ms * MS)
    signal = np.full(480 + still + 2 * fall, 0.001, np.float32)
    signal[:480] = 0.5
    cut = controls(-40.0, 0.1, hold_ms, release_ms)
    gains = (play(gates(RATE_HZ), cut, signal, [64]) / signal)[480:]
    assert np.all(gains[: still - 1] == 1.0)
    assert np.all(gains[still - 1 :] < 1.0)
    closing = gains[still - 2 :]
    assert 20.0 * np.log10(closing[fall // 2]) == pytest.approx(-30.0, abs=0.02)
    assert 20.0 * np.log10(closing[fall]) == pytest.approx(-60.0, abs=0.02)
    end = round(fall * 80.0 / 60.0)
    assert closing[end - 2] > 0.0
    assert np.all(closing[end + 2 :] == 0.0)


@pytest.mark.parametrize(("level_db", "is_open"), [(-40.1, False), (-39.9, True)])
def test_opens_at_the_threshold(play, level_db, is_open):
    """0.1 dB below it stays closed."""
    signal = np.full(4800, amplitude(level_db), np.float32)
    gains = play(gates(RATE_HZ), controls(-40.0), signal, [64]) / signal
    assert gains[-1] == (1.0 if is_open else 0.0)


@pytest.mark.parametrize(("level_db", "is_open"), [(-45.9, True), (-46.1, False)])
def test_closes_6_db_below_the_threshold(play, level_db, is_open):
    """After a note, what rings at this level stays open or is closed."""
    signal = np.full(48_000, amplitude(level_db), np.float32)
    signal[:100] = 0.5
    gains = play(gates(RATE_HZ), controls(-40.0), signal, [64]) / signal
    assert gains[-1] == (1.0 if is_open else 0.0)


def test_a_level_that_wavers_around_the_threshold_opens_it_once(play):
    """By 2.5 dB, seven times a second, without hold. Without hysteresis it opens every time."""
    time = np.arange(2 * RATE_HZ) / RATE_HZ
    level_db = -40.0 + 2.5 * np.sin(2.0 * np.pi * 7.0 * time)
    rng = np.random.default_rng(8)
    tone = np.sin(2.0 * np.pi * 196.0 * time) + 0.02 * rng.normal(size=time.size)
    signal = (amplitude(level_db) * tone).astype(np.float32)

    def openings(gains):
        return int(np.sum((gains[1:] > 0.0) & (gains[:-1] == 0.0)))

    bare = reference(signal, RATE_HZ, -40.0, 1.0, 0.0, 5.0, hysteresis_db=0.0)
    assert openings(bare) >= 13
    out = play(gates(RATE_HZ), controls(-40.0, 1.0, 0.0, 5.0), signal, [64])
    # Where the tone crosses zero the gain cannot be seen.
    seen = np.abs(signal) > 1e-4
    assert openings(out[seen] / signal[seen]) <= 1
    opened = int(np.argmax(np.abs(signal) >= amplitude(-40.0))) + 2 * MS
    assert np.array_equal(signal[opened:], out[opened:])


def test_stays_open_between_the_peaks_of_the_lowest_note(play):
    """A steady low B of a bass (30.9 Hz) 0.5 dB above the closing threshold, without hold."""
    time = np.arange(RATE_HZ) / RATE_HZ
    signal = (amplitude(-45.5) * np.sin(2.0 * np.pi * 30.87 * time)).astype(np.float32)
    signal[:100] = 0.5
    out = play(gates(RATE_HZ), controls(-40.0, 0.1, 0.0, 5.0), signal, [64])
    assert np.array_equal(signal[100:], out[100:])


@pytest.mark.parametrize("is_on", [False, True])
def test_the_switch_does_not_click(is_on):
    """Hum at -45 dBFS below a threshold of -35 dB: no step larger than the hum's own."""
    effect = gates(RATE_HZ)
    audible = smoothed(effect, RATE_HZ)
    process = jax.jit(audible.process)
    targets = controls(-35.0, enable=float(not is_on))
    hum = amplitude(-45.0) * np.sin(2.0 * np.pi * 100.0 * np.arange(RATE_HZ) / RATE_HZ)
    hum = hum.astype(np.float32)
    state = audible.init((), jnp.asarray(targets))
    out = []
    for start in range(0, 48_000, 1000):
        if start == 12_000:
            targets[0] = float(is_on)
        state, block = process(
            (), jnp.asarray(targets), state, jnp.asarray(hum[start : start + 1000])
        )
        out.append(np.asarray(block))
    out = np.concatenate(out)
    # The gain moves by at most a fraction of 1 / (10 ms) or of 60 dB / 100 ms per frame.
    slope = 1.0 / (0.01 * RATE_HZ) + np.log(1000.0) / (0.1 * RATE_HZ)
    assert np.max(np.abs(np.diff(out))) <= np.max(np.abs(np.diff(hum))) + amplitude(-45.0) * slope
    before, after = (hum, 0.0 * hum) if is_on else (0.0 * hum, hum)
    assert np.array_equal(before[:12_000], out[:12_000])
    assert np.array_equal(after[-12_000:], out[-12_000:])
    assert param(ENABLE).smooth_s == 0.01


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_silence_denormal_numbers_and_full_scale_are_finite(play, rate_hz):
    """With the shortest and the longest times."""
    signal = np.concatenate([np.zeros(500), np.full(500, 1e-39), np.ones(500), np.zeros(9000)])
    for times_ms in ((0.1, 0.0, 5.0), (50.0, 500.0, 1000.0)):
        out = play(gates(rate_hz), controls(-90.0, *times_ms), signal, [64])
        assert np.all(np.isfinite(out))
        assert np.max(np.abs(out)) <= 1.0
