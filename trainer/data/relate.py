"""Measures how aligned wet depends on dry: coherence, steadiness, dynamics and echoes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft, signal

from trainer.data.dataset import Signal

SEGMENT_FRAMES = 4_096
STEADY_FRAMES = 1_024
STEADY_S = 0.5
LOUD = 1e-4
"""Energy relative to the loudest segment below which segments are ignored."""
ECHO_FROM_S, ECHO_TO_S = 0.05, 1.0
DAMPING = 1e-2
"""Regularisation of the deconvolution, relative to the mean power of dry."""
ECHO_LEAST = 0.2
"""Least amplitude relative to the direct sound: heavy distortion causes peaks of up to 0.16."""
ECHO_CLEAR = 2.5
"""Least amplitude relative to the peaks before the direct sound, which are estimation noise."""


def coherence(dry: Signal, wet: Signal) -> float:
    """Return the share of the energy of `wet` [frames] that follows `dry` linearly, 0..1.

    Magnitude-squared coherence by Welch's method, weighted by the energy of `wet`.
    """
    size = min(SEGMENT_FRAMES, dry.size // 8)
    if size < 16:
        return 0.0
    x, y = _segments(dry, size, 4), _segments(wet, size, 4)
    cross = np.abs(np.sum(np.conj(x) * y, axis=1)) ** 2
    power = np.sum(np.abs(x) ** 2, axis=1)
    known = power > 0
    total = float(np.sum(np.abs(y) ** 2))
    return float(np.sum(cross[known] / power[known])) / total if total else 0.0


def _segments(samples: Signal, size: int, overlap: int) -> NDArray[np.complex128]:
    """Return the short-time spectra [bins, segments] of [frames]."""
    hop = size // overlap
    spectra = signal.stft(samples, nperseg=size, noverlap=size - hop, boundary=None)[2]
    return np.asarray(spectra, np.complex128)


@dataclass(frozen=True, slots=True)
class Steadiness:
    """Steadiness of the phase between dry and wet, 0..1."""

    short: float
    """Within half a second."""
    long: float
    """Over the whole recording."""


def steadiness(dry: Signal, wet: Signal, rate: int) -> Steadiness | None:
    """Return how steady the device is over time, or None for a short recording.

    A time-invariant device has a fixed phase at each frequency, however it distorts. Phases are
    weighted by their share of a segment's energy, so that loudness does not matter.
    """
    x = _segments(dry, STEADY_FRAMES, 2)
    y = _segments(wet, STEADY_FRAMES, 2)
    group = round(STEADY_S * rate / (STEADY_FRAMES // 2))
    count = x.shape[1] // group
    if count < 8:
        return None
    energy = np.abs(x) ** 2
    total = energy.sum(axis=0)
    weights = np.where(total > LOUD * total.max(), energy / np.maximum(total, 1e-30), 0.0)
    cross = np.conj(x) * y
    phases = cross / np.maximum(np.abs(cross), 1e-30) * weights
    phases, weights = phases[:, : count * group], weights[:, : count * group]
    whole = float(weights.sum())
    if whole == 0:
        return None
    parts = phases.reshape(phases.shape[0], count, group).sum(axis=2)
    return Steadiness(
        float(np.abs(parts).sum()) / whole, float(np.abs(phases.sum(axis=1)).sum()) / whole
    )


@dataclass(frozen=True, slots=True)
class Wire:
    """The best fit of a plain gain to a device."""

    gain: float
    rest: float
    """Residual amplitude relative to wet, 0..1."""


def wire(dry: Signal, wet: Signal) -> Wire:
    """Return the least-squares gain from `dry` to `wet` [frames] and its residual."""
    a, b = dry.astype(np.float64), wet.astype(np.float64)
    power, total = float(a @ a), float(b @ b)
    if not power or not total:
        return Wire(0.0, 1.0)
    gain = float(a @ b) / power
    return Wire(gain, float(np.sqrt(max(0.0, float(np.sum((b - gain * a) ** 2)) / total))))


@dataclass(frozen=True, slots=True)
class Dynamics:
    """Dynamics of wet compared with those of dry."""

    ratio: float
    """Spread of wet's level over that of dry's, both in dB."""
    agreement: float
    """Correlation of the two levels, -1..1."""
    dry_crest: float
    """[dB] Peak over RMS."""
    wet_crest: float
    """[dB]"""


def dynamics(dry: Signal, wet: Signal, rate: int) -> Dynamics | None:
    """Return the dynamics of both signals [frames], or None if too little is audible."""
    a, b = (20 * np.log10(_levels(part, rate) + 1e-9) for part in (dry, wet))
    audible = (a > a.max() - 40) & (b > b.max() - 60)
    if np.count_nonzero(audible) < 8:
        return None
    spread = np.cov(a[audible], b[audible])
    if min(spread[0, 0], spread[1, 1]) < 1e-6:
        return None
    return Dynamics(
        float(np.sqrt(spread[1, 1] / spread[0, 0])),
        float(spread[0, 1] / np.sqrt(spread[0, 0] * spread[1, 1])),
        _crest(dry),
        _crest(wet),
    )


def _levels(samples: Signal, rate: int) -> NDArray[np.float64]:
    """Return the RMS of each 50 ms."""
    size = rate // 20
    count = samples.size // size
    pieces = samples[: count * size].reshape(count, size).astype(np.float64)
    return np.asarray(np.sqrt(np.mean(pieces**2, axis=1)))


def _crest(samples: Signal) -> float:
    power = float(np.mean(np.square(samples, dtype=np.float64)))
    return float(10 * np.log10(float(np.max(np.abs(samples))) ** 2 / power)) if power else 0.0


@dataclass(frozen=True, slots=True)
class Echo:
    """A later repeat of the sound."""

    seconds: float
    level: float
    """Amplitude against the direct sound."""


def echo(dry: Signal, wet: Signal, rate: int) -> Echo | None:
    """Return the strongest repeat in `wet` [frames], or None.

    The impulse response is estimated by regularised deconvolution. A causal device has no response
    before its input, so the estimate there is its noise.
    """
    n = fft.next_fast_len(2 * dry.size, real=True)
    a, b = fft.rfft(dry.astype(np.float64), n), fft.rfft(wet.astype(np.float64), n)
    power = np.abs(a) ** 2
    response = fft.irfft(np.conj(a) * b / (power + DAMPING * power.mean() + 1e-30), n)
    start, stop = round(ECHO_FROM_S * rate), round(ECHO_TO_S * rate)
    if dry.size < 3 * stop:
        return None
    # A repeat is smeared by the device's response: the energy of 1 ms is compared.
    size = max(1, rate // 1000)
    energy = np.convolve(np.concatenate([response[-stop:], response[:stop]]) ** 2, np.ones(size))
    energy = energy[: 2 * stop]
    direct = float(energy[stop - 4 * size : stop + start // 2].max())
    later, earlier = energy[stop + start :], energy[: stop - start]
    place = int(np.argmax(later))
    level = float(np.sqrt(later[place] / direct)) if direct else 0.0
    noise = float(np.sqrt(earlier.max() / direct)) if direct else 1.0
    if level < ECHO_LEAST or level < ECHO_CLEAR * noise:
        return None
    return Echo((start + place) / rate, level)
