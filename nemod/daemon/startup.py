"""What the daemon begins with: from the command line, the configuration, and the last time."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

from nemod.common.errors import NotFoundError
from nemod.common.paths import FolderError
from nemod.common.process_lock import ProcessLock
from nemod.config import Config
from nemod.daemon.session import Session, default_path
from nemod.daemon.session_writer import restored
from nemod.library import Library

log = structlog.get_logger("nemod")


@dataclass(frozen=True, slots=True, kw_only=True)
class Startup:
    """Where to start from. What was asked for wins over what was kept."""

    choices: Sequence[tuple[str, Path]]
    """Name and file of the first model, and of the one to take where that does not play."""
    saved: Session
    """What was kept, or nothing."""
    size: float | None
    """Which size of models that have several."""
    state_file: Path | None
    """Where the state is kept; None for nowhere."""
    claim: ProcessLock | None
    """Nobody else keeps it there as long as this lives."""


def startup(config: Config) -> tuple[Library, Startup]:
    """Return the library and what to begin with.

    Raises: NotFoundError when a model that was asked for is not there, or there is none at all.
    """
    file = state_file(config)
    if file is not None and not _can_be_kept(file):
        log.warning("the state is not kept: there is something that cannot be read", file=str(file))
        file = None
    saved = (restored(file) if file is not None else None) or Session()
    claim = ProcessLock("state", str(file.resolve())) if file is not None else None
    if claim is not None and not claim.take():
        # Two that write one file would each undo what the other keeps.
        log.warning(
            "the state is restored but not kept: another nemod keeps it; --state FILE gives this "
            "one its own",
            file=str(file),
            process=claim.holder(),
        )
        file = claim = None
    if config.model:
        asked = Path(config.model)
        library = Library(config.library, files=[asked] if asked.is_file() else [])
        choices = [_asked(config.model, library)]
    else:
        library, choices = _kept(config, saved)
        if library.names:
            choices.append(library.find(library.names[0]))
        if not choices:
            raise NotFoundError(f"no model in {', '.join(map(str, library.folders))}")
    return library, Startup(
        choices=choices,
        saved=saved,
        size=config.size if config.size is not None or config.model else saved.size,
        state_file=file,
        claim=claim,
    )


def state_file(config: Config) -> Path | None:
    """Return where the state is kept, or None for nowhere."""
    if config.state is False:
        return None
    if isinstance(config.state, Path):
        return config.state
    try:
        return default_path()
    except FolderError as error:
        log.warning("the state is not kept", reason=str(error))
        return None


def _can_be_kept(file: Path) -> bool:
    """Return whether a state may be written there: over nothing, or over what can be read."""
    try:
        return not os.path.lexists(file) or (file.is_file() and os.access(file, os.R_OK))
    except OSError:
        return False


def _asked(model: str, library: Library) -> tuple[str, Path]:
    try:
        return library.find(model)
    except NotFoundError:
        path = Path(model)
        if not path.is_file():
            raise
        return library.find(library.name_of(path))


def _kept(config: Config, saved: Session) -> tuple[Library, list[tuple[str, Path]]]:
    """Return the library and the model of the last time, if it is still there."""
    library = Library(config.library)
    if not saved.model:
        return library, []
    path = Path(saved.path)
    try:
        try:
            # By file first: names change when another model of the same name comes.
            return library, [library.find(library.name_of(path))]
        except NotFoundError:
            if saved.path and path.is_file():
                library = Library(config.library, files=[path])
                return library, [library.find(library.name_of(path))]
            return library, [library.find(saved.model)]
    except (NotFoundError, OSError) as error:
        log.warning("the model of the last time is not there", model=saved.model, reason=str(error))
        return Library(config.library), []
