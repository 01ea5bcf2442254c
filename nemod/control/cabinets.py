"""The cabinet of the rig: which one plays, load, step. Thread: control."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from nemod.common.errors import NotFoundError
from nemod.control.backends import NO_CABINET, CabinetFile, FileLibrary, Player
from nemod.control.errors import Code, ControlError
from nemod.control.events import EventStream, Source
from nemod.control.jobs import Job
from nemod.control.named_files import find_name, names_from

CABINET_JOB = "cabinet"
NONE = -1
"""Index of no cabinet; its name is empty."""


class Cabinets:
    """The cabinets of the library, and the one that plays."""

    def __init__(self, library: FileLibrary, player: Player, events: EventStream) -> None:
        self._library = library
        self._player = player
        self._events = events
        self.newest_load: Job | None = None
        """The request that was made last."""

    @property
    def names(self) -> Sequence[str]:
        """All cabinets of the library in order; the index of a cabinet is its place here."""
        return self._library.names

    @property
    def name(self) -> str:
        """Name of the current cabinet; empty for none."""
        return self._player.cabinet_name

    @property
    def index(self) -> int:
        """Place of the current cabinet in `names`; -1 for none, and where it is not among them."""
        return self.names.index(self.name) if self.name in self.names else NONE

    @property
    def requested(self) -> str:
        """The cabinet that was requested last, or the current one if no request is under way."""
        job = self.newest_load
        return job.subject if job is not None and not job.is_over else self.name

    def info(self) -> Mapping[str, object]:
        """Return what is known of the current cabinet (JSON types); nothing for none."""
        return self._player.cabinet_info()

    def problems(self) -> Mapping[str, str]:
        """Return why cabinets are known not to play, by name, in the order of the library."""
        return self._library.problems()

    def find(self, which: str | int) -> str:
        """Return a cabinet's name as the library spells it, by name in any case or by index.

        An empty name and the index -1 are no cabinet. Raises: ControlError `not_found`.
        """
        if which in ("", NONE):
            return ""
        return find_name(self.names, which, "cabinet")

    def load(self, which: str | int, source: Source) -> Job:
        """Start to load a cabinet by name or index; an empty name or -1 removes it from the rig.

        Until the job ends, and after an error, the sound is as before. A cabinet that is loaded is
        switched on. Raises: ControlError `not_found`.
        """
        name = self.find(which)
        if not name:
            return self._load([NO_CABINET], "", source)
        try:
            file = CabinetFile(*self._library.find(name))
        except NotFoundError as error:
            raise ControlError(Code.NOT_FOUND, name, str(error)) from None
        return self._load([file], name, source)

    def step(self, step: int, source: Source) -> Job:
        """Start to load the next cabinet (`step` 1) or the previous one (-1), around the list.

        The step counts from the cabinet that was requested last. Those that cannot be played are
        passed over. Raises: ControlError `not_found` in an empty library.
        """
        names = self.names
        if not names:
            raise ControlError(Code.NOT_FOUND, "", "the library has no cabinets")
        order = names_from(names, self.requested, step)
        return self._load(self._playable(order), order[0], source)

    def _load(self, candidates: Iterable[CabinetFile], subject: str, source: Source) -> Job:
        job = self.newest_load = Job(CABINET_JOB, subject, source, self._events)
        try:
            self._player.load_cabinet(candidates, job)
        except Exception:
            # Steps must not count from a request that was never made.
            job.fail(ControlError(Code.IO, subject, "internal error, see the log"))
            raise
        return job

    def _playable(self, names: Iterable[str]) -> Iterator[CabinetFile]:
        """Yield the files of these cabinets, except those that are known not to play."""
        for name in names:
            if self._library.problem(name):
                continue
            try:
                yield CabinetFile(*self._library.find(name))
            except NotFoundError:
                continue  # removed since the folders were listed
