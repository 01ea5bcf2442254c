"""Decides which model and cabinet play next, and brings them to the audio process.

One request is carried out at a time and the newest one wins. A rig is built by the builder, sent to
the audio process, and current once it is heard; until then, and after any failure, the previous rig
plays on. Thread: control.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

import structlog

from nemod.builder.messages import Level, Reduction
from nemod.common.background import in_background
from nemod.common.errors import NemodError
from nemod.config import Config
from nemod.control.backends import CLEAN, NO_CABINET, CabinetFile, ModelFile, Recall
from nemod.control.errors import Code, ControlError
from nemod.control.events import DAEMON, CabinetChanged, EventStream, ModelChanged
from nemod.control.jobs import Job
from nemod.control.settings import Settings
from nemod.daemon.build_ahead import BuildAhead, UnplayableError
from nemod.daemon.built_model import BuiltModel
from nemod.daemon.handover import Handover
from nemod.daemon.protocols import AudioOutput, Builder, Controls, FaultLog
from nemod.daemon.quarantine import CRASHES, WITHIN_S, Quarantine
from nemod.daemon.rig_requests import (
    CABINET,
    MODEL,
    RigFiles,
    RigRequest,
    RigRequests,
    superseded,
)
from nemod.engine.ipc import DeviceOpened, PlayRig

FIRST_MODEL_JOB = "first model"
REBUILD_JOB = "rebuild"
SWITCH_ON = (("cab/enable", 1.0),)
"""Positions that are set with a cabinet that is loaded."""

log = structlog.get_logger("nemod")


class ModelSwitcher:
    """The current model and cabinet, those that are being loaded, and what was requested last.

    It implements `nemod.control.backends.Player` for the controller and
    `nemod.daemon.protocols.SupervisorCallbacks` for the supervisor.
    """

    def __init__(
        self,
        config: Config,
        settings: Settings,
        events: EventStream,
        *,
        size: float | None,
        builder: Builder,
        audio: Callable[[], AudioOutput],
        faults: FaultLog,
        cabinet_faults: FaultLog | None = None,
        cabinet: CabinetFile = NO_CABINET,
    ) -> None:
        """`size`: which size of models that have several. `audio` returns the audio output.

        `cabinet` is that of the first rig.
        """
        self.current: BuiltModel | None = None
        self.quarantined = ""
        """The model that was quarantined last, until it is requested again."""
        self.was_requested = bool(config.model)
        """Whether a client, or the command line, requested the current model."""
        self.wanted_cabinet = cabinet if config.cab else None
        """The cabinet that a client or the command line requested last and that played; None where
        nobody has. The daemon may have to play without it."""
        self.first_model: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when a model is heard for the first time; an exception when none can be played."""
        # Retrieved here, or asyncio would log it where the daemon ends for another reason.
        self.first_model.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._settings = settings
        self._events = events
        self._size = size
        level = Level(normalize=config.level.normalize, input_dbu=config.level.input_dbu)
        self._rigs = BuildAhead(builder, audio, settings, level, on_unplayable=self._mark)
        self._audio = audio
        self._faults = faults
        self._cabinet_faults = cabinet_faults
        self._first_cabinet = cabinet
        self._first_candidates: Callable[[], Iterable[ModelFile]] = tuple
        self._previous: BuiltModel | None = None
        self._handover = Handover(audio)
        self._waiting = RigRequests()
        self._wake = asyncio.Event()
        self._is_loading = False
        self._quarantine = Quarantine()

    # --- requests --------------------------------------------------------------------------------

    @property
    def model_name(self) -> str:
        """Name of the current model; empty before the first."""
        return self.current.name if self.current else ""

    def model_info(self) -> Mapping[str, object]:
        """Return what is known of the current model (JSON types)."""
        info = self.current.result.info if self.current else {}
        return {**info, "quarantined": self.quarantined} if self.quarantined else info

    @property
    def cabinet_name(self) -> str:
        """Name of the current cabinet; empty for none."""
        return self.current.cabinet.name if self.current else ""

    def cabinet_info(self) -> Mapping[str, object]:
        """Return what is known of the current cabinet (JSON types)."""
        return self.current.result.cabinet_info if self.current else {}

    def start(self, candidates: Callable[[], Iterable[ModelFile]]) -> None:
        """Request the first model: the first of the candidates that plays."""
        self._first_candidates = candidates
        self._request(candidates(), FIRST_MODEL_JOB)

    @property
    def is_clean(self) -> bool:
        """Whether the clean rig plays, which has no model."""
        return self.current is not None and self.current.model.path is None

    @property
    def size(self) -> float | None:
        """0..1: the size of models that have several."""
        return self._size

    def load(self, candidates: Iterable[ModelFile], job: Job, recall: Recall | None = None) -> None:
        """Start to load the first of the candidates that plays; the newest request wins.

        `recall`: the sound that takes effect with the model, in the same audio block.

        The job ends with the model's name, or with an error: `busy` when a newer request supersedes
        it, `io` when no candidate plays.
        """
        cabinet = recall.cabinet if recall is not None else None
        self._waiting.add(
            RigRequest(
                candidates=(RigFiles(model=model, cabinet=cabinet) for model in candidates),
                job=job,
                fills=frozenset((MODEL,) if cabinet is None else (MODEL, CABINET)),
                recall=recall,
            )
        )
        self._wake.set()

    def load_cabinet(self, candidates: Iterable[CabinetFile], job: Job) -> None:
        """Start to load the first of the cabinets that plays; see `control.backends.Player`."""
        self._waiting.add(
            RigRequest(
                candidates=(RigFiles(cabinet=cabinet) for cabinet in candidates),
                job=job,
                fills=frozenset((CABINET,)),
            )
        )
        self._wake.set()

    def _request(self, candidates: Iterable[ModelFile], kind: str) -> None:
        self.load(candidates, Job(kind, "", DAEMON, self._events))

    def _request_bare(self) -> None:
        """Request a rig without model and cabinet: either may end the audio process."""
        self._waiting.add(
            RigRequest(
                candidates=iter([RigFiles(model=CLEAN, cabinet=NO_CABINET)]),
                job=Job(REBUILD_JOB, "", DAEMON, self._events),
                fills=frozenset((MODEL,)),  # a cabinet that a client has requested is still loaded
            )
        )
        self._wake.set()

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
        """Try the candidates in order until one plays, and end the job."""
        job = request.job
        noun = MODEL if MODEL in request.fills else CABINET
        reasons: list[str] = []
        for files in request.candidates:
            newer = self._waiting.successor(request)
            if newer is not None:
                job.fail(superseded(newer))
                return
            job.subject = (files.model or files.cabinet or NO_CABINET).name
            try:
                await self._load(files, request)
            except ControlError as error:
                if error.code is not Code.BUSY:
                    log.warning(f"{noun} not loaded", name=job.subject, reason=error.text)
                job.fail(error)
                self._after_failure(request)
                return
            except UnplayableError as error:
                log.warning(f"{noun} cannot be played", name=job.subject, reason=str(error))
                self._mark_faulty(files, error)
                reasons.append(str(error))
            else:
                self._after_success(request, files)
                return
        text = reasons[0] if reasons else f"no {noun} can be played"
        if len(reasons) > 1:
            text = f"none of {len(reasons)} {noun}s can be played, the first: {text}"
        job.fail(ControlError(Code.IO, job.subject, text))
        self._after_failure(request)

    def _after_success(self, request: RigRequest, files: RigFiles) -> None:
        job = request.job
        if job.source != DAEMON:
            self.was_requested |= MODEL in request.fills
            if CABINET in request.fills:
                self.wanted_cabinet = files.cabinet
        if files.model is not None and self._faults.problem(files.model.name):
            self._mark(files.model.name, "")
        faults, cabinet = self._cabinet_faults, self.cabinet_name
        if cabinet and faults is not None and faults.problem(cabinet):
            in_background(lambda: faults.mark_unplayable(cabinet, ""))
        if not self.first_model.done():
            self.first_model.set_result(None)
        job.finish(job.subject)

    def _mark_faulty(self, files: RigFiles, error: UnplayableError) -> None:
        """Remember that the file at fault cannot be played."""
        if error.is_model_fault and files.model is not None:
            self._mark(files.model.name, str(error))
        faults = self._cabinet_faults
        if error.is_cabinet_fault and files.cabinet is not None and faults is not None:
            name, reason = files.cabinet.name, str(error)
            in_background(lambda: faults.mark_unplayable(name, reason))

    def _mark(self, name: str, reason: str) -> None:
        # On a thread, because the disk, or another process that writes to the index, may be slow.
        in_background(lambda: self._faults.mark_unplayable(name, reason))

    def _after_failure(self, request: RigRequest) -> None:
        """See that something plays after a request that failed.

        The current rig may not fit a device that changed meanwhile: it is built again, and a model
        that cannot be built again gives way to the clean rig.
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
        elif device is not None and not current.fits(device):
            if job.kind != REBUILD_JOB:
                self._rebuild()
            elif job.subject != CLEAN.name:
                self._request([CLEAN], REBUILD_JOB)

    # --- loading one model -----------------------------------------------------------------------

    async def _load(self, files: RigFiles, request: RigRequest) -> None:
        """Return when the rig is heard, or is what will be heard.

        Raises: UnplayableError when it cannot be played, ControlError when it was superseded or
        something else failed.
        """
        device, current = self._audio().device, self.current
        assert device is not None
        model = files.model or (current.model if current is not None else CLEAN)
        cabinet = files.cabinet
        if cabinet is None:
            cabinet = current.cabinet if current is not None else self._first_cabinet
        recall = request.recall
        if recall is None:
            is_loaded = CABINET in request.fills and cabinet != NO_CABINET
            switched = SWITCH_ON if is_loaded else ()
            recall = Recall(None, self._size, request.job.source, switched=switched)
        try:
            result = await self._rigs.build(model, recall, cabinet)
        except UnplayableError as error:
            # Nobody has asked for this cabinet now: its file may be gone since. And something has
            # to play at the start and on another device, whatever the reason.
            is_suspect = error.is_cabinet_fault or request.job.source == DAEMON
            if cabinet == NO_CABINET or CABINET in request.fills or not is_suspect:
                raise
            log.warning("rig built without the cabinet", name=cabinet.name, reason=str(error))
            self._mark_faulty(RigFiles(cabinet=cabinet), error)
            cabinet = NO_CABINET
            result = await self._rigs.build(model, recall, cabinet)
        newer = self._waiting.successor(request)
        if newer is not None:
            raise superseded(newer)
        built = BuiltModel(
            rig_id=result.request_id,
            model=model,
            cabinet=cabinet,
            result=result,
            device=device,
            recall=recall,
        )
        if self._audio().is_playing:
            await self._play(built)
        if model.name == self.quarantined:
            self.quarantined = ""
        self._make_current(built, request)
        log.info(
            "model",
            model=built.name,
            cabinet=cabinet.name,
            cached=result.cached,
            rate_policy=result.rate_policy,
        )

    async def _play(self, built: BuiltModel) -> None:
        """Send a rig and wait until it is heard. Raises: UnplayableError, ControlError."""
        reason = await self._handover.play(built, self._controls(built), self.commit)
        if reason:
            raise UnplayableError(f"{built.name}: {reason}")

    def _make_current(self, built: BuiltModel, request: RigRequest) -> None:
        before, source = self.current, request.job.source
        if before is not None and before.model.path is not None and before.name != built.name:
            self._previous = before
        self.current, recall = replace(built, recall=None), built.recall
        if recall is not None:
            self._size = recall.size
            if recall.sound is not None:
                self._settings.recall(recall.sound, recall.source)
            for path, position in recall.switched:
                self._settings.set(path, position, recall.source)
        self._settings.use_knobs(built.result.knobs)
        device = self._audio().device
        is_outdated = device is not None and not built.fits(device)
        if is_outdated or built.reduction != self._rigs.reduction:
            self._rebuild()
        self.commit()
        if MODEL in request.fills:
            self._events.publish(ModelChanged(built.name, source))
        former = before.cabinet if before is not None else NO_CABINET
        if MODEL not in request.fills or built.cabinet != former:
            self._events.publish(CabinetChanged(built.cabinet.name, source))

    def _rebuild(self) -> None:
        """Build the current model for the device as it is now, unless another is requested."""
        if self.current is not None and not self._waiting:
            self._request([self.current.model], REBUILD_JOB)

    def build_ahead(self, wanted: Sequence[tuple[ModelFile, Recall]]) -> None:
        """Build these models while nothing else is to be done; a new list replaces the last."""
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
        controls = self._controls(self.current)
        return self.current.play_rig(controls), controls

    def device_opened(self, device: DeviceOpened) -> None:
        """Called when a device starts running; a rig for another rate is built again."""
        # The end of a load that is under way compares the rig with the device, too.
        if not self._is_loading and self.current is not None and not self.current.fits(device):
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
        if current is None or not rig_suspected:
            return
        if not self._quarantine.record_crash(current.name, time.monotonic()):
            return
        self._quarantine.clear(current.name)
        if current.model.path is None:
            log.error("the audio process ends even without a model", reason=reason)
            if current.cabinet != NO_CABINET:
                self._request_bare()
            return
        self._replace_crashing(current, reason)

    def _replace_crashing(self, crashing: BuiltModel, reason: str) -> None:
        """Quarantine the current model; the previous one, or the clean rig, takes its place."""
        self.quarantined = crashing.name
        self.current, self._previous = self._previous, None
        log.error(
            f"model quarantined: the audio process ended {CRASHES} times in {WITHIN_S:g} s with it",
            model=crashing.name,
            reason=reason,
            instead=self.model_name or CLEAN.name,
        )
        if self.current is None:
            self._request_bare()
        else:
            self._settings.use_knobs(self.current.result.knobs)
        self._events.publish(ModelChanged(self.model_name, DAEMON))
        self._events.publish(CabinetChanged(self.cabinet_name, DAEMON))

    # --- settings --------------------------------------------------------------------------------

    def commit(self) -> None:
        """Send the settings, as one snapshot, to the current rig and the one being loaded."""
        for built in (self.current, self._handover.pending):
            if built is not None:
                self._audio().send_settings(built.rig_id, self._controls(built))

    def _controls(self, built: BuiltModel) -> Controls:
        """Return the controls [n] of a rig; one that is being loaded has its own sound."""
        settings, recall = self._settings, built.recall
        if recall is not None:
            settings = Settings(settings.recalled(recall.sound) | dict(recall.switched))
        return settings.vector(built.result.layout, built.result.knobs)
