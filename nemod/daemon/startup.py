"""What the daemon starts with: from the command line, the configuration and the last session."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import structlog

from nemod.chain import MODEL
from nemod.common.errors import NotFoundError
from nemod.common.paths import FolderError
from nemod.common.process_lock import ProcessLock
from nemod.config import Config
from nemod.control.backends import RigFiles, SlotFile
from nemod.daemon.failed_starts import session_to_start_with
from nemod.daemon.load_guard import AUTO
from nemod.daemon.session import Session, default_path
from nemod.daemon.session_writer import restore
from nemod.daemon.startup_rig import StartupRig, startup_rig
from nemod.library import Library
from nemod.presets import PresetStore, user_folder

log = structlog.get_logger("nemod")


@dataclass(frozen=True, slots=True, kw_only=True)
class Startup:
    """What to start with. The command line and the configuration win over the session."""

    rig: StartupRig
    """Chain and files, and the libraries in which they were found."""
    is_requested: bool
    """Whether the command line or the configuration names the model: then no other is tried."""
    state_file: Path | None
    """Where the session is kept; None for nowhere."""
    lock: ProcessLock | None
    """Keeps other daemons from writing the same file, as long as it lives."""
    presets: PresetStore

    @property
    def session(self) -> Session:
        """The last session, or an empty one."""
        return self.rig.session

    @property
    def library(self) -> Library:
        """The models."""
        return self.rig.models

    @property
    def cabinets(self) -> Library:
        """The cabinets."""
        return self.rig.cabinets

    @property
    def is_clean(self) -> bool:
        """Whether the first model slot is to be empty."""
        return self.session.is_clean and not self.is_requested

    def candidates(self) -> Iterator[RigFiles]:
        """Yield the rigs to try at the start, in order, until one plays.

        After the preferred one come those with all other models of the library in the first model
        slot, except for those that are known not to play.
        """
        rig = self.rig.wanted.present
        main = rig.chain.first(MODEL)
        has_model = main is not None and main.name in rig.paths
        if has_model or main is None or self.is_clean:
            yield rig
        if self.is_requested or main is None:
            return
        for name in self.library.names:
            if name == rig.file(main.name).name or self.library.problem(name):
                continue
            try:
                file = SlotFile(*self.library.find(name))
            except NotFoundError as error:
                # Removed since the names were read, or a link to elsewhere.
                log.warning("model passed over", model=name, reason=str(error))
                continue
            yield rig.with_file(main.name, file)


def prepare(config: Config) -> Startup:
    """Return what to start with.

    Raises: NotFoundError when a requested model or cabinet does not exist, or the library of models
        is empty.
    """
    file, session, lock = _session(config)
    if config.step_down is not None:
        positions = {**session.positions, AUTO: float(config.step_down)}
        session = replace(session, positions=positions)
    startup = Startup(
        rig=startup_rig(config, session),
        is_requested=bool(config.model),
        state_file=file,
        lock=lock,
        presets=PresetStore(_presets_folder(config)),
    )
    if next(startup.candidates(), None) is None:
        folders = ", ".join(map(str, startup.library.folders))
        raise NotFoundError(f"no model in {folders}")
    return startup


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
