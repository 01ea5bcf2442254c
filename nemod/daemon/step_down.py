"""When the quality is reduced because the machine is too slow, and when it comes back.

The steps, in this order: the size of a model that has several, then a reverb with half the lines,
then nothing but a warning. One step is made at a time, after `WINDOW_S` of too much load. A step is
undone after `RESTORE_S` of little load. One that is needed again soon after that waits twice as
long the next time, so that the quality does not go up and down.

Nothing here knows a clock or a rig: `nemod.daemon.load_guard` calls it and acts.
"""

from collections.abc import Sequence
from typing import NamedTuple

from nemod.builder.messages import FULL_QUALITY, Reduction
from nemod.daemon.load_window import WINDOW_S, Load

LIMIT = 0.85
"""Share of the period: the load is too high when 99 of 100 blocks do not stay below it, in three
quarters of `WINDOW_S`: less is a hiccup."""
LATE_LIMIT = 4
"""The load is too high, too, when so many blocks begin late in `WINDOW_S`, some of them in each of
`LATE_QUARTERS`: single ones have other causes than the load, and so have many in one stall."""
LATE_QUARTERS = 3
"""Of `WINDOW_S`; see `nemod.daemon.load_window`."""
CALM = 0.5
"""Share of the period below which there is room for a step back."""
RESTORE_S = 10.0
"""[s] How long the load has to stay below `CALM` before a step is undone."""
LONGEST_RESTORE_S = 600.0
"""[s] Longest time that a step which was needed again and again waits."""
RELAPSE_S = 60.0
"""[s] A step that is needed again sooner than this after it was undone, or sooner than it had
waited, waits twice as long."""

SIZE, REVERB, OVERLOAD = "size", "reverb", "overload"


class Step(NamedTuple):
    """A step, and the quality with it and all steps before it."""

    word: str
    """`size`, `reverb` or `overload`."""
    reduction: Reduction


class Ladder(NamedTuple):
    """The steps that there are for a model, in order."""

    steps: tuple[Step, ...]
    largest: float
    """The largest size that plays without any step; 1 where no model has several."""


def ladder(models: Sequence[tuple[Sequence[float], float | None]], *, is_on: bool) -> Ladder:
    """Return the steps that there are for the models of a rig, in order.

    Each is given by its sizes and the one that the player wants: where each size begins, rising
    (see `nemod.formats.model.Model`), and None for the largest. Only sizes below the wanted one
    are steps. With `is_on` false there is only the warning.
    """
    steps = []
    reduction = FULL_QUALITY
    allowed = [
        [size for size in sizes if size <= (1.0 if wanted is None else wanted)]
        for sizes, wanted in models
        if sizes
    ]
    smaller = sorted({size for each in allowed for size in each[:-1]})
    if is_on:
        # Each step leaves half of the sizes, so that many of them are no long way down.
        at = len(smaller)
        while at > 0:
            at //= 2
            reduction = Reduction(size=smaller[at])
            steps.append(Step(SIZE, reduction))
        reduction = reduction._replace(is_reverb_cheap=True)
        steps.append(Step(REVERB, reduction))
    largest = max((each[-1] for each in allowed), default=1.0)
    return Ladder((*steps, Step(OVERLOAD, reduction)), largest)


class StepDown:
    """The steps that have been made. Times are [s] of one clock."""

    def __init__(self) -> None:
        self._ladder = ladder((), is_on=True)
        self._made = 0
        self._calm_since: float | None = None
        self._wait_s: dict[str, float] = {}
        self._undone_at: dict[str, float] = {}

    @property
    def reduction(self) -> Reduction:
        """The quality that all steps together leave."""
        return self._ladder.steps[self._made - 1].reduction if self._made else FULL_QUALITY

    @property
    def words(self) -> tuple[str, ...]:
        """What is reduced, in the order of the steps; `overload`, too, where that is not enough."""
        return tuple(dict.fromkeys(step.word for step in self._ladder.steps[: self._made]))

    def use(self, found: Ladder) -> bool:
        """Take the steps that there are from now on; return whether anything has changed.

        For another model what is reduced stays so: it may be as large. A warning ends, because
        that model has to be measured first.
        """
        if found == self._ladder:
            return False
        before = self.reduction, self.words
        words, size = self.words, self.reduction.size
        self._ladder, self._made = found, 0
        for place, step in enumerate(found.steps, 1):
            is_kept = step.word in words and step.word != OVERLOAD
            if step.word == SIZE and is_kept and REVERB not in words:
                # No smaller than it was, but for the first step to below that.
                is_kept = step.reduction.size >= size or (place == 1 and size < found.largest)
            if is_kept:
                self._made = place
        self._calm_since = None
        return (self.reduction, self.words) != before

    def observe(self, load: Load, now_s: float) -> bool:
        """Decide by the load of the last moment; return whether a step was made or undone.

        After that, `load` must be one of the time since the new quality is heard.
        """
        is_late = load.late >= LATE_LIMIT and load.late_quarters >= LATE_QUARTERS
        if load.lasting_p99 >= LIMIT or is_late:
            self._calm_since = None
            return self._make_step(now_s)
        if not self._made:
            return False
        word = self._ladder.steps[self._made - 1].word
        # A warning is over when its cause is.
        if word != OVERLOAD and (load.p99 >= CALM or load.late > 1):
            self._calm_since = None
            return False
        if self._calm_since is None:
            # It was calm for as long as the load was measured.
            self._calm_since = now_s - WINDOW_S
        if now_s - self._calm_since < self._wait_s.get(word, RESTORE_S):
            return False
        self._made -= 1
        self._undone_at[word] = now_s
        self._calm_since = None
        return True

    def _make_step(self, now_s: float) -> bool:
        if self._made == len(self._ladder.steps):
            return False
        word = self._ladder.steps[self._made].word
        waited_s = self._wait_s.get(word, RESTORE_S)
        undone_at = self._undone_at.pop(word, None)
        is_relapse = undone_at is not None and now_s - undone_at < max(RELAPSE_S, waited_s)
        self._wait_s[word] = min(2.0 * waited_s, LONGEST_RESTORE_S) if is_relapse else RESTORE_S
        self._made += 1
        return True
