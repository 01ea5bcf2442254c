"""The folder of a run: which names it takes, who writes there, and what it said before."""

import errno
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from nemod.common.errors import ConfigError, NemodError
from nemod.common.process_lock import ProcessLock

CONFIG = "config.json"
RESULT = "result.json"
HISTORY = "history.jsonl"
CHECKPOINT = "checkpoint.npz"
TAKEN = ("config", "result", "history", "checkpoint", "trial", "sweep")
"""What a model cannot be called: files beside it, or what a search writes there, have the name."""
KEPT = ("author", "licence", "description")
"""What a run that goes on still says, unless it is said anew."""
TRIED_BYTES = 65_536


class RunError(NemodError):
    """A run's folder that cannot be written."""

    def __init__(self, problem: str, remedy: str) -> None:
        """`problem` names the file or the folder; `remedy` is what to do."""
        self.problem = problem
        super().__init__(f"{problem}; {remedy}")


class Before(NamedTuple):
    """What a run's folder says of its model."""

    name: str | None
    """By which its file goes; None where nothing says so."""
    metadata: dict[str, Any]
    """Of `KEPT`, what was said."""


def check_name(name: str) -> None:
    """Raise ConfigError for what no model's file can be called."""
    if not name or "/" in name or "\0" in name:
        problem = f"the name {name!r} cannot be a file's: it is empty, or has a '/' or a NUL in it"
    elif name.startswith("."):
        problem = f"the name {name!r} begins with a dot: the file would be hidden"
    elif name.casefold() in TAKEN:
        problem = f"the name {name!r} is taken by another file of the run's; choose another --name"
    else:
        return
    raise ConfigError("name of the model", [problem])


def as_name(text: str) -> str:
    """Return a text as the name of one file or folder, which is not hidden and leads nowhere."""
    return text.replace("/", "-").replace("\0", "-").lstrip(".") or "unnamed"


def check(folder: Path, *, resume: bool) -> None:
    """Raise ConfigError where a run may not begin, or has nothing to go on with."""
    saved = (folder / CHECKPOINT).exists()
    if saved and not resume:
        raise ConfigError(str(folder), ["holds a run already; resume it, or choose another folder"])
    if resume and not saved:
        problem = f"holds no run to go on with (no {CHECKPOINT}); leave out --resume to begin one"
        raise ConfigError(str(folder), [problem])


def try_out(folder: Path) -> None:
    """Find out whether a folder can be made and written; nothing of the trial is left.

    Raises: RunError.
    """
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    trial = folder / f".{os.getpid()}.tmp"
    try:
        make(folder)
        with readable_errors(folder):
            trial.write_bytes(bytes(TRIED_BYTES))
    finally:
        with suppress(OSError):
            trial.unlink(missing_ok=True)
        for one in missing:
            with suppress(OSError):  # somebody else may have begun to use it
                one.rmdir()


def make(folder: Path) -> None:
    """Make the folder, and those above it.

    Raises: RunError.
    """
    with readable_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)


@contextmanager
def readable_errors(
    path: Path, remedy: str = "fix that, or choose another --out"
) -> Iterator[None]:
    """Convert errors of the disk into one sentence that names the file or the folder.

    Raises: RunError.
    """
    try:
        yield
    except OSError as error:
        # The error of a write names no file, and that of a draft a name that nobody knows.
        why = error.strerror or str(error)
        if error.errno in (errno.EEXIST, errno.ENOTDIR):
            why = "a file is in the way"
        raise RunError(f"{path}: cannot be written ({why})", remedy) from None


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Be the only training in a folder.

    Raises: ConfigError that names the process that trains there.
    """
    claim = ProcessLock("training", str(folder.resolve()))
    if not claim.take():
        holder = claim.holder()
        who = f"process {holder}" if holder else "another process"
        raise ConfigError(
            str(folder), [f"{who} trains in it; wait for its end, or choose another folder"]
        )
    try:
        yield
    finally:
        claim.release()


def before(folder: Path) -> Before:
    """Return what a run's folder says; a folder without a run says nothing."""
    config, result = _read(folder / CONFIG), _read(folder / RESULT)
    metadata = {key: config[key] for key in KEPT if isinstance(config.get(key), str)}
    return Before(model_name(folder, config, result), metadata)


def model_name(folder: Path, config: dict[str, Any], result: dict[str, Any]) -> str | None:
    """Return the name of a run's model, as the run says it, or None.

    Of an older run, which does not, it is the folder's name if there is such a file.
    """
    file = result.get("model")
    name = config.get("name") or (Path(file).stem if isinstance(file, str) else None)
    if isinstance(name, str):
        return name
    name = folder.resolve().name
    return name if (folder / f"{name}.json").is_file() else None


def _read(path: Path) -> dict[str, Any]:
    with suppress(OSError, ValueError):
        tree = json.loads(path.read_text(encoding="utf-8"))
        return tree if isinstance(tree, dict) else {}
    return {}
