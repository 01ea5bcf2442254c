"""The storage of a sweep's trials, which survives crashes and is shared by several processes.

There is one Optuna study per architecture: a pruner that compared CNNs with GRUs would prune every
CNN. A trial belongs to a worker process. The trial of a process that has ended is marked as failed
and requeued with the same parameters; it continues in the same run folder.
"""

import os
import socket
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from nemod.common.errors import ConfigError, NemodError
from trainer.differences import differences

FILE = "study.db"
IDENTITY = "identity"
"""Attribute of a study that states what it searches."""
HEARTBEAT_S = 20
GRACE_S = 120
"""Seconds without a heartbeat after which a worker on another machine counts as ended."""
ATTEMPTS = 3
"""Attempts for a trial whose worker process ends."""
OPEN_ATTEMPTS = 8
COUNTED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)
ENDED = (TrialState.COMPLETE, TrialState.PRUNED)


class StoreError(NemodError):
    """An error of the storage during a sweep."""


def open_storage(url: str | None, folder: Path) -> RDBStorage:
    """Return the storage at a URL, else SQLite in the folder; `close` it after use.

    Raises: ConfigError for an invalid URL, a missing driver, a server that does not answer.
    """
    full = url or f"sqlite:///{(folder / FILE).resolve()}"
    for attempt in range(OPEN_ATTEMPTS):
        try:
            return _opened(full)
        except (ArgumentError, NoSuchModuleError) as error:
            raise _refused(full, f"is not a storage URL: {error}") from None
        except ImportError as error:
            missing = "" if error.name != "psycopg" else " (pip install 'nemod[postgres]')"
            raise _refused(full, f"needs {error.name or error}{missing}") from None
        except SQLAlchemyError as error:
            # Processes that start at the same time may fail to create the same tables.
            if attempt + 1 == OPEN_ATTEMPTS:
                reason = str(error).splitlines()[0]
                raise _refused(full, f"cannot be opened: {reason}") from None
            time.sleep(0.25 * (attempt + 1))
    raise AssertionError


def close(storage: RDBStorage) -> None:
    """Close all connections of a storage."""
    storage.remove_session()
    storage.engine.dispose()


@contextmanager
def readable_errors(where: str, remedy: str) -> Iterator[None]:
    """Convert errors of a storage into one sentence; `where` is the storage as displayed.

    Raises: StoreError.
    """
    try:
        yield
    except Exception as error:
        # Optuna wraps errors of the database into its own, or into an assertion.
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, SQLAlchemyError):
            cause = cause.__cause__ or cause.__context__
        if cause is None or isinstance(error, NemodError):
            raise
        reason = str(cause).splitlines()[0]
        raise StoreError(f"{where}: the storage cannot be used ({reason}); {remedy}") from None


def _opened(url: str) -> RDBStorage:
    made = make_url(url)
    connect: dict[str, object] = {"pool_pre_ping": True}
    if made.drivername == "postgresql":
        made = made.set(drivername="postgresql+psycopg")
    if made.get_backend_name() == "sqlite":
        # Without a pool each connection is closed after its use, in any thread.
        connect |= {"connect_args": {"timeout": 60}, "poolclass": NullPool}
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
    """Return the storage's name for messages, without a password."""
    return _without_password(url) if url else f"{folder / FILE}"


def study(storage: RDBStorage, name: str, pruner: optuna.pruners.BasePruner) -> optuna.Study:
    """Return the study of that name; create it if there is none."""
    return optuna.create_study(
        storage=storage, study_name=name, direction="minimize", pruner=pruner, load_if_exists=True
    )


def claim(studies: Sequence[optuna.Study], identity: Mapping[str, object], where: str) -> None:
    """Record in the studies what they search, so that all losses of a study are comparable.

    `where` is the storage, for the error.
    Raises: ConfigError for studies of another search; then nothing is written.
    """
    before = [(one, one.user_attrs.get(IDENTITY)) for one in studies]
    problems = [
        f"{one.study_name} in {where} is another search: {'; '.join(other)}; choose another "
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
    """Return the identity of a process, by default this one: host, process id and start time."""
    pid = os.getpid() if pid is None else pid
    return f"{socket.gethostname()}:{pid}:{_started(pid)}"


def _started(pid: int) -> str:
    """Return when a process started, in clock ticks since boot; empty if unknown."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
    # The name in brackets may contain anything; the start time is the 20th field after it.
    return stat.rpartition(")")[2].split()[19]


def is_gone(who: str) -> bool:
    """Return whether a worker of this machine has ended; others are judged by their heartbeat."""
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


def requeue_stale(studies: Sequence[optuna.Study]) -> int:
    """Requeue the trials whose worker processes have ended; return how many."""
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
    """Requeue a trial with its parameters and its folder, unless all attempts are used.

    With `fault` False the last attempt does not count.
    """
    attempt = int(trial.user_attrs.get("attempt", 1)) + fault
    if attempt > ATTEMPTS or not trial.params:
        return
    kept = {"attempt": attempt, "again": trial.number}
    if "folder" in trial.user_attrs:
        kept["folder"] = trial.user_attrs["folder"]
    one.enqueue_trial(trial.params, user_attrs=kept)


def begun(one: optuna.Study) -> int:
    """Return the number of trials that have ended or are running."""
    return len(one.get_trials(deepcopy=False, states=COUNTED))


def is_surplus(one: optuna.Study, number: int, quota: int) -> bool:
    """Return whether a trial exceeds the quota because processes started trials together."""
    earlier = one.get_trials(deepcopy=False, states=COUNTED)
    return sum(trial.number < number for trial in earlier) >= quota


def best(studies: Sequence[optuna.Study]) -> tuple[optuna.Study, FrozenTrial] | None:
    """Return the complete trial with the lowest loss of all studies."""
    found = [
        (one, trial)
        for one in studies
        for trial in one.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    ]
    return min(found, key=lambda pair: float(pair[1].value or 0.0), default=None)
