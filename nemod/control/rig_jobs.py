"""Jobs that change the rig: files of slots, the chain, presets. Thread: control."""

from collections.abc import Iterable, Mapping
from functools import partial

from nemod.chain import MODEL, Chain
from nemod.control.backends import Player, RigChange, RigFiles, RigPlan, Scope
from nemod.control.errors import Code, ControlError
from nemod.control.events import EventStream, Source
from nemod.control.jobs import Job
from nemod.control.settings import Settings


class RigJobs:
    """Starts jobs of the player, and knows what was requested last."""

    def __init__(self, player: Player, settings: Settings, events: EventStream) -> None:
        self._player = player
        self._settings = settings
        self._events = events
        self.newest: Job | None = None
        """The request that was made last."""
        self._by_slot: dict[str, tuple[Job, str | None]] = {}
        """The newest request for the file of each slot, and which file; None: the job's subject."""

    @property
    def is_busy(self) -> bool:
        """Whether a request is under way."""
        return self.newest is not None and not self.newest.is_over

    @property
    def chain(self) -> Chain:
        """The chain that plays, with the names of its files."""
        rig = self._player.rig
        return self._settings.chain if rig is None else rig.chain

    def requested(self, slot: str) -> str | None:
        """Return the file that a request under way brings to a slot; None where there is none."""
        job, name = self._by_slot.get(slot, (None, ""))
        if job is None or job.is_over:
            return None
        return job.subject if name is None else name

    def start_file(
        self, kind: str, changes: Iterable[RigChange], subject: str, source: Source, slot: str
    ) -> Job:
        """Start to fill a slot with the first of some files that plays.

        `kind`: what the files, and the job, are called.
        """
        job = Job(kind, subject, source, self._events)
        under_way = {at: known for at, known in self._by_slot.items() if not known[0].is_over}
        self._by_slot = under_way | {slot: (job, None)}
        first = self.chain.first(MODEL)
        is_main = first is not None and first.name == slot
        self._start(job, changes, Scope.MAIN if is_main else Scope.SLOT, slot, kind)
        return job

    def start(
        self, kind: str, plan: RigPlan | RigChange, subject: str, source: Source, scope: Scope
    ) -> Job:
        """Start to change more than one slot."""
        job = Job(kind, subject, source, self._events)
        if isinstance(plan, RigPlan):
            files: Mapping[str, str] = {slot: plan.rig.file(slot).name for slot in plan.rig.slots}
            self._by_slot = {slot: (job, name) for slot, name in files.items()}
            change: RigChange = partial(_planned, plan)
        else:
            change = plan
        self._start(job, [change], scope, "", kind)
        return job

    def _start(
        self, job: Job, changes: Iterable[RigChange], scope: Scope, slot: str, noun: str
    ) -> None:
        self.newest = job
        try:
            self._player.load(changes, job, scope=scope, slot=slot, noun=noun)
        except Exception:
            # Steps must not count from a request that was never made.
            job.fail(ControlError(Code.IO, job.subject, "internal error, see the log"))
            raise


def _planned(plan: RigPlan, _rig: RigFiles) -> RigPlan:
    return plan
