"""Note values against the arithmetic of music."""

import math
from fractions import Fraction

import pytest

from nemod.chain import read_chain
from nemod.control.settings import Settings
from nemod.parameters.notes import NOTE_BEATS, note_hz, note_ms
from nemod.parameters.table import param


@pytest.mark.parametrize("note", NOTE_BEATS)
def test_the_length_of_a_note_follows_from_its_name(note: str) -> None:
    """A dotted note is half as long again, three triplets take the time of two notes."""
    fraction, _, kind = note.partition(" ")
    factor = {"": Fraction(1), "dotted": Fraction(3, 2), "triplet": Fraction(2, 3)}[kind]
    assert NOTE_BEATS[note] == pytest.approx(float(4 * Fraction(fraction) * factor))


def test_notes_are_in_order_of_length() -> None:
    """A knob that is turned up gives longer notes."""
    assert list(NOTE_BEATS.values()) == sorted(set(NOTE_BEATS.values()))


def test_times_at_120_beats_per_minute() -> None:
    """A beat takes half a second."""
    assert note_ms("1/4", 120.0, 2000.0) == 500.0
    assert note_ms("1/8 dotted", 120.0, 2000.0) == 375.0


def test_what_is_too_long_for_the_delay_line_is_halved() -> None:
    """Four beats at 20 BPM are 12 s: 12000, 6000, 3000, 1500 ms."""
    assert note_ms("1/1", 20.0, 2000.0) == 1500.0


def test_every_choice_has_a_position_of_its_own() -> None:
    """From the position of a choice back to its label."""
    row = param("delay/note")
    assert [row.text(row.position(index)) for index in range(len(NOTE_BEATS))] == list(NOTE_BEATS)
    assert row.clipped(0.034) == pytest.approx(1 / 15)
    assert row.text(row.default) == "1/4"


@pytest.mark.parametrize("note", NOTE_BEATS)
def test_a_rate_is_that_of_the_note(note: str) -> None:
    """A cycle takes as long as the note; one that is too fast takes twice as long, and so on."""
    exact = 1000.0 / note_ms(note, 120.0, 1e9)
    assert note_hz(note, 120.0, 1e9) == pytest.approx(exact)
    halvings = max(0, math.ceil(math.log2(exact / 10.0)))
    assert note_hz(note, 120.0, 10.0) == pytest.approx(exact / 2**halvings)


def test_a_synchronised_oscillator_takes_its_rate_from_the_tempo() -> None:
    """Each by its own switch and note; without the switch it has its own rate."""
    chain = read_chain(["tremolo", "tremolo2", "delay"])
    settings = Settings(chain=chain)
    settings.set("tempo/bpm", param("tempo/bpm").position(90.0))
    settings.set("tremolo2/sync", 1.0)
    settings.set("tremolo2/note", list(NOTE_BEATS).index("1/8") / 15.0)
    vector = settings.vector(("tremolo/rate", "tremolo2/rate"))
    assert vector.tolist() == pytest.approx([4.0, 3.0])
