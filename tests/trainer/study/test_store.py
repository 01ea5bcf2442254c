"""The store of trials: crashed processes, excess trials and mismatched studies."""

import subprocess
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from nemod.common.errors import ConfigError
from trainer.study import store


@pytest.fixture
def study() -> optuna.Study:
    """Return a study in memory."""
    return optuna.create_study()


def _gone() -> str:
    """Return the name of a worker that has ended."""
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as process:
        return store.worker(process.pid)


def _running(study: optuna.Study, who: str, attempt: int = 1) -> optuna.Trial:
    trial = study.ask()
    trial.suggest_float("x", 0.0, 1.0)
    trial.set_user_attr("worker", who)
    trial.set_user_attr("folder", "gru-000")
    trial.set_user_attr("attempt", attempt)
    return trial


def test_the_trial_of_a_dead_process_is_queued_again(study: optuna.Study) -> None:
    """With the same parameters and folder, so that the run is resumed."""
    lost = _running(study, _gone())
    assert store.requeue_stale([study]) == 1
    again = study.ask()
    states = [trial.state for trial in study.trials]
    assert states == [TrialState.FAIL, TrialState.RUNNING]
    assert lost.params["x"] == again.suggest_float("x", 0.0, 1.0)
    assert (again.user_attrs["folder"], again.user_attrs["attempt"]) == ("gru-000", 2)


def test_the_trial_of_a_running_process_is_unchanged(study: optuna.Study) -> None:
    """Of this process and of another machine, which is detected by its heartbeat."""
    _running(study, store.worker())
    _running(study, f"elsewhere:{2**22 + 1}:0")
    assert store.requeue_stale([study]) == 0


def test_a_reused_process_id_is_another_process(study: optuna.Study) -> None:
    """The start time differs."""
    host, _, rest = store.worker().rpartition(":")[0].rpartition(":")
    assert store.is_gone(f"{host}:{rest}:1")


def test_a_trial_that_crashes_its_process_fails(study: optuna.Study) -> None:
    """After three attempts."""
    _running(study, _gone(), attempt=store.ATTEMPTS)
    store.requeue_stale([study])
    assert [trial.state for trial in study.trials] == [TrialState.FAIL]


def test_of_trials_started_at_once_the_last_is_in_excess(study: optuna.Study) -> None:
    """Two processes start the last trial; the higher number ends. Failed trials do not count."""
    first, failed, second, third = (study.ask() for _ in range(4))
    study.tell(failed, state=TrialState.FAIL)
    numbers = (first.number, second.number, third.number)
    surplus = [store.is_surplus(study, number, 2) for number in numbers]
    assert surplus == [False, False, True]


def test_a_study_of_another_search_is_rejected() -> None:
    """The error names the study and the differences; no other study is claimed."""
    first, second = (optuna.create_study(study_name=name) for name in ("a-gru", "a-lstm"))
    store.claim([first], {"data": "x"}, "here")
    with pytest.raises(ConfigError, match="a-gru in here is another search: data 'x', not"):
        store.claim([second, first], {"data": "y"}, "here")
    assert (first.user_attrs, second.user_attrs) == ({"identity": {"data": "x"}}, {})


def test_an_invalid_storage_is_reported(tmp_path: Path) -> None:
    """The message contains its URL without the password."""
    with pytest.raises(ConfigError, match="nosuch") as caught:
        store.open_storage("nosuch://me:secret@there/db", tmp_path)
    assert "secret" not in str(caught.value)
