"""Measures the round trip of an interface, from a frame given to the driver to its recording.

Binary noise is played, and the quotient of the spectra gives the impulse response of the signal
path, so the first arrival stands out by about 40 dB whatever filters the converters have. Several
takes on one open device show whether the result can be relied on.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nemod.common.errors import AudioError
from nemod.common.units import amplitude_to_db
from nemod.engine.devices.base import DEMO, NULL
from nemod.engine.devices.duplex import Duplex, DuplexRecording, Sound
from nemod.engine.ipc import DeviceRequest

TAKES = 5
TRIES = 3
"""How often a take is tried while the driver reports xruns in it."""
NOISE_FRAMES = 4096
NOISE_PEAK = 0.25
"""-12 dBFS: far above the noise of a converter, and bearable from a loudspeaker."""
LONGEST_S = 0.25
"""[s] The longest round trip that can be measured."""
NOTHING = 1e-4
"""Peak, -80 dBFS: below it there is no cable."""
QUIET = 10.0 ** (-50.0 / 20.0)
CLIPPED = 0.999
CLIPPED_FRAMES = 3
CLEAR = 8.0
"""How far the arrival has to exceed the root mean square of the rest."""
_NEAR_S = 0.003
"""[s] Around the arrival, where the converters' filters ring."""
_SEED = 7


@dataclass(frozen=True, slots=True)
class Arrival:
    """What one take shows."""

    frames: int
    gain: float
    """Amplitude ratio of the recording to the sound; negative if inverted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundTrip:
    """The result of a measurement."""

    device: str
    rate_hz: int
    block_frames: int
    frames: int
    """Median of the takes."""
    spread_frames: int
    """Between the shortest and the longest."""
    buffer_frames: int | None
    """Input and output buffers as the driver states them; None where it does not."""
    gain: float
    takes: int
    xruns: int

    @property
    def rest_frames(self) -> int:
        """Converters, bus and what the driver does not state; negative if it overstates."""
        return self.frames - (self.buffer_frames or 0)

    def ms(self, frames: int) -> float:
        """Return frames as time [ms]."""
        return 1e3 * frames / self.rate_hz


def signal(rate_hz: int) -> Sound:
    """Return the sound: noise of two values, then silence for the longest round trip."""
    noise = np.random.default_rng(_SEED).choice((-NOISE_PEAK, NOISE_PEAK), NOISE_FRAMES)
    return np.concatenate([noise, np.zeros(math.ceil(LONGEST_S * rate_hz))]).astype(np.float32)


def impulse_response(played: Sound, recorded: Sound) -> NDArray[np.float64]:
    """Return the impulse response [frames] of the path from played to recorded, both [frames].

    The quotient of the spectra, regularised where nothing was played (Farina, "Simultaneous
    measurement of impulse response and distortion with a swept-sine technique", AES 108, 2000,
    divides likewise).
    """
    size = 1 << (2 * played.size - 1).bit_length()
    there = np.fft.rfft(played.astype(np.float64), size)
    back = np.fft.rfft(recorded.astype(np.float64), size)
    power = np.abs(there) ** 2
    quotient = back * there.conj() / (power + 1e-4 * power.max())
    return np.fft.irfft(quotient, size)[: played.size]


def arrival(take: DuplexRecording, played: Sound) -> Arrival:
    """Return the delay and the gain of the recording.

    Raises: AudioError when nothing was recorded, or something else, or too loud or too quiet.
    """
    recorded = take.recorded
    peak = float(np.abs(recorded).max(initial=0.0))
    if not math.isfinite(peak):
        raise AudioError("the driver delivers samples that are not finite")
    if peak < NOTHING:
        raise AudioError(
            "nothing comes back: connect the output to the input with a cable, and check that "
            "--input and --output are its channels, that the input is not muted and that the "
            "level is up"
        )
    response = impulse_response(played, recorded)
    at = int(np.argmax(np.abs(response)))
    near = math.ceil(_NEAR_S * take.rate_hz)
    rest = np.concatenate([response[: max(0, at - near)], response[at + near :]])
    floor = float(np.sqrt(np.mean(rest**2))) if rest.size else 0.0
    clipped = int(np.count_nonzero(np.abs(recorded) >= CLIPPED)) >= CLIPPED_FRAMES
    if abs(response[at]) < CLEAR * floor:
        raise AudioError(
            f"what comes back ({amplitude_to_db(peak):+.0f} dBFS) is not what is played: the cable "
            "is in another channel, or the input has another source"
        )
    if clipped:
        raise AudioError(
            "the input is overloaded: turn its gain or the output's level down until the loudest "
            f"sample is below 0 dBFS ({amplitude_to_db(NOISE_PEAK):+.0f} dBFS are played)"
        )
    came = recorded[at : at + NOISE_FRAMES].astype(np.float64)
    gain = float(np.sqrt(np.mean(came**2))) / NOISE_PEAK
    if gain * NOISE_PEAK < QUIET:
        raise AudioError(
            f"what comes back is too quiet for a reliable result "
            f"({amplitude_to_db(gain * NOISE_PEAK):+.0f} dBFS, at least "
            f"{amplitude_to_db(QUIET):+.0f} are needed): turn the output or the input's gain up"
        )
    return Arrival(at, math.copysign(gain, response[at]))


def judge(arrivals: Sequence[Arrival], take: DuplexRecording, device: str, xruns: int) -> RoundTrip:
    """Return the result of several takes.

    Raises: AudioError when they differ by more than a frame.
    """
    frames = sorted(one.frames for one in arrivals)
    spread = frames[-1] - frames[0]
    if spread > 1:
        found = ", ".join(str(one.frames) for one in arrivals)
        lost = f" {xruns} blocks were lost;" if xruns else ""
        raise AudioError(
            f"the takes differ ({found} frames):{lost} stop other programs that use the device, "
            "or try a larger --block"
        )
    stated_s = take.driver_latency_s
    return RoundTrip(
        device=device,
        rate_hz=take.rate_hz,
        block_frames=take.block_frames,
        frames=frames[len(frames) // 2],
        spread_frames=spread,
        buffer_frames=None if stated_s is None else round(stated_s * take.rate_hz),
        gain=float(np.median([one.gain for one in arrivals])),
        takes=len(arrivals),
        xruns=xruns,
    )


def measure(request: DeviceRequest, tick: Callable[[], None] = lambda: None) -> RoundTrip:
    """Measure; `tick` is called after each of the `TAKES` takes.

    Raises: AudioError.
    """
    if request.name in (DEMO, NULL):
        raise AudioError(
            f"the device {request.name!r} has no input to connect a cable to; name an interface "
            "with --device ('nemod devices' lists them)"
        )
    takes, xruns = [], 0
    with Duplex(request) as device:
        played = signal(device.rate_hz)
        for _ in range(TAKES):
            for _ in range(TRIES):
                take = device.play_and_record(played)
                xruns += take.xruns
                if not take.xruns:
                    break
            takes.append(take)
            tick()
    # Only now: long transforms beside the sound may cost xruns, which start the device anew, and
    # through some interfaces the way is then another one.
    return judge([arrival(take, played) for take in takes], take, device.name, xruns)
