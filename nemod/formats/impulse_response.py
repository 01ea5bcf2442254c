"""Impulse responses of cabinets: read from a sound file, and brought to a device's rate.

A file holds what a loudspeaker in its cabinet makes of one impulse. To be played it is resampled,
the silence before its onset and the inaudible end of its tail are cut off, and it is levelled, so
that all cabinets are equally loud, and about as loud as none.
"""

import math
import os
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG

import numpy as np
import samplerate
from numpy.typing import NDArray

from nemod.common.errors import AudioError, CabinetError
from nemod.common.sound_files import read_sound
from nemod.common.units import amplitude_to_db, db_to_amplitude

MAX_BYTES = 32 * 2**20
MIN_RATE_HZ, MAX_RATE_HZ = 8_000, 768_000
LONGEST_FILE_S = 20.0
"""[s] What is longer is a recording, and no impulse response."""
LONGEST_S = 1.0
"""[s] Of a longer response the rest is faded out and not played."""
ONSET_DB = -60.0
"""[dB] The response begins at the first sample that is above this, relative to its peak."""
TAIL_DB = -100.0
"""[dB] It ends where the energy of the rest is below this, relative to that of the whole."""
FADE_SHARE = 0.1
"""Share of `LONGEST_S` in which a longer response is faded out."""
LEVEL_BAND_HZ = (80.0, 5000.0)
"""[Hz] Range of a guitar through a loudspeaker, in which the level is measured."""
LOWEST_BAND_DB = 40.0
"""[dB] How much quieter than the whole response that range may be. To level one that is quieter
still would make the rest of it loud beyond measure."""
PRE_FRAMES = 256
"""[frames] Silence before the response, in which the ringing of the resampler has room."""
_SPECTRUM_FRAMES = 1 << 16

Response = NDArray[np.float64]
"""[taps]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImpulseResponse:
    """An impulse response as its file has it."""

    name: str
    """The file's name without its suffix."""
    samples: NDArray[np.float32]
    """[frames] One channel; finite, and not silent."""
    rate_hz: int
    channels: int
    """How many the file has; the first one is played."""
    note: str
    """What the header stated wrongly, as a sentence; usually nothing."""
    path: str = ""
    """The file; empty for a response that is from none."""


def load_impulse_response(path: Path | str) -> ImpulseResponse:
    """Read the first channel of a sound file as an impulse response.

    Raises: CabinetError for what is no sound file, holds no sound or one that is not finite, is
    too large or longer than `LONGEST_FILE_S`, has next to nothing in
    `LEVEL_BAND_HZ`, or has a sample rate out of range.
    """
    path = Path(path)
    try:
        status = os.stat(path)
        if not S_ISREG(status.st_mode):
            raise CabinetError(str(path), "is no ordinary file; a sound file is expected")
        if status.st_size > MAX_BYTES:
            text = f"{status.st_size} bytes; an impulse response has at most {MAX_BYTES}"
            raise CabinetError(str(path), text)
        sound = read_sound(path, longest_s=LONGEST_FILE_S)
    except OSError as error:
        raise CabinetError(str(path), f"cannot be read: {error.strerror or error}") from None
    except ValueError as error:  # a null byte in the name
        raise CabinetError(ascii(str(path)), f"cannot be read: {error}") from None
    except AudioError as error:
        raise CabinetError(str(path), str(error).removeprefix(f"{path}: ")) from None
    if not MIN_RATE_HZ <= sound.rate_hz <= MAX_RATE_HZ:
        text = f"{sound.rate_hz} Hz; sample rates from {MIN_RATE_HZ} to {MAX_RATE_HZ} are expected"
        raise CabinetError(str(path), text)
    made = ImpulseResponse(
        name=path.stem,
        samples=sound.samples,
        rate_hz=sound.rate_hz,
        channels=sound.channels,
        note=sound.note,
        path=str(path),
    )
    _checked_level(made, made.samples.astype(np.float64), made.rate_hz)
    return made


def facts(response: ImpulseResponse) -> dict[str, str | int | float]:
    """Return what there is to know about a response, for people."""
    length_s = response.samples.size / response.rate_hz
    return {
        "name": response.name,
        "sample_rate": response.rate_hz,
        "channels": response.channels,
        "frames": response.samples.size,
        "length_ms": round(1e3 * length_s, 1),
        **({"note": response.note} if response.note else {}),
    }


def playable(response: ImpulseResponse, rate_hz: int) -> Response:
    """Return a response [taps] as it is played at a sample rate: trimmed and levelled.

    Raises: CabinetError for one that holds next to nothing in `LEVEL_BAND_HZ`.
    """
    taps = trimmed(resampled(response.samples.astype(np.float64), response.rate_hz, rate_hz))
    taps = cut(taps, longest_taps(rate_hz))
    return taps / _checked_level(response, taps, rate_hz)


def _checked_level(response: ImpulseResponse, samples: Response, rate_hz: int) -> float:
    """Return the level of samples [frames] of a response; see `level`. Raises: CabinetError."""
    low, high = LEVEL_BAND_HZ
    where = response.path or response.name
    found = level(samples, rate_hz)
    if found == 0.0:
        raise CabinetError(where, f"is silent between {low:g} and {high:g} Hz")
    # The gain for white noise, which counts all frequencies.
    below_db = amplitude_to_db(math.sqrt(float(np.sum(samples**2))) / found)
    if below_db > LOWEST_BAND_DB:
        text = (
            f"between {low:g} and {high:g} Hz, where a guitar is, it is {below_db:.0f} dB quieter "
            f"than as a whole; at most {LOWEST_BAND_DB:g} dB are expected"
        )
        raise CabinetError(where, text)
    return found


def longest_taps(rate_hz: int) -> int:
    """Return how many taps are played at most."""
    return int(LONGEST_S * rate_hz)


def resampled(samples: Response, from_hz: int, to_hz: int) -> Response:
    """Return samples [frames] at another rate, with silence before them; at one rate, unchanged.

    By libsamplerate's best band-limited interpolator (145 dB signal-to-noise ratio, 97 %
    bandwidth). Its filter is symmetric: what rings before the onset falls into that silence.
    """
    if from_hz == to_hz:
        return samples
    # A multiple of the frames in which both rates meet, so that no sample moves.
    step = from_hz // math.gcd(from_hz, to_hz)
    silence = np.zeros(step * math.ceil(PRE_FRAMES / step))
    padded = np.concatenate([silence, samples, np.zeros(PRE_FRAMES)]).astype(np.float32)
    out = samplerate.resample(padded, to_hz / from_hz, "sinc_best")
    # A response is a density over time: with more samples each one is smaller.
    return np.asarray(out, np.float64) * (from_hz / to_hz)


def trimmed(samples: Response) -> Response:
    """Return a response [frames] without the silence before its onset and the end of its tail."""
    magnitudes = np.abs(samples)
    onset = int(np.argmax(magnitudes >= magnitudes.max() * db_to_amplitude(ONSET_DB)))
    samples = samples[onset:]
    rest = np.cumsum(samples[::-1] ** 2)[::-1]
    audible = np.flatnonzero(rest > rest[0] * db_to_amplitude(TAIL_DB) ** 2)
    return samples[: int(audible[-1]) + 1]


def cut(samples: Response, longest: int) -> Response:
    """Return at most `longest` frames of a response; a longer one is faded out at its end."""
    if samples.size <= longest:
        return samples
    fade = max(1, round(FADE_SHARE * longest))
    ramp = 0.5 + 0.5 * np.cos(np.pi * np.arange(1, fade + 1) / fade)
    return np.concatenate([samples[: longest - fade], samples[longest - fade : longest] * ramp])


def level(samples: Response, rate_hz: int) -> float:
    """Return the gain of a response for pink noise in `LEVEL_BAND_HZ`.

    The root of the mean of the squared frequency response, every octave counting the same.
    """
    low, high = LEVEL_BAND_HZ
    frames = max(_SPECTRUM_FRAMES, 1 << (samples.size - 1).bit_length())
    hz = np.fft.rfftfreq(frames, 1.0 / rate_hz)
    power = np.abs(np.fft.rfft(samples, frames)) ** 2
    inside = (hz >= low) & (hz <= high)
    return math.sqrt(float(np.sum(power[inside] / hz[inside]) / np.sum(1.0 / hz[inside])))
