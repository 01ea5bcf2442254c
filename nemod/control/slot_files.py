"""The file in a slot, a model or a cabinet: which one plays, load, step. Thread: control."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from nemod.chain import CABINET, MODEL
from nemod.common.errors import NotFoundError
from nemod.control.backends import (
    CLEAN,
    NO_FILE,
    FileLibrary,
    Player,
    RigChange,
    RigFiles,
    RigPlan,
    SlotFile,
)
from nemod.control.errors import Code, ControlError
from nemod.control.events import Source
from nemod.control.jobs import Job
from nemod.control.named_files import find_name, names_from
from nemod.control.rig_jobs import RigJobs
from nemod.parameters.slot_paths import slot_path

MODEL_JOB = "model"
CABINET_JOB = "cabinet"
NOUNS: Mapping[str, str] = {MODEL: MODEL_JOB, CABINET: CABINET_JOB}
"""What a file is called, by the kind of slot that holds it."""
NONE = -1
"""Index of no file; its name is empty."""
ENABLE = "cab/enable"


class _Shared(NamedTuple):
    """What all slots of a kind have in common."""

    kind: str
    library: FileLibrary
    player: Player
    jobs: RigJobs


class SlotFiles:
    """The files of a library, and the one that plays in a slot."""

    def __init__(
        self, kind: str, library: FileLibrary, player: Player, jobs: RigJobs, slot: str = ""
    ) -> None:
        """`slot`: name of a slot of this kind; empty for the first of the kind."""
        self._shared = _Shared(kind, library, player, jobs)
        self._slot = slot

    def of(self, slot: str) -> "SlotFiles":
        """Return the same for another slot of the kind; empty for the first one."""
        return SlotFiles(*self._shared, slot=slot)

    # --- what there is ---------------------------------------------------------------------------

    @property
    def noun(self) -> str:
        """What a file is called."""
        return NOUNS[self._shared.kind]

    @property
    def names(self) -> Sequence[str]:
        """All files of the library in order; the index of a file is its place here."""
        return self._shared.library.names

    @property
    def slot(self) -> str | None:
        """Name of the slot; None where the chain has no such slot."""
        chain, kind = self._shared.jobs.chain, self._shared.kind
        if self._slot:
            is_there = self._slot in chain and chain[self._slot].kind == kind
            return self._slot if is_there else None
        first = chain.first(kind)
        return None if first is None else first.name

    @property
    def name(self) -> str:
        """Name of the file that plays; empty for none, and `clean` for an empty model slot."""
        rig, slot = self._shared.player.rig, self.slot
        if rig is None or slot is None:
            return ""
        return rig.file(slot).name or (CLEAN if self._shared.kind == MODEL else "")

    @property
    def is_empty(self) -> bool:
        """Whether a slot without a file plays."""
        rig, slot = self._shared.player.rig, self.slot
        return rig is not None and slot is not None and rig.file(slot) == NO_FILE

    @property
    def index(self) -> int:
        """Place of the file in `names`; -1 for none, and where it is not among them."""
        return self.names.index(self.name) if self.name in self.names else NONE

    @property
    def requested(self) -> str:
        """The file that was requested last, or the one that plays if no request is under way."""
        requested = None if self.slot is None else self._shared.jobs.requested(self.slot)
        return self.name if requested is None else requested

    def info(self) -> Mapping[str, object]:
        """Return what is known of the file that plays (JSON types); nothing for none."""
        slot = self.slot
        return {} if slot is None else self._shared.player.slot_info(slot)

    def problems(self) -> Mapping[str, str]:
        """Return why files are known not to play, by name, in the order of the library."""
        return self._shared.library.problems()

    def find(self, which: str | int) -> str:
        """Return a name as the library spells it, by name in any case or by index.

        An empty name and the index -1 are no file. Raises: ControlError `not_found`, also for a
        name with a path separator.
        """
        return "" if which in ("", NONE) else find_name(self.names, which, self.noun)

    def file(self, which: str | int) -> SlotFile:
        """Return a file by name or index. Raises: ControlError `not_found`."""
        name = self.find(which)
        if not name:
            return NO_FILE
        try:
            return SlotFile(*self._shared.library.find(name))
        except NotFoundError as error:
            raise ControlError(Code.NOT_FOUND, name, str(error)) from None

    # --- loading ---------------------------------------------------------------------------------

    def load(self, which: str | int, source: Source) -> Job:
        """Start to load a file by name or index; an empty name or -1 empties the slot.

        Until the job ends, and after an error, the sound is as before. A cabinet that is loaded is
        switched on. Raises: ControlError `not_found`.
        """
        slot, file = self._present(), self.file(which)
        return self._start([file], file.name, slot, source)

    def step(self, step: int, source: Source) -> Job:
        """Start to load the next file (`step` 1) or the previous one (-1), around the list.

        The step counts from the file that was requested last, so two quick presses go two files on.
        Those that cannot be played are passed over.

        Raises: ControlError `not_found` in an empty library.
        """
        slot, names = self._present(), self.names
        if not names:
            raise ControlError(Code.NOT_FOUND, "", f"the library has no {self.noun}s")
        order = names_from(names, self.requested, step)
        return self._start(self._playable(order), order[0], slot, source)

    def load_size(self, size: float, source: Source) -> Job:
        """Start to load the model that plays with another size. Raises: ControlError."""
        slot = self._present()

        def change(rig: RigFiles) -> RigPlan:
            _check(rig, slot, self._shared.kind)
            return RigPlan(
                subject=self.name,
                rig=rig.with_size(slot, size),
                fills=frozenset((slot,)),
                source=source,
            )

        return self._shared.jobs.start_file(self.noun, [change], self.name, source, slot)

    def _present(self) -> str:
        """Return the name of the slot. Raises: ControlError `not_found` where it is gone."""
        slot = self.slot
        if slot is None:
            text = f"the chain has no slot for a {self.noun}"
            if self._slot:
                text = f"the chain has no {self.noun} slot named {self._slot!r}"
            raise ControlError(Code.NOT_FOUND, self._slot, text)
        return slot

    def _start(self, files: Iterable[SlotFile], subject: str, slot: str, source: Source) -> Job:
        changes = (self._change(file, slot, source) for file in files)
        return self._shared.jobs.start_file(self.noun, changes, subject, source, slot)

    def _change(self, file: SlotFile, slot: str, source: Source) -> RigChange:
        def change(rig: RigFiles) -> RigPlan:
            _check(rig, slot, self._shared.kind)
            is_switched = self._shared.kind == CABINET and file.path is not None
            return RigPlan(
                subject=file.name,
                rig=rig.with_file(slot, file),
                fills=frozenset((slot,)),
                switched={slot_path(rig.chain, slot, ENABLE): 1.0} if is_switched else {},
                source=source,
            )

        return change

    def _playable(self, names: Iterable[str]) -> Iterator[SlotFile]:
        """Yield these files, except those that are known not to play."""
        library, player = self._shared.library, self._shared.player
        for name in names:
            is_quarantined = self._shared.kind == MODEL and name in player.quarantined
            if library.problem(name) or is_quarantined:
                continue
            try:
                yield SlotFile(*library.find(name))
            except NotFoundError:
                continue  # removed since the folders were listed


def _check(rig: RigFiles, slot: str, kind: str) -> None:
    """Raise ControlError where a slot is gone since the request was made."""
    if slot not in rig.chain or rig.chain[slot].kind != kind:
        raise ControlError(Code.NOT_FOUND, slot, f"the chain has no slot {slot!r} any more")
