"""Note values: lengths in beats, a quarter note being one, and their times at a tempo."""

NOTE_BEATS: dict[str, float] = {
    "1/32": 1 / 8,
    "1/16 triplet": 1 / 6,
    "1/32 dotted": 3 / 16,
    "1/16": 1 / 4,
    "1/8 triplet": 1 / 3,
    "1/16 dotted": 3 / 8,
    "1/8": 1 / 2,
    "1/4 triplet": 2 / 3,
    "1/8 dotted": 3 / 4,
    "1/4": 1.0,
    "1/2 triplet": 4 / 3,
    "1/4 dotted": 3 / 2,
    "1/2": 2.0,
    "1/1 triplet": 8 / 3,
    "1/2 dotted": 3.0,
    "1/1": 4.0,
}
"""[beats] From the shortest to the longest."""
DEFAULT_NOTE = "1/4"


def note_ms(note: str, bpm: float, longest_ms: float) -> float:
    """Return the time [ms] of a note at a tempo, halved until it is at most `longest_ms`."""
    time_ms = NOTE_BEATS[note] * 60_000.0 / bpm
    while time_ms > longest_ms:
        time_ms /= 2.0
    return time_ms


def note_hz(note: str, bpm: float, highest_hz: float) -> float:
    """Return how often a second a note fits at a tempo, halved until it is at most `highest_hz`."""
    rate_hz = bpm / (60.0 * NOTE_BEATS[note])
    while rate_hz > highest_hz:
        rate_hz /= 2.0
    return rate_hz
