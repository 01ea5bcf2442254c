"""The folder of a run: file names, exclusive use, and what an earlier session recorded."""

import errno
import json
import os
from collections.abc import Iterator, Mapping
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
"""Invalid names of a model: other files of a run or a sweep have them."""
KEPT = ("author", "licence", "description")
"""Metadata that a resumed run keeps unless it is given again."""
TRIED_BYTES = 65_536


class RunError(NemodError):
    """A run's folder that cannot be written."""

    def __init__(self, problem: str, remedy: str) -> None:
        """`problem` names the file or folder; `remedy` states what to do."""
        self.problem = problem
        super().__init__(f"{problem}; {remedy}")


class Before(NamedTuple):
    """What a run's folder states about its model."""

    name: str | None
    """Name of the model and its file; None: not stated."""
    metadata: dict[str, str]
    """The stated values of `KEPT`."""


def check_name(name: str) -> None:
    """Raise ConfigError for an invalid name of a model."""
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
    """Return a text as a valid file name: without separators and not hidden."""
    return text.replace("/", "-").replace("\0", "-").lstrip(".") or "unnamed"


def check(folder: Path, *, resume: bool) -> None:
    """Raise ConfigError if a run must not start, or cannot be resumed, in a folder."""
    saved = (folder / CHECKPOINT).exists()
    if saved and not resume:
        raise ConfigError(
            str(folder), ["contains a run already; resume it, or choose another folder"]
        )
    if resume and not saved:
        problem = f"contains no run to resume (no {CHECKPOINT}); omit --resume to start one"
        raise ConfigError(str(folder), [problem])


def try_out(folder: Path) -> None:
    """Check that a folder can be created and written; leave nothing behind.

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
            with suppress(OSError):  # another process may have started to use it
                one.rmdir()


def make(folder: Path) -> None:
    """Create the folder and its parents.

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
        # The error of a write names no file, or that of a temporary file.
        why = error.strerror or str(error)
        if error.errno in (errno.EEXIST, errno.ENOTDIR):
            why = "a file is in the way"
        raise RunError(f"{path}: cannot be written ({why})", remedy) from None


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Reserve a folder for this process.

    Raises: ConfigError that names the process that uses it.
    """
    claim = ProcessLock("training", str(folder.resolve()))
    if not claim.take():
        holder = claim.holder()
        who = f"process {holder}" if holder else "another process"
        raise ConfigError(
            str(folder), [f"{who} is training there; wait until it ends, or choose another folder"]
        )
    try:
        yield
    finally:
        claim.release()


def before(folder: Path) -> Before:
    """Return what a run's folder states; nothing for a folder without a run."""
    config, result = _read(folder / CONFIG), _read(folder / RESULT)
    metadata = {key: config[key] for key in KEPT if isinstance(config.get(key), str)}
    return Before(model_name(folder, config, result), metadata)


def model_name(
    folder: Path, config: Mapping[str, object], result: Mapping[str, object]
) -> str | None:
    """Return the name of a run's model, or None if it is unknown.

    For a run that does not state it, the folder's name if there is such a file.
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
