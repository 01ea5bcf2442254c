"""The tuner on real recordings, against an offline estimate (`tests.tuner.offline`)."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from nemod.tuner.tuner import Reading, Tuner
from tests.tuner.offline import WINDOW_S, pitch_of

BEHIND_S = 0.2
"""[s] The middle of what a reading is made from lies this far back."""
STEADY_READINGS = 8
"""So many readings in a row with the same name: the long window holds one note."""
STEADY_CENTS = 1.0
"""Largest change of the offline estimate within 0.2 s of a steady note."""
EVERY = 4
"""The offline estimate is slow; every fourth reading is compared."""


def readings(path: Path) -> tuple[np.ndarray, int, list[tuple[int, Reading]]]:
    """Return a recording, its rate and the readings, each with the frame at which it came."""
    sound, rate_hz = soundfile.read(path)
    tuner, hop = Tuner(rate_hz), rate_hz // 20
    ends = range(hop, sound.size + 1, hop)
    found = [(end, tuner.push(sound[end - hop : end])) for end in ends]
    return sound, rate_hz, [(end, one) for end, one in found if one is not None]


def errors_of_steady_notes(path: Path) -> np.ndarray:
    """Return the differences [cents] between readings and the offline estimate."""
    sound, rate_hz, found = readings(path)
    half = int(WINDOW_S * rate_hz / 2)
    errors = []
    for at in range(STEADY_READINGS, len(found), EVERY):
        end, reading = found[at]
        middle = end - int(BEHIND_S * rate_hz)
        names = {one.note for _, one in found[at - STEADY_READINGS + 1 : at + 1]}
        if len(names) > 1 or not reading.note or middle - half < 0:
            continue
        offsets = (-rate_hz // 10, 0, rate_hz // 10)
        pieces = [sound[middle + by - half : middle + by + half] for by in offsets]
        if pieces[-1].size < 2 * half:
            continue
        before, pitch, after = (pitch_of(piece, rate_hz, reading.hz)[0] for piece in pieces)
        if abs(1200.0 * np.log2(before / after)) < STEADY_CENTS:
            errors.append(1200.0 * np.log2(reading.hz / pitch))
    return np.array(errors)


@pytest.mark.parametrize(
    "name", ["toobamp_Guitar-B4.flac", "toobamp_Guitar-E2.flac", "toobamp_Guitar-E2-2.flac"]
)
def test_single_strings_are_read_as_by_an_offline_estimate(shared_data: Path, name: str) -> None:
    """Aim: 1 cent in the median, 3 at worst."""
    errors = np.abs(errors_of_steady_notes(shared_data / "di" / name))
    assert errors.size >= 15
    assert np.median(errors) < 1.0
    assert errors.max() < 3.0


@pytest.mark.parametrize(
    ("name", "note"),
    [
        ("toobamp_Guitar-B4.flac", "B4"),
        ("toobamp_Guitar-E2.flac", "E2"),
        ("toobamp_Guitar-E2-2.flac", "E2"),
    ],
)
def test_a_single_string_has_one_name_until_it_has_faded(
    shared_data: Path, name: str, note: str
) -> None:
    """In one of them the first partial fades much sooner than the second."""
    _, _, found = readings(shared_data / "di" / name)
    assert {one.note for _, one in found} <= {note, ""}
    assert sum(one.note == note for _, one in found) > 0.9 * len(found)


def test_a_bass_line_stays_in_its_range(shared_data: Path) -> None:
    """28 s of single notes between G1 and A2; the bass is tuned 27 cents sharp."""
    _, _, found = readings(shared_data / "di" / "t3k_Rollin-Bass.wav")
    heard = np.array([one.hz for _, one in found if one.note])
    assert heard.size > 0.7 * len(found)
    assert 48.0 < heard.min() < heard.max() < 115.0
