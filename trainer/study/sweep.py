"""`Sweep`: many runs, each with hyperparameters that the former ones make likely to be good."""

import gc
import hashlib
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import jax
import optuna
from optuna.trial import FrozenTrial, TrialState

from nemod.common.errors import ConfigError, NemodError
from nemod.common.files import replacing
from trainer.data.dataset import Dataset
from trainer.differences import differences
from trainer.learn import evaluate, run_folder
from trainer.learn.fit import Epoch, Result, fit
from trainer.learn.recipe import Recipe, to_json
from trainer.study import store
from trainer.study.space import Space, sampler, suggested

RECORD = "sweep.json"
TICKS = 20
"""Parts of a run after which it may be pruned: trials are compared at the same share of their way,
which is fair whether epochs or minutes bound them."""
WARM_UP_TICKS = 5
STARTUP_TRIALS = 4
"""Trials of an architecture that are drawn at random and not compared with others."""
FLAT = 0.98
"""Share of the loss of silence above which a run, once warmed up, has learnt nothing."""
GO_ON = "once that is mended, the same command goes on with the sweep"
OUT_OF_TIME = "the sweep's time is up"
LONGEST_REASON = 500
FAILURES = 3
"""Trials in a row that may fail by an error of the machine."""


class SweepError(NemodError):
    """A sweep that cannot go on."""


class _OutOfTimeError(RuntimeError):
    """The sweep ended in the middle of a trial."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be swept."""

    data: str
    """Where the data set lies, for the report."""
    architectures: tuple[str, ...]
    trials: int
    """Over all architectures, and over all sittings and processes."""
    space: Space = field(default_factory=Space)
    recipe: Recipe = field(default_factory=Recipe)
    """What is not searched. Its `minutes`, or else its `epochs`, bound a trial."""
    minutes: float = 0.0
    """Wall time of this sitting; 0: no limit."""
    seed: int = 1
    storage: str | None = None
    """Optuna's storage URL; None: SQLite in the folder."""
    name: str = "sweep"
    """By which processes with one storage find each other."""

    def quota(self, arch: str) -> int:
        """Return how many of the trials are of an architecture."""
        place = self.architectures.index(arch)
        whole, rest = divmod(self.trials, len(self.architectures))
        return whole + (place < rest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Best:
    """The best trial so far."""

    arch: str
    number: int
    loss: float
    params: dict[str, Any]
    folder: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Where a sweep is."""

    ended: int
    """Trials that are over, of all processes."""
    pruned: int
    trial: str
    """The one under way, or that has just ended."""
    done: float
    """Share of it that is over, 0 to 1."""
    loss: float | None
    """Its best validation loss so far."""
    state: str
    """`running`, `complete`, `pruned`, `failed`, or `kept` for another sitting."""
    reason: str
    """Why it ended, if it did."""
    best: Best | None


Tell = Callable[[Told], object]


class Sweep:
    """Runs the trials of a plan in this process; others may work on the same plan."""

    def __init__(
        self, dataset: Dataset, plan: Plan, folder: Path, tell: Tell | None = None
    ) -> None:
        """Open the storage, and bury the trials of workers that are gone.

        Raises: ConfigError for a folder, or studies in the storage, of other data or another
            space or recipe, and for data that are silent; RunError for what the disk refuses.
        """
        evaluate.refuse_silence(dataset)
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.dataset, self.plan, self.folder, self.tell = dataset, plan, folder, tell
        run_folder.make(folder)
        self.identity = {
            "data": dataset.digest,
            "space": plan.space.to_json(),
            "recipe": to_json(plan.recipe),
        }
        self._compare()
        storage = store.open_storage(plan.storage, folder)
        pruner = optuna.pruners.MedianPruner(
            n_startup_trials=STARTUP_TRIALS, n_warmup_steps=WARM_UP_TICKS - 1
        )
        self.studies = {
            arch: store.study(storage, f"{plan.name}-{arch}", pruner) for arch in plan.architectures
        }
        self.where = store.shown(plan.storage, folder)
        store.claim([*self.studies.values()], self.identity, self.where)
        self._record()
        self.buried = store.bury([*self.studies.values()])
        self.silence = evaluate.loss_of_silence(dataset, plan.recipe)
        self.begin = time.monotonic()
        self.worker = store.worker()
        self._best: Best | None = None
        self._current: tuple[optuna.Study, int] | None = None
        self._failed = False
        self._ended = self._pruned = 0
        self._count()

    def run(self) -> Best | None:
        """Run trials until there are enough or time is up; return the best of all processes.

        Raises: KeyboardInterrupt, or RunError for what the disk refuses, after the trial under way
            is kept to go on later; SweepError when trials fail one after the other; StoreError for
            what the storage refuses.
        """
        with store.told(self.where, GO_ON):
            return self._run()

    def _run(self) -> Best | None:
        failures = 0
        while not self._time_is_up() and (arch := self._next()):
            one = self.studies[arch]
            count = len(one.get_trials(deepcopy=False))
            one.sampler = sampler(self._seed(arch, count), STARTUP_TRIALS)
            try:
                one.optimize(
                    partial(self._trial, arch),
                    n_trials=1,
                    catch=(RuntimeError, MemoryError),
                    callbacks=[partial(self._over, arch)],
                )
            except KeyboardInterrupt:
                self._keep()
                raise
            except run_folder.RunError as error:
                self._keep()
                raise run_folder.RunError(error.problem, GO_ON) from None
            failures = failures + 1 if self._failed else 0
            if failures >= FAILURES:
                last = one.get_trials(deepcopy=False)[-1].user_attrs.get("reason", "")
                raise SweepError(f"{FAILURES} trials failed one after the other; the last: {last}")
            # Programs of networks that are not tried again would pile up.
            jax.clear_caches()  # type: ignore[no-untyped-call]
            gc.collect()
        self._count()
        return self._best

    def _keep(self) -> None:
        """Queue the trial under way again: the next sitting goes on with it."""
        if self._current:
            one, number = self._current
            one.tell(number, state=TrialState.FAIL, skip_if_finished=True)
            store.requeue(one, one.get_trials(deepcopy=False)[number], fault=False)
            self._current = None

    # Which trial

    def _next(self) -> str | None:
        """Return the architecture that is furthest behind its share, or None when all are done."""
        left = {
            arch: store.begun(one) / self.plan.quota(arch)
            for arch, one in self.studies.items()
            if self.plan.quota(arch)
        }
        arch = min(left, key=lambda name: left[name], default=None)
        return arch if arch is not None and left[arch] < 1.0 else None

    def _seed(self, arch: str, count: int) -> int:
        """Return the sampler's seed: a lone process repeats itself, and many differ."""
        who = self.worker if self.plan.storage else ""
        digest = hashlib.sha256(f"{self.plan.seed} {arch} {count} {who}".encode()).digest()
        return int.from_bytes(digest[:4], "big")

    def _time_is_up(self) -> bool:
        passed = time.monotonic() - self.begin
        return 0.0 < 60.0 * self.plan.minutes <= passed

    # One trial

    def _trial(self, arch: str, trial: optuna.Trial) -> float:
        trial.set_user_attr("worker", self.worker)
        if store.is_surplus(self.studies[arch], trial.number, self.plan.quota(arch)):
            trial.set_user_attr("surplus", True)
            raise RuntimeError("one trial too many")
        recipe = suggested(trial, self.plan.space, arch, self.plan.recipe)
        name = trial.user_attrs.get("folder", f"{arch}-{trial.number:03d}")
        trial.set_user_attr("folder", name)
        self._current = (self.studies[arch], trial.number)
        folder = self.folder / "trials" / name
        watch = _Watch(self, trial, name)
        resume = (folder / run_folder.CHECKPOINT).exists()
        try:
            result = fit(self.dataset, recipe, folder, watch.epoch, name=name, resume=resume)
        except (RuntimeError, MemoryError) as error:
            trial.set_user_attr("reason", f"{type(error).__name__}: {error}"[:LONGEST_REASON])
            raise
        # An epoch that was over before a kill is not told again.
        loss = result.validation.loss
        reason = watch.reason or (result.stopped if result.stopped == "diverged" else "")
        for key, value in _attributes(result).items():
            trial.set_user_attr(key, value)
        trial.set_user_attr("reason", reason or result.stopped)
        if result.stopped == "interrupted":
            raise KeyboardInterrupt
        if watch.reason == OUT_OF_TIME:
            raise _OutOfTimeError(OUT_OF_TIME)
        if not math.isfinite(loss):
            reason = reason or "not a number"
            trial.set_user_attr("reason", reason)
        state = "pruned" if reason else "complete"
        _write(folder / "trial.json", {"state": state, "reason": reason or result.stopped})
        if reason:
            raise optuna.TrialPruned(reason)
        return loss

    def _over(self, arch: str, _: optuna.Study, trial: FrozenTrial) -> None:
        if trial.user_attrs.get("surplus"):
            return
        kept = trial.user_attrs.get("reason") == OUT_OF_TIME
        if kept:
            self._keep()
        self._current = None
        self._failed = trial.state is TrialState.FAIL and not kept
        self._count()
        state = {TrialState.COMPLETE: "complete", TrialState.PRUNED: "pruned"}
        self._say(
            trial.user_attrs.get("folder", f"{arch}-{trial.number:03d}"),
            1.0,
            trial.user_attrs.get("loss"),
            state.get(trial.state, "kept" if kept else "failed"),
            trial.user_attrs.get("reason", ""),
        )

    def _say(
        self, trial: str, done: float, loss: float | None, state: str = "running", reason: str = ""
    ) -> None:
        if self.tell:
            self.tell(
                Told(
                    ended=self._ended,
                    pruned=self._pruned,
                    trial=trial,
                    done=done,
                    loss=loss,
                    state=state,
                    reason=reason,
                    best=self._best,
                )
            )

    def _count(self) -> None:
        ended = [
            trial
            for one in self.studies.values()
            for trial in one.get_trials(deepcopy=False, states=store.ENDED)
        ]
        self._ended = len(ended)
        self._pruned = sum(trial.state is TrialState.PRUNED for trial in ended)
        found = store.best([*self.studies.values()])
        if found is None:
            return
        arch = next(arch for arch, one in self.studies.items() if one is found[0])
        trial = found[1]
        self._best = Best(
            arch=arch,
            number=trial.number,
            loss=float(trial.value or 0.0),
            params=dict(trial.params),
            folder=str(self.folder / "trials" / trial.user_attrs["folder"]),
        )

    # What is swept

    def _compare(self) -> None:
        """Raise ConfigError where the folder holds a sweep of something else."""
        path = self.folder / RECORD
        if not path.exists():
            return
        try:
            tree = json.loads(path.read_text(encoding="utf-8"))
            before = {key: tree[key] for key in ("space", "recipe")} | {"data": tree["digest"]}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConfigError(str(path), [f"cannot be read: {error!r}"]) from None
        if other := differences(before, self.identity):
            problem = f"holds a sweep of something else: {'; '.join(other)}; choose another folder"
            raise ConfigError(str(self.folder), [problem])

    def _record(self) -> None:
        """Write what is swept into the folder."""
        kept = {
            "space": self.identity["space"],
            "recipe": self.identity["recipe"],
            "digest": self.dataset.digest,
            "data": self.plan.data,
            "name": self.dataset.name,
            "architectures": list(self.plan.architectures),
            "trials": self.plan.trials,
            "seed": self.plan.seed,
        }
        _write(self.folder / RECORD, kept)


class _Watch:
    """Tells Optuna how a run goes, and ends it when it is hopeless."""

    def __init__(self, sweep: Sweep, trial: optuna.Trial, name: str) -> None:
        self._sweep, self._trial, self._name = sweep, trial, name
        self._tick = 0
        self._loss: float | None = None
        self.reason = ""
        """Why the run was ended before its time."""

    def epoch(self, epoch: Epoch) -> bool:
        """Return whether the run is to end."""
        if epoch.best_loss is not None and math.isfinite(epoch.best_loss):
            self._loss = epoch.best_loss
        self._sweep._say(self._name, epoch.done, self._loss)
        tick = min(TICKS, math.floor(TICKS * epoch.done))
        self.reason = self._judge(epoch, tick)
        self._tick = max(self._tick, tick)
        return bool(self.reason)

    def _judge(self, epoch: Epoch, tick: int) -> str:
        if not math.isfinite(epoch.train_loss):
            return "not a number"
        if self._sweep._time_is_up():
            return OUT_OF_TIME if epoch.done < 1.0 else ""
        if self._loss is None or tick <= self._tick:
            return ""
        for passed in range(self._tick + 1, tick + 1):
            self._trial.report(self._loss, passed)
        if epoch.done >= 1.0 or tick < WARM_UP_TICKS:
            return ""
        if self._loss >= FLAT * self._sweep.silence:
            return "no better than silence"
        return "worse than the median" if self._trial.should_prune() else ""


def _attributes(result: Result) -> dict[str, Any]:
    found = {
        "loss": result.validation.loss,
        "esr": result.validation.esr,
        "test_esr": result.test.esr if result.test else None,
        "epochs": result.epochs,
        "seconds": round(result.seconds, 1),
    }
    return {
        key: value for key, value in found.items() if value is not None and math.isfinite(value)
    }


def _write(path: Path, tree: Any) -> None:
    with run_folder.told(path), replacing(path) as draft:
        draft.write_text(json.dumps(tree, indent=1) + "\n", encoding="utf-8")
