"""Names of notes in equal temperament, for any reference pitch."""

import math

NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
A4 = 69
"""Number of the reference note; notes are numbered as in MIDI."""


def note_name(number: int) -> str:
    """Return the name of a note with its octave: 40 is `E2`, the guitar's lowest string."""
    return f"{NAMES[number % 12]}{number // 12 - 1}"


def note_hz(number: int, reference_hz: float = 440.0) -> float:
    """Return the frequency [Hz] of a note."""
    return float(reference_hz * 2.0 ** ((number - A4) / 12.0))


def note_number(hz: float, reference_hz: float = 440.0) -> float:
    """Return the number of a frequency [Hz], with its fraction: 40.5 is 50 cents above `E2`."""
    return A4 + 12.0 * math.log2(hz / reference_hz)
