"""The load of the last two seconds."""

import pytest

from nemod.daemon.load_window import WINDOW_S, Load, LoadWindow
from nemod.daemon.step_down import StepDown
from nemod.engine.ipc import LOAD_BINS, TelemetryRecord


def record(blocks: int, late: int = 0, rig_id: int = 1, **counts: int) -> TelemetryRecord:
    """Return a record; `counts`: `at85=3` are three blocks of 85 to 90 % of the period."""
    found = [0] * LOAD_BINS
    for name, count in counts.items():
        found[int(name.removeprefix("at")) // 5] = count
    return TelemetryRecord(blocks, rig_id, 0, late, 0, 0, 0, 0.0, 0.0, 0.0, 0.0, found)


def filled(window: LoadWindow, seconds: float, start_s: float = 0.0, **counts: int) -> float:
    """Add 50 records a second; return the time of the last one."""
    now_s = start_s
    for number in range(round(50 * seconds) + 1):
        now_s = start_s + number / 50.0
        window.add(record(number, **(counts or {"at10": 10})), now_s)
    return now_s


def test_nothing_is_known_before_the_window_is_full() -> None:
    """Then it is the load that 99 of 100 blocks do not exceed."""
    window = LoadWindow()
    assert window.load(0.0) is None
    now_s = filled(window, WINDOW_S - 0.02)
    assert window.load(now_s) is None
    now_s = filled(window, 2.1 * WINDOW_S)
    assert window.load(now_s) == Load(0.1, 0.1, 0, 0)


def test_one_block_of_a_hundred_may_take_longer() -> None:
    """Two may not."""
    for slow, expected in ((1, 0.1), (2, 0.85)):
        window = LoadWindow()
        now_s = filled(window, 3.0, at10=100 - slow, at85=slow)
        assert window.load(now_s) == Load(expected, expected, 0, 0)


def test_what_is_older_than_the_window_is_forgotten() -> None:
    """Blocks and late blocks."""
    window = LoadWindow()
    window.add(record(0), 0.0)
    window.add(record(1, late=7, at120=10), 1.0)
    for number in range(90):
        window.add(record(2 + number, late=7, at5=10), 1.1 + number / 50.0)
    assert window.load(2.9) == Load(1.2, 0.05, 7, 1)
    window.add(record(100, late=9, at5=10), 1.0 + WINDOW_S)
    assert window.load(1.0 + WINDOW_S) == Load(0.05, 0.05, 2, 1)


def test_late_blocks_of_a_crossfade_do_not_count() -> None:
    """Nor those of its first record after it."""
    window = LoadWindow()
    filled(window, 2.0)
    window.add(record(200, late=3, rig_id=0), 2.02)
    window.add(record(201, late=5, at10=10), 2.04)
    window.add(record(202, late=6, at10=10), 2.06)
    assert window.load(2.06) == Load(0.1, 0.1, 1, 1)


def test_another_audio_process_begins_anew() -> None:
    """Its counts are smaller than those of the one before."""
    window = LoadWindow()
    window.add(record(1_000_000, late=50, at120=10), 0.0)
    now_s = filled(window, 1.0, 0.1, at10=10)
    assert window.load(now_s) is None
    now_s = filled(window, 3.0, 0.1, at10=10)
    assert window.load(now_s) == Load(0.1, 0.1, 0, 0)


def test_a_process_that_plays_nothing_has_no_load() -> None:
    """Records without blocks."""
    window = LoadWindow()
    for number in range(200):
        window.add(record(5), number / 50.0)
    assert window.load(4.0) is None


@pytest.mark.parametrize(
    ("late_at_s", "quarters", "is_high"),
    [
        ([1.0] * 40, 1, False),  # one stall
        ([0.98, 1.0, 1.02, 1.04], 2, False),  # across the border of two quarters
        ([0.1, 0.2, 1.8, 1.9], 2, False),  # two stalls
        ([0.3, 0.8, 1.3], 3, False),  # single ones
        ([0.3, 0.8, 1.3, 1.4], 3, True),
        ([0.3, 0.8, 1.3, 1.8], 4, True),
    ],
)
def test_late_blocks_are_a_load_in_three_quarters_of_the_window(
    late_at_s: list[float], quarters: int, is_high: bool
) -> None:
    """As many in one stall are not."""
    window = LoadWindow()
    for number in range(round(50 * WINDOW_S) + 1):
        now_s = number / 50.0
        late = sum(at_s <= now_s for at_s in late_at_s)
        window.add(record(number, late=late, at10=10), now_s)
    load = window.load(WINDOW_S)
    assert load == Load(0.1, 0.1, len(late_at_s), quarters)
    assert StepDown().observe(load, WINDOW_S) == is_high
