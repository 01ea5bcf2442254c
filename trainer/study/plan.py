"""What a sweep searches, and what it reports while it runs."""

from collections.abc import Callable
from dataclasses import dataclass, field

from trainer.learn.recipe import Recipe
from trainer.study.space import Space

Parameter = bool | int | float | str | None
"""A value that Optuna suggests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepPlan:
    """What a sweep searches, and for how long."""

    data: str
    """Path of the data set, for the report."""
    architectures: tuple[str, ...]
    trials: int
    """Number of trials over all architectures, sessions and processes."""
    space: Space = field(default_factory=Space)
    recipe: Recipe = field(default_factory=Recipe)
    """Values of what is not searched. Its `minutes`, or else its `epochs`, limit a trial."""
    minutes: float = 0.0
    """Wall time of this session; 0: no limit."""
    seed: int = 1
    storage: str | None = None
    """Optuna's storage URL; None: SQLite in the folder."""
    name: str = "sweep"
    """Name by which processes with a common storage find each other."""

    def quota(self, arch: str) -> int:
        """Return the number of trials of an architecture."""
        place = self.architectures.index(arch)
        whole, rest = divmod(self.trials, len(self.architectures))
        return whole + (place < rest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Best:
    """The best trial so far."""

    arch: str
    number: int
    loss: float
    params: dict[str, Parameter]
    folder: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepProgress:
    """The state of a sweep after an epoch or a trial."""

    ended: int
    """Number of trials that ended, of all processes."""
    pruned: int
    trial: str
    """Name of the trial that runs, or that has just ended."""
    done: float
    """Completed share of that trial, 0 to 1."""
    loss: float | None
    """Its best validation loss so far."""
    state: str
    """`running`, `complete`, `pruned`, `failed`, or `kept` for another session."""
    reason: str
    """Why it ended, if it did."""
    best: Best | None


ReportProgress = Callable[[SweepProgress], object]
