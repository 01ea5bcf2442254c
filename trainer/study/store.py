"""Where a sweep's trials are kept, so that it survives a kill and many processes share it.

One Optuna study per architecture: a pruner that compared a CNN with a GRU would leave no CNN. A
trial belongs to a worker; one whose worker is gone is failed and queued again with the same
parameters, and goes on in the same run folder.
"""

import os
import socket
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from nemod.common.errors import ConfigError, NemodError
from trainer.differences import differences

FILE = "study.db"
IDENTITY = "identity"
"""The attribute of a study that says what it searches."""
HEARTBEAT_S = 20
GRACE_S = 120
"""Silence after which a worker on another machine counts as gone."""
ATTEMPTS = 3
"""How often a trial whose worker died is tried."""
OPEN_ATTEMPTS = 8
COUNTED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)
ENDED = (TrialState.COMPLETE, TrialState.PRUNED)


class StoreError(NemodError):
    """A storage that fails in the middle of a sweep."""


def open_storage(url: str | None, folder: Path) -> RDBStorage:
    """Return the storage: the URL's, or SQLite in the folder.

    Raises: ConfigError for a URL that is none, a driver that is missing, a server that does not
        answer.
    """
    full = url or f"sqlite:///{(folder / FILE).resolve()}"
    for attempt in range(OPEN_ATTEMPTS):
        try:
            return _opened(full)
        except (ArgumentError, NoSuchModuleError) as error:
            raise _refused(full, f"is no storage URL: {error}") from None
        except ImportError as error:
            missing = "" if error.name != "psycopg" else " (pip install 'nemod[postgres]')"
            raise _refused(full, f"needs {error.name or error}{missing}") from None
        except SQLAlchemyError as error:
            # Processes that start at once may stumble over each other's new tables.
            if attempt + 1 == OPEN_ATTEMPTS:
                reason = str(error).splitlines()[0]
                raise _refused(full, f"cannot be opened: {reason}") from None
            time.sleep(0.25 * (attempt + 1))
    raise AssertionError


@contextmanager
def told(where: str, remedy: str) -> Iterator[None]:
    """Make what a storage refuses a sentence; `where` is the storage, as it is shown.

    Raises: StoreError.
    """
    try:
        yield
    except Exception as error:
        # Optuna raises errors of its own over those of the database, and an assertion.
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, SQLAlchemyError):
            cause = cause.__cause__ or cause.__context__
        if cause is None or isinstance(error, NemodError):
            raise
        reason = str(cause).splitlines()[0]
        raise StoreError(f"{where}: the storage cannot be used ({reason}); {remedy}") from None


def _opened(url: str) -> RDBStorage:
    made = make_url(url)
    connect: dict[str, Any] = {"pool_pre_ping": True}
    if made.drivername == "postgresql":
        made = made.set(drivername="postgresql+psycopg")
    if made.get_backend_name() == "sqlite":
        connect["connect_args"] = {"timeout": 60}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return RDBStorage(
            made.render_as_string(hide_password=False),
            engine_kwargs=connect,
            heartbeat_interval=HEARTBEAT_S,
            grace_period=GRACE_S,
            heartbeat_stale_trial_callback=requeue,
        )


def _refused(url: str, reason: str) -> ConfigError:
    return ConfigError("--storage", [f"{_without_password(url)} {reason}"])


def _without_password(url: str) -> str:
    try:
        return make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        return url


def shown(url: str | None, folder: Path) -> str:
    """Return which storage that is, without a password."""
    return _without_password(url) if url else f"{folder / FILE}"


def study(storage: RDBStorage, name: str, pruner: optuna.pruners.BasePruner) -> optuna.Study:
    """Return the study of that name, made if there is none."""
    return optuna.create_study(
        storage=storage, study_name=name, direction="minimize", pruner=pruner, load_if_exists=True
    )


def claim(studies: Sequence[optuna.Study], identity: Mapping[str, Any], where: str) -> None:
    """Write into studies what they search: the losses of one are of the same thing.

    `where` is the storage, for the error.
    Raises: ConfigError for studies that search something else; then nothing is written.
    """
    before = [(one, one.user_attrs.get(IDENTITY)) for one in studies]
    problems = [
        f"{one.study_name} in {where} searches something else: {'; '.join(other)}; choose another "
        "--study, or the same data, search space and recipe"
        for one, found in before
        if found is not None and (other := differences(found, identity))
    ]
    if problems:
        raise ConfigError("--study", problems)
    for one, found in before:
        if found is None:
            one.set_user_attr(IDENTITY, dict(identity))


def worker(pid: int | None = None) -> str:
    """Return who a process is, else this one: host, process id and when it started."""
    pid = os.getpid() if pid is None else pid
    return f"{socket.gethostname()}:{pid}:{_started(pid)}"


def _started(pid: int) -> str:
    """Return when a process started, in clock ticks since boot; "" where that cannot be known."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
    # The name in brackets may hold anything; the start is the 20th field after it.
    return stat.rpartition(")")[2].split()[19]


def is_gone(who: str) -> bool:
    """Whether a worker of this machine has ended; of another machine only its heartbeat tells."""
    host, _, rest = who.rpartition(":")[0].rpartition(":")
    if host != socket.gethostname():
        return False
    try:
        os.kill(int(rest), 0)
    except ProcessLookupError:
        return True
    except (PermissionError, ValueError, OverflowError):
        return False
    return _started(int(rest)) != who.rpartition(":")[2]


def bury(studies: Sequence[optuna.Study]) -> int:
    """Fail and queue again the trials whose workers are gone; return how many."""
    count = 0
    for one in studies:
        for trial in one.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            who = trial.user_attrs.get("worker", "")
            if who and is_gone(who):
                one.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)
                requeue(one, trial)
                count += 1
    return count


def requeue(one: optuna.Study, trial: FrozenTrial, *, fault: bool = True) -> None:
    """Queue a trial again with its parameters and its folder.

    Not if it was tried too often; what ended through no `fault` of its own does not count.
    """
    attempt = int(trial.user_attrs.get("attempt", 1)) + fault
    if attempt > ATTEMPTS or not trial.params:
        return
    kept = {"attempt": attempt, "again": trial.number}
    if "folder" in trial.user_attrs:
        kept["folder"] = trial.user_attrs["folder"]
    one.enqueue_trial(trial.params, user_attrs=kept)


def begun(one: optuna.Study) -> int:
    """Return how many trials have ended or are under way."""
    return len(one.get_trials(deepcopy=False, states=COUNTED))


def is_surplus(one: optuna.Study, number: int, quota: int) -> bool:
    """Whether a trial is one too many, because another process began the last one meanwhile."""
    earlier = one.get_trials(deepcopy=False, states=COUNTED)
    return sum(trial.number < number for trial in earlier) >= quota


def best(studies: Sequence[optuna.Study]) -> tuple[optuna.Study, FrozenTrial] | None:
    """Return the complete trial with the least loss, of all studies."""
    found = [
        (one, trial)
        for one in studies
        for trial in one.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    ]
    return min(found, key=lambda pair: float(pair[1].value or 0.0), default=None)
