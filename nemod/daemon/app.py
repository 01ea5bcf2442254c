"""The daemon: creates its parts, starts them in order and stops them in reverse.

Thread: control. Everything here runs on one asyncio loop, in the `nemod` process.
"""

import asyncio
import signal
from contextlib import suppress

import structlog

from nemod.chain import CABINET, MODEL
from nemod.common.background import in_background
from nemod.common.errors import ModelError, NemodError
from nemod.config import MODEL_RATE, Config
from nemod.control.controller import Controller
from nemod.control.events import DAEMON, EventStream, ModelChanged, StateChanged
from nemod.control.settings import Settings
from nemod.daemon import notify
from nemod.daemon.child_processes import BuilderProcess
from nemod.daemon.failed_starts import STABLE_S, count_start
from nemod.daemon.load_guard import LoadGuard
from nemod.daemon.model_switcher import ModelSwitcher
from nemod.daemon.monitor import RigMonitor
from nemod.daemon.recorder import Recorder
from nemod.daemon.session import Session, SessionPreset
from nemod.daemon.session_writer import SessionWriter
from nemod.daemon.standby import wants_standby
from nemod.daemon.startup import Startup
from nemod.daemon.supervisor import Supervisor
from nemod.daemon.surfaces import Surfaces
from nemod.daemon.telemetry import Telemetry
from nemod.daemon.tuner_thread import TunerThread
from nemod.daemon.wanted_rig import WantedRig
from nemod.engine.cpu_latency import suitable_us
from nemod.engine.ipc import DeviceOpened, DeviceRequest
from nemod.formats import load_model
from nemod.library.uploads import Uploads

log = structlog.get_logger("nemod")


class Daemon:
    """A running rig: the control core, what plays for it, and the surfaces that control it."""

    def __init__(
        self, config: Config, startup: Startup, *, recorder: Recorder | None = None
    ) -> None:
        """`recorder` gets the output; `run` ends when it has enough. Thread: with a loop."""
        self.config = config
        self.events = EventStream()
        session = startup.session
        self._settings = Settings(session.positions, self.events, session.chain)
        self._startup = startup
        self._recorder = recorder
        self._recorded_hz = 0
        self._telemetry = Telemetry(self.events)
        self._builder = BuilderProcess()
        self._switcher = ModelSwitcher(
            config,
            self._settings,
            self.events,
            builder=self._builder,
            audio=lambda: self._supervisor,
            faults={MODEL: startup.library, CABINET: startup.cabinets},
            wanted=WantedRig(startup.rig.wanted, is_clean=startup.is_clean),
        )
        self._load_guard = LoadGuard(self._switcher, self._settings, self.events)
        self._tuner = TunerThread(
            self._settings,
            self.events,
            lambda is_on: self._supervisor.stream_input(is_on=is_on),
        )
        self._supervisor = Supervisor(
            self._switcher,
            self._telemetry,
            on_opened=self._on_opened,
            on_state=lambda state, why: self.events.publish(StateChanged(state, why)),
            on_record=self._load_guard.add,
            standby=wants_standby(config.standby),
            wait=config.audio.wait,
            recording=recorder is not None,
            input_w=self._tuner.input_w,
        )
        self.controller = Controller(
            self._settings,
            self.events,
            library=startup.library,
            cabinets=startup.cabinets,
            player=self._switcher,
            monitor=RigMonitor(
                self._supervisor, self._switcher, self._telemetry, self._tuner, self._load_guard
            ),
            presets=startup.presets,
            user_models=Uploads(startup.library, config.http.upload_quota * 1_000_000),
            user_cabinets=Uploads(startup.cabinets, config.http.upload_quota * 1_000_000),
            chains=dict(config.chains),
        )
        self._surfaces = Surfaces(self.controller, config)
        self._session_writer = (
            SessionWriter(startup.state_file, self._session, startup.session, self.events)
            if startup.state_file
            else None
        )
        self._stop = asyncio.Event()
        self._is_ready = False
        self._failed_starts = startup.session.failed_starts
        """Not zero until it is clear that this start does not fail."""
        self._preset_to_restore = None if startup.is_requested else startup.session.preset
        self._changes = self.events.subscribe((StateChanged, ModelChanged), source=DAEMON)

    @property
    def device(self) -> DeviceOpened | None:
        """The device that was opened last."""
        return self._supervisor.device

    @property
    def osc_port(self) -> int:
        """Port of OSC over UDP and TCP."""
        return self._surfaces.osc_port

    @property
    def http_port(self) -> int:
        """Port of HTTP; 0 while there is none."""
        return self._surfaces.http_port

    # --- running ---------------------------------------------------------------------------------

    async def run(self, *, seconds: float | None = None) -> None:
        """Play until stopped, or for `seconds` from the first sound.

        Raises: NemodError when it cannot start, or cannot go on.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self.stop)
        tasks: list[asyncio.Task[None]] = []
        try:
            await self._play(tasks, seconds)
        except NemodError:
            # Such as a missing device: no fault of the session.
            self._has_started()
            raise
        finally:
            await self._shut_down(tasks)

    def stop(self) -> None:
        """End `run` in order: fade out, then send the surfaces' goodbye."""
        self._stop.set()

    async def _play(self, tasks: list[asyncio.Task[None]], seconds: float | None) -> None:
        """Start everything, in order, and wait for the end. Raises: NemodError."""
        await self._surfaces.start()
        await self._builder.start()
        await self._count_start()
        self._switcher.start(self._startup.candidates)
        supervision = asyncio.create_task(self._supervise(), name="supervision")
        stop = asyncio.create_task(_until(self._stop), name="stop")
        tasks += [
            supervision,
            stop,
            asyncio.create_task(self._switcher.run(), name="model switcher"),
            asyncio.create_task(self._feed_watchdog(), name="watchdog"),
            asyncio.create_task(self._notify_of_changes(), name="notifications"),
        ]
        first = self._switcher.first_model
        await asyncio.wait({stop, supervision, first}, return_when=asyncio.FIRST_COMPLETED)
        if first.done():
            first.result()
            device = self.device.device if self.device else ""
            model = self.controller.model_name
            log.info("playing", model=model, device=device, osc=self.osc_port)
            self._ready(f"playing {model}")
            self._restore_preset()
            loop = asyncio.get_running_loop()
            loop.call_later(STABLE_S, self._has_started)
            if seconds is not None and self._recorder is None:
                loop.call_later(seconds, self.stop)
            await asyncio.wait({stop, supervision}, return_when=asyncio.FIRST_COMPLETED)
        if supervision.done():
            supervision.result()
        self._has_started()

    def _restore_preset(self) -> None:
        preset, self._preset_to_restore = self._preset_to_restore, None
        if preset is not None:
            self.controller.presets.restore(
                preset.number, preset.name, is_dirty=preset.is_dirty, snapshots=preset.snapshots
            )
        self.controller.presets.build_ahead()

    async def _count_start(self) -> None:
        file = self._startup.state_file
        if file is not None:
            session = self._startup.session
            self._failed_starts = await in_background(lambda: count_start(file, session))

    def _has_started(self) -> None:
        """Note in the session that this start did not fail."""
        if self._failed_starts:
            self._failed_starts = 0
            if self._session_writer is not None:
                self._session_writer.schedule()

    async def _supervise(self) -> None:
        """Keep an audio process playing. Raises: AudioError."""
        audio = self.config.audio
        latency = audio.cpu_latency
        await self._supervisor.run(
            DeviceRequest(
                name=audio.device,
                input_name=audio.input_device,
                input_channel=audio.input,
                output_channels=audio.output,
                rate_hz=await self._device_rate(),
                rate_is_wish=audio.rate == MODEL_RATE,
                block_frames=audio.block,
                periods=audio.periods,
                cpu_latency_us=latency
                if isinstance(latency, int) or latency is None
                else suitable_us(),
            )
        )

    async def _device_rate(self) -> int | None:
        """Return the sample rate [Hz] to ask the device for; None for its own."""
        rate = self.config.audio.rate
        if rate == MODEL_RATE:
            rig = next(self._startup.candidates(), None)
            path = rig.first(MODEL).path if rig is not None else None
            # The builder reports a file that cannot be read.
            with suppress(ModelError):
                if path is not None:
                    model = await in_background(lambda: load_model(path))
                    return None if model.rate_follows_device else model.sample_rate
        return rate if isinstance(rate, int) else None

    async def _shut_down(self, tasks: list[asyncio.Task[None]]) -> None:
        notify.stopping("fading out")
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        writing = [self._session_writer.close()] if self._session_writer is not None else []
        await asyncio.gather(self._supervisor.stop(), self._builder.stop(), *writing)
        self._tuner.close()
        await self._surfaces.close()
        if self._recorder is not None:
            self._recorder.close()
            lost = self._telemetry.total("recording_lost")
            if lost:
                log.warning("the recording has gaps", lost_frames=lost)

    # --- systemd ---------------------------------------------------------------------------------

    async def _feed_watchdog(self) -> None:
        """Tell systemd that the daemon works, as long as it does."""
        period = notify.watchdog_period()
        while period is not None:
            if self._supervisor.is_healthy:
                notify.watchdog()
            await asyncio.sleep(min(period / 3.0, 5.0))

    async def _notify_of_changes(self) -> None:
        """Pass changes of the state and the model on to the log and to systemd."""
        while True:
            for event in await self._changes.next():
                model = self.controller.model_name
                if isinstance(event, StateChanged):
                    state, reason = event.state, event.reason
                    if state == "running" and self._is_ready:
                        device = self.device.device if self.device else ""
                        log.info("device running again", device=device)
                    text = f"{state}: {reason}" if reason else f"{state} {model}".strip()
                    notify.status(text)
                    if state == "no_device":
                        self._ready(text)
                elif self._is_ready:
                    notify.status(f"{self._supervisor.state} {model}".strip())

    def _ready(self, text: str) -> None:
        if not self._is_ready:
            self._is_ready = True
            notify.ready(text)

    # --- the recording and the session -----------------------------------------------------------

    def _on_opened(self, opened: DeviceOpened) -> None:
        for notice in opened.notices:
            log.warning("audio", notice=notice, more="nemod doctor")
        if opened.details:
            latency_ms = round(1e3 * opened.latency_s, 1)
            log.info("device opened", details=opened.details, latency_ms=latency_ms)
        self._tuner.device_opened(opened.rate_hz)
        if self._recorder is not None:
            self._record(self._recorder, opened.rate_hz, opened.outputs)

    def _record(self, recorder: Recorder, rate_hz: int, channels: int) -> None:
        if not self._recorded_hz:
            loop = asyncio.get_running_loop()
            self._recorded_hz = rate_hz

            def full() -> None:
                loop.call_soon_threadsafe(self.stop)

            recorder.start(self._supervisor.recording_fd, rate_hz, full, channels)
        elif rate_hz != self._recorded_hz:
            recorder.is_paused = True
            log.error("recording ended: the device has another sample rate now", rate_hz=rate_hz)

    def _session(self) -> Session:
        """Return what the next start is to restore."""
        last, wanted = self._startup.session, self._switcher.wanted
        return Session(
            chain=wanted.rig.chain,
            paths=wanted.paths(),
            positions=wanted.positions(self._settings),
            preset=self._session_preset(),
            is_clean=wanted.is_clean,
            failed_starts=self._failed_starts,
            unknown=last.unknown,
            unknown_positions=last.unknown_positions,
        )

    def _session_preset(self) -> SessionPreset | None:
        presets = self.controller.presets
        if presets.number < 0:
            return self._preset_to_restore
        return SessionPreset(
            number=presets.number,
            name=presets.name,
            is_dirty=presets.is_dirty,
            snapshots=presets.snapshots.all(),
        )


async def _until(event: asyncio.Event) -> None:
    await event.wait()
