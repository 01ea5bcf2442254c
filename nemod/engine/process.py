"""The audio process: a device, the engine, and a helper thread that loads rigs.

It begins as a standby: it starts jax, loads the rig that it may have to play, and waits. When told
to open a device, it does and plays at once.

Threads: the device's own thread runs `Engine.process`. The main thread is the helper: it loads and
verifies new rigs, frees old ones, refills reserve states, and talks to the daemon.
"""

import gc
import os
import select
import signal
import socket
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import setproctitle
from numpy.typing import NDArray

from nemod.common.errors import AudioError
from nemod.engine import histogram
from nemod.engine.cpu_latency import CpuLatencyLimit
from nemod.engine.devices.alsa.library import preload
from nemod.engine.devices.base import Device, Process
from nemod.engine.devices.demo import PhrasePlayer
from nemod.engine.devices.factory import open_device
from nemod.engine.devices.lock import DeviceLock, users_of_cards
from nemod.engine.engine import Engine
from nemod.engine.governor import governor_notice
from nemod.engine.ipc import (
    AudioProcessArguments,
    DeviceFailed,
    DeviceOpened,
    OpenDevice,
    PlayRig,
    PrepareRig,
    ProcessReady,
    RigFailed,
    StopProcess,
    receive_frame,
    send_frame,
)
from nemod.engine.loaded_rigs import LoadedRigs
from nemod.engine.program import warm_up_jax
from nemod.engine.realtime import (
    SWITCH_INTERVAL_S,
    drop_realtime_priority,
    lock_memory,
    raise_helper_threads,
    take_realtime_priority,
)

POLL_S = 0.02
"""[s] Interval at which the helper thread checks the engine, and a device that does not report its
failure by a descriptor."""
ORPHAN_S = 3.0
"""[s] How long the process keeps playing after the daemon has died."""
DISCONNECTED_S = 0.8
"""[s] A device that can vanish counts as disconnected after this time without a block. Shorter than
the time after which the daemon takes this process for hung."""
LOCK_PATIENCE_S = ORPHAN_S + 1.5
"""[s] How long to wait for the device of a daemon that died, whose audio process still plays."""


@dataclass(slots=True)
class Helper:
    """The work of the helper thread around a running engine."""

    engine: Engine
    link: socket.socket
    rigs: LoadedRigs

    def load(self, request: PlayRig) -> None:
        """Load and verify a rig and make it the engine's next; report a failure to the daemon."""
        engine = self.engine
        try:
            built_for = request.rate_hz, request.block_frames, request.outputs
            if built_for != (engine.rate_hz, engine.block_frames, engine.outputs):
                raise ValueError(  # noqa: TRY301
                    f"built for {request.rate_hz} Hz, {request.block_frames} frames and "
                    f"{request.outputs} outputs, not for this device"
                )
            self.rigs.load(request)
            engine.offer(self.rigs.activate(request.rig_id, request.controls))
        except Exception as error:
            send_frame(self.link, RigFailed(request.rig_id, f"{type(error).__name__}: {error}"))

    def prepare(self, request: PrepareRig) -> None:
        """Load the programs of a rig; what is wrong with it is reported when it is played."""
        with suppress(Exception):
            self.rigs.prepare(request)

    def maintain(self) -> None:
        """Free the rigs that no longer play, and refill used reserve states.

        They have been retired by the engine, or another one was offered before it took them.
        """
        self.engine.retired.clear()
        # In this order: a rig that the engine takes meanwhile is one of the active rigs.
        pending = self.engine.pending_rig
        active = self.engine.active_rigs
        self.rigs.keep_only({rig.rig_id for rig in (pending, *active) if rig is not None})
        for rig in active:
            self.rigs.refill_reserve(rig)


def _fade_out(engine: Engine, device: Device) -> None:
    engine.stopping = True
    limit = time.monotonic() + 1.0
    while not engine.is_stopped and not device.failure and time.monotonic() < limit:
        time.sleep(0.005)


def _serve(helper: Helper, device: Device) -> int:
    """Load rigs until told to stop; return the exit status."""
    engine, link = helper.engine, helper.link
    orphaned_at: float | None = None
    failed = [device.failure_fd] if device.failure_fd >= 0 else []
    while True:
        waiting: list[Any] = failed if orphaned_at else [link, *failed]
        ready, _, _ = select.select(waiting, [], [], POLL_S)
        if link in ready:
            try:
                request = receive_frame(link)
            except (EOFError, OSError):
                orphaned_at = time.monotonic()
                continue
            if isinstance(request, StopProcess):
                break
            if isinstance(request, PrepareRig):
                helper.prepare(request)
            else:
                helper.load(request)
        helper.maintain()
        failure = device.failure
        if not failure and device.may_vanish and engine.idle_s > DISCONNECTED_S:
            # PortAudio does not report that JACK's server has died; its callbacks just cease.
            failure = f"device {device.name!r} disconnected: no block for {DISCONNECTED_S:g} s"
        if failure:
            with suppress(OSError):
                send_frame(link, DeviceFailed(failure))
            drop_realtime_priority()
            # Closing the device could block for ever on a dead server.
            os._exit(1)
        if orphaned_at and time.monotonic() - orphaned_at > ORPHAN_S:
            break
    _fade_out(engine, device)
    return 0


def _wait_as_standby(link: socket.socket, rigs: LoadedRigs) -> OpenDevice | None:
    """Keep the newest rig loaded until a device is to be opened; None when the daemon is gone."""
    while True:
        try:
            request = receive_frame(link)
            if isinstance(request, PlayRig):
                try:
                    rigs.load(request)
                    rigs.keep_only({request.rig_id})
                except Exception as error:
                    reason = f"{type(error).__name__}: {error}"
                    send_frame(link, RigFailed(request.rig_id, reason))
                continue
        except (EOFError, OSError):
            return None
        return request if isinstance(request, OpenDevice) else None


def _start(
    arguments: AudioProcessArguments,
    request: OpenDevice,
    rigs: LoadedRigs,
    device: Device,
    player: PhrasePlayer | None,
) -> tuple[Engine, str]:
    """Start the engine on the device; return it, and why real-time priority was refused."""
    engine = Engine(
        device.rate_hz,
        device.block_frames,
        outputs=request.request.outputs,
        settings_fd=arguments.settings_fd,
        telemetry_fd=arguments.telemetry_fd,
        recording_fd=arguments.recording_fd,
        input_fd=arguments.input_fd,
        times=histogram.from_environment(),
    )
    if player is not None:
        player.frames_played = lambda: engine.frames_played
    if rigs.fits(request.rig_id, device.rate_hz, device.block_frames, engine.outputs):
        engine.pending_rig = rigs.activate(request.rig_id, request.controls)
    refused: list[str] = []
    has_begun = threading.Event()

    def first(block: NDArray[np.float32], out: NDArray[np.float32], *, xrun: bool = False) -> None:
        # The device's thread exists from its first call on; only it can raise its own priority.
        refused.append(take_realtime_priority())
        callback[0] = engine.process
        has_begun.set()
        # An xrun before this moment belongs to the start of the device and is not counted.
        engine.process(block, out, xrun=False)

    callback: list[Process] = [first]
    device.start(lambda block, out, *, xrun=False: callback[0](block, out, xrun=xrun))
    if not has_begun.wait(5.0):
        device.close()
        raise AudioError(f"device {device.name!r} opened but requests no sound")
    return engine, refused[0]


def _open(
    arguments: AudioProcessArguments, request: OpenDevice, rigs: LoadedRigs
) -> tuple[Device, Engine, str, DeviceLock]:
    """Open the device and start the engine; a rate that is only preferred may be refused.

    Raises: AudioError.
    """
    wanted = request.request
    device, player = open_device(wanted)
    lock = DeviceLock(device.lock_name, device.name, patience_s=LOCK_PATIENCE_S)
    try:
        device.prepare()
        return device, *_start(arguments, request, rigs, device, player), lock
    except AudioError:
        if not wanted.rate_is_wish or wanted.rate_hz is None:
            raise
        device.close()
    device, player = open_device(replace(wanted, rate_hz=None))
    device.prepare()
    return device, *_start(arguments, request, rigs, device, player), lock


def main(argv: list[str]) -> int:
    """Run the audio process. `argv`: one argument, the JSON of `AudioProcessArguments`."""
    setproctitle.setproctitle("nemod standby")
    arguments = AudioProcessArguments.from_json(argv[1])
    link = socket.socket(fileno=arguments.link_fd)
    for fd in (
        arguments.settings_fd,
        arguments.telemetry_fd,
        arguments.recording_fd,
        arguments.input_fd,
    ):
        if fd >= 0:
            os.set_blocking(fd, False)
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    memory_notice = lock_memory()
    warm_up_jax()
    preload()
    raise_helper_threads()
    gc.collect()
    gc.freeze()
    gc.disable()
    rigs = LoadedRigs()
    try:
        send_frame(link, ProcessReady())
    except OSError:
        return 0
    request = _wait_as_standby(link, rigs)
    if request is None:
        return 0
    setproctitle.setproctitle("nemod audio")
    cpu_latency = CpuLatencyLimit(request.request.cpu_latency_us)
    try:
        device, engine, priority_notice, lock = _open(arguments, request, rigs)
    except AudioError as error:
        # An ALSA device that is in use says so itself; PortAudio's errors do not.
        users = "" if "in use by" in str(error) else users_of_cards()
        send_frame(link, DeviceFailed(f"{error} ({users})" if users else str(error)))
        drop_realtime_priority()
        return 1
    machine = (memory_notice, priority_notice, cpu_latency.refused, governor_notice())
    notices = (*machine, *device.notices)
    send_frame(
        link,
        DeviceOpened(
            device=device.name,
            rate_hz=device.rate_hz,
            block_frames=device.block_frames,
            outputs=engine.outputs,
            latency_s=device.latency_s,
            counts_xruns=device.counts_xruns,
            notices=tuple(notice for notice in notices if notice),
            details=device.details,
            reopen_name=device.reopen_name,
            is_card=device.is_card,
        ),
    )
    try:
        return _serve(Helper(engine, link, rigs), device)
    except (BrokenPipeError, ConnectionError):
        _fade_out(engine, device)
        return 0
    finally:
        device.close()
        lock.release()
        cpu_latency.release()


if __name__ == "__main__":
    # A service manager signals all processes at once; the daemon stops its children in order.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(main(sys.argv))
