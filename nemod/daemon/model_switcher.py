"""Decides which rig plays next, and brings it to the audio process.

One request is carried out at a time and the newest one wins. A rig is built by the builder, sent to
the audio process, and current once it is heard; until then, and after any failure, the previous rig
plays on. Thread: control.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

import structlog

from nemod.builder.messages import Level, Reduction
from nemod.chain import CABINET, MODEL
from nemod.common.errors import NemodError
from nemod.config import Config
from nemod.control.backends import CLEAN, RigChange, RigFiles, RigPlan, Scope
from nemod.control.errors import Code, ControlError
from nemod.control.events import DAEMON, ChainChanged, EventStream, ModelChanged, Source
from nemod.control.jobs import Job
from nemod.control.settings import Settings
from nemod.daemon.build_ahead import BuildAhead, UnplayableError
from nemod.daemon.built_rig import BuiltRig
from nemod.daemon.crash_fallback import CrashFallback, substitute
from nemod.daemon.fault_marks import FaultMarks
from nemod.daemon.handover import Handover
from nemod.daemon.protocols import AudioOutput, Builder, Controls, FaultLog
from nemod.daemon.rig_events import publish_changed_files, publish_files
from nemod.daemon.rig_requests import RigRequest, RigRequests, superseded
from nemod.daemon.substitutes import build_without_faulty, change_to, main_slot
from nemod.daemon.wanted_rig import WantedRig
from nemod.engine.ipc import DeviceOpened, PlayRig
from nemod.parameters.parameter_set import ParameterSet

FIRST_MODEL_JOB = "first model"
REBUILD_JOB = "rebuild"
SUBSTITUTE_JOB = "substitute"

log = structlog.get_logger("nemod")


class ModelSwitcher:
    """The current rig, those that are being loaded, and what was requested last.

    It implements `nemod.control.backends.Player` for the controller and
    `nemod.daemon.protocols.SupervisorCallbacks` for the supervisor.
    """

    def __init__(
        self,
        config: Config,
        settings: Settings,
        events: EventStream,
        *,
        builder: Builder,
        audio: Callable[[], AudioOutput],
        faults: Mapping[str, FaultLog],
        wanted: WantedRig,
    ) -> None:
        """`audio` returns the audio output. `faults`: by kind of slot.

        `wanted` is the rig of the last session, or of the command line; it is kept up to date.
        """
        self.current: BuiltRig | None = None
        self.wanted = wanted
        self.first_model: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when a rig is heard for the first time; an exception when none can be played."""
        # Retrieved here, or asyncio would log it where the daemon ends for another reason.
        self.first_model.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._settings = settings
        self._events = events
        self._marks = FaultMarks(faults)
        level = Level(normalize=config.level.normalize, input_dbu=config.level.input_dbu)
        self._rigs = BuildAhead(builder, audio, settings, level, on_unplayable=self._marks.mark)
        self._audio = audio
        self._first_candidates: Callable[[], Iterable[RigFiles]] = tuple
        self._refused_id = 0
        """Of the rig that the audio process could not load again."""
        self._handover = Handover(audio)
        self._waiting = RigRequests()
        self._wake = asyncio.Event()
        self._is_loading = False
        self._fallback = CrashFallback()

    # --- requests --------------------------------------------------------------------------------

    @property
    def rig(self) -> RigFiles | None:
        """The chain that plays, with its files; None before the first."""
        return self.current.rig if self.current else None

    @property
    def quarantined(self) -> frozenset[str]:
        """The models that were quarantined last, until they are requested again."""
        return self._fallback.models

    def slot_info(self, slot: str) -> Mapping[str, object]:
        """Return what is known of the file in a slot (JSON types); nothing for an empty slot."""
        current = self.current
        if current is None or slot not in current.rig.chain:
            return {}
        info: Mapping[str, object] = current.result.infos.get(slot, {})
        if self.quarantined and current.rig.chain[slot].kind == MODEL:
            return {**info, "quarantined": ", ".join(sorted(self.quarantined))}
        return info

    def first_model_info(self) -> Mapping[str, object]:
        """Return what is known of the first model that plays; nothing without one."""
        first = self.current.rig.chain.first(MODEL) if self.current is not None else None
        return self.slot_info(first.name) if first is not None else {}

    def start(self, candidates: Callable[[], Iterable[RigFiles]]) -> None:
        """Request the first rig: the first of the candidates that plays."""
        self._first_candidates = candidates
        self._request(candidates(), FIRST_MODEL_JOB)

    def load(
        self, changes: Iterable[RigChange], job: Job, *, scope: Scope, slot: str, noun: str
    ) -> None:
        """Start to play the first of the changes that can be played; see `backends.Player`."""
        self._waiting.add(
            RigRequest(changes=iter(changes), job=job, scope=scope, slot=slot, noun=noun)
        )
        self._wake.set()

    def _request(self, rigs: Iterable[RigFiles], kind: str) -> None:
        """Request one of some rigs for the daemon itself."""
        self._request_changes(map(change_to, rigs), kind)

    def _request_changes(self, changes: Iterable[RigChange], kind: str) -> None:
        """Request one of some changes for the daemon itself."""
        job = Job(kind, "", DAEMON, self._events)
        # As a request for the first model, which a client's takes the place of.
        self.load(changes, job, scope=Scope.MAIN, slot=main_slot(self._base()), noun=MODEL)

    def _base(self) -> RigFiles:
        """Return what plays, or is to play first."""
        return self.wanted.rig.present if self.current is None else self.current.rig

    async def run(self) -> None:
        """Carry out requests, one at a time, until cancelled."""
        await self._audio().wait_for_device()
        while True:
            await self._wake.wait()
            self._wake.clear()
            request = self._waiting.take()
            if request is None:
                if await self._rigs.build_next(lambda: not self._waiting):
                    self._wake.set()
                continue
            self._is_loading = True
            try:
                await self._carry_out(request)
            except Exception as error:
                # Whatever it is, the next request must still be carried out.
                log.exception(f"{request.job.kind} not loaded", name=request.job.subject)
                request.job.fail(ControlError(Code.IO, request.job.subject, str(error)))
                self._after_failure(request)
            finally:
                self._is_loading = False
                self._wake.set()  # for another request, or for what is built ahead

    async def _carry_out(self, request: RigRequest) -> None:
        """Try the changes in order until one plays, and end the job."""
        job, noun = request.job, request.noun
        reasons: list[str] = []
        for change in request.changes:
            newer = self._waiting.successor(request)
            if newer is not None:
                job.fail(superseded(newer))
                return
            try:
                plan = change(self._base())
                job.subject = plan.subject
                await self._load(plan, request)
            except ControlError as error:
                if error.code is not Code.BUSY:
                    log.warning(f"{noun} not loaded", name=job.subject, reason=error.text)
                job.fail(error)
                self._after_failure(request)
                return
            except UnplayableError as error:
                log.warning(f"{noun} cannot be played", name=job.subject, reason=str(error))
                self._marks.mark(plan, error)
                reasons.append(str(error))
            else:
                if not self.first_model.done():
                    self.first_model.set_result(None)
                job.finish(job.subject)
                return
        text = reasons[0] if reasons else f"no {noun} can be played"
        if len(reasons) > 1:
            text = f"none of {len(reasons)} {noun}s can be played, the first: {text}"
        job.fail(ControlError(Code.IO, job.subject, text))
        self._after_failure(request)

    def _after_failure(self, request: RigRequest) -> None:
        """See that something plays after a request that failed.

        The current rig may not fit a device or a quality that changed meanwhile, or the audio
        process may have refused it: it is built again, once. A model that cannot be built for the
        device gives way to an empty slot.
        """
        device, current, job = self._audio().device, self.current, request.job
        if self._waiting:
            return
        if current is None:
            if job.kind != FIRST_MODEL_JOB:
                # It superseded the request for the first model.
                self._request(self._first_candidates(), FIRST_MODEL_JOB)
            elif not self.first_model.done() and job.error is not None:
                self.first_model.set_exception(NemodError(job.error.text))
        elif job.kind != REBUILD_JOB:
            if self._is_outdated(current) or current.rig_id == self._refused_id:
                self._rebuild()
        elif device is not None and not current.fits(device):
            if current.rig.paths and job.subject != CLEAN:
                self._request([current.rig.without_files], REBUILD_JOB)
        elif self._rigs.reduction not in (current.reduction, self._rigs.tried):
            self._rebuild()  # for what was asked for meanwhile

    # --- loading one rig -------------------------------------------------------------------------

    async def _load(self, plan: RigPlan, request: RigRequest) -> None:
        """Return when the rig is heard, or is what will be heard.

        Raises: UnplayableError when it cannot be played, ControlError when it was superseded or
        something else failed.
        """
        device = self._audio().device
        assert device is not None
        plan, result = await build_without_faulty(
            self._rigs, plan, request.job.source, on_unplayable=self._marks.mark
        )
        newer = self._waiting.successor(request)
        if newer is not None:
            raise superseded(newer)
        built = BuiltRig(
            rig_id=result.request_id,
            rig=plan.rig,
            result=result,
            device=device,
            parameters=ParameterSet(plan.rig.chain.without_files, result.knobs),
            plan=plan,
        )
        if self._audio().is_playing:
            await self._play(built)
        self._make_current(built, plan, request)
        self.wanted.follow(plan, request.job.source)
        self._marks.clear(plan.rig)
        log.info(
            "rig",
            models=built.name,
            cabinet=plan.rig.first(CABINET).name,
            slots=len(plan.rig.chain),
            cached=result.cached,
        )

    async def _play(self, built: BuiltRig) -> None:
        """Send a rig and wait until it is heard. Raises: UnplayableError, ControlError."""
        controls = built.controls(self._settings)
        reason = await self._handover.play(built, controls, self.commit)
        if reason:
            raise UnplayableError(f"{built.name}: {reason}")

    def _make_current(self, built: BuiltRig, plan: RigPlan, request: RigRequest) -> None:
        before, source, settings = self.current, request.job.source, self._settings
        self._fallback.follow(before, plan, settings)
        self.current = replace(built, plan=None)
        self._use(self.current, plan.renamed, source)
        if plan.sound is not None:
            settings.recall(plan.sound, plan.source)
        for path, position in plan.switched.items():
            settings.set(path, position, plan.source)
        if self._is_outdated(built):
            self._rebuild()
        self.commit()
        was = before.rig if before is not None else RigFiles()
        publish_changed_files(self._events, was, plan, source, request.slot)

    def _use(self, built: BuiltRig, renamed: Mapping[str, str], source: Source) -> None:
        """Take the chain of a rig, and the knobs of its models."""
        if built.rig.chain.without_files != self._settings.chain:
            if source == DAEMON:
                self.wanted.keep_positions(self._settings)
            self._events.publish(ChainChanged(source, renamed))
        self._settings.use_chain(built.rig.chain, built.result.knobs, renamed)

    def _is_outdated(self, built: BuiltRig) -> bool:
        """Return whether a rig was built for another device, or in another quality than now."""
        device = self._audio().device
        is_for_other = device is not None and not built.fits(device)
        return is_for_other or built.reduction != self._rigs.reduction

    def _rebuild(self) -> None:
        """Build the current rig for the device as it is now, unless another is requested."""
        if self.current is not None and not self._waiting:
            self._request_changes([lambda rig: change_to(rig)(rig)], REBUILD_JOB)

    def build_ahead(self, wanted: Sequence[RigPlan]) -> None:
        """Build these while nothing else is to be done; a new list replaces the last."""
        self._rigs.want(wanted)
        self._wake.set()

    def reduce(self, reduction: Reduction) -> None:
        """Have this and all later rigs built in this quality; see `nemod.daemon.load_guard`."""
        self._rigs.reduction = reduction
        # The end of a load that is under way compares its quality, too.
        if not self._is_loading and self.current is not None:
            self._rebuild()

    def panic(self) -> None:
        """Fade to silence at once and empty all effects."""
        self._audio().panic()

    # --- callbacks of the supervisor -------------------------------------------------------------

    def rig_to_play(self) -> tuple[PlayRig, Controls] | None:
        """Return the current rig and its controls [n]."""
        if self.current is None:
            return None
        controls = self.current.controls(self._settings)
        return self.current.play_rig(controls), controls

    def device_opened(self, device: DeviceOpened) -> None:
        """Called when a device starts running; a rig for another one is built again."""
        # The end of a load that is under way compares the rig with the device, too.
        current = self.current
        if not self._is_loading and current is not None and self._is_outdated(current):
            self._rebuild()
        self.commit()

    def rig_heard(self, rig_id: int) -> None:
        """Called when a rig is heard alone, the crossfade to it being over."""
        self._handover.end(rig_id, "")

    def rig_failed(self, rig_id: int, reason: str) -> None:
        """Called when the audio process could not load or verify a rig."""
        self._rigs.forget()
        if self._handover.end(rig_id, reason):
            return
        if self.current is not None and self.current.rig_id == rig_id:
            log.warning("the rig could not be loaded again", model=self.current.name, reason=reason)
            self._refused_id = rig_id
            # A load that is under way takes its place, or has it built again at its end.
            if not self._is_loading:
                self._rebuild()

    def audio_process_lost(self, reason: str, *, rig_suspected: bool) -> None:
        """Called when the audio process has ended; `rig_suspected`: its rig may be the cause."""
        pending = self._handover.pending
        if pending is not None:
            # It was played for the first time, so it is the cause, and the current one stays.
            text = f"the audio process ended: {reason}" if rig_suspected else ""
            self._handover.end(pending.rig_id, text)
            return
        current = self.current
        if current is None or not rig_suspected or not self._fallback.is_due(current.rig):
            return
        if current.rig.models:
            self._replace_crashing(current, reason)
            return
        log.error("the audio process ends even without a model", reason=reason)
        self._request_substitute(current.rig)

    def _request_substitute(self, crashing: RigFiles) -> None:
        """Request what plays without the files of a rig, or without its chain."""
        change = substitute(crashing, lambda: self.rig)
        if change is not None:
            job = Job(SUBSTITUTE_JOB, "", DAEMON, self._events)
            self.load([change], job, scope=Scope.SUBSTITUTE, slot="", noun=MODEL)

    def _replace_crashing(self, crashing: BuiltRig, reason: str) -> None:
        """Have the previous rig take over from the current one, or one without files."""
        previous, suspects = self._fallback.replace(crashing, reason)
        self.wanted.give_up(suspects, previous.built.rig if previous else None)
        if previous is None:
            self.current = None
            self._request_substitute(crashing.rig)
            self._events.publish(ModelChanged("", DAEMON, main_slot(crashing.rig)))
            return
        self.current = previous.built
        sound = previous.sound(self._settings)
        self._use(previous.built, previous.renamed_back, DAEMON)
        self._settings.recall(sound, DAEMON)
        publish_files(self._events, previous.built.rig, DAEMON)

    # --- settings --------------------------------------------------------------------------------

    def commit(self) -> None:
        """Send the settings, as one snapshot, to the current rig and the one being loaded."""
        for built in (self.current, self._handover.pending):
            if built is not None:
                self._audio().send_settings(built.rig_id, built.controls(self._settings))
