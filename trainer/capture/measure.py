"""Checks a take: measures latency, level, noise and polarity, and reports faults."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.signal import correlate

from trainer.capture.signal import CaptureSignal

Sound = NDArray[np.float32]

FULL_SCALE = 0.999
CLIPPED_RUN = 3
"""[frames] Least length of a run at full scale that counts as clipping."""
SILENT_DBFS = -60.0
QUIET_DBFS = -30.0
NOISY_DB = 40.0
"""[dB] Least recommended distance of the peak from the noise."""
ONSET = 0.02
"""Share of the response's peak at which a click starts."""
ABOVE_NOISE = 6.0
UNSTEADY_FRAMES = 8
POLARITY_S = 0.005
"""[s] Length of the response after the latency in which the polarity is measured."""


@dataclass(slots=True)
class TakeCheck:
    """Measurements of a take; `faults` make it unusable, `remarks` do not."""

    latency: int | None
    """[frames] Round trip through interface and device; None: no click was detected."""
    peak_dbfs: float
    noise_dbfs: float
    """RMS while nothing is played."""
    inverted: bool = False
    faults: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    silent: bool = False
    """No signal was recorded: a fault, unless a knob is at 0."""

    def sentence(self, rate_hz: int) -> str:
        """Return the measurements as one line of text."""
        latency = "latency unknown"
        if self.latency is not None:
            latency = f"latency {self.latency} frames ({1e3 * self.latency / rate_hz:.2f} ms)"
        return f"{latency}, peak {self.peak_dbfs:.1f} dBFS, noise {self.noise_dbfs:.1f} dBFS" + (
            ", polarity inverted" if self.inverted else ""
        )


def measure(signal: CaptureSignal, recorded: Sound, latency: int | None = None) -> TakeCheck:
    """Return the check of a recording [frames] of `signal`.

    `latency` [frames] is used if the clicks are inaudible, as with a volume at 0.
    """
    quiet = recorded[signal.silence]
    found = TakeCheck(latency, _dbfs(float(np.abs(recorded).max())), _dbfs(_rms(quiet)))
    if not np.isfinite(recorded).all():
        found.faults.append("the recording contains NaN or infinite values")
        return found
    sound = _from_first_click(signal, recorded)
    if found.peak_dbfs < SILENT_DBFS or _rms(sound) < 1.5 * _rms(quiet):
        found.silent = True
        found.faults.append(
            f"no signal from the device (peak {found.peak_dbfs:.1f} dBFS): check the cables, the "
            "pedal's power, and the channels (--in, --output-channel)"
        )
        return found
    _check_timing(signal, recorded, found)
    _check_level(recorded, found)
    if found.latency is not None:
        found.inverted = _inverted(signal, recorded, found.latency)
    return found


def _from_first_click(signal: CaptureSignal, recorded: Sound) -> Sound:
    return recorded[signal.first_clicks[0] :]


def _check_timing(signal: CaptureSignal, recorded: Sound, found: TakeCheck) -> None:
    first = _onsets(recorded, signal.first_clicks, signal)
    last = _onsets(recorded, signal.last_clicks, signal) if signal.last_clicks else first
    if first is None or last is None:
        found.faults.append(
            "the clicks before and after the sound are below the noise: turn up the volume of the "
            "pedal or the gain of the interface's input"
        )
        return
    found.latency, spread = first
    if spread > UNSTEADY_FRAMES:
        found.faults.append(f"the latency jumps by {spread} frames from click to click")
    if last[0] != first[0]:
        found.faults.append(
            f"{abs(last[0] - first[0])} frames were lost in the middle: the latency is "
            f"{first[0]} frames at the start and {last[0]} at the end"
        )


def _onsets(
    recorded: Sound, clicks: tuple[int, ...], signal: CaptureSignal
) -> tuple[int, int] | None:
    """Return the latency of clicks [frames] and its variation, or None if they are below the noise.

    The latency is measured at the onset, not at the peak: the model then includes the device's own
    delay, and its response is causal.
    """
    responses = np.stack([recorded[at : at + signal.spacing] for at in clicks]).astype(np.float64)
    responses -= np.median(responses, axis=1, keepdims=True)
    averaged_onset = _onset(responses.mean(axis=0), recorded[signal.silence], len(clicks))
    each = [_onset(response, recorded[signal.silence], 1) for response in responses]
    detected = [onset for onset in each if onset is not None]
    if averaged_onset is None or not detected:
        return None
    return averaged_onset, max(detected) - min(detected)


def _onset(response: NDArray[np.float64], quiet: Sound, averaged: int) -> int | None:
    size = np.abs(response)
    noise = ABOVE_NOISE * (_rms(quiet - quiet.mean()) / averaged**0.5)
    if size.max() <= 2.0 * noise:
        return None
    return int(np.flatnonzero(size > max(ONSET * size.max(), noise))[0])


def _check_level(recorded: Sound, found: TakeCheck) -> None:
    runs = np.convolve(np.abs(recorded) >= FULL_SCALE, np.ones(CLIPPED_RUN), "valid")
    clipped = int(np.count_nonzero(runs >= CLIPPED_RUN))
    if clipped:
        found.faults.append(
            f"the interface's input clips ({clipped} places): lower its gain or the pedal's volume"
        )
    elif found.peak_dbfs < QUIET_DBFS:
        found.remarks.append(
            f"too quiet (peak {found.peak_dbfs:.1f} dBFS): raise the interface's input gain until "
            "peaks reach about -12 dBFS, and keep it for all settings"
        )
    above = found.peak_dbfs - found.noise_dbfs
    if above < NOISY_DB:
        found.remarks.append(
            f"noisy: the peak is only {above:.0f} dB above the noise floor of "
            f"{found.noise_dbfs:.1f} dBFS; a model cannot learn noise"
        )


def _inverted(signal: CaptureSignal, recorded: Sound, latency: int) -> bool:
    """Return whether the strongest correlation within a few milliseconds is negative."""
    part = signal.parts["train"]
    dry = signal.played[part].astype(np.float64)
    wet = recorded[part.start + latency : part.stop + latency].astype(np.float64)
    dry = dry[: wet.size]
    span = round(POLARITY_S * signal.rate_hz)
    correlation = correlate(wet, dry, mode="full", method="fft")[dry.size - 1 :][:span]
    return bool(correlation[np.argmax(np.abs(correlation))] < 0.0)


def _rms(sound: Sound) -> float:
    return float(np.sqrt(np.mean(np.square(sound, dtype=np.float64))))


def _dbfs(value: float) -> float:
    return 20.0 * float(np.log10(max(value, 1e-9)))
