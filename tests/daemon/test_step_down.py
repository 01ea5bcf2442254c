"""When the quality is reduced and when it comes back, on a clock of the test's own."""

import pytest

from nemod.builder.messages import FULL_QUALITY, Reduction
from nemod.daemon.load_window import Load
from nemod.daemon.step_down import (
    CALM,
    LATE_LIMIT,
    LIMIT,
    LONGEST_RESTORE_S,
    RELAPSE_S,
    RESTORE_S,
    Ladder,
    StepDown,
    ladder,
)

HIGH, BETWEEN, LOW = (Load(p99, p99, 0, 0) for p99 in (LIMIT, CALM, CALM - 0.05))
PLAIN = ladder((), is_on=True)


def one(*sizes: float, wanted: float | None = None, is_on: bool = True) -> Ladder:
    """Return the steps for a rig with one model."""
    return ladder([(sizes, wanted)], is_on=is_on)


THREE = one(0.0, 0.25, 0.5)


def observed(steps: StepDown, load: Load, start_s: float, seconds: float) -> list[float]:
    """Return when steps were made or undone while the load is looked at four times a second."""
    times = (start_s + number / 4.0 for number in range(round(4 * seconds)))
    return [now_s for now_s in times if steps.observe(load, now_s)]


def test_the_order_is_size_then_reverb_then_a_warning() -> None:
    """One at a time, and what is heard is never less than the last step leaves."""
    steps = StepDown()
    steps.use(THREE)
    seen = [(steps.words, steps.reduction)]
    while steps.observe(HIGH, 0.0):
        seen.append((steps.words, steps.reduction))
    assert seen == [
        ((), FULL_QUALITY),
        (("size",), Reduction(0.25)),
        (("size",), Reduction(0.0)),
        (("size", "reverb"), Reduction(0.0, is_reverb_cheap=True)),
        (("size", "reverb", "overload"), Reduction(0.0, is_reverb_cheap=True)),
    ]


@pytest.mark.parametrize(
    ("sizes", "wanted", "expected"),
    [
        ((), None, []),
        ((0.0, 0.5), None, [0.0]),
        ((0.0, 0.5), 0.5, [0.0]),
        ((0.0, 0.5), 0.49, []),
        ((0.0, 0.25, 0.5, 0.75), 0.6, [0.25, 0.0]),
        (tuple(at / 16 for at in range(16)), None, [7 / 16, 3 / 16, 1 / 16, 0.0]),
    ],
)
def test_only_sizes_below_the_wanted_one_are_steps(
    sizes: tuple[float, ...], wanted: float | None, expected: list[float]
) -> None:
    """Each leaves half of those that are left."""
    found = one(*sizes, wanted=wanted).steps
    assert [step.reduction.size for step in found if step.word == "size"] == expected
    assert [step.word for step in found][len(expected) :] == ["reverb", "overload"]


def test_switched_off_there_is_only_the_warning() -> None:
    """Switching it off restores everything at once."""
    steps = StepDown()
    steps.use(THREE)
    for _ in range(3):
        assert steps.observe(HIGH, 0.0)
    off = one(0.0, 0.25, 0.5, is_on=False)
    assert steps.use(off)
    assert (steps.words, steps.reduction) == ((), FULL_QUALITY)
    assert steps.observe(HIGH, 1.0)
    assert (steps.words, steps.reduction) == (("overload",), FULL_QUALITY)
    assert not steps.observe(HIGH, 2.0)


@pytest.mark.parametrize(
    ("load", "is_high"),
    [
        (Load(1.5, LIMIT - 0.05, 0, 0), False),
        (Load(LIMIT, LIMIT, 0, 0), True),
        (Load(0.1, 0.1, LATE_LIMIT - 1, 3), False),
        (Load(0.1, 0.1, LATE_LIMIT, 3), True),
        (Load(0.1, 0.1, 100 * LATE_LIMIT, 2), False),
    ],
)
def test_late_blocks_count_as_well_as_long_ones(load: Load, is_high: bool) -> None:
    """Single ones do not, nor do those of one stall."""
    assert StepDown().observe(load, 0.0) == is_high


def test_a_step_is_undone_after_a_time_of_little_load() -> None:
    """The two seconds in which that was measured included; any higher load begins it anew."""
    steps = StepDown()
    steps.observe(HIGH, 0.0)
    assert not observed(steps, LOW, 2.0, 7.0)
    assert not steps.observe(BETWEEN, 9.0)
    assert observed(steps, LOW, 10.0, 100.0) == [10.0 - 2.0 + RESTORE_S]
    assert steps.reduction == FULL_QUALITY


def test_between_the_limits_nothing_changes() -> None:
    """However long."""
    steps = StepDown()
    steps.observe(HIGH, 0.0)
    assert not observed(steps, BETWEEN, 2.0, 10_000.0)
    assert not observed(steps, Load(0.1, 0.1, 2, 2), 20_000.0, 10_000.0)


def test_a_warning_ends_with_its_cause() -> None:
    """When the load is below the limit, although there is no room for a step back."""
    steps = StepDown()
    for _ in range(2):
        steps.observe(HIGH, 0.0)
    assert list(steps.words) == ["reverb", "overload"]
    assert observed(steps, BETWEEN, 2.0, 100.0) == [RESTORE_S]
    assert list(steps.words) == ["reverb"]


def test_a_step_that_is_needed_again_waits_twice_as_long_each_time() -> None:
    """Up to ten minutes; so a load that the full quality itself causes is no oscillation."""
    steps = StepDown()
    now_s, waits = 0.0, []
    for _ in range(10):
        assert steps.observe(HIGH, now_s)
        (restored_s,) = observed(steps, LOW, now_s + 2.0, 2 * LONGEST_RESTORE_S)
        waits.append(restored_s - now_s)
        now_s = restored_s + 2.0
    expected = [min(RESTORE_S * 2.0**at, LONGEST_RESTORE_S) for at in range(10)]
    assert waits == expected


def test_a_step_that_is_needed_much_later_waits_as_at_first() -> None:
    """Another song, another load."""
    steps = StepDown()
    steps.observe(HIGH, 0.0)
    (restored_s,) = observed(steps, LOW, 2.0, 100.0)
    again_s = restored_s + RELAPSE_S
    steps.observe(HIGH, again_s)
    assert observed(steps, LOW, again_s + 2.0, 100.0) == [again_s + RESTORE_S]


def test_another_model_begins_with_what_is_reduced() -> None:
    """As far as it has such steps; a warning has to be measured again."""
    steps = StepDown()
    steps.use(THREE)
    for _ in range(4):
        steps.observe(HIGH, 0.0)
    assert list(steps.words) == ["size", "reverb", "overload"]
    assert steps.use(PLAIN)
    assert list(steps.words) == ["reverb"]
    assert steps.use(one(0.0, 0.7))
    assert list(steps.words) == ["size", "reverb"]
    assert steps.reduction == Reduction(0.0, is_reverb_cheap=True)
    assert not steps.use(one(0.0, 0.7))


def test_another_model_of_sizes_is_not_larger_than_it_must_be() -> None:
    """Its first step that is no smaller than the size before, at least one."""
    steps = StepDown()
    steps.use(THREE)
    steps.observe(HIGH, 0.0)
    steps.use(one(0.0, 0.1, 0.3, 0.4))
    assert steps.reduction == Reduction(0.1)
    steps.use(PLAIN)
    assert steps.reduction == FULL_QUALITY


def test_a_player_who_wants_what_is_left_has_nothing_reduced() -> None:
    """The size is then no less than wanted; a smaller one is a step again."""
    steps = StepDown()
    steps.use(THREE)
    steps.observe(HIGH, 0.0)
    assert steps.reduction == Reduction(0.25)
    steps.use(one(0.0, 0.25, 0.5, wanted=0.3))
    assert (steps.words, steps.reduction) == ((), FULL_QUALITY)
    steps.observe(HIGH, 1.0)
    assert steps.reduction == Reduction(0.0)


def test_all_models_of_a_rig_are_reduced_together() -> None:
    """By one largest size for all, through the sizes of any of them."""
    found = ladder([((0.0, 0.5), None), ((), None), ((0.0, 0.2, 0.6), None)], is_on=True)
    assert [step.reduction.size for step in found.steps if step.word == "size"] == [0.2, 0.0]
    assert found.largest == 0.6
    found = ladder([((0.0, 0.5), None), ((0.0, 0.1, 0.3, 0.6), 0.5)], is_on=True)
    assert [step.reduction.size for step in found.steps if step.word == "size"] == [0.1, 0.0]
