"""Sweeps over a data set that trains in a second."""

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import optuna
import pytest
from optuna.exceptions import StorageInternalError
from optuna.trial import TrialState
from sqlalchemy.exc import OperationalError

from nemod.common.errors import ConfigError
from tests.trainer.study.conftest import TINY
from trainer.data.dataset import Dataset
from trainer.learn.fit import Epoch
from trainer.learn.recipe import from_json
from trainer.learn.run_folder import RunError
from trainer.study.plan import Best, SweepPlan, SweepProgress
from trainer.study.space import Range, Space
from trainer.study.store import StoreError
from trainer.study.sweep import Sweep
from trainer.study.trial_watch import TICKS, WARM_UP_TICKS, TrialWatch

ONE = Range(low=1, high=1)
SPACE = Space(
    learning_rate=(5e-3, 2e-2),
    batch=(16,),
    channels=Range(low=2, high=2),
    cnn_layers=ONE,
    hidden=ONE,
    layers=ONE,
)
PLAN = SweepPlan(
    data="nowhere",
    architectures=("cnn",),
    trials=2,
    space=SPACE,
    recipe=from_json({**TINY, "epochs": 8}),
)


class Swept(NamedTuple):
    folder: Path
    sweep: Sweep
    best: Best | None
    progress: list[SweepProgress]


@pytest.fixture(scope="module")
def swept(device: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Swept]:
    """Return a completed sweep of two trials."""
    folder = tmp_path_factory.mktemp("sweep")
    progress: list[SweepProgress] = []
    with Sweep(device, PLAN, folder, progress.append) as sweep:
        yield Swept(folder, sweep, sweep.run(), progress)


def _open_files(folder: Path) -> list[str]:
    """Return the files in a folder that this process has open."""
    links = [os.path.realpath(link) for link in Path("/proc/self/fd").iterdir()]
    return [link for link in links if link.startswith(str(folder.resolve()))]


def test_a_sweep_closes_its_storage(device: Dataset, tmp_path: Path) -> None:
    """No file of the folder is open afterwards, whether trials ran or the sweep failed."""
    with Sweep(device, replace(PLAN, trials=1), tmp_path / "run") as sweep:
        sweep.run()
    assert (tmp_path / "run" / "study.db").is_file()
    assert _open_files(tmp_path) == []
    url = f"sqlite:///{tmp_path / 'shared.db'}"
    with Sweep(device, replace(PLAN, storage=url), tmp_path / "a"):
        pass
    other = replace(device, digest="e" * 64)
    with pytest.raises(ConfigError):
        Sweep(other, replace(PLAN, storage=url), tmp_path / "b")
    assert _open_files(tmp_path) == []


def _trials(sweep: Sweep, arch: str = "cnn") -> list[Any]:
    return sweep.studies[arch].get_trials(deepcopy=False)


def test_a_sweep_ends_after_its_trials(swept: Swept) -> None:
    """As many as requested, each with a run folder; the best has the lowest loss."""
    losses = {trial.user_attrs["folder"]: trial.value for trial in _trials(swept.sweep)}
    folders = {path.name for path in (swept.folder / "trials").iterdir()}
    assert {"cnn-000", "cnn-001"} == set(losses) == folders
    assert swept.best is not None
    assert min(losses.values()) == swept.best.loss


def test_a_trials_value_is_the_weighted_validation_loss_of_its_run(swept: Swept) -> None:
    """0.75 ESR + 0.25 DC, as in the files of the run."""
    for trial in _trials(swept.sweep):
        result = json.loads(
            (swept.folder / "trials" / trial.user_attrs["folder"] / "result.json").read_text()
        )
        score = result["validation"]
        assert pytest.approx(0.75 * score["esr"] + 0.25 * score["dc"], rel=1e-5) == trial.value


def test_progress_is_reported(swept: Swept) -> None:
    """After every epoch, and after every trial with the best so far."""
    states = [progress.state for progress in swept.progress]
    assert states.count("complete") == 2
    assert states.count("running") == 16
    last = swept.progress[-1]
    assert (2, swept.best) == (last.ended, last.best)


def test_a_completed_sweep_runs_no_trials(swept: Swept, device: Dataset) -> None:
    """It returns its best trials."""
    with Sweep(device, PLAN, swept.folder) as again:
        assert swept.best == again.run()
        assert len(_trials(again)) == 2


def test_other_data_need_another_folder(swept: Swept, device: Dataset) -> None:
    """Losses on different data sets cannot be compared."""
    with pytest.raises(ConfigError, match=r"a different sweep: data 'd+\.\.', not 'e+\.\.'"):
        Sweep(replace(device, digest="e" * 64), PLAN, swept.folder)


def test_other_data_need_another_study(device: Dataset, tmp_path: Path) -> None:
    """With the same storage and name, the second sweep is rejected and its folder stays empty."""
    url = f"sqlite:///{tmp_path / 'shared.db'}"
    plan = replace(PLAN, storage=url, name="pedal")
    Sweep(device, plan, tmp_path / "a").close()
    other = replace(plan, recipe=replace(plan.recipe, pre_emphasis="none"))
    with pytest.raises(ConfigError) as caught:
        Sweep(replace(device, digest="e" * 64), other, tmp_path / "b")
    (problem,) = caught.value.problems
    assert problem.startswith(f"pedal-cnn in {url} is another search: data 'dddd")
    assert "recipe.pre_emphasis 'first-order', not 'none'" in problem
    assert not (tmp_path / "b" / "sweep.json").exists()
    with Sweep(device, plan, tmp_path / "b") as again:
        assert again.requeued == 0


def test_a_loss_of_stft_alone_is_compared_with_silence(device: Dataset, tmp_path: Path) -> None:
    """With the validation weights: ESR 1 and almost no DC."""
    weights = {"esr_weight": 0.0, "dc_weight": 0.0, "stft_weight": 1.0, "chunk_frames": 1_200}
    recipe = from_json(weights, PLAN.recipe)
    with Sweep(device, replace(PLAN, recipe=recipe), tmp_path) as sweep:
        silence = sweep.silence
    assert pytest.approx(0.75, abs=0.01) == silence


def test_a_silent_validation_is_refused(device: Dataset, tmp_path: Path) -> None:
    """It would prune every trial; no file is written."""
    pair = device.validation[0]
    silent = replace(device, validation=(replace(pair, wet=0.0 * pair.wet),))
    with pytest.raises(ConfigError, match="bend: the validation part is silent"):
        Sweep(silent, PLAN, tmp_path / "sweep")
    assert not (tmp_path / "sweep").exists()


def test_a_trial_is_kept_when_the_disk_is_full(
    device: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is queued again, and the error names the file."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("trainer.learn.checkpoint.save", full)
    with Sweep(device, PLAN, tmp_path) as sweep:
        with pytest.raises(RunError, match=r"cnn-000/checkpoint\.npz: cannot .* the command"):
            sweep.run()
        assert [trial.state for trial in _trials(sweep)] == [TrialState.FAIL, TrialState.WAITING]


def test_a_failing_storage_is_reported(
    device: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message names it, regardless of the exception of Optuna."""

    def full(*_: object, **__: object) -> None:
        error = OperationalError("UPDATE", {}, Exception("database or disk is full"))
        raise StorageInternalError("An exception is raised during the commit.") from error

    with Sweep(device, PLAN, tmp_path) as sweep:
        monkeypatch.setattr(sweep.studies["cnn"], "optimize", full)
        with pytest.raises(StoreError) as caught:
            sweep.run()
    assert str(caught.value) == (
        f"{tmp_path / 'study.db'}: the storage cannot be used "
        "((builtins.Exception) database or disk is full); fix that, then repeat the command to "
        "continue the sweep"
    )


def test_trials_are_divided_evenly() -> None:
    """The first architectures get the remainder."""
    plan = replace(PLAN, architectures=("gru", "lstm", "cnn"), trials=8)
    assert [plan.quota(arch) for arch in plan.architectures] == [3, 3, 2]


class Watched(NamedTuple):
    watch: TrialWatch
    trial: optuna.Trial
    sweep: Sweep


@pytest.fixture
def watched(device: Dataset, tmp_path: Path) -> Iterator[Watched]:
    """Return a running trial after four others with a loss of 0.1."""
    with Sweep(device, PLAN, tmp_path) as sweep:
        # In memory, because only the loop of the sweep records heartbeats.
        study = optuna.create_study(pruner=sweep.studies["cnn"].pruner)
        yield _watched(sweep, study)


def _watched(sweep: Sweep, study: optuna.Study) -> Watched:
    for _ in range(4):
        other = study.ask()
        for tick in range(1, TICKS + 1):
            other.report(0.1, tick)
        study.tell(other, 0.1)
    trial = study.ask()
    watch = TrialWatch(
        trial, silence=sweep.silence, is_time_up=lambda: False, report=lambda done, loss: None
    )
    return Watched(watch, trial, sweep)


def _epoch(done: float, loss: float, train: float = 0.5) -> Epoch:
    return Epoch(
        epoch=round(100 * done), done=done, train_loss=train, learning_rate=1e-3, seconds=1.0,
        validation_loss=loss, best_loss=loss,
    )  # fmt: skip


def test_a_trial_that_is_worse_than_the_median_is_stopped(watched: Watched) -> None:
    """But not during the warm-up."""
    early = (WARM_UP_TICKS - 0.5) / TICKS
    assert not watched.watch.epoch(_epoch(early, 0.2))
    assert watched.watch.epoch(_epoch(0.5, 0.2))
    assert watched.watch.reason == "worse than the median"


def test_a_trial_that_is_better_than_the_median_continues(watched: Watched) -> None:
    """Every tick is reported to Optuna, including those between two epochs."""
    for done in (0.1, 0.35, 1.0):
        assert not watched.watch.epoch(_epoch(done, 0.05))
    steps = watched.trial.study.get_trials()[-1].intermediate_values
    assert dict.fromkeys(range(1, TICKS + 1), 0.05) == steps


def test_a_trial_that_learns_nothing_is_stopped(watched: Watched) -> None:
    """Its loss is that of a silent output, here 0.75: ESR 1 and almost no DC."""
    assert pytest.approx(0.75, abs=0.01) == watched.sweep.silence
    assert watched.watch.epoch(_epoch(0.5, 0.745))
    assert watched.watch.reason == "no better than silence"


def test_a_trial_that_diverges_is_stopped_at_once(watched: Watched) -> None:
    """Even during the warm-up."""
    assert watched.watch.epoch(_epoch(0.01, float("nan"), train=float("nan")))
    assert watched.watch.reason == "not a number"


def test_an_interrupted_trial_is_resumed_in_its_folder(device: Dataset, tmp_path: Path) -> None:
    """After Ctrl-C in its first epoch, the next session resumes it, and no trial is lost."""

    def stop(progress: SweepProgress) -> None:
        if progress.state == "running":
            raise KeyboardInterrupt

    plan = replace(PLAN, trials=1)
    with Sweep(device, plan, tmp_path, stop) as stopped, pytest.raises(KeyboardInterrupt):
        stopped.run()
    history = tmp_path / "trials" / "cnn-000" / "history.jsonl"
    first = history.read_text()
    with Sweep(device, plan, tmp_path) as sweep:
        best = sweep.run()
        assert [trial.state for trial in _trials(sweep)] == [TrialState.FAIL, TrialState.COMPLETE]
    assert best is not None
    assert Path(best.folder).name == "cnn-000"
    assert history.read_text().startswith(first)
    assert (first.count("\n"), history.read_text().count("\n")) == (1, 8)


def test_a_trial_is_kept_when_the_time_of_the_sweep_is_over(
    device: Dataset, tmp_path: Path
) -> None:
    """It is queued with its folder, and is neither counted nor compared."""

    def expire(progress: SweepProgress) -> None:
        sweep.begin -= 60.0 * sweep.plan.minutes  # the whole time limit passes in the first epoch

    with Sweep(device, replace(PLAN, trials=1, minutes=10.0), tmp_path, expire) as sweep:
        assert sweep.run() is None
        failed, waiting = _trials(sweep)
    assert (failed.state, waiting.state) == (TrialState.FAIL, TrialState.WAITING)
    assert waiting.user_attrs == {"attempt": 1, "again": 0, "folder": "cnn-000"}
    assert (tmp_path / "trials" / "cnn-000" / "checkpoint.npz").is_file()
