"""Two processes share the trials of a sweep with a PostgreSQL server of the test."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from tests.conftest import lacks
from tests.trainer.study.conftest import TINY
from trainer.study import store

pytestmark = pytest.mark.server

TRIALS = 3
PATIENCE_S = 240.0
SWEEP = "import sys; from trainer.cli import main; sys.exit(main(sys.argv[1:]))"


def _tool(name: str) -> str | None:
    """Return the path of a PostgreSQL tool, which Debian installs outside PATH."""
    versions = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return shutil.which(name) or (str(versions[-1]) if versions else None)


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    """Run a server on a socket in a temporary folder; return its URL."""
    initdb, control = _tool("initdb"), _tool("pg_ctl")
    if not initdb or not control:
        lacks("PostgreSQL is missing (Debian: postgresql)")
    pytest.importorskip("psycopg", reason="the driver is missing (pip install 'nemod[postgres]')")
    # PostgreSQL does not run as root; its user must be able to access the folder.
    other = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    folder = Path(tempfile.mkdtemp(prefix="nemod-pg-"))
    cluster, options = folder / "data", f"-k {folder} -c listen_addresses='' -F"
    try:
        if other:
            shutil.chown(folder, "postgres")
        made = [*other, str(initdb), "-D", str(cluster), "-U", "nemod", "-A", "trust", "-N"]
        begin = [*other, str(control), "-D", str(cluster), "-w", "-o", options]
        begin += ["-l", str(folder / "log"), "start"]
        for command in (made, begin):
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=folder)
        yield f"postgresql://nemod@/postgres?host={folder}"
        end = [*other, str(control), "-D", str(cluster), "-m", "immediate", "-w", "stop"]
        subprocess.run(end, check=True, stdout=subprocess.DEVNULL, cwd=folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_two_processes_share_the_trials_of_a_sweep(
    postgres: str, recordings: Path, tmp_path: Path
) -> None:
    """Started together, each runs some trials; in total there are as many as requested."""
    parts = [f"--set={key}={value}" for key, value in TINY.items()]
    command = [
        *(sys.executable, "-c", SWEEP, "sweep", str(recordings), "--storage", postgres),
        *("--study", "shared", "--trials", str(TRIALS), "--arch", "cnn", "--epochs", "4"),
        *("--batch", "16", "--channels", "2", "--cnn-layers", "1", *parts),
    ]
    running = [
        subprocess.Popen([*command, "--out", str(tmp_path / name)], stderr=subprocess.PIPE)
        for name in ("a", "b")
    ]
    ended = [process.communicate(timeout=PATIENCE_S) for process in running]
    assert [process.returncode for process in running] == [0, 0], ended
    storage = store.open_storage(postgres, tmp_path)
    trials = optuna.load_study(study_name="shared-cnn", storage=storage).trials
    over = [trial for trial in trials if trial.state is not TrialState.FAIL]
    assert len(over) == TRIALS
    assert len({trial.user_attrs["worker"] for trial in over}) == 2
    made = sorted(path.name for path in tmp_path.glob("*/trials/*") if path.is_dir())
    assert made == sorted(trial.user_attrs["folder"] for trial in over)
    for path in tmp_path.glob("*/trials/*/result.json"):
        assert json.loads(path.read_text())["validation"]["loss"] > 0.0
    store.close(storage)
