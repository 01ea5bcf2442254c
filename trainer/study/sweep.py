"""`Sweep`: runs the trials of a hyperparameter search."""

import gc
import hashlib
import json
import math
import time
from functools import partial
from pathlib import Path
from typing import Self

import jax
import optuna
from optuna.trial import FrozenTrial, TrialState

from nemod.common.errors import ConfigError, NemodError
from nemod.common.files import replacing
from trainer.data.dataset import Dataset
from trainer.differences import differences
from trainer.learn import evaluate, run_folder
from trainer.learn.fit import Result, fit
from trainer.learn.recipe import to_json
from trainer.study import store
from trainer.study.plan import Best, ReportProgress, SweepPlan, SweepProgress
from trainer.study.space import sampler, suggested
from trainer.study.trial_watch import OUT_OF_TIME, WARM_UP_TICKS, TrialWatch

RECORD = "sweep.json"
STARTUP_TRIALS = 4
"""Trials of an architecture that are sampled at random and not pruned."""
REMEDY = "fix that, then repeat the command to continue the sweep"
LONGEST_REASON = 500
FAILURES = 3
"""Number of consecutive trials that may fail by an error of the machine."""


class SweepError(NemodError):
    """A sweep that cannot continue."""


class _OutOfTimeError(RuntimeError):
    """The sweep's time was up during a trial."""


class Sweep:
    """Runs the trials of a plan in this process; other processes may work on the same plan.

    A context manager, which closes the storage at its end.
    """

    def __init__(
        self,
        dataset: Dataset,
        plan: SweepPlan,
        folder: Path,
        report_progress: ReportProgress | None = None,
    ) -> None:
        """Open the storage and requeue the trials of processes that have ended.

        Raises: ConfigError for a folder, or studies in the storage, of other data, another search
            space or recipe, and for silent data; RunError if the folder cannot be written.
        """
        evaluate.refuse_silence(dataset)
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.dataset, self.plan, self.folder = dataset, plan, folder
        self._report_progress = report_progress
        run_folder.make(folder)
        self.identity = {
            "data": dataset.digest,
            "space": plan.space.to_json(),
            "recipe": to_json(plan.recipe),
        }
        self._compare()
        self._storage = store.open_storage(plan.storage, folder)
        try:
            self._join()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections to the storage."""
        store.close(self._storage)

    def _join(self) -> None:
        """Open or create the studies and requeue the trials of processes that have ended."""
        plan = self.plan
        pruner = optuna.pruners.MedianPruner(
            n_startup_trials=STARTUP_TRIALS, n_warmup_steps=WARM_UP_TICKS - 1
        )
        self.studies = {
            arch: store.study(self._storage, f"{plan.name}-{arch}", pruner)
            for arch in plan.architectures
        }
        self.where = store.shown(plan.storage, self.folder)
        store.claim([*self.studies.values()], self.identity, self.where)
        self._record()
        self.requeued = store.requeue_stale([*self.studies.values()])
        self.silence = evaluate.loss_of_silence(self.dataset, plan.recipe)
        self.begin = time.monotonic()
        self.worker = store.worker()
        self._best: Best | None = None
        self._current: tuple[optuna.Study, int] | None = None
        self._failed = False
        self._ended = self._pruned = 0
        self._count()

    def run(self) -> Best | None:
        """Run trials until all are done or the time is up; return the best of all processes.

        Raises: KeyboardInterrupt, or RunError if the disk cannot be written, after requeueing the
            current trial; SweepError after consecutive failures; StoreError for errors of the
            storage.
        """
        with store.readable_errors(self.where, REMEDY):
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
                raise run_folder.RunError(error.problem, REMEDY) from None
            failures = failures + 1 if self._failed else 0
            if failures >= FAILURES:
                last = one.get_trials(deepcopy=False)[-1].user_attrs.get("reason", "")
                raise SweepError(f"{FAILURES} consecutive trials failed; the last: {last}")
            # Compiled programs of networks that are not used again would accumulate.
            jax.clear_caches()  # type: ignore[no-untyped-call]
            gc.collect()
        self._count()
        return self._best

    def _keep(self) -> None:
        """Requeue the current trial, so that the next session continues it."""
        if self._current:
            one, number = self._current
            one.tell(number, state=TrialState.FAIL, skip_if_finished=True)
            store.requeue(one, one.get_trials(deepcopy=False)[number], fault=False)
            self._current = None

    # Choice of trials

    def _next(self) -> str | None:
        """Return the architecture with the smallest completed share; None when all are done."""
        left = {
            arch: store.begun(one) / self.plan.quota(arch)
            for arch, one in self.studies.items()
            if self.plan.quota(arch)
        }
        arch = min(left, key=lambda name: left[name], default=None)
        return arch if arch is not None and left[arch] < 1.0 else None

    def _seed(self, arch: str, count: int) -> int:
        """Return the sampler's seed: reproducible for one process, different for several."""
        who = self.worker if self.plan.storage else ""
        digest = hashlib.sha256(f"{self.plan.seed} {arch} {count} {who}".encode()).digest()
        return int.from_bytes(digest[:4], "big")

    def _time_is_up(self) -> bool:
        passed = time.monotonic() - self.begin
        return 0.0 < 60.0 * self.plan.minutes <= passed

    # Execution of a trial

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
        watch = TrialWatch(
            trial,
            silence=self.silence,
            is_time_up=self._time_is_up,
            report=partial(self._report, name),
        )
        resume = (folder / run_folder.CHECKPOINT).exists()
        try:
            result = fit(self.dataset, recipe, folder, watch.epoch, name=name, resume=resume)
        except (RuntimeError, MemoryError) as error:
            trial.set_user_attr("reason", f"{type(error).__name__}: {error}"[:LONGEST_REASON])
            raise
        # A resumed run does not report the epochs before the interruption again.
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
        self._report(
            trial.user_attrs.get("folder", f"{arch}-{trial.number:03d}"),
            1.0,
            trial.user_attrs.get("loss"),
            state.get(trial.state, "kept" if kept else "failed"),
            trial.user_attrs.get("reason", ""),
        )

    def _report(
        self, trial: str, done: float, loss: float | None, state: str = "running", reason: str = ""
    ) -> None:
        if self._report_progress:
            self._report_progress(
                SweepProgress(
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

    # Record

    def _compare(self) -> None:
        """Raise ConfigError if the folder contains a different sweep."""
        path = self.folder / RECORD
        if not path.exists():
            return
        try:
            tree = json.loads(path.read_text(encoding="utf-8"))
            before = {key: tree[key] for key in ("space", "recipe")} | {"data": tree["digest"]}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConfigError(str(path), [f"cannot be read: {error!r}"]) from None
        if other := differences(before, self.identity):
            problem = f"contains a different sweep: {'; '.join(other)}; choose another folder"
            raise ConfigError(str(self.folder), [problem])

    def _record(self) -> None:
        """Write the description of the sweep into the folder."""
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


def _attributes(result: Result) -> dict[str, float]:
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


def _write(path: Path, tree: object) -> None:
    with run_folder.readable_errors(path), replacing(path) as draft:
        draft.write_text(json.dumps(tree, indent=1) + "\n", encoding="utf-8")
