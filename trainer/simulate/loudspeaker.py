"""Simulated cabinets: impulse responses from a simple model of a loudspeaker.

    python -m trainer.simulate.loudspeaker cabinets

writes those that ship with nemod. The model is linear, on the axis, and made of well-known parts:

- below, the mass of the cone on its suspension and the air of the cabinet: a second-order
  high-pass in a closed box, a fourth-order one (two in series) with an open back, where the rear
  wave cancels the front one (R. H. Small, "Closed-box loudspeaker systems", 1972);
- break-up of the cone: resonances and, between them, notches of second order;
- above, the inductance of the voice coil and the mass of the cone: a low-pass;
- reflections of the edges of the baffle: two weak echoes within a millisecond.

Its parameters are chosen, not measured: no product is copied. Every part is a minimum-phase filter
or an echo, so the response begins at once.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.signal
from numpy.typing import NDArray

from nemod.common.sound_files import write_sound

RATE_HZ = 48_000
FRAMES = 4_096
FADE_FRAMES = 1_024
PEAK = 0.9
"""Of the file. How loud a cabinet is played does not depend on it."""
BAFFLE_GAIN = 0.16
"""Of the first reflection; the second has half of it and the other sign."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loudspeaker:
    """The parameters of a cabinet."""

    resonance_hz: float
    """Of cone and suspension, in the cabinet."""
    resonance_q: float
    is_open: bool
    """Whether the cabinet has an open back."""
    modes: tuple[tuple[float, float, float], ...]
    """Of the cone: frequency [Hz], gain [dB, negative for a notch], and Q."""
    top_hz: float
    """Where the low-pass is down by 3 dB."""
    top_order: int
    baffle_m: float
    """From the centre of the cone to the nearer edge; the farther one is 1.6 times as far."""


LOUDSPEAKERS = {
    "sim-open-1x12": Loudspeaker(
        resonance_hz=95.0,
        resonance_q=0.9,
        is_open=True,
        modes=((430.0, -2.0, 1.0), (1500.0, 2.5, 1.4), (2600.0, 6.0, 2.2), (3700.0, 3.0, 4.0)),
        top_hz=4800.0,
        top_order=5,
        baffle_m=0.20,
    ),
    "sim-closed-2x12": Loudspeaker(
        resonance_hz=100.0,
        resonance_q=1.2,
        is_open=False,
        modes=((380.0, -3.5, 0.9), (1200.0, 2.0, 1.5), (2300.0, 5.5, 1.8), (3300.0, 4.0, 3.5)),
        top_hz=4500.0,
        top_order=6,
        baffle_m=0.24,
    ),
    "sim-closed-4x12": Loudspeaker(
        resonance_hz=110.0,
        resonance_q=1.5,
        is_open=False,
        modes=(
            *((330.0, -5.0, 0.8), (900.0, -2.0, 1.2), (1700.0, 3.0, 1.6)),
            *((2700.0, 6.5, 2.0), (4100.0, -4.0, 4.0)),
        ),
        top_hz=4200.0,
        top_order=6,
        baffle_m=0.33,
    ),
    "sim-bass-1x15": Loudspeaker(
        resonance_hz=55.0,
        resonance_q=0.8,
        is_open=False,
        modes=((250.0, -2.0, 0.8), (1100.0, 3.0, 1.5), (2000.0, 4.0, 2.5)),
        top_hz=3000.0,
        top_order=5,
        baffle_m=0.28,
    ),
}
"""Those that ship, by the names of their files."""


def impulse_response(of: Loudspeaker, rate_hz: int = RATE_HZ) -> NDArray[np.float64]:
    """Return the response [FRAMES] of a cabinet, its largest sample at `PEAK`."""
    sound = np.zeros(FRAMES)
    sound[0] = 1.0
    for _ in range(2 if of.is_open else 1):
        sound = _filtered(sound, _high_pass(of.resonance_hz, of.resonance_q), rate_hz)
    for hz, gain_db, q in of.modes:
        sound = _filtered(sound, _peak(hz, gain_db, q), rate_hz)
    top = scipy.signal.butter(of.top_order, of.top_hz, fs=rate_hz, output="sos")
    sound = scipy.signal.sosfilt(top, sound)
    sound = _with_baffle(sound, of.baffle_m, rate_hz)
    sound[-FADE_FRAMES:] *= 0.5 + 0.5 * np.cos(np.pi * np.arange(FADE_FRAMES) / FADE_FRAMES)
    return np.asarray(sound * (PEAK / np.abs(sound).max()))


Analog = tuple[list[float], list[float], float]
"""Numerator and denominator in s over the frequency, and that frequency [Hz]."""


def _high_pass(hz: float, q: float) -> Analog:
    return [1.0, 0.0, 0.0], [1.0, 1.0 / q, 1.0], hz


def _peak(hz: float, gain_db: float, q: float) -> Analog:
    root = 10.0 ** (gain_db / 40.0)
    return [1.0, root / q, 1.0], [1.0, 1.0 / (root * q), 1.0], hz


def _filtered(sound: NDArray[np.float64], analog: Analog, rate_hz: int) -> NDArray[np.float64]:
    """Return the sound through an analog filter, by the bilinear transform, exact at its hz."""
    above, below, hz = analog
    warped = 2.0 * rate_hz * np.tan(np.pi * hz / rate_hz)
    scale = warped ** -np.arange(2.0, -1.0, -1.0)
    b, a = scipy.signal.bilinear(np.array(above) * scale, np.array(below) * scale, rate_hz)
    return np.asarray(scipy.signal.lfilter(b, a, sound))


def _with_baffle(sound: NDArray[np.float64], near_m: float, rate_hz: int) -> NDArray[np.float64]:
    """Return the sound with what the edges of the baffle radiate, later and weaker."""
    speed_m_s = 343.0
    out = sound.copy()
    for way_m, gain in ((near_m, -BAFFLE_GAIN), (1.6 * near_m, 0.5 * BAFFLE_GAIN)):
        delay = round(way_m / speed_m_s * rate_hz)
        out[delay:] += gain * sound[:-delay]
    return out


def main(argv: Sequence[str] | None = None) -> None:
    """Write the cabinets that ship."""
    parser = argparse.ArgumentParser(description="Write simulated cabinets.")
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args(argv).folder
    folder.mkdir(parents=True, exist_ok=True)
    for name, speaker in LOUDSPEAKERS.items():
        samples = impulse_response(speaker).astype(np.float32)
        write_sound(folder / f"{name}.flac", samples, RATE_HZ)


if __name__ == "__main__":
    main()
