"""Conversions between decibels and amplitude ratios."""

import math

SILENCE_DB = -120.0
"""[dBFS] Shown for an amplitude of zero."""


def db_to_amplitude(db: float) -> float:
    """Return the amplitude ratio of a level in dB; minus infinity is 0."""
    return 0.0 if db == -math.inf else 10.0 ** (db / 20.0)


def amplitude_to_db(amplitude: float) -> float:
    """Return the level in dB of an amplitude ratio, not below `SILENCE_DB`."""
    return max(SILENCE_DB, 20.0 * math.log10(amplitude)) if amplitude > 0.0 else SILENCE_DB
