"""The daemon: starts its parts in order, holds what is playing, stops in reverse.

Thread: control. Everything here runs on one asyncio loop, in the `nemod` process.
"""

import asyncio
import signal
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from nemod.config import MODEL_RATE, Config
from nemod.engine.link import (
    Built,
    DeviceFailed,
    DeviceRequest,
    Level,
    Opened,
    Order,
    Refused,
    Report,
    RigFailed,
)
from nemod.engine.workers import AudioPlane, Foundry
from nemod.errors import AudioError, ModelError, NemodError, NotFoundError, OscError
from nemod.formats import load_model
from nemod.library import Library
from nemod.osc.host import Answer
from nemod.osc.server import OscServer
from nemod.recorder import Recorder
from nemod.settings import Settings
from nemod.units import amplitude_to_db

log = structlog.get_logger("nemod")

HEARD_TIMEOUT_S = 5.0
"""[s] How long a rig may take from the socket to the speaker."""
METER_HOLD_S = 0.2
"""[s] A meter shows the highest sample of this long; asking does not take it from others."""
LOAD = "/nemo/model/load"


@dataclass(slots=True)
class _Wanted:
    """A model that somebody asked for."""

    name: str
    path: Path
    answer: Answer


@dataclass(slots=True)
class _Rig:
    """A rig that the audio plane has."""

    rig_id: int
    name: str
    built: Built


class Daemon:
    """Plays a model and obeys OSC; see `nemod.osc.host.Host` for what OSC may ask of it."""

    def __init__(
        self, config: Config, library: Library, *, recorder: Recorder | None = None
    ) -> None:
        """`recorder` gets everything that is heard; `run` ends when it has enough."""
        self.config = config
        self.settings = Settings()
        self.device: Opened | None = None
        self._library = library
        self._recorder = recorder
        self._foundry = Foundry()
        self._plane = AudioPlane(self._on_report)
        self._started_at = time.monotonic()
        self._state = "starting"
        self._current: _Rig | None = None
        self._pending: _Rig | None = None
        self._pending_ends: asyncio.Future[str] | None = None
        self._rig_ids = 0
        self._queued: _Wanted | None = None
        self._wake = asyncio.Event()
        self._report: Report | None = None
        self._peaks: deque[tuple[float, float, float]] = deque()
        self._load_peak = 0.0
        self._clips_forgotten = 0
        self._faults_told = 0
        self._bad_packets = 0
        self._stop = asyncio.Event()
        self._failure: NemodError | None = None
        self._opened: asyncio.Future[Opened] | None = None
        # Last, because it asks this object what there is.
        self._osc = OscServer(self, config.osc.port, local=config.osc.local, allow=config.osc.allow)

    # --- running -------------------------------------------------------------------------------

    async def run(self, first_model: str, *, seconds: float | None = None) -> None:
        """Play until told to stop, or for `seconds` from the first sound.

        Raises: NemodError when it cannot begin, or cannot go on.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self.stop)
        name, path = self._library.find(first_model)
        tasks: list[asyncio.Task[None]] = []
        try:
            await self._play(tasks, name, path, seconds)
        finally:
            await self._shut_down(tasks)
        if self._failure is not None:
            raise self._failure

    async def _play(
        self, tasks: "list[asyncio.Task[None]]", name: str, path: Path, seconds: float | None
    ) -> None:
        """Start everything, in order, and wait for the end."""
        loop = asyncio.get_running_loop()
        await self._osc.start()
        await self._foundry.start()
        self._opened = loop.create_future()
        tasks.append(asyncio.create_task(self._run_plane(path), name="plane"))
        tasks.append(asyncio.create_task(self._run_loads(), name="loads"))
        self.device = await self._or_stop(self._opened)
        if self.device is None:
            return
        heard: asyncio.Future[str] = loop.create_future()
        self._want(_Wanted(name, path, lambda result: _settle(heard, result)))
        result = await self._or_stop(heard)
        if result is None:
            return
        log.info("playing", model=name, device=self.device.device, osc=self.osc_port)
        if seconds is not None and self._recorder is None:
            loop.call_later(seconds, self.stop)
        await self._stop.wait()

    async def _or_stop(self, wanted: "asyncio.Future[Any]") -> Any:
        """Return a future's result, or None when the daemon is told to stop before."""
        stop = asyncio.ensure_future(self._stop.wait())
        await asyncio.wait({wanted, stop}, return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        if wanted.done():
            return wanted.result()
        wanted.cancel()
        return None

    def stop(self) -> None:
        """End `run` in order: fade out, say goodbye."""
        self._stop.set()

    def _fail(self, error: NemodError) -> None:
        self._failure = self._failure or error
        self.stop()

    async def _shut_down(self, tasks: Sequence["asyncio.Task[None]"]) -> None:
        self._state = "stopping"
        status = await self._plane.stop()
        log.debug("audio plane ended", status=status)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._osc.close()
        await self._foundry.stop()
        if self._recorder is not None:
            self._recorder.close()
            if self._report is not None and self._report.tape_lost:
                log.warning("the recording has gaps", lost_frames=self._report.tape_lost)

    # --- the audio plane -----------------------------------------------------------------------

    async def _run_plane(self, first: Path) -> None:
        audio = self.config.audio
        rate_hz = audio.rate if isinstance(audio.rate, int) else None
        if audio.rate == MODEL_RATE:
            # An unreadable file is told by the foundry, with the others.
            with suppress(ModelError):
                model = await asyncio.get_running_loop().run_in_executor(None, load_model, first)
                rate_hz = None if model.rate_follows_device else model.sample_rate
        request = DeviceRequest(
            name=audio.device,
            input_channel=audio.input,
            output_channels=audio.output,
            rate_hz=rate_hz,
            rate_is_wish=audio.rate == MODEL_RATE,
            block_frames=audio.block,
        )
        await self._plane.start(request, tape=self._recorder is not None)
        try:
            while True:
                self._on_event(await self._plane.next_event())
        except EOFError:
            if not self._stop.is_set():
                self._state = "error"
                self._fail(
                    AudioError(f"the process that plays has ended: {await self._plane.end()}")
                )

    def _on_event(self, event: object) -> None:
        match event:
            case Opened():
                self._state = "running"
                for notice in event.notices:
                    log.warning("audio", notice=notice)
                if self._recorder is not None:
                    loop = asyncio.get_running_loop()

                    def full() -> None:
                        loop.call_soon_threadsafe(self.stop)

                    self._recorder.start(self._plane.tape_fd, event.rate_hz, full)
                if self._opened is not None and not self._opened.done():
                    self._opened.set_result(event)
            case DeviceFailed(reason):
                self._state = "no_device"
                self._fail(AudioError(reason))
            case RigFailed(rig_id, reason):
                if self._pending is not None and self._pending.rig_id == rig_id:
                    self._end_pending(reason)

    def _on_report(self, report: Report) -> None:
        self._report = report
        now = time.monotonic()
        self._peaks.append((now, report.peak_in, report.peak_out))
        while self._peaks[0][0] < now - METER_HOLD_S:
            self._peaks.popleft()
        self._load_peak = max(self._load_peak, report.load_peak)
        if report.faults > self._faults_told:
            log.warning("muted blocks with samples that are not finite", count=report.faults)
            self._faults_told = report.faults
        if self._pending is not None and report.rig_id == self._pending.rig_id:
            self._end_pending("")

    # --- models --------------------------------------------------------------------------------

    def _want(self, wanted: _Wanted) -> None:
        if self._queued is not None:
            overtaken = OscError("busy", LOAD, f"overtaken by {wanted.name!r}")
            self._queued.answer(overtaken)
        self._queued = wanted
        self._wake.set()

    async def _run_loads(self) -> None:
        """Build and play what was asked for last, one at a time."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            wanted, self._queued = self._queued, None
            if wanted is None:
                continue
            try:
                wanted.answer(await self._load(wanted))
            except OscError as error:
                log.warning("model not loaded", model=wanted.name, reason=error.text)
                wanted.answer(error)
            except Exception as error:
                # Whatever it is, the next request must still be heard.
                log.exception("model not loaded", model=wanted.name)
                wanted.answer(OscError("io", LOAD, f"{wanted.name}: {error}"))

    async def _load(self, wanted: _Wanted) -> str:
        """Return the name when the model is heard. Raises: OscError."""
        assert self.device is not None
        self._rig_ids += 1
        built = await self._foundry.build(
            Order(
                order_id=self._rig_ids,
                path=str(wanted.path),
                rate_hz=self.device.rate_hz,
                block_frames=self.device.block_frames,
                positions=self.settings.positions(),
                level=Level(
                    normalize=self.config.level.normalize,
                    input_dbu=self.config.level.input_dbu,
                ),
                size=self.config.size,
            )
        )
        if isinstance(built, Refused):
            raise OscError("io", LOAD, built.reason)
        if self._queued is not None:
            raise OscError("busy", LOAD, f"overtaken by {self._queued.name!r}")
        rig = _Rig(self._rig_ids, wanted.name, built)
        self._pending = rig
        self._pending_ends = asyncio.get_running_loop().create_future()
        try:
            await self._plane.play(rig.rig_id, built.rig)
            self.commit()
            reason = await asyncio.wait_for(self._pending_ends, HEARD_TIMEOUT_S)
        except (TimeoutError, ConnectionError):
            reason = "the audio plane did not take the rig"
        finally:
            self._pending = self._pending_ends = None
        if reason:
            raise OscError("io", LOAD, f"{wanted.name}: {reason}")
        self._current = rig
        self.commit()
        log.info("model", name=rig.name, cached=built.cached, rate_policy=self._rate_policy())
        return rig.name

    def _end_pending(self, reason: str) -> None:
        if self._pending_ends is not None and not self._pending_ends.done():
            self._pending_ends.set_result(reason)

    def _rate_policy(self) -> str:
        return self._current.built.rate_policy if self._current else "exact"

    # --- what OSC may ask: see nemod.osc.host.Host ------------------------------------------------

    @property
    def osc_port(self) -> int:
        """UDP port that is listened on."""
        return self._osc.port

    @property
    def knob_names(self) -> Sequence[str]:
        """Names of the current model's knobs."""
        return self._current.built.knob_names if self._current else ()

    @property
    def model_names(self) -> Sequence[str]:
        """All models of the library."""
        return self._library.names

    @property
    def model_name(self) -> str:
        """Name of the model that is playing."""
        return self._current.name if self._current else ""

    def model_info(self) -> Mapping[str, object]:
        """What is known of the model that is playing."""
        return self._current.built.info if self._current else {}

    def commit(self) -> None:
        """Send the settings as one snapshot to every rig that is heard or about to be."""
        for rig in (self._current, self._pending):
            if rig is not None:
                self._plane.send_settings(rig.rig_id, self.settings.vector(rig.built.layout))

    def load_model(self, name: str, answer: Answer) -> None:
        """Begin to load a model by name; the newest request wins."""
        try:
            known, path = self._library.find(name)
        except NotFoundError as error:
            answer(OscError("not_found", LOAD, str(error)))
            return
        self._want(_Wanted(known, path, answer))

    def rescan(self, answer: Answer) -> None:
        """Look into the library's folders again, on a thread of its own."""

        def done(task: "asyncio.Future[None]") -> None:
            error = task.exception()
            count = str(len(self._library.names))
            answer(OscError("io", "/nemo/model/rescan", str(error)) if error else count)

        loop = asyncio.get_running_loop()
        loop.run_in_executor(None, self._library.rescan).add_done_callback(done)

    def status(self) -> Mapping[str, str | int | float]:
        """All leaves of `/nemo/status`."""
        report, device, rig = self._report, self.device, self._current
        latency_s = device.latency_s if device else 0.0
        if rig is not None and device is not None:
            latency_s += rig.built.latency_frames / device.rate_hz
        return {
            "state": self._state,
            "load": report.load if report else 0.0,
            "load_peak": self._load_peak,
            "xruns": report.xruns if report else 0,
            "latency_ms": 1000.0 * latency_s,
            "rate": device.rate_hz if device else 0,
            "block": device.block_frames if device else 0,
            "model_rate": rig.built.model_rate_hz if rig else 0,
            "rate_policy": self._rate_policy(),
            "bad_packets": self._bad_packets,
            "uptime": int(time.monotonic() - self._started_at),
        }

    def meters(self) -> Mapping[str, float | int]:
        """Peaks [dBFS] of the last `METER_HOLD_S`, and the count of limited blocks."""
        peak_in = max((peak for _, peak, _ in self._peaks), default=0.0)
        peak_out = max((peak for _, _, peak in self._peaks), default=0.0)
        clips = self._report.clips if self._report else 0
        return {
            "in": amplitude_to_db(peak_in),
            "out": amplitude_to_db(peak_out),
            "clip": clips - self._clips_forgotten,
        }

    def reset_meters(self) -> None:
        """Forget the clips and the highest load."""
        self._clips_forgotten = self._report.clips if self._report else 0
        self._load_peak = 0.0

    def count_bad_packet(self) -> None:
        """Count a packet that was dropped."""
        self._bad_packets += 1


def _settle(heard: "asyncio.Future[str]", result: str | OscError) -> None:
    """Pass the answer about the first model on; it is fatal when it is an error."""
    if heard.done():
        return
    if isinstance(result, OscError):
        heard.set_exception(NemodError(result.text))
    else:
        heard.set_result(result)


def first_model(config: Config, library: Library) -> str:
    """Return the name of the model to begin with.

    Raises: NotFoundError when there is none.
    """
    if config.model:
        with suppress(NotFoundError):
            return library.find(config.model)[0]
        path = Path(config.model)
        if path.is_file():
            return library.name_of(path)
        return library.find(config.model)[0]
    if not library.names:
        raise NotFoundError(f"no model in {', '.join(map(str, library.folders))}")
    return library.names[0]
