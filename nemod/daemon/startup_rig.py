"""The rig to start with: the chain of the last session, with its files found in the libraries."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import structlog

from nemod.chain import CABINET, DEFAULT_CHAIN, MODEL
from nemod.common.errors import NotFoundError
from nemod.config import Config
from nemod.control.backends import RigFiles, SlotFile
from nemod.control.slot_files import ENABLE, NOUNS
from nemod.daemon.session import Session
from nemod.library import CABINETS, Library
from nemod.parameters.parameter_set import ParameterSet, moved_positions
from nemod.parameters.slot_paths import slot_path

log = structlog.get_logger("nemod")


@dataclass(frozen=True, slots=True, kw_only=True)
class StartupRig:
    """What the command line, the configuration and the last session want to play."""

    models: Library
    cabinets: Library
    wanted: RigFiles
    """A file that is missing has a name and no path."""
    session: Session
    """The last session, with the chain and the positions of `wanted`."""


def startup_rig(config: Config, session: Session) -> StartupRig:
    """Return the rig to start with.

    Raises: NotFoundError when a requested model or cabinet does not exist or cannot be reached.
    """
    session = _with_slots(session, config)
    chain = session.chain
    main, cab = chain.first(MODEL), chain.first(CABINET)
    if config.model and main is not None:
        chain = chain.with_slot(replace(main, file="", size=None))
    if config.size is not None and main is not None:
        chain = chain.with_slot(replace(chain[main.name], size=config.size))
    session = replace(session, chain=chain)
    models = _Files(
        MODEL,
        session,
        {main.name: config.model} if config.model and main is not None else {},
        lambda files: Library(config.library, files=list(files)),
    )
    cabinets = _Files(
        CABINET,
        session,
        {cab.name: config.cab} if config.cab and cab is not None else {},
        lambda files: Library(config.cabinets, files=list(files), kind=CABINETS),
    )
    rig = cabinets.found(models.found(RigFiles(chain=chain)))
    positions = dict(session.positions)
    if config.cab and cab is not None:
        # A cabinet that is asked for is heard, as one that is loaded later.
        positions[slot_path(chain, cab.name, ENABLE)] = 1.0
    return StartupRig(
        models=models.library,
        cabinets=cabinets.library,
        wanted=rig,
        session=replace(session, chain=rig.chain, positions=positions),
    )


def _with_slots(session: Session, config: Config) -> Session:
    """Return the session with the default chain where its own has no slot for what is asked for."""
    chain = session.chain
    if (config.model and chain.first(MODEL) is None) or (config.cab and not chain.first(CABINET)):
        log.warning("the chain of the last session has no slot for it: default chain loaded")
        before = ParameterSet(chain)
        preset = session.preset
        if preset is not None:
            snapshots = {
                number: moved_positions(sound, before, DEFAULT_CHAIN)
                for number, sound in preset.snapshots.items()
            }
            preset = replace(preset, snapshots=snapshots)
        return replace(
            session,
            chain=DEFAULT_CHAIN,
            positions=moved_positions(session.positions, before, DEFAULT_CHAIN),
            paths={},
            preset=preset,
        )
    return session


class _Files:
    """The files of one kind of slot, and their library."""

    def __init__(
        self,
        kind: str,
        session: Session,
        asked: dict[str, str],
        library: Callable[[Iterable[Path]], Library],
    ) -> None:
        """`asked`: names or files, by slot, that are asked for.

        `library` makes the library, with files that are outside of its folders.
        """
        self._kind = kind
        self._asked = asked
        self._saved = {
            slot.name: Path(session.paths[slot.name])
            for slot in session.chain.of_kind(kind)
            if slot.name in session.paths and slot.name not in asked
        }
        given = [Path(file) for file in asked.values() if _is_file(Path(file))]
        self.library = library(given)
        outside = [path for path in self._saved.values() if not self._has(path)]
        more = [path for path in outside if _is_there(path)]
        if more:
            self.library = library([*given, *more])

    def _has(self, path: Path) -> bool:
        try:
            self.library.name_of(path)
        except (NotFoundError, OSError):
            return False
        return True

    def found(self, rig: RigFiles) -> RigFiles:
        """Return the rig with the files that are there; others keep their names.

        Raises: NotFoundError for one that is asked for.
        """
        for slot in rig.chain.of_kind(self._kind):
            if slot.name in self._asked:
                rig = rig.with_file(slot.name, self._requested(self._asked[slot.name]))
                continue
            file = self._restored(slot.name, slot.file)
            if file is not None:
                rig = rig.with_file(slot.name, file)
        return rig

    def _requested(self, given: str) -> SlotFile:
        try:
            return SlotFile(*self.library.find(given))
        except NotFoundError:
            path = Path(given)
            if not _is_file(path):
                raise
            return SlotFile(*self.library.find(self.library.name_of(path)))

    def _restored(self, slot: str, name: str) -> SlotFile | None:
        """Return the file of a slot in the last session, or None."""
        noun = NOUNS[self._kind]
        path = self._saved.get(slot)
        try:
            # By file first: names change when another file of the same name is added.
            if path is not None and self._has(path):
                return SlotFile(*self.library.find(self.library.name_of(path)))
            if name:
                return SlotFile(*self.library.find(name))
        except (NotFoundError, OSError) as error:
            log.warning(
                f"{noun} of the last session not found", slot=slot, file=name, reason=str(error)
            )
        return None


def _is_file(path: Path) -> bool:
    """Return whether a file is there. Raises: NotFoundError where the system refuses to look."""
    try:
        return path.is_file()
    except OSError as error:
        text = f"{path} cannot be read: {error.strerror or error}"
        raise NotFoundError(text) from None


def _is_there(path: Path) -> bool:
    """Return whether a file of the last session is there; what prevents looking is logged."""
    try:
        return _is_file(path)
    except NotFoundError as error:
        log.warning("file of the last session not reached", reason=str(error))
        return False
