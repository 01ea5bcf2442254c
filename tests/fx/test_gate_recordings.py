"""Noise gate on real notes between rests with hum: what is silenced, and what of an attack is lost.

The notes are cut at their attacks out of the recordings of a guitar and a bass; the hum is that of
a mains of 50 Hz with harmonics, as a single-coil pickup gives it.
"""

from functools import cache

import numpy as np
import pytest
import soundfile

from nemod.fx.gate import gate

HUM_DB = -56.0
"""[dBFS] Peak of the hum."""
THRESHOLD_DB = HUM_DB + 8.0
"""[dBFS] As low as a player would set it: it closes at 6 dB less."""
LOUD_DB = -30.0
"""[dBFS] Least peak of a note in its first 5 ms."""
NOTE_S, REST_S = 0.35, 0.6

gates = cache(gate)


def amplitude(db):
    return 10.0 ** (db / 20.0)


def hum(frames, rate_hz):
    """Return mains hum with its harmonics."""
    time = np.arange(frames) / rate_hz
    parts = ((1, 1.0), (2, 0.5), (3, 0.4), (4, 0.2), (6, 0.15), (9, 0.1))
    sound = sum(level * np.sin(2.0 * np.pi * 50.0 * n * time + n * n) for n, level in parts)
    return sound * amplitude(HUM_DB) / np.max(np.abs(sound))


def attacks(sound, rate_hz):
    """Return the frames where 5 ms peak at least 12 dB above the 20 ms before, at a loud note."""
    before, after = round(0.02 * rate_hz), round(0.005 * rate_hz)
    hop = round(0.001 * rate_hz)
    magnitude = np.abs(sound)
    found = []
    at = before
    while at + round(NOTE_S * rate_hz) < len(sound):
        quiet = np.max(magnitude[at - before : at])
        piece = magnitude[at : at + after]
        if np.max(piece) >= max(4.0 * quiet, amplitude(LOUD_DB)):
            found.append(at + int(np.argmax(piece > quiet)))
            at += round(NOTE_S * rate_hz)
        at += hop
    return found


def sequence(notes, rate_hz):
    """Return the notes with a rest before each and after the last, and where they begin."""
    rest = round(REST_S * rate_hz)
    fade = np.ones(round(NOTE_S * rate_hz))
    fade[-round(0.05 * rate_hz) :] = np.linspace(1.0, 0.0, round(0.05 * rate_hz))
    pieces, starts = [np.zeros(rest)], []
    for note in notes:
        starts.append(sum(len(piece) for piece in pieces))
        pieces += [note * fade, np.zeros(rest)]
    return np.concatenate(pieces), starts


def measured(play, notes, rate_hz, attack_ms):
    """Return the attenuation of the rests and the losses of the first 5 ms of each note, in dB."""
    dry, starts = sequence(notes, rate_hz)
    signal = (dry + hum(len(dry), rate_hz)).astype(np.float32)
    threshold = amplitude(THRESHOLD_DB)
    knobs = np.array([1.0, threshold, attack_ms, 50.0, 100.0], np.float32)
    out = play(gates(rate_hz), knobs, signal, [4096]).astype(float)
    window = round(0.005 * rate_hz)
    losses = [
        10.0
        * np.log10(np.sum(signal[at : at + window] ** 2.0) / np.sum(out[at : at + window] ** 2))
        for at in starts
    ]
    # Window, hold and release to -80 dB after the note, all that is left is silence.
    rest = np.concatenate([out[at - round(0.3 * rate_hz) : at] for at in starts])
    heard = np.concatenate([signal[at - round(0.3 * rate_hz) : at] for at in starts])
    assert np.sqrt(np.mean(heard**2.0)) > amplitude(HUM_DB - 12.0)
    return rest, np.array(losses)


@pytest.mark.parametrize(
    ("attack_ms", "median_db", "worst_db"), [(0.1, 0.05, 0.2), (1.0, 0.2, 1.5), (5.0, 1.5, 8.0)]
)
def test_real_notes_with_hum(play, shared_data, attack_ms, median_db, worst_db):
    """The rests are silent; of the first 5 ms of a note little is lost, by the attack time."""
    losses = []
    for path in sorted((shared_data / "di").iterdir()):
        sound, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
        sound = sound[:, 0]
        frames = round(NOTE_S * rate_hz)
        notes = [sound[at : at + frames] for at in attacks(sound, rate_hz)[:12]]
        if notes:
            rest, lost = measured(play, notes, rate_hz, attack_ms)
            assert np.all(rest == 0.0), path.name
            losses.append(lost)
    lost = np.concatenate(losses)
    assert lost.size >= 30
    assert np.median(lost) < median_db
    assert np.max(lost) < worst_db
