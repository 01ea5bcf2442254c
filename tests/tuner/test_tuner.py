"""What the display shows: nothing for silence, noise and chords; names, hysteresis, reference."""

import numpy as np
import pytest
from numpy.typing import NDArray

from nemod.tuner.notes import note_hz, note_name, note_number
from nemod.tuner.tuner import EMPTY, Reading, Tuner
from tests.tuner.strings import Pluck, synthesise

RATE_HZ = 48_000
HOP = RATE_HZ // 20

E2, A2, E4 = 82.4069, 110.0, 329.6276


def string(hz: float, seconds: float = 1.5, seed: int = 1, **other: float) -> NDArray[np.float64]:
    """Return a string of a guitar."""
    pluck = Pluck(
        hz=hz, stiffness=6e-5, position=0.2, pickup=0.13, decay_s=1.5, noise_db=-70.0
    )._replace(**other)
    return synthesise(pluck, np.random.default_rng(seed), RATE_HZ, seconds)[0]


def readings(tuner: Tuner, sound: NDArray[np.float64]) -> list[Reading]:
    """Return the readings of a sound."""
    hops = range(0, sound.size - HOP + 1, HOP)
    return [one for at in hops if (one := tuner.push(sound[at : at + HOP])) is not None]


@pytest.mark.parametrize(
    ("number", "name", "hz"),
    [
        (23, "B0", 30.868),
        (40, "E2", 82.407),
        (60, "C4", 261.626),
        (69, "A4", 440.0),
        (88, "E6", 1318.51),
    ],
)
def test_notes_have_their_names_and_frequencies(number: int, name: str, hz: float) -> None:
    """Scientific pitch notation; frequencies from tables of equal temperament."""
    assert note_name(number) == name
    assert note_hz(number) == pytest.approx(hz, rel=1e-5)
    assert note_number(hz) == pytest.approx(number, abs=1e-3)


def test_silence_has_no_reading() -> None:
    """Neither digital silence nor a constant offset."""
    assert set(readings(Tuner(RATE_HZ), np.zeros(RATE_HZ))) == {EMPTY}
    assert set(readings(Tuner(RATE_HZ), np.full(RATE_HZ, 0.3))) == {EMPTY}


@pytest.mark.parametrize("level", [1e-5, 1e-3, 0.3])
def test_noise_has_no_reading(level: float) -> None:
    """White noise of any level, for 10 s."""
    sound = np.random.default_rng(2).normal(0.0, level, 10 * RATE_HZ)
    assert set(readings(Tuner(RATE_HZ), sound)) == {EMPTY}


@pytest.mark.parametrize(
    "semitones", [(0, 7), (0, 7, 12), (0, 4, 7), (0, 3, 7), (0, 7, 12, 16, 19, 24), (0, 1)]
)
@pytest.mark.parametrize("root_hz", [82.4069, 110.0, 164.814])
def test_chords_have_no_reading_that_stays(semitones: tuple[int, ...], root_hz: float) -> None:
    """Fifths, triads, a barre chord: at most a glimpse."""
    tones = [string(root_hz * 2.0 ** (step / 12.0), seed=step, decay_s=2.0) for step in semitones]
    shown = readings(Tuner(RATE_HZ), np.sum(tones, axis=0) / len(tones))
    assert sum(bool(one.note) for one in shown) <= 0.2 * len(shown)


def test_a_single_string_of_the_same_kind_is_read() -> None:
    """So that the gates above mean something."""
    shown = readings(Tuner(RATE_HZ), string(E2))
    assert sum(one.note == "E2" for one in shown) >= 0.85 * len(shown)


def test_hum_and_hiss_below_the_gate_have_no_reading() -> None:
    """Mains hum at -75 dBFS."""
    time = np.arange(2 * RATE_HZ) / RATE_HZ
    hum = sum(np.sin(2.0 * np.pi * 50.0 * k * time) / k for k in (1, 2, 3))
    assert set(readings(Tuner(RATE_HZ), 2e-4 * np.asarray(hum))) == {EMPTY}


@pytest.mark.parametrize("reference_hz", [400.0, 432.0, 440.0, 444.0, 480.0])
def test_the_reference_moves_all_notes(reference_hz: float) -> None:
    """A string at that reference's A2 is in tune."""
    shown = readings(Tuner(RATE_HZ, reference_hz), string(reference_hz / 4.0))[-1]
    assert shown.note == "A2"
    assert shown.cents == pytest.approx(0.0, abs=0.2)
    assert shown.hz == pytest.approx(reference_hz / 4.0, rel=1e-4)


def test_the_reference_can_change_while_a_note_sounds() -> None:
    """440 Hz is 31.8 cents below A4 at 448.16 Hz."""
    tuner = Tuner(RATE_HZ)
    sound = string(A2)
    readings(tuner, sound[: RATE_HZ // 2])
    tuner.reference_hz = 440.0 * 2.0 ** (31.8 / 1200.0)
    assert readings(tuner, sound[RATE_HZ // 2 : RATE_HZ])[-1].cents == pytest.approx(-31.8, abs=0.2)


@pytest.mark.parametrize(("cents", "note", "shown"), [(49.0, "E2", 49.0), (53.0, "E2", 50.0)])
def test_the_name_does_not_flicker_between_two_notes(cents: float, note: str, shown: float) -> None:
    """After E2, a string a little beyond the middle to F2 is still E2; the cents stop at 50."""
    tuner = Tuner(RATE_HZ)
    readings(tuner, string(E2, 1.0))
    # As the peg is turned: in steps, each plucked anew.
    readings(tuner, string(E2 * 2.0 ** (30.0 / 1200.0), 1.0))
    last = readings(tuner, string(E2 * 2.0 ** (cents / 1200.0), 1.0))[-1]
    assert last.note == note
    assert last.cents == pytest.approx(shown, abs=0.3)


def test_well_beyond_the_middle_the_name_changes() -> None:
    """At 60 cents above E2 it is F2, 40 cents flat."""
    tuner = Tuner(RATE_HZ)
    readings(tuner, string(E2, 1.0))
    last = readings(tuner, string(E2 * 2.0 ** (60.0 / 1200.0), 1.0))[-1]
    assert (last.note, last.cents) == ("F2", pytest.approx(-40.0, abs=0.3))


def test_the_display_goes_empty_after_the_note() -> None:
    """Within half a second."""
    tuner = Tuner(RATE_HZ)
    assert readings(tuner, string(A2, 1.0))[-1].note == "A2"
    assert readings(tuner, np.zeros(RATE_HZ // 2))[-1] == EMPTY


def test_a_note_after_another_is_read_within_a_third_of_a_second() -> None:
    """With no silence in between, as strings are tuned one after the other."""
    tuner = Tuner(RATE_HZ)
    readings(tuner, string(E2, 1.0))
    after = readings(tuner, string(E4, 1.0))
    first = next(at for at, one in enumerate(after) if one.note == "E4")
    assert (first + 1) * 0.05 <= 0.35
    assert {one.note for one in after} <= {"E2", "E4", ""}


def test_a_faded_first_partial_is_no_octave() -> None:
    """As the lowest string of a real guitar: the second partial 22 dB above all odd ones."""
    time = np.arange(2 * RATE_HZ) / RATE_HZ
    weak = 10.0 ** (-22.0 / 20.0)
    levels = np.array([1.0, 1.0, 1.0]) * np.where(time < 0.6, 1.0, 0.0)[:, None]
    levels[time >= 0.6] = weak, 1.0, weak
    waves = np.sin(2.0 * np.pi * E2 * np.arange(1, 4) * time[:, None])
    shown = readings(Tuner(RATE_HZ), 0.1 * (levels * waves).sum(axis=1))
    assert {one.note for one in shown[4:]} == {"E2"}


@pytest.mark.parametrize("rate_hz", [16_000, 32_000, 44_100, 50_000, 176_400, 192_000])
def test_every_rate_gives_twenty_readings_a_second(rate_hz: int) -> None:
    """Whatever the size of the blocks."""
    pluck = Pluck(hz=A2, stiffness=6e-5, position=0.2, pickup=0.13, decay_s=1.5, noise_db=-70.0)
    sound, _ = synthesise(pluck, np.random.default_rng(1), rate_hz, 1.0)
    tuner = Tuner(rate_hz)
    shown = [tuner.push(sound[at : at + 100]) for at in range(0, sound.size, 100)]
    found = [one for one in shown if one is not None]
    assert 18 <= len(found) <= 21
    assert found[-1].note == "A2"
    assert found[-1].cents == pytest.approx(0.0, abs=0.2)


def test_samples_that_come_late_are_looked_at_from_the_newest() -> None:
    """After a pause of the thread: ten seconds at once cost no more than a window."""
    tuner = Tuner(RATE_HZ)
    late = np.concatenate([string(E2, 9.0, decay_s=9.0), string(A2, 1.0)])
    reading = tuner.push(late)
    assert reading is not None
    assert reading.note == "A2"


def test_samples_that_are_not_finite_do_no_lasting_harm() -> None:
    """A driver's fault passes with the window."""
    tuner = Tuner(RATE_HZ)
    readings(tuner, np.full(RATE_HZ // 10, np.nan))
    assert readings(tuner, string(A2, 1.0))[-1].note == "A2"
