"""Reports the progress of a trial to Optuna and ends the trial when it is hopeless."""

import math
from collections.abc import Callable

import optuna

from trainer.learn.fit import Epoch

TICKS = 20
"""Parts of a run after which it may be pruned. Trials are compared at the same share of their run,
which is fair whether epochs or minutes limit them."""
WARM_UP_TICKS = 5
FLAT = 0.98
"""Share of the loss of silence above which a run, once warmed up, has learnt nothing."""
OUT_OF_TIME = "the sweep's time is up"


class TrialWatch:
    """Reports the progress of a trial to Optuna and ends the trial when it is hopeless."""

    def __init__(
        self,
        trial: optuna.Trial,
        *,
        silence: float,
        is_time_up: Callable[[], bool],
        report: Callable[[float, float | None], object],
    ) -> None:
        """Watch a trial.

        `silence`: loss of a silent output; `is_time_up`: whether the sweep's time is up; `report`
        is called after each epoch with the completed share and the best loss so far.
        """
        self._trial = trial
        self._silence, self._is_time_up, self._report = silence, is_time_up, report
        self._tick = 0
        self._loss: float | None = None
        self.reason = ""
        """Why the run was ended early; empty: it was not."""

    def epoch(self, epoch: Epoch) -> bool:
        """Return whether to end the run."""
        if epoch.best_loss is not None and math.isfinite(epoch.best_loss):
            self._loss = epoch.best_loss
        self._report(epoch.done, self._loss)
        tick = min(TICKS, math.floor(TICKS * epoch.done))
        self.reason = self._reason_to_end(epoch, tick)
        self._tick = max(self._tick, tick)
        return bool(self.reason)

    def _reason_to_end(self, epoch: Epoch, tick: int) -> str:
        if not math.isfinite(epoch.train_loss):
            return "not a number"
        if self._is_time_up():
            return OUT_OF_TIME if epoch.done < 1.0 else ""
        if self._loss is None or tick <= self._tick:
            return ""
        for passed in range(self._tick + 1, tick + 1):
            self._trial.report(self._loss, passed)
        if epoch.done >= 1.0 or tick < WARM_UP_TICKS:
            return ""
        if self._loss >= FLAT * self._silence:
            return "no better than silence"
        return "worse than the median" if self._trial.should_prune() else ""
