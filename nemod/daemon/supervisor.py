"""Keeps an audio plane playing: starts it, watches it, replaces it, waits for its device.

Thread: control. Where its successor comes from is the matter of `nemod.daemon.standby`.
"""

import asyncio
import fcntl
import os
import signal
import sys
import time
from contextlib import suppress
from dataclasses import replace
from typing import Protocol

import numpy as np
import structlog
from numpy.typing import NDArray

from nemod.common.errors import AudioError
from nemod.common.procinfo import oom_kills
from nemod.daemon.child_processes import AudioProcess
from nemod.daemon.quarantine import DEATHS
from nemod.daemon.standby import AudioProcessPool, is_stopped
from nemod.engine.ipc import (
    DeviceFailed,
    DeviceOpened,
    DeviceRequest,
    OpenDevice,
    PlayRig,
    RigFailed,
    TelemetryRecord,
)

LOOK_S = 0.05
"""[s] How often the audio plane is looked at."""
HUNG_S = 1.0
"""[s] An audio plane that has reported nothing for this long hangs."""
END_S = 0.2
"""[s] How long a process may take to end that has closed its socket."""
OPEN_LIMIT_S = 15.0
"""[s] How long opening the device may take, waiting for an orphan included."""
SPARE_DELAY_S = 1.0
"""[s] From the first sound to the start of the first spare, so that it is in nobody's way."""
TRIES_AT_FIRST = 3
"""Audio planes that may die before the first one has opened the device."""
QUICK_S = 5.0
"""[s] An audio plane that dies sooner after it began to open the device, or had opened it, has not
really played."""
SHORTEST_WAIT_S, LONGEST_WAIT_S = 0.25, 5.0
"""[s] Between two looks for a device that has gone; doubled from one to the next."""
_OUTSIDE = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""Signals that somebody sends; all others are the process's own doing."""

log = structlog.get_logger("nemod")

Controls = NDArray[np.float32]


class SupervisorCallbacks(Protocol):
    """Who is told, and asked what to play."""

    def rig_to_play(self) -> tuple[PlayRig, Controls] | None:
        """Return the rig that an audio plane begins with, and where its knobs stand."""
        ...

    def opened(self, opened: DeviceOpened) -> None:
        """Hear that the device runs, for the first time or again."""
        ...

    def reported(self, report: TelemetryRecord) -> None:
        """Hear a report of the audio plane that plays."""
        ...

    def rig_failed(self, rig_id: int, reason: str) -> None:
        """Hear that a rig did not pass its proof."""
        ...

    def lost(self, reason: str, *, blamed: bool) -> None:
        """Hear that the audio plane is gone; `blamed`: what it played may have done it."""
        ...

    def state_changed(self, state: str, why: str) -> None:
        """Hear of a new state, one of the words of `/nemo/status/state`."""
        ...


class _LostError(Exception):
    """The audio plane is gone."""

    def __init__(self, reason: str, *, blamed: bool, outside: bool = False) -> None:
        """`outside`: somebody has ended it by a signal."""
        self.reason = reason
        self.blamed = blamed
        self.outside = outside
        super().__init__(reason)


class _NoDeviceError(Exception):
    """The audio plane says that there is no device (any more)."""


class Supervisor:
    """The audio plane, as something that is always there."""

    def __init__(self, owner: SupervisorCallbacks, *, spare: bool, wait: bool, tape: bool) -> None:
        """`wait`: a device that is absent at the first start is waited for, too."""
        self.state = "starting"
        self.device: DeviceOpened | None = None
        """What was opened last."""
        self.known = asyncio.Event()
        """Set once a device was open."""
        self.tape_fd, self._tape_w = os.pipe() if tape else (-1, -1)
        self._owner = owner
        self._wait = wait
        self._planes = AudioProcessPool(self._rig, self._report, spare=spare, tape_w=self._tape_w)
        self._plane: AudioProcess | None = None
        self._reported_at = self._looked_at = 0.0
        self._wait_s = SHORTEST_WAIT_S
        self._is_first = True
        self._deaths_at_start = 0
        self._opened_at = 0.0
        self._quick_deaths = 0
        if tape:
            _widen(self._tape_w)

    # --- what the owner does with it -------------------------------------------------------------

    @property
    def playing(self) -> bool:
        """Whether there is an audio plane with an open device."""
        return self._plane is not None

    @property
    def is_well(self) -> bool:
        """Whether all is as it should be, or being mended."""
        is_late = time.monotonic() - self._reported_at > 2.0 * HUNG_S
        return not (self.state == "running" and is_late)

    async def play(self, order: PlayRig) -> None:
        """Hand a rig down. Raises: ConnectionError when there is nobody to take it."""
        if self._plane is None:
            raise ConnectionError("no audio plane is playing")
        await self._plane.play(order)

    def send_settings(self, rig_id: int, controls: Controls) -> None:
        """Send a snapshot of the knobs; without an audio plane the next one is given them."""
        if self._plane is not None:
            self._plane.send_settings(rig_id, controls)

    # --- running ---------------------------------------------------------------------------------

    async def run(self, request: DeviceRequest) -> None:
        """Keep playing until cancelled.

        Raises: AudioError when the device, or a process for it, cannot be had at first.
        """
        while True:
            plane = await self._planes.take(at_first=self.device is None)
            try:
                await self._open(plane, request)
                await self._stay(plane)
            except _NoDeviceError as error:
                await self._end(plane)
                await self._device_gone(request, str(error))
            except _LostError as error:
                await self._end(plane)
                await self._died(error)
            # Asking for the same rate again spares a new rig; a device that lost it has another.
            if self.device is not None:
                request = _again(request, self.device)

    async def stop(self) -> None:
        """Fade out and end all processes. `run` must have been cancelled."""
        playing, self._plane = self._plane, None
        if playing is not None:
            self._planes.detach(playing)
            # One that was stopped by a signal will not fade, however long it is waited for.
            end = playing.discard() if is_stopped(playing) else playing.stop()
            await asyncio.gather(end, self._planes.end_all(), return_exceptions=True)
        else:
            await self._planes.end_all()
        if self._tape_w >= 0:
            os.close(self._tape_w)  # the end of the recording
            self._tape_w = -1

    def _set_state(self, state: str, why: str = "") -> None:
        if state != self.state:
            self.state = state
            self._owner.state_changed(state, why)

    async def _died(self, error: _LostError) -> None:
        if self.device is None:
            self._deaths_at_start += 1
            if self._deaths_at_start >= TRIES_AT_FIRST and not self._wait:
                raise AudioError(f"the process that plays has ended: {error.reason}")
        log.warning("the audio process is restarted", reason=error.reason)
        self._set_state("restarting", error.reason)
        self._is_first = False
        self._owner.lost(error.reason, blamed=error.blamed)
        is_quick = not error.outside and time.monotonic() - self._opened_at < QUICK_S
        self._quick_deaths = self._quick_deaths + 1 if is_quick else 0
        if self._quick_deaths > DEATHS:
            # Not the rig then, which has been set aside, or never was: no use to hurry.
            self._set_state("error", error.reason)
            await asyncio.sleep(LONGEST_WAIT_S)

    async def _end(self, plane: AudioProcess) -> None:
        self._plane = None
        await self._planes.end(plane)

    def _rig(self) -> PlayRig | None:
        wanted = self._owner.rig_to_play()
        return wanted[0] if wanted is not None else None

    # --- one audio plane's life ------------------------------------------------------------------

    async def _open(self, plane: AudioProcess, request: DeviceRequest) -> None:
        """Have it take the device and begin with the rig that is wanted.

        Raises: _NoDeviceError, _LostError.
        """
        wanted = self._owner.rig_to_play()
        # One that has proved the rig already, and dies now, dies of the device's driver.
        is_proved = wanted is not None and plane.rig_id == wanted[0].rig_id
        self._opened_at = time.monotonic()
        began_with = 0
        killed = oom_kills()
        try:
            # Sending may take for ever, too: to a process that was stopped.
            async with asyncio.timeout(OPEN_LIMIT_S):
                if wanted is not None:
                    order, controls = wanted
                    if plane.rig_id != order.rig_id:
                        await plane.play(order)
                    began_with = order.rig_id
                    await plane.take(
                        OpenDevice(request=request, rig_id=began_with, controls=controls)
                    )
                else:
                    await plane.take(OpenDevice(request=request))
                opened = await self._opened(plane)
        except TimeoutError:
            reason = f"the device {request.name!r} was not open after {OPEN_LIMIT_S:g} s"
            if is_stopped(plane):
                raise _LostError(reason, blamed=False, outside=True) from None
            # The rig is called for the first time when it is open: this waits for the driver.
            raise _NoDeviceError(reason) from None
        except (EOFError, ConnectionError):
            lost = await self._end_of(plane, killed)
            lost.blamed = lost.blamed and not is_proved
            raise lost from None
        self._plane = plane
        self.device = opened
        self._opened_at = self._reported_at = self._looked_at = time.monotonic()
        self.known.set()
        self._owner.opened(opened)
        self._set_state("running")
        # What was asked for while the device was being opened.
        wanted = self._owner.rig_to_play()
        if wanted is not None and wanted[0].rig_id != began_with:
            with suppress(ConnectionError):
                await plane.play(wanted[0])

    async def _opened(self, plane: AudioProcess) -> DeviceOpened:
        while True:
            event = await plane.next_event()
            match event:
                case DeviceOpened():
                    return event
                case DeviceFailed(reason):
                    raise _NoDeviceError(reason)
                case RigFailed(rig_id, reason):
                    self._owner.rig_failed(rig_id, reason)

    async def _stay(self, plane: AudioProcess) -> None:
        """Watch it until it is lost. Raises: _NoDeviceError, _LostError."""
        since = silent_until = time.monotonic()
        killed = oom_kills()
        events = asyncio.create_task(self._listen(plane))
        try:
            while True:
                await asyncio.wait({events}, timeout=LOOK_S)
                if events.done():
                    reason = events.result()
                    if reason:
                        raise _NoDeviceError(reason)
                    raise await self._end_of(plane, killed)
                now = time.monotonic()
                if self._hangs(plane, now):
                    stopped = is_stopped(plane)
                    what = "was stopped by a signal" if stopped else "hangs"
                    raise _LostError(
                        f"it {what}: no report for {HUNG_S:g} s",
                        blamed=not stopped,
                        outside=stopped,
                    )
                if now - since > LONGEST_WAIT_S:
                    self._wait_s = SHORTEST_WAIT_S
                if self._is_first and self._rig() is None:
                    silent_until = now
                # At the first start the spare keeps out of the way; after a death it must not.
                if not self._is_first or now - silent_until > SPARE_DELAY_S:
                    self._planes.maintain_standby()
        finally:
            events.cancel()

    async def _listen(self, plane: AudioProcess) -> str:
        """Return why there is no device any more, or nothing when the process has ended."""
        try:
            while True:
                match await plane.next_event():
                    case DeviceFailed(reason):
                        return reason
                    case RigFailed(rig_id, reason):
                        self._owner.rig_failed(rig_id, reason)
        except EOFError:
            return ""

    def _report(self, plane: AudioProcess, report: TelemetryRecord) -> None:
        if plane is self._plane:
            self._reported_at = time.monotonic()
            self._owner.reported(report)

    def _hangs(self, plane: AudioProcess, now: float) -> bool:
        if now - self._looked_at > 4.0 * LOOK_S:
            # This process itself was held up: what it did not see proves nothing.
            self._reported_at = max(self._reported_at, now - HUNG_S / 2.0)
        self._looked_at = now
        if now - self._reported_at < HUNG_S:
            return False
        plane.read_reports()
        return now - self._reported_at >= HUNG_S

    async def _end_of(self, plane: AudioProcess, oom_kills_before: int) -> _LostError:
        """Return how a process that is gone has ended, and whether what it played may be why."""
        status = await plane.discard(END_S)  # its socket closes a moment before it ends
        if status >= 0:
            return _LostError(f"exit status {status}", blamed=True)
        outside = -status in _OUTSIDE
        if -status == signal.SIGKILL and oom_kills() > oom_kills_before:
            return _LostError("killed for want of memory", blamed=True)
        return _LostError(f"killed by signal {-status}", blamed=not outside, outside=outside)

    # --- a device that has gone ------------------------------------------------------------------

    async def _device_gone(self, request: DeviceRequest, reason: str) -> None:
        """Return when the device is there again. Raises: AudioError where nobody waits for it."""
        if self.device is None and not self._wait:
            raise AudioError(reason)
        if self.state != "no_device":
            log.warning("no device, it is waited for", device=request.name, reason=reason)
        self._set_state("no_device", reason)
        self._owner.lost(reason, blamed=False)
        while True:
            self._planes.prepare()
            await asyncio.sleep(self._wait_s)
            self._wait_s = min(2.0 * self._wait_s, LONGEST_WAIT_S)
            if await _is_there(request):
                return


def _again(request: DeviceRequest, device: DeviceOpened) -> DeviceRequest:
    """Return the request for the device that was open: at its rate, if it still has that."""
    if request.rate_hz is not None:
        return request
    return replace(request, rate_hz=device.rate_hz, rate_is_wish=True)


async def _is_there(request: DeviceRequest) -> bool:
    """Return whether the device is there; see `nemod.engine.devices.probe`."""
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "nemod.engine.devices.probe",
            request.to_json(),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError:
        return False
    try:
        return await asyncio.wait_for(process.wait(), OPEN_LIMIT_S) == 0
    except TimeoutError:
        return False
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def _widen(tape_fd: int) -> None:
    """Give the tape room for seconds of sound, so that a slow disk costs no sample."""
    # The largest that an unprivileged process may have; a smaller one works too.
    with suppress(OSError):
        fcntl.fcntl(tape_fd, fcntl.F_SETPIPE_SZ, 1 << 20)
