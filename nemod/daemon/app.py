"""The daemon: starts its parts in order, tells OSC what there is, stops in reverse.

Thread: control. Everything here runs on one asyncio loop, in the `nemod` process.
"""

import asyncio
import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress

import numpy as np
import structlog
from numpy.typing import NDArray

from nemod.common.background import in_background
from nemod.common.errors import ModelError, NemodError, NotFoundError, OscError
from nemod.config import MODEL_RATE, Config
from nemod.control.settings import Settings
from nemod.daemon import notify
from nemod.daemon.model_switcher import LOAD, Loads, Wanted
from nemod.daemon.recorder import Recorder
from nemod.daemon.session import Session
from nemod.daemon.session_writer import SessionWriter
from nemod.daemon.standby import wants_spare
from nemod.daemon.startup import Startup
from nemod.daemon.supervisor import Supervisor
from nemod.daemon.telemetry import Telemetry
from nemod.engine.cpu_latency import suitable_us
from nemod.engine.ipc import DeviceOpened, DeviceRequest, PlayRig, TelemetryRecord
from nemod.formats import load_model
from nemod.library import Library
from nemod.osc.host import Answer
from nemod.osc.server import OscServer

log = structlog.get_logger("nemod")


class Daemon:
    """Plays a model and obeys OSC; see `nemod.osc.host.Host` for what OSC may ask of it.

    For the supervisor it is the owner of the audio plane; see `SupervisorCallbacks`.
    """

    def __init__(
        self,
        config: Config,
        library: Library,
        begin: Startup,
        *,
        recorder: Recorder | None = None,
    ) -> None:
        """`recorder` gets everything that is heard; `run` ends when it has enough."""
        self.config = config
        self.settings = Settings(begin.saved.positions)
        self._library = library
        self._begin = begin
        self._recorder = recorder
        self._recorded_hz = 0
        self._readings = Telemetry()
        self._supervisor = Supervisor(
            self,
            spare=wants_spare(config.spare),
            wait=config.audio.wait,
            tape=recorder is not None,
        )
        self._loads = Loads(
            config,
            self.settings,
            size=begin.size,
            supervisor=self._supervisor,
            changed=self._model_changed,
        )
        self._keeper = (
            SessionWriter(begin.state_file, self._to_keep, begin.saved)
            if begin.state_file
            else None
        )
        self._started_at = time.monotonic()
        self._bad_packets = 0
        self._stop = asyncio.Event()
        self._is_stopping = False
        self._is_ready = False
        self._choices = list(begin.choices)
        self._heard: asyncio.Future[None] | None = None
        """Done when the first model is heard, or none can be."""
        self._is_chosen = bool(config.model)
        """Whether somebody asked for the model that plays; else what was kept stays kept."""
        # Last, because it asks this object what there is.
        self._osc = OscServer(self, config.osc.port, local=config.osc.local, allow=config.osc.allow)

    # --- running -------------------------------------------------------------------------------

    async def run(self, *, seconds: float | None = None) -> None:
        """Play until told to stop, or for `seconds` from the first sound.

        Raises: NemodError when it cannot begin, or cannot go on.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self.stop)
        tasks: list[asyncio.Task[None]] = []
        try:
            await self._play(tasks, seconds)
        finally:
            await self._shut_down(tasks)

    async def _play(self, tasks: "list[asyncio.Task[None]]", seconds: float | None) -> None:
        """Start everything, in order, and wait for the end. Raises: NemodError."""
        loop = asyncio.get_running_loop()
        await self._osc.start()
        await self._loads.foundry.start()
        heard = self._heard = loop.create_future()
        self._want_first()
        supervision = asyncio.create_task(self._supervise(), name="supervision")
        stop = asyncio.create_task(_until(self._stop), name="stop")
        tasks += [
            supervision,
            stop,
            asyncio.create_task(self._loads.run(), name="loads"),
            asyncio.create_task(self._feed_watchdog(), name="watchdog"),
        ]
        await asyncio.wait({stop, supervision, heard}, return_when=asyncio.FIRST_COMPLETED)
        if heard.done():
            heard.result()
            assert self.device is not None
            log.info("playing", model=self.model_name, device=self.device.device, osc=self.osc_port)
            self._ready(f"playing {self.model_name}")
            if seconds is not None and self._recorder is None:
                loop.call_later(seconds, self.stop)
            await asyncio.wait({stop, supervision}, return_when=asyncio.FIRST_COMPLETED)
        if supervision.done():
            supervision.result()

    def _want_first(self) -> None:
        """Ask for the first model; one that the state named gives way when it will not play."""
        name, path = self._choices[0]
        self._loads.want(Wanted(name=name, path=path, answer=self._first_ends))

    def _first_ends(self, result: str | OscError) -> None:
        """Hear what became of the first model."""
        if self._heard is None or self._heard.done():
            return
        if not isinstance(result, OscError):
            self._heard.set_result(None)
        elif result.code == "busy":
            return  # overtaken: `_choice_ends` hears what becomes of the other
        elif len(self._choices) > 1:
            log.warning("the model of the last time does not play", reason=result.text)
            self._choices.pop(0)
            self._want_first()
        else:
            self._heard.set_exception(NemodError(result.text))

    def _choice_ends(self, result: str | OscError) -> None:
        """Hear what became of a model that somebody asked for."""
        if not isinstance(result, OscError):
            self._is_chosen = True
            self._touch()
            if self._heard is not None and not self._heard.done():
                self._heard.set_result(None)
        elif result.code != "busy" and self._loads.current is None:
            # It overtook the first model, and nothing would ever play.
            self._want_first()

    async def _supervise(self) -> None:
        """Keep an audio plane playing. Raises: AudioError."""
        audio = self.config.audio
        rate_hz = audio.rate if isinstance(audio.rate, int) else None
        latency = audio.cpu_latency
        latency_us = latency if isinstance(latency, int) or latency is None else suitable_us()
        path = self._begin.choices[0][1]
        if audio.rate == MODEL_RATE and path is not None:
            # An unreadable file is told by the foundry, with the others.
            with suppress(ModelError):
                model = await in_background(lambda: load_model(path))
                rate_hz = None if model.rate_follows_device else model.sample_rate
        await self._supervisor.run(
            DeviceRequest(
                name=audio.device,
                input_channel=audio.input,
                output_channels=audio.output,
                rate_hz=rate_hz,
                rate_is_wish=audio.rate == MODEL_RATE,
                block_frames=audio.block,
                cpu_latency_us=latency_us,
            )
        )

    async def _feed_watchdog(self) -> None:
        """Tell systemd that the daemon lives, as long as it does."""
        period = notify.watchdog_period()
        while period is not None:
            if self._supervisor.is_well:
                notify.watchdog()
            await asyncio.sleep(min(period / 3.0, 5.0))

    def _ready(self, text: str) -> None:
        if not self._is_ready:
            self._is_ready = True
            notify.ready(text)

    def stop(self) -> None:
        """End `run` in order: fade out, say goodbye."""
        self._stop.set()

    async def _shut_down(self, tasks: "list[asyncio.Task[None]]") -> None:
        self._is_stopping = True
        notify.stopping("fading out")
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        writing = [self._keeper.close()] if self._keeper is not None and self._is_ready else []
        await asyncio.gather(self._supervisor.stop(), self._loads.foundry.stop(), *writing)
        await self._osc.close()
        if self._recorder is not None:
            self._recorder.close()
            lost = self._readings.total("tape_lost")
            if lost:
                log.warning("the recording has gaps", lost_frames=lost)

    # --- what the supervisor tells: see nemod.daemon.supervisor.Owner ----------------------

    def rig_to_play(self) -> tuple[PlayRig, NDArray[np.float32]] | None:
        """Return the rig that an audio plane begins with, and where its knobs stand."""
        return self._loads.rig_to_play()

    def opened(self, opened: DeviceOpened) -> None:
        """Hear that the device runs, for the first time or again."""
        for notice in opened.notices:
            log.warning("audio", notice=notice)
        self._readings.begin_again()
        if self._recorder is not None:
            self._record(self._recorder, opened.rate_hz)
        self._loads.opened(opened)
        self._loads.commit()

    def _record(self, recorder: Recorder, rate_hz: int) -> None:
        if not self._recorded_hz:
            loop = asyncio.get_running_loop()
            self._recorded_hz = rate_hz

            def full() -> None:
                loop.call_soon_threadsafe(self.stop)

            recorder.start(self._supervisor.tape_fd, rate_hz, full)
        elif rate_hz != self._recorded_hz:
            recorder.is_paused = True
            log.error("the recording ends: the device has another rate now", rate_hz=rate_hz)

    def reported(self, report: TelemetryRecord) -> None:
        """Hear a report of the audio plane that plays."""
        self._readings.add(report)
        self._loads.heard(report.rig_id)

    def rig_failed(self, rig_id: int, reason: str) -> None:
        """Hear that a rig did not pass its proof."""
        self._loads.failed(rig_id, reason)

    def lost(self, reason: str, *, blamed: bool) -> None:
        """Hear that the audio plane is gone; `blamed`: what it played may have done it."""
        self._loads.lost(reason, blamed=blamed)

    def state_changed(self, state: str, why: str) -> None:
        """Hear of a new state."""
        if state == "running" and self._is_ready:
            log.info("the device plays again", device=self.device.device if self.device else "")
        text = f"{state}: {why}" if why else f"{state} {self.model_name}".strip()
        notify.status(text)
        if state == "no_device":
            self._ready(text)

    def _model_changed(self) -> None:
        self._touch()
        if self._is_ready:
            notify.status(f"{self._supervisor.state} {self.model_name}".strip())

    # --- over a power cycle ----------------------------------------------------------------------

    def _touch(self) -> None:
        if self._keeper is not None and not self._is_stopping:
            self._keeper.touch()

    def _to_keep(self) -> Session:
        """Return what is to be there again at the next start."""
        made = self._loads.current
        positions = self.settings.positions()
        before = self._begin.saved
        is_makeshift = bool(before.model) and not self._is_chosen and not self._loads.set_aside
        if made is None or is_makeshift:
            # A model that is missing today, as one on a stick, may be there the next time.
            return Session(
                model=before.model, path=before.path, size=before.size, positions=positions
            )
        is_model = made.path is not None
        return Session(
            model=made.name if is_model else "",
            path=str(made.path) if is_model else "",
            size=self._begin.size,
            positions=positions,
        )

    # --- what OSC may ask: see nemod.osc.host.Host ------------------------------------------------

    @property
    def device(self) -> DeviceOpened | None:
        """The device that was opened last."""
        return self._supervisor.device

    @property
    def osc_port(self) -> int:
        """UDP port that is listened on."""
        return self._osc.port

    @property
    def knob_names(self) -> Sequence[str]:
        """Names of the current model's knobs."""
        made = self._loads.current
        return made.built.knob_names if made else ()

    @property
    def model_names(self) -> Sequence[str]:
        """All models of the library."""
        return self._library.names

    @property
    def model_name(self) -> str:
        """Name of the model that is playing."""
        made = self._loads.current
        return made.name if made else ""

    def model_info(self) -> Mapping[str, object]:
        """What is known of the model that is playing."""
        made = self._loads.current
        info = made.built.info if made else {}
        aside = self._loads.set_aside
        return {**info, "set_aside": aside} if aside else info

    def commit(self) -> None:
        """Send the settings as one snapshot to every rig that is heard or about to be."""
        self._loads.commit()
        self._touch()

    def load_model(self, name: str, answer: Answer) -> None:
        """Begin to load a model by name; the newest request wins."""
        try:
            known, path = self._library.find(name)
        except NotFoundError as error:
            answer(OscError("not_found", LOAD, str(error)))
            return

        def ends(result: str | OscError) -> None:
            answer(result)
            self._choice_ends(result)

        self._loads.want(Wanted(name=known, path=path, answer=ends))

    def rescan(self, answer: Answer) -> None:
        """Look into the library's folders again, on a thread of its own."""

        def done(task: "asyncio.Future[None]") -> None:
            if task.cancelled():
                return
            error = task.exception()
            count = str(len(self._library.names))
            answer(OscError("io", "/nemo/model/rescan", str(error)) if error else count)

        in_background(self._library.rescan).add_done_callback(done)

    def status(self) -> Mapping[str, str | int | float]:
        """All leaves of `/nemo/status`."""
        device, made = self.device, self._loads.current
        latency_s = device.latency_s if device else 0.0
        if made is not None and device is not None:
            latency_s += made.built.latency_frames / device.rate_hz
        return {
            "state": self._supervisor.state,
            "load": self._readings.load,
            "load_peak": self._readings.load_peak,
            "xruns": self._readings.total("xruns"),
            "late": self._readings.total("late"),
            "latency_ms": 1000.0 * latency_s,
            "rate": device.rate_hz if device else 0,
            "block": device.block_frames if device else 0,
            "model_rate": made.built.model_rate_hz if made else 0,
            "rate_policy": made.built.rate_policy if made else "exact",
            "bad_packets": self._bad_packets,
            "uptime": int(time.monotonic() - self._started_at),
        }

    def meters(self) -> Mapping[str, float | int]:
        """Peaks [dBFS] of a moment, and the count of limited blocks."""
        return self._readings.meters()

    def reset_meters(self) -> None:
        """Forget the clips and the highest load."""
        self._readings.reset()

    def count_bad_packet(self) -> None:
        """Count a packet that was dropped."""
        self._bad_packets += 1


async def _until(event: asyncio.Event) -> None:
    await event.wait()
