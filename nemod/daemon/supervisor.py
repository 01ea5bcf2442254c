"""Keeps an audio process playing: starts it, watches it, replaces it, waits for its device.

Thread: control. New audio processes, and the standby process, come from `nemod.daemon.standby`.
"""

import asyncio
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import structlog

from nemod.common.errors import AudioError
from nemod.common.procinfo import oom_kills
from nemod.daemon.child_processes import AudioProcess
from nemod.daemon.device_wait import DeviceWait
from nemod.daemon.protocols import Controls, SupervisorCallbacks
from nemod.daemon.quarantine import CRASHES
from nemod.daemon.standby import AudioProcessPool, is_stopped
from nemod.daemon.telemetry import Telemetry
from nemod.engine.ipc import (
    DeviceFailed,
    DeviceOpened,
    DeviceRequest,
    OpenDevice,
    PlayRig,
    PrepareRig,
    RigFailed,
    TelemetryRecord,
    enlarge_pipe,
)

CHECK_S = 0.05
"""[s] How often the audio process is checked."""
HUNG_S = 1.0
"""[s] An audio process that has sent no telemetry for this long hangs."""
HUNG_LIMIT_S = 3.0
"""[s] After this time without telemetry it hangs, even if this process was delayed, too: a thread
of real-time priority that spins delays it for ever on a machine with one processor."""
END_S = 0.2
"""[s] How long a process that has closed its socket may take to end."""
OPEN_LIMIT_S = 15.0
"""[s] Longest time to open the device, waiting for another audio process to leave it included."""
STANDBY_DELAY_S = 1.0
"""[s] From the first sound to the start of the standby process, so that it does not slow the
start down."""
TRIES_AT_FIRST = 3
"""Most audio processes that may end before the first one has opened the device."""
QUICK_S = 5.0
"""[s] An audio process that ends sooner after it began to open the device, or had opened it, has
not played long enough to count as working."""
SHORTEST_WAIT_S, LONGEST_WAIT_S = 0.25, 5.0
"""[s] Between two looks for a disconnected device, doubled each time; a card that appears is
noticed at once."""
_OUTSIDE = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""Signals that come from outside; all others are caused by the process itself."""

log = structlog.get_logger("nemod")


class _LostError(Exception):
    """The audio process has ended or hangs."""

    def __init__(self, reason: str, *, rig_suspected: bool, outside: bool = False) -> None:
        """`outside`: it was ended by a signal from outside."""
        self.reason = reason
        self.rig_suspected = rig_suspected
        self.outside = outside
        super().__init__(reason)


class _NoDeviceError(Exception):
    """The audio process reports that the device does not exist or was disconnected."""


class Supervisor:
    """The audio process, replaced whenever it ends."""

    def __init__(
        self,
        callbacks: SupervisorCallbacks,
        telemetry: Telemetry,
        *,
        on_opened: Callable[[DeviceOpened], None],
        on_state: Callable[[str, str], None],
        on_record: Callable[[TelemetryRecord], None] = lambda record: None,
        standby: bool,
        wait: bool,
        recording: bool,
        input_w: int = -1,
    ) -> None:
        """`on_opened(device)` and `on_state(state, reason)` are called after the callbacks.

        `on_record` gets the telemetry of the audio process that plays.
        `standby`: keep a second audio process ready. `wait`: wait for a device that is absent at
        the start, too. `recording`: open a pipe for the output; its read end is `recording_fd`.
        `input_w`: pipe for the input, see `stream_input`.
        """
        self.state = "starting"
        self.device: DeviceOpened | None = None
        """The device that was opened last."""
        self.recording_fd, self._recording_w = os.pipe() if recording else (-1, -1)
        self._callbacks = callbacks
        self._telemetry = telemetry
        self._on_opened = on_opened
        self._on_state = on_state
        self._on_record = on_record
        self._wait = wait
        self._processes = AudioProcessPool(
            self._rig,
            self._report,
            standby=standby,
            recording_w=self._recording_w,
            input_w=input_w,
        )
        self._process: AudioProcess | None = None
        self._device_known = asyncio.Event()
        self._device_wait: DeviceWait | None = None
        self._reported_at = self._checked_at = self._postponed_to = 0.0
        self._wait_s = SHORTEST_WAIT_S
        self._is_first = True
        self._ends_at_start = 0
        self._opened_at = 0.0
        self._quick_ends = 0
        self._streams_input = False
        if recording:
            enlarge_pipe(self._recording_w)

    # --- for the model switcher ------------------------------------------------------------------

    @property
    def is_playing(self) -> bool:
        """Whether an audio process has the device open."""
        return self._process is not None

    @property
    def is_healthy(self) -> bool:
        """Whether the sound runs, or is being restored."""
        is_late = time.monotonic() - self._reported_at > 2.0 * HUNG_S
        return not (self.state == "running" and is_late)

    async def wait_for_device(self) -> None:
        """Return when a device was opened for the first time."""
        await self._device_known.wait()

    async def play(self, rig: PlayRig) -> None:
        """Send a rig. Raises: ConnectionError when there is no audio process."""
        if self._process is None:
            raise ConnectionError("no audio process is playing")
        await self._process.play(rig)

    async def prepare(self, rig: PrepareRig) -> None:
        """Have the programs of a rig loaded that may be played soon."""
        if self._process is not None:
            with suppress(ConnectionError):
                await self._process.prepare(rig)

    def send_settings(self, rig_id: int, controls: Controls) -> None:
        """Send the controls of a rig; the next audio process asks for them by itself."""
        if self._process is not None:
            self._process.send_settings(rig_id, controls)

    def panic(self) -> None:
        """Fade to silence at once and empty all effects; the rig then plays on."""
        if self._process is not None:
            self._process.panic()

    def stream_input(self, *, is_on: bool) -> None:
        """Start or stop the stream of the input, in this audio process and those that follow."""
        self._streams_input = is_on
        if self._process is not None:
            self._process.stream_input(is_on=is_on)

    # --- running ---------------------------------------------------------------------------------

    async def run(self, request: DeviceRequest) -> None:
        """Keep playing until cancelled.

        Raises: AudioError when the device cannot be opened, or no process started, at the start.
        """
        while True:
            process = await self._processes.take(at_first=self.device is None)
            try:
                await self._open(process, request)
                await self._watch(process)
            except _NoDeviceError as error:
                waits = self._wait or self.device is not None
                if waits:
                    # First: ending the process takes longer than all else until the report.
                    self._report_disconnected(request, str(error))
                await self._end(process)
                if not waits:
                    raise AudioError(str(error)) from None
                await self._wait_until_connected(request)
            except _LostError as error:
                await self._end(process)
                await self._lost(error)
            # With the same rate as before, no rig has to be built again.
            if self.device is not None:
                request = _same_device(request, self.device)

    async def stop(self) -> None:
        """Fade out and end all processes. `run` must have been cancelled."""
        playing, self._process = self._process, None
        if playing is not None:
            self._processes.detach(playing)
            # A process that was stopped by a signal cannot fade out.
            end = playing.discard() if is_stopped(playing) else playing.stop()
            await asyncio.gather(end, self._processes.end_all(), return_exceptions=True)
        else:
            await self._processes.end_all()
        if self._device_wait is not None:
            self._device_wait.close()
        if self._recording_w >= 0:
            os.close(self._recording_w)  # the end of the recording
            self._recording_w = -1

    def _set_state(self, state: str, why: str = "") -> None:
        if state != self.state:
            self.state = state
            self._on_state(state, why)

    async def _lost(self, error: _LostError) -> None:
        if self.device is None:
            self._ends_at_start += 1
            if self._ends_at_start >= TRIES_AT_FIRST and not self._wait:
                raise AudioError(f"the audio process has ended: {error.reason}")
        log.warning("audio process restarted", reason=error.reason)
        self._set_state("restarting", error.reason)
        self._is_first = False
        self._callbacks.audio_process_lost(error.reason, rig_suspected=error.rig_suspected)
        is_quick = not error.outside and time.monotonic() - self._opened_at < QUICK_S
        self._quick_ends = self._quick_ends + 1 if is_quick else 0
        if self._quick_ends > CRASHES:
            # It is not the rig, which was quarantined or never suspected: retry slowly.
            self._set_state("error", error.reason)
            await asyncio.sleep(LONGEST_WAIT_S)

    async def _end(self, process: AudioProcess) -> None:
        self._process = None
        await self._processes.end(process)

    def _rig(self) -> PlayRig | None:
        wanted = self._callbacks.rig_to_play()
        return wanted[0] if wanted is not None else None

    # --- the life of one audio process -----------------------------------------------------------

    async def _open(self, process: AudioProcess, request: DeviceRequest) -> None:
        """Have it open the device and start with the current rig.

        Raises: _NoDeviceError, _LostError.
        """
        wanted = self._callbacks.rig_to_play()
        # A process that has verified the rig and ends now is ended by the device's driver.
        is_verified = wanted is not None and process.rig_id == wanted[0].rig_id
        self._opened_at = time.monotonic()
        began_with = 0
        killed = oom_kills()
        try:
            # Sending to a process that was stopped may never end.
            async with asyncio.timeout(OPEN_LIMIT_S):
                if wanted is not None:
                    order, controls = wanted
                    if process.rig_id != order.rig_id:
                        await process.play(order)
                    began_with = order.rig_id
                    await process.open_device(
                        OpenDevice(request=request, rig_id=began_with, controls=controls)
                    )
                else:
                    await process.open_device(OpenDevice(request=request))
                opened = await self._device_opened(process)
        except TimeoutError:
            reason = f"the device {request.name!r} was not open after {OPEN_LIMIT_S:g} s"
            if is_stopped(process):
                raise _LostError(reason, rig_suspected=False, outside=True) from None
            # The rig is not called before the device is open, so this is the driver.
            raise _NoDeviceError(reason) from None
        except (EOFError, ConnectionError):
            lost = await self._end_of(process, killed)
            lost.rig_suspected = lost.rig_suspected and not is_verified
            raise lost from None
        self._process = process
        if self._streams_input:
            process.stream_input(is_on=True)
        self.device = opened
        self._opened_at = self._reported_at = self._checked_at = time.monotonic()
        self._device_known.set()
        self._telemetry.new_process()
        self._callbacks.device_opened(opened)
        self._on_opened(opened)
        self._set_state("running")
        # A rig that became current while the device was being opened.
        wanted = self._callbacks.rig_to_play()
        if wanted is not None and wanted[0].rig_id != began_with:
            with suppress(ConnectionError):
                await process.play(wanted[0])

    async def _device_opened(self, process: AudioProcess) -> DeviceOpened:
        while True:
            event = await process.next_event()
            match event:
                case DeviceOpened():
                    return event
                case DeviceFailed(reason):
                    raise _NoDeviceError(reason)
                case RigFailed(rig_id, reason):
                    self._callbacks.rig_failed(rig_id, reason)

    async def _watch(self, process: AudioProcess) -> None:
        """Watch it until it is lost. Raises: _NoDeviceError, _LostError."""
        since = silent_until = time.monotonic()
        killed = oom_kills()
        events = asyncio.create_task(self._listen(process))
        try:
            while True:
                await asyncio.wait({events}, timeout=CHECK_S)
                if events.done():
                    reason = events.result()
                    if reason:
                        raise _NoDeviceError(reason)
                    raise await self._end_of(process, killed)
                now = time.monotonic()
                if self._hangs(process, now):
                    stopped = is_stopped(process)
                    what = "was stopped by a signal" if stopped else "hangs"
                    raise _LostError(
                        f"it {what}: no telemetry for {HUNG_S:g} s",
                        rig_suspected=not stopped,
                        outside=stopped,
                    )
                if now - since > LONGEST_WAIT_S:
                    self._wait_s = SHORTEST_WAIT_S
                if self._is_first and self._rig() is None:
                    silent_until = now
                # At the first start the standby process can wait; after a restart it cannot.
                if not self._is_first or now - silent_until > STANDBY_DELAY_S:
                    self._processes.maintain_standby()
        finally:
            events.cancel()

    async def _listen(self, process: AudioProcess) -> str:
        """Return why the device is gone, or nothing when the process has ended."""
        try:
            while True:
                match await process.next_event():
                    case DeviceFailed(reason):
                        return reason
                    case RigFailed(rig_id, reason):
                        self._callbacks.rig_failed(rig_id, reason)
        except EOFError:
            return ""

    def _report(self, process: AudioProcess, record: TelemetryRecord) -> None:
        if process is self._process:
            self._reported_at = time.monotonic()
            self._telemetry.add(record)
            self._callbacks.rig_heard(record.rig_id)
            self._on_record(record)

    def _hangs(self, process: AudioProcess, now: float) -> bool:
        if now - self._checked_at > 4.0 * CHECK_S:
            # This process itself was delayed, so the lack of telemetry proves nothing.
            self._postponed_to = now + HUNG_S / 2.0
        self._checked_at = now
        if now - self._reported_at < HUNG_S:
            return False
        process.read_telemetry()
        silent_s = now - self._reported_at
        return silent_s >= HUNG_LIMIT_S or (silent_s >= HUNG_S and now >= self._postponed_to)

    async def _end_of(self, process: AudioProcess, oom_kills_before: int) -> _LostError:
        """Return how a process has ended, and whether its rig may be the cause."""
        status = await process.discard(END_S)  # its socket closes a moment before it ends
        if status >= 0:
            return _LostError(f"exit status {status}", rig_suspected=True)
        outside = -status in _OUTSIDE
        if -status == signal.SIGKILL and oom_kills() > oom_kills_before:
            return _LostError("killed because the system ran out of memory", rig_suspected=True)
        return _LostError(f"killed by signal {-status}", rig_suspected=not outside, outside=outside)

    # --- a disconnected device -------------------------------------------------------------------

    def _report_disconnected(self, request: DeviceRequest, reason: str) -> None:
        self._process = None
        if self.state != "no_device":
            log.warning("device disconnected, waiting for it", device=request.name, reason=reason)
        self._set_state("no_device", reason)
        self._callbacks.audio_process_lost(reason, rig_suspected=False)
        if self._device_wait is None:
            self._device_wait = DeviceWait()

    async def _wait_until_connected(self, request: DeviceRequest) -> None:
        """Return when the device is connected."""
        assert self._device_wait is not None
        is_card = self.device is not None and self.device.is_card
        while True:
            self._processes.prepare()
            wait_s, self._wait_s = self._wait_s, min(2.0 * self._wait_s, LONGEST_WAIT_S)
            if await self._device_wait.until_connected(request, wait_s, is_card=is_card):
                return


def _same_device(request: DeviceRequest, device: DeviceOpened) -> DeviceRequest:
    """Return the request with the name and the rate of the device that was open, if possible."""
    request = replace(request, last_name=device.reopen_name)
    if request.rate_hz is not None:
        return request
    return replace(request, rate_hz=device.rate_hz, rate_is_wish=True)
