"""What the daemon starts with: from the command line, the configuration and the last session."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import structlog

from nemod.common.errors import NotFoundError
from nemod.common.paths import FolderError
from nemod.common.process_lock import ProcessLock
from nemod.config import Config
from nemod.control.backends import CLEAN, NO_CABINET, CabinetFile, ModelFile
from nemod.daemon.failed_starts import session_to_start_with
from nemod.daemon.load_guard import AUTO
from nemod.daemon.session import Session, default_path
from nemod.daemon.session_writer import restore
from nemod.library import CABINETS, Library
from nemod.presets import PresetStore, user_folder

log = structlog.get_logger("nemod")


@dataclass(frozen=True, slots=True, kw_only=True)
class Startup:
    """What to start with. The command line and the configuration win over the session."""

    library: Library
    preferred: Sequence[ModelFile]
    """The model that was requested, or that of the last session."""
    is_requested: bool
    """Whether the command line or the configuration names the model: then no other is tried."""
    session: Session
    """The last session, or an empty one."""
    size: float | None
    """Size of models that have several."""
    state_file: Path | None
    """Where the session is kept; None for nowhere."""
    lock: ProcessLock | None
    """Keeps other daemons from writing the same file, as long as it lives."""
    presets: PresetStore
    cabinets: Library
    cabinet: CabinetFile
    """The cabinet that was requested, or that of the last session."""

    def candidates(self) -> Iterator[ModelFile]:
        """Yield the models to try at the start, in order, until one plays.

        After the preferred one come all others of the library, except those that are known not to
        play.
        """
        yield from self.preferred
        if self.is_requested:
            return
        tried = {model.name for model in self.preferred}
        for name in self.library.names:
            if name not in tried and not self.library.problem(name):
                yield ModelFile(*self.library.find(name))


def prepare(config: Config) -> Startup:
    """Return what to start with.

    Raises: NotFoundError when a requested model or cabinet does not exist, or the library of models
        is empty.
    """
    file, session, lock = _session(config)
    cabinets, cabinet = _cabinet(config, session)
    if config.cab:
        # A cabinet that is asked for is heard, as one that is loaded later.
        session = replace(session, positions={**session.positions, "cab/enable": 1.0})
    if config.step_down is not None:
        positions = {**session.positions, AUTO: float(config.step_down)}
        session = replace(session, positions=positions)
    if config.model:
        asked = Path(config.model)
        library = Library(config.library, files=[asked] if _is_file(asked) else [])
        preferred = [_requested(config.model, library)]
    elif session.is_clean:
        library, preferred = Library(config.library), [CLEAN]
    else:
        library, preferred = _restored(config, session)
        if not preferred and not library.names:
            raise NotFoundError(f"no model in {', '.join(map(str, library.folders))}")
    return Startup(
        library=library,
        preferred=preferred,
        is_requested=bool(config.model),
        session=session,
        size=config.size if config.size is not None or config.model else session.size,
        state_file=file,
        lock=lock,
        presets=PresetStore(_presets_folder(config)),
        cabinets=cabinets,
        cabinet=cabinet,
    )


def _presets_folder(config: Config) -> Path | None:
    """Return where presets are kept, or None for memory alone."""
    if config.presets is not None:
        return config.presets
    try:
        return user_folder()
    except FolderError as error:
        log.warning("presets not kept", reason=str(error))
        return None


def _session(config: Config) -> tuple[Path | None, Session, ProcessLock | None]:
    """Return where the session is kept, the last session, and the lock of the file."""
    file = state_file(config)
    if file is not None and not _is_writable(file):
        log.warning("session not kept: the state file cannot be read", file=str(file))
        file = None
    session = (restore(file) if file is not None else None) or Session()
    lock = ProcessLock("state", str(file.resolve())) if file is not None else None
    if lock is not None and not lock.take():
        # Two daemons that write one file would undo each other's changes.
        log.warning(
            "session restored but not kept: another nemod writes the state file; use --state FILE "
            "to give this one its own",
            file=str(file),
            process=lock.holder(),
        )
        file = lock = None
    if file is not None:
        session = session_to_start_with(file, session)
    return file, session, lock


def state_file(config: Config) -> Path | None:
    """Return where the session is kept, or None for nowhere."""
    if config.state is False:
        return None
    if isinstance(config.state, Path):
        return config.state
    try:
        return default_path()
    except FolderError as error:
        log.warning("session not kept", reason=str(error))
        return None


def _is_writable(file: Path) -> bool:
    """Return whether nothing is there, or a file that can be read and so replaced."""
    try:
        return not os.path.lexists(file) or (file.is_file() and os.access(file, os.R_OK))
    except OSError:
        return False


def _is_file(path: Path) -> bool:
    """Return whether a file is there. Raises: NotFoundError where the system refuses to look."""
    try:
        return path.is_file()
    except OSError as error:
        text = f"{path} cannot be read: {error.strerror or error}"
        raise NotFoundError(text) from None


def _requested(model: str, library: Library) -> ModelFile:
    try:
        return ModelFile(*library.find(model))
    except NotFoundError:
        path = Path(model)
        if not _is_file(path):
            raise
        return ModelFile(*library.find(library.name_of(path)))


def _cabinet(config: Config, session: Session) -> tuple[Library, CabinetFile]:
    """Return the library of cabinets and the cabinet to start with.

    Raises: NotFoundError when a requested one does not exist or cannot be reached.
    """
    name, given = (config.cab, config.cab) if config.cab else (session.cabinet, "")
    path = Path(given or session.cabinet_path)
    try:
        has_file = bool(name) and _is_file(path)
    except NotFoundError as error:
        if given:
            raise
        log.warning("cabinet of the last session not reached", cabinet=name, reason=str(error))
        has_file = False
    library = Library(config.cabinets, files=[path] if has_file else [], kind=CABINETS)
    if not name:
        return library, NO_CABINET
    try:
        # By file first: names change when another file of the same name is added.
        return library, CabinetFile(*library.find(library.name_of(path) if has_file else name))
    except (NotFoundError, OSError) as error:
        if given:
            raise
        log.warning("cabinet of the last session not found", cabinet=name, reason=str(error))
        return library, NO_CABINET


def _restored(config: Config, session: Session) -> tuple[Library, list[ModelFile]]:
    """Return the library and the model of the last session, if it still exists."""
    library = Library(config.library)
    if not session.model:
        return library, []
    path = Path(session.path)
    try:
        try:
            # By file first: names change when another model of the same name is added.
            return library, [ModelFile(*library.find(library.name_of(path)))]
        except NotFoundError:
            if session.path and path.is_file():
                library = Library(config.library, files=[path])
                return library, [ModelFile(*library.find(library.name_of(path)))]
            return library, [ModelFile(*library.find(session.model))]
    except (NotFoundError, OSError) as error:
        log.warning("model of the last session not found", model=session.model, reason=str(error))
        return Library(config.library), []
