"""Decides which model plays next, and brings it to the audio process. Thread: control.

One request is carried out at a time and the newest one wins. A model is built by the builder, sent
to the audio process, and current once it is heard; until then, and after any failure, the previous
rig plays on.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import structlog

from nemod.builder.messages import Level
from nemod.common.background import in_background
from nemod.common.errors import NemodError
from nemod.config import Config
from nemod.control.backends import CLEAN, ModelFile, Recall
from nemod.control.errors import Code, ControlError
from nemod.control.events import DAEMON, EventStream, ModelChanged, Source
from nemod.control.jobs import Job
from nemod.control.settings import Settings
from nemod.daemon.build_ahead import BuildAhead, UnplayableError
from nemod.daemon.built_model import BuiltModel
from nemod.daemon.protocols import AudioOutput, Builder, Controls, FaultLog
from nemod.daemon.quarantine import CRASHES, WITHIN_S, Quarantine
from nemod.engine.ipc import DeviceOpened, PlayRig

HEARD_TIMEOUT_S = 20.0
"""[s] Longest time from sending a rig until it is heard alone."""
FIRST_MODEL_JOB = "first model"
REBUILD_JOB = "rebuild"

log = structlog.get_logger("nemod")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    """A request that waits or is being carried out."""

    candidates: Iterator[ModelFile]
    job: Job
    recall: Recall | None


class ModelSwitcher:
    """The current model, the one that is being loaded, and the one that was requested last.

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
    ) -> None:
        """`size`: which size of models that have several. `audio` returns the audio output."""
        self.current: BuiltModel | None = None
        self.quarantined = ""
        """The model that was quarantined last, until it is requested again."""
        self.was_requested = bool(config.model)
        """Whether a client, or the command line, requested the current model."""
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
        self._first_candidates: Callable[[], Iterable[ModelFile]] = tuple
        self._previous: BuiltModel | None = None
        self._pending: BuiltModel | None = None
        self._pending_heard: asyncio.Future[str] | None = None
        self._queued: _Request | None = None
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
        if self._queued is not None:
            self._queued.job.fail(self._superseded(job.subject))
        self._queued = _Request(candidates=iter(candidates), job=job, recall=recall)
        self._wake.set()

    def _request(self, candidates: Iterable[ModelFile], kind: str) -> None:
        self.load(candidates, Job(kind, "", DAEMON, self._events))

    def _superseded(self, by: str) -> ControlError:
        what = f"a request for {by!r}" if by else "a newer request"
        return ControlError(Code.BUSY, by, f"superseded by {what}")

    async def run(self) -> None:
        """Carry out requests, one at a time, until cancelled."""
        await self._audio().wait_for_device()
        while True:
            await self._wake.wait()
            self._wake.clear()
            request, self._queued = self._queued, None
            if request is None:
                if await self._rigs.build_next(lambda: self._queued is None):
                    self._wake.set()
                continue
            self._is_loading = True
            try:
                await self._carry_out(request)
            except Exception as error:
                # Whatever it is, the next request must still be carried out.
                log.exception("model not loaded", model=request.job.subject)
                request.job.fail(ControlError(Code.IO, request.job.subject, str(error)))
                self._after_failure(request)
            finally:
                self._is_loading = False
                self._wake.set()  # for another request, or for what is built ahead

    async def _carry_out(self, request: _Request) -> None:
        """Try the candidates in order until one plays, and end the job."""
        job = request.job
        reasons: list[str] = []
        for model in request.candidates:
            if self._queued is not None:
                job.fail(self._superseded(self._queued.job.subject))
                return
            job.subject = model.name
            try:
                await self._load(model, job.source, request.recall)
            except ControlError as error:
                if error.code is not Code.BUSY:
                    log.warning("model not loaded", model=model.name, reason=error.text)
                job.fail(error)
                self._after_failure(request)
                return
            except UnplayableError as error:
                log.warning("model cannot be played", model=model.name, reason=str(error))
                if error.is_model_fault:
                    self._mark(model.name, str(error))
                reasons.append(str(error))
            else:
                self._after_success(job, model)
                return
        text = reasons[0] if reasons else "no model can be played"
        if len(reasons) > 1:
            text = f"none of {len(reasons)} models can be played, the first: {text}"
        job.fail(ControlError(Code.IO, job.subject, text))
        self._after_failure(request)

    def _after_success(self, job: Job, model: ModelFile) -> None:
        if job.source != DAEMON:
            self.was_requested = True
        if self._faults.problem(model.name):
            self._mark(model.name, "")
        if not self.first_model.done():
            self.first_model.set_result(None)
        job.finish(model.name)

    def _mark(self, name: str, reason: str) -> None:
        # On a thread, because the disk, or another process that writes to the index, may be slow.
        in_background(lambda: self._faults.mark_unplayable(name, reason))

    def _after_failure(self, request: _Request) -> None:
        """See that something plays after a request that failed.

        The current rig may not fit a device that changed meanwhile: it is built again, and a model
        that cannot be built again gives way to the clean rig.
        """
        device, current, job = self._audio().device, self.current, request.job
        if self._queued is not None:
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

    async def _load(self, model: ModelFile, source: Source, recall: Recall | None) -> None:
        """Return when the model is heard, or is what will be heard.

        Raises: UnplayableError when the model cannot be played, ControlError when it was
        superseded or something else failed.
        """
        device = self._audio().device
        assert device is not None
        result = await self._rigs.build(model, recall, self._size)
        if self._queued is not None:
            raise self._superseded(self._queued.job.subject)
        built = BuiltModel(
            rig_id=result.request_id, model=model, result=result, device=device, recall=recall
        )
        if self._audio().is_playing:
            await self._play(built)
        if model.name == self.quarantined:
            self.quarantined = ""
        self._make_current(built, source)
        log.info("model", model=built.name, cached=result.cached, rate_policy=result.rate_policy)

    async def _play(self, built: BuiltModel) -> None:
        """Send a rig and wait until it is heard. Raises: UnplayableError, ControlError."""
        self._pending = built
        self._pending_heard = asyncio.get_running_loop().create_future()
        try:
            await self._audio().play(built.play_rig(self._controls(built)))
            self.commit()
            reason = await asyncio.wait_for(self._pending_heard, HEARD_TIMEOUT_S)
        except (TimeoutError, ConnectionError):
            # Without an audio process the next one starts with this rig.
            if self._audio().is_playing:
                text = f"{built.name}: the audio process did not take the rig"
                raise ControlError(Code.IO, built.name, text) from None
            return
        finally:
            self._pending = self._pending_heard = None
        if reason:
            raise UnplayableError(f"{built.name}: {reason}")

    def _make_current(self, built: BuiltModel, source: Source) -> None:
        before = self.current
        if before is not None and before.model.path is not None and before.name != built.name:
            self._previous = before
        self.current, recall = replace(built, recall=None), built.recall
        if recall is not None:
            self._size = recall.size
            self._settings.recall(recall.sound, recall.source)
        self._settings.use_knobs(built.result.knobs)
        device = self._audio().device
        if device is not None and not built.fits(device):
            self._rebuild()
        self.commit()
        self._events.publish(ModelChanged(built.name, source))

    def _rebuild(self) -> None:
        """Build the current model for the device as it is now, unless another is requested."""
        if self.current is not None and self._queued is None:
            self._request([self.current.model], REBUILD_JOB)

    def build_ahead(self, wanted: Sequence[tuple[ModelFile, Recall]]) -> None:
        """Build these models while nothing else is to be done; a new list replaces the last."""
        self._rigs.want(wanted)
        self._wake.set()

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
        if self._pending is not None and rig_id == self._pending.rig_id:
            self._end_pending("")

    def rig_failed(self, rig_id: int, reason: str) -> None:
        """Called when the audio process could not load or verify a rig."""
        self._rigs.forget()
        if self._pending is not None and self._pending.rig_id == rig_id:
            self._end_pending(reason)
        elif self.current is not None and self.current.rig_id == rig_id:
            log.warning("the rig could not be loaded again", model=self.current.name, reason=reason)
            self._rebuild()

    def audio_process_lost(self, reason: str, *, rig_suspected: bool) -> None:
        """Called when the audio process has ended; `rig_suspected`: its rig may be the cause."""
        if self._pending is not None:
            # It was played for the first time, so it is the cause, and the current one stays.
            self._end_pending(f"the audio process ended: {reason}" if rig_suspected else "")
            return
        current = self.current
        if current is None or not rig_suspected:
            return
        if not self._quarantine.record_crash(current.name, time.monotonic()):
            return
        self._quarantine.clear(current.name)
        if current.model.path is None:
            log.error("the audio process ends even without a model", reason=reason)
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
            self._request([CLEAN], REBUILD_JOB)
        else:
            self._settings.use_knobs(self.current.result.knobs)
        self._events.publish(ModelChanged(self.model_name, DAEMON))

    def _end_pending(self, reason: str) -> None:
        if self._pending_heard is not None:
            with suppress(asyncio.InvalidStateError):
                self._pending_heard.set_result(reason)

    # --- settings --------------------------------------------------------------------------------

    def commit(self) -> None:
        """Send the settings, as one snapshot, to the current rig and the one being loaded."""
        for built in (self.current, self._pending):
            if built is not None:
                self._audio().send_settings(built.rig_id, self._controls(built))

    def _controls(self, built: BuiltModel) -> Controls:
        """Return the controls [n] of a rig; one that is being loaded has its own sound."""
        settings = self._settings
        if built.recall is not None:
            settings = Settings(settings.recalled(built.recall.sound))
        return settings.vector(built.result.layout, built.result.knobs)


def session_model(switcher: ModelSwitcher, saved: tuple[str, str]) -> tuple[str, str]:
    """Return name and file of the model that the next start is to load; empty for none.

    `saved`: those of the previous session. They are kept while a substitute plays that nobody
    requested: a model that is missing today, as one on a USB stick, may be there the next time.
    """
    current = switcher.current
    is_substitute = bool(saved[0]) and not switcher.was_requested and not switcher.quarantined
    if current is None or is_substitute:
        return saved
    path: Path | None = current.model.path
    return (current.name, str(path)) if path is not None else ("", "")
