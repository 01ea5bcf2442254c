"""What a take says of the wiring: latency, level, noise, polarity, and whether it can be used."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.signal import correlate

from trainer.capture.signal import CaptureSignal

Sound = NDArray[np.float32]

FULL_SCALE = 0.999
CLIPPED_RUN = 3
"""[frames] So many in a row at full scale are no chance."""
SILENT_DBFS = -60.0
QUIET_DBFS = -30.0
NOISY_DB = 40.0
"""[dB] Peak above noise that a recording should have."""
ONSET = 0.02
"""Of the answer's peak: from here on a click is heard."""
ABOVE_NOISE = 6.0
UNSTEADY_FRAMES = 8
POLARITY_S = 0.005
"""[s] After the latency, in which an answer's sign is looked for."""


@dataclass(slots=True)
class TakeCheck:
    """What was found; `faults` forbid the take, `remarks` are only said."""

    latency: int | None
    """[frames] From playing to hearing, the device itself included; None: nothing was heard."""
    peak_dbfs: float
    noise_dbfs: float
    """RMS while nothing is played."""
    inverted: bool = False
    faults: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    silent: bool = False
    """Nothing came back: a fault, unless a volume stands at 0."""

    def sentence(self, rate_hz: int) -> str:
        """Return the figures in a line."""
        latency = "latency unknown"
        if self.latency is not None:
            latency = f"latency {self.latency} frames ({1e3 * self.latency / rate_hz:.2f} ms)"
        return f"{latency}, peak {self.peak_dbfs:.1f} dBFS, noise {self.noise_dbfs:.1f} dBFS" + (
            ", polarity inverted" if self.inverted else ""
        )


def measure(signal: CaptureSignal, recorded: Sound, latency: int | None = None) -> TakeCheck:
    """Return what a recording [frames] of `signal` says.

    `latency` is used where the clicks are not heard, as with a volume at 0.
    """
    quiet = recorded[signal.silence]
    found = TakeCheck(latency, _dbfs(float(np.abs(recorded).max())), _dbfs(_rms(quiet)))
    if not np.isfinite(recorded).all():
        found.faults.append("the recording has values that are no numbers")
        return found
    sound = _from_first_click(signal, recorded)
    if found.peak_dbfs < SILENT_DBFS or _rms(sound) < 1.5 * _rms(quiet):
        found.silent = True
        found.faults.append(
            f"nothing comes back (peak {found.peak_dbfs:.1f} dBFS): check the cables, the pedal's "
            "power, and the channels (--in, --output-channel)"
        )
        return found
    _time(signal, recorded, found)
    _judge_level(recorded, found)
    if found.latency is not None:
        found.inverted = _inverted(signal, recorded, found.latency)
    return found


def _from_first_click(signal: CaptureSignal, recorded: Sound) -> Sound:
    return recorded[signal.first_clicks[0] :]


def _time(signal: CaptureSignal, recorded: Sound, found: TakeCheck) -> None:
    first = _onsets(recorded, signal.first_clicks, signal)
    last = _onsets(recorded, signal.last_clicks, signal) if signal.last_clicks else first
    if first is None or last is None:
        found.faults.append(
            "the clicks before and after the sound are not heard above the noise: turn the volume "
            "of the pedal or the interface's input up"
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
    """Return where clicks are heard after they are played [frames], and how much that varies.

    None where nothing rises above the noise. The onset, not the peak, is what counts: the device's
    own delay is part of its sound, but nothing of its answer may come before the question.
    """
    answers = np.stack([recorded[at : at + signal.spacing] for at in clicks]).astype(np.float64)
    answers -= np.median(answers, axis=1, keepdims=True)
    together = _onset(answers.mean(axis=0), recorded[signal.silence], len(clicks))
    each = [_onset(answer, recorded[signal.silence], 1) for answer in answers]
    heard = [onset for onset in each if onset is not None]
    if together is None or not heard:
        return None
    return together, max(heard) - min(heard)


def _onset(answer: NDArray[np.float64], quiet: Sound, averaged: int) -> int | None:
    size = np.abs(answer)
    noise = ABOVE_NOISE * (_rms(quiet - quiet.mean()) / averaged**0.5)
    if size.max() <= 2.0 * noise:
        return None
    return int(np.flatnonzero(size > max(ONSET * size.max(), noise))[0])


def _judge_level(recorded: Sound, found: TakeCheck) -> None:
    runs = np.convolve(np.abs(recorded) >= FULL_SCALE, np.ones(CLIPPED_RUN), "valid")
    clipped = int(np.count_nonzero(runs >= CLIPPED_RUN))
    if clipped:
        found.faults.append(
            f"the interface's input clips ({clipped} places): lower its gain or the pedal's volume"
        )
    elif found.peak_dbfs < QUIET_DBFS:
        found.remarks.append(
            f"too quiet (peak {found.peak_dbfs:.1f} dBFS): raise the interface's input gain until "
            "peaks reach -12 dBFS or so, and leave it there for all settings"
        )
    above = found.peak_dbfs - found.noise_dbfs
    if above < NOISY_DB:
        found.remarks.append(
            f"noisy: the peak is only {above:.0f} dB above the noise floor of "
            f"{found.noise_dbfs:.1f} dBFS; a model cannot learn noise"
        )


def _inverted(signal: CaptureSignal, recorded: Sound, latency: int) -> bool:
    """Return whether the strongest likeness within a few milliseconds is a negative one."""
    part = signal.parts["train"]
    dry = signal.played[part].astype(np.float64)
    wet = recorded[part.start + latency : part.stop + latency].astype(np.float64)
    dry = dry[: wet.size]
    span = round(POLARITY_S * signal.rate_hz)
    likeness = correlate(wet, dry, mode="full", method="fft")[dry.size - 1 :][:span]
    return bool(likeness[np.argmax(np.abs(likeness))] < 0.0)


def _rms(sound: Sound) -> float:
    return float(np.sqrt(np.mean(np.square(sound, dtype=np.float64))))


def _dbfs(value: float) -> float:
    return 20.0 * float(np.log10(max(value, 1e-9)))
