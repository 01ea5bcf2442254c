"""The audio plane's process: a device, the engine, and a helper thread that loads rigs.

It begins as a spare: it wakes jax, loads what it may have to play, and waits. Told to take a
device it opens it and plays at once.

Threads: the device's own runs `Engine.process`; the main thread is the helper: it loads and proves
new rigs, frees old ones, lays out spare states, and talks to the control plane.
"""

import ctypes
import gc
import os
import resource
import select
import signal
import socket
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import setproctitle
from numpy.typing import NDArray

from nemod.common.errors import AudioError
from nemod.engine import histogram
from nemod.engine.cpu_latency import CpuLatencyLimit
from nemod.engine.devices.base import Device, Process
from nemod.engine.devices.demo import PhrasePlayer
from nemod.engine.devices.factory import open_device
from nemod.engine.devices.lock import DeviceLock, users_of_cards
from nemod.engine.engine import Engine
from nemod.engine.ipc import (
    AudioProcessArguments,
    DeviceFailed,
    DeviceOpened,
    OpenDevice,
    PlayRig,
    ProcessReady,
    RigFailed,
    StopProcess,
    receive_frame,
    send_frame,
)
from nemod.engine.loaded_rigs import LoadedRigs
from nemod.engine.rig import wake_up

POLL_S = 0.02
"""[s] How often the helper thread looks after the engine."""
ORPHAN_S = 3.0
"""[s] How long the sound goes on when the control plane is gone."""
GONE_S = 0.8
"""[s] Without a block from a device that can vanish, it counts as gone. Less than the time after
which the control plane takes this process for hung."""
LOCK_PATIENCE_S = ORPHAN_S + 1.5
"""[s] How long the audio plane of a daemon that died is waited for."""
SWITCH_INTERVAL_S = 5e-6
"""[s] How long the audio thread asks for the interpreter before another thread must give it up.

A block asks for it several times, after each system call and each program, so this counts
several times over: at 0.5 ms every third switch of models made a block late."""
FIFO_PRIORITY = 70
"""Above everything but the kernel's own threads and JACK's server."""
HELPER_PRIORITY = 10
"""Of all other threads of the process. They hold the interpreter at times, and the audio thread
waits until they let go: a program without priority must not take the processor from them then."""

_MCL_CURRENT, _MCL_FUTURE, _MCL_ONFAULT = 1, 2, 4
_LIMITS = (
    "give the user the limits of audio work: two lines, '@audio - rtprio 95' and "
    "'@audio - memlock unlimited', in /etc/security/limits.d/audio.conf, the user in the group "
    "audio, and a new login"
)


def lock_memory() -> str:
    """Keep the process in memory, or return why not and what helps. Pages lock as they are used."""
    soft, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    if soft != resource.RLIM_INFINITY and os.geteuid() != 0:
        # Locking all that is mapped later would make allocations fail at the limit.
        return f"memory is not locked (the limit is {soft} bytes): {_LIMITS}"
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mlockall(_MCL_CURRENT | _MCL_FUTURE | _MCL_ONFAULT) != 0:
        return f"memory is not locked ({os.strerror(ctypes.get_errno())}): {_LIMITS}"
    return ""


def take_realtime_priority() -> str:
    """Schedule the calling thread as SCHED_FIFO, or return why not and what helps."""
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(FIFO_PRIORITY))
    except OSError as error:
        return f"no real-time priority for the audio thread ({error.strerror}): {_LIMITS}"
    return ""


def raise_others() -> None:
    """Schedule all threads that run so far, the calling one too, as SCHED_FIFO if that is allowed.

    XLA's pool runs just below the audio thread: the largest convolutional models still hand it a
    kernel now and then, and the audio thread waits for that one. The rest only ever hold a lock.
    """
    for task in Path("/proc/self/task").iterdir():
        with suppress(OSError):
            pool = (task / "comm").read_text(encoding="utf-8").startswith("tf_XLAEigen")
            parameters = os.sched_param(FIFO_PRIORITY - 1 if pool else HELPER_PRIORITY)
            os.sched_setscheduler(int(task.name), os.SCHED_FIFO, parameters)


@dataclass(slots=True)
class Helper:
    """The main thread's part: everything around the engine that may take its time."""

    engine: Engine
    link: socket.socket
    shelf: LoadedRigs

    def load(self, order: PlayRig) -> None:
        """Load a rig, play one block of proof, and lay it before the engine."""
        engine = self.engine
        try:
            if (order.rate_hz, order.block_frames) != (engine.rate_hz, engine.block_frames):
                made_for = f"{order.rate_hz} Hz, {order.block_frames} frames"
                raise ValueError(f"made for {made_for}, not for this device")  # noqa: TRY301
            self.shelf.load(order)
            engine.slot = self.shelf.playing(order.rig_id)
        except Exception as error:
            send_frame(self.link, RigFailed(order.rig_id, f"{type(error).__name__}: {error}"))

    def look_after(self) -> None:
        """Free what the engine gave back; lay out a spare state where one was used."""
        while self.engine.retired:
            gone = self.engine.retired.popleft()
            self.shelf.forget(gone.rig_id)
            del gone
        for rig in self.engine.playing:
            self.shelf.spare_state(rig)


def _fade_out(engine: Engine, device: Device) -> None:
    engine.leaving = True
    limit = time.monotonic() + 1.0
    while not engine.silent and not device.failure and time.monotonic() < limit:
        time.sleep(0.005)


def _serve(helper: Helper, device: Device) -> int:
    """Load rigs until told to stop; return the exit status."""
    engine, link = helper.engine, helper.link
    orphaned_at: float | None = None
    while True:
        ready, _, _ = select.select([] if orphaned_at else [link], [], [], POLL_S)
        if ready:
            try:
                order = receive_frame(link)
            except (EOFError, OSError):
                orphaned_at = time.monotonic()
                continue
            if isinstance(order, StopProcess):
                break
            helper.load(order)
        helper.look_after()
        failure = device.failure
        if not failure and device.may_vanish and engine.quiet_s > GONE_S:
            # PortAudio does not tell when JACK's server has died; it only calls no more.
            failure = f"the device {device.name!r} has gone: no block for {GONE_S:g} s"
        if failure:
            with suppress(OSError):
                send_frame(link, DeviceFailed(failure))
            # A dead server may never answer a goodbye.
            os._exit(1)
        if orphaned_at and time.monotonic() - orphaned_at > ORPHAN_S:
            break
    _fade_out(engine, device)
    return 0


def _wait(link: socket.socket, shelf: LoadedRigs) -> OpenDevice | None:
    """Keep the newest rig ready until a device is to be taken; None when none ever is."""
    while True:
        try:
            order = receive_frame(link)
            if isinstance(order, PlayRig):
                try:
                    shelf.load(order)
                    shelf.keep_only(order.rig_id)
                except Exception as error:
                    reason = f"{type(error).__name__}: {error}"
                    send_frame(link, RigFailed(order.rig_id, reason))
                continue
        except (EOFError, OSError):
            return None
        return order if isinstance(order, OpenDevice) else None


def _start(
    arguments: AudioProcessArguments,
    take: OpenDevice,
    shelf: LoadedRigs,
    device: Device,
    player: PhrasePlayer | None,
) -> tuple[Engine, str]:
    """Start the engine on the device; return it and what priority was refused."""
    engine = Engine(
        device.rate_hz,
        device.block_frames,
        settings_fd=arguments.settings_fd,
        report_fd=arguments.report_fd,
        tape_fd=arguments.tape_fd,
        times=histogram.from_environment(),
    )
    if player is not None:
        player.frames_played = lambda: engine.frames_played
    if shelf.fits(take.rig_id, device.rate_hz, device.block_frames):
        engine.slot = shelf.settled(take.rig_id, take.controls)
    refused: list[str] = []
    began = threading.Event()

    def first(block: NDArray[np.float32], out: NDArray[np.float32], *, xrun: bool = False) -> None:
        # The device's thread exists from its first call on; only it can raise its own priority.
        refused.append(take_realtime_priority())
        entry[0] = engine.process
        began.set()
        # What was late before this moment is the device's start, no dropout.
        engine.process(block, out, xrun=False)

    entry: list[Process] = [first]
    device.start(lambda block, out, *, xrun=False: entry[0](block, out, xrun=xrun))
    if not began.wait(5.0):
        device.close()
        raise AudioError(f"device {device.name!r} opened but asks for no sound")
    return engine, refused[0]


def _open(
    arguments: AudioProcessArguments, take: OpenDevice, shelf: LoadedRigs
) -> tuple[Device, Engine, str, DeviceLock]:
    """Open the device and start the engine; a rate that is only a wish may be refused.

    Raises: AudioError.
    """
    request = take.request
    device, player = open_device(request)
    lock = DeviceLock(device.lock_name, device.name, patience_s=LOCK_PATIENCE_S)
    try:
        return device, *_start(arguments, take, shelf, device, player), lock
    except AudioError:
        if not request.rate_is_wish or request.rate_hz is None:
            raise
    device, player = open_device(replace(request, rate_hz=None))
    return device, *_start(arguments, take, shelf, device, player), lock


def main(argv: list[str]) -> int:
    """Run the audio plane. `argv`: one argument, the JSON of `AudioProcessArguments`."""
    setproctitle.setproctitle("nemod spare")
    arguments = AudioProcessArguments.from_json(argv[1])
    link = socket.socket(fileno=arguments.link_fd)
    for fd in (arguments.settings_fd, arguments.report_fd, arguments.tape_fd):
        if fd >= 0:
            os.set_blocking(fd, False)
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    memory = lock_memory()
    wake_up()
    raise_others()
    gc.collect()
    gc.freeze()
    gc.disable()
    shelf = LoadedRigs()
    try:
        send_frame(link, ProcessReady())
    except OSError:
        return 0
    take = _wait(link, shelf)
    if take is None:
        return 0
    setproctitle.setproctitle("nemod audio")
    awake = CpuLatencyLimit(take.request.cpu_latency_us)
    try:
        device, engine, priority, lock = _open(arguments, take, shelf)
    except AudioError as error:
        users = users_of_cards()
        send_frame(link, DeviceFailed(f"{error} ({users})" if users else str(error)))
        return 1
    send_frame(
        link,
        DeviceOpened(
            device=device.name,
            rate_hz=device.rate_hz,
            block_frames=device.block_frames,
            latency_s=device.latency_s,
            counts_xruns=device.counts_xruns,
            notices=tuple(notice for notice in (memory, priority, awake.refused) if notice),
        ),
    )
    try:
        return _serve(Helper(engine, link, shelf), device)
    except (BrokenPipeError, ConnectionError):
        _fade_out(engine, device)
        return 0
    finally:
        device.close()
        lock.release()
        awake.release()


if __name__ == "__main__":
    # A service manager ends all processes at once; the control plane stops its children in order.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(main(sys.argv))
