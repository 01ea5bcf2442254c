"""MIDI clock to tempo against the arithmetic of 24 messages a quarter note."""

import random

import pytest

from nemod.midi.clock import ClockTempo


def tempos(times_s: list[float]) -> list[float]:
    """Return the tempos that a rig is set to, whose tempo nothing else sets."""
    clock, current = ClockTempo(), 119.0
    found = []
    for time_s in times_s:
        bpm = clock.tick(time_s, current)
        if bpm is not None:
            found.append(current := bpm)
    return found


def ticks(bpm: float, count: int, start_s: float = 100.0) -> list[float]:
    return [start_s + place * 60.0 / bpm / 24.0 for place in range(count)]


@pytest.mark.parametrize("bpm", [20.0, 61.3, 120.0, 300.0])
def test_an_even_clock_is_the_tempo_once(bpm: float) -> None:
    assert tempos(ticks(bpm, 200)) == [pytest.approx(bpm)]


def test_jitter_of_a_busy_machine_does_not_change_it() -> None:
    """Messages up to 5 ms late, and every tenth group of four at once."""
    rng = random.Random(3)
    late = [time + rng.random() * 0.005 for time in ticks(120.0, 480)]
    for place in range(40, 480, 40):
        late[place : place + 4] = [late[place + 3]] * 4
    found = tempos(late)
    assert all(bpm == pytest.approx(120.0, rel=0.003) for bpm in found)


def test_a_new_tempo_is_there_after_two_beats() -> None:
    before = ticks(120.0, 96)
    after = ticks(90.0, 72, before[-1] + 60.0 / 90.0 / 24.0)
    *_, last = tempos(before + after)
    assert last == pytest.approx(90.0, rel=0.002)


def test_a_pause_begins_anew() -> None:
    """No beat lasts from before the pause to after it."""
    found = tempos(ticks(120.0, 30) + ticks(100.0, 30, 110.0))
    assert found == [pytest.approx(120.0), pytest.approx(100.0)]


def test_a_clock_that_is_far_too_fast_sets_no_nonsense() -> None:
    """All at one time: no tempo."""
    assert tempos([5.0] * 1000) == []
