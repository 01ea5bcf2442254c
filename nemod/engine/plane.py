"""The audio plane's process: a device, the engine, and a helper thread that loads rigs.

Threads: the device's own runs `Engine.process`; the main thread is the helper: it loads and proves
new rigs, frees old ones, lays out spare states, and talks to the control plane.
"""

import ctypes
import gc
import hashlib
import os
import pickle
import resource
import select
import socket
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import setproctitle
from numpy.typing import NDArray

from nemod.engine.devices import Device, PhrasePlayer, Process, open_device
from nemod.engine.engine import Engine, Playing
from nemod.engine.link import (
    DeviceFailed,
    Opened,
    PlaneArguments,
    Play,
    Rig,
    RigFailed,
    Stop,
    receive_frame,
    send_frame,
)
from nemod.engine.loading import load_part, load_rig
from nemod.engine.rig import Loaded, Program, wake_up
from nemod.errors import AudioError

POLL_S = 0.02
"""[s] How often the helper thread looks after the engine."""
ORPHAN_S = 3.0
"""[s] How long the sound goes on when the control plane is gone."""
GONE_S = 2.0
"""[s] Without a block from the device, it counts as gone."""
SWITCH_INTERVAL_S = 0.0005
"""[s] The interpreter hands over to the audio thread at least this often."""
FIFO_PRIORITY = 70
"""Above everything but the kernel's own threads and JACK's server."""

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


def raise_pool() -> None:
    """Give XLA's pool the audio thread's priority, just below it, where the system allows.

    The largest convolutional models still hand it a kernel now and then, and the audio thread
    waits for that one.
    """
    for task in Path("/proc/self/task").iterdir():
        with suppress(OSError):
            if (task / "comm").read_text(encoding="utf-8").startswith("tf_XLAEigen"):
                parameters = os.sched_param(FIFO_PRIORITY - 1)
                os.sched_setscheduler(int(task.name), os.SCHED_FIFO, parameters)


@dataclass(slots=True)
class Helper:
    """The main thread's part: everything around the engine that may take its time."""

    engine: Engine
    link: socket.socket
    loaded: dict[int, Loaded] = field(default_factory=dict)
    """Rigs by number, from which spare states are made."""
    programs: dict[bytes, Program] = field(default_factory=dict)
    """Loaded programs by the hash of their code. They are kept as long as the process lives: to
    unload one holds the interpreter for some 10 ms, which is a dropout; one takes under 1 MB."""

    def load(self, order: Play) -> None:
        """Load a rig, play one block of proof, and lay it before the engine."""
        try:
            frames = self.engine.block_frames
            rig = load_rig(pickle.loads(order.rig), frames, self._program)
            silence = np.zeros(frames, np.float32)
            _, sound = rig.call(rig.weights, rig.controls, rig.fresh(), silence)
            proof = np.asarray(sound)
            if proof.shape != (frames + 3,) or not np.isfinite(proof).all():
                raise ValueError(f"the proof block came out as {proof.shape}, or not finite")  # noqa: TRY301
            states = rig.fresh(), rig.fresh()
        except Exception as error:
            send_frame(self.link, RigFailed(order.rig_id, f"{type(error).__name__}: {error}"))
            return
        self.loaded[order.rig_id] = rig
        self.engine.slot = Playing(order.rig_id, rig.call, rig.weights, states, rig.controls)

    def _program(self, rig: Rig, frames: int) -> Program:
        digest = hashlib.sha256(rig.executable).digest()
        if digest not in self.programs:
            self.programs[digest] = load_part(rig, frames)
        return self.programs[digest]

    def look_after(self) -> None:
        """Free what the engine gave back; lay out a spare state where one was used."""
        while self.engine.tray:
            gone = self.engine.tray.popleft()
            self.loaded.pop(gone.rig_id, None)
            del gone
        for rig in self.engine.playing:
            if rig.spare is None and rig.rig_id in self.loaded:
                rig.spare = self.loaded[rig.rig_id].fresh()


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
            if isinstance(order, Stop):
                break
            helper.load(order)
        helper.look_after()
        failure = device.failure
        if not failure and engine.quiet_s > GONE_S:
            # PortAudio does not tell when JACK's server has died; it only calls no more.
            failure = f"the device {device.name!r} has gone: no block for {GONE_S:g} s"
        if failure:
            send_frame(link, DeviceFailed(failure))
            # A dead server may never answer a goodbye.
            os._exit(1)
        if orphaned_at and time.monotonic() - orphaned_at > ORPHAN_S:
            break
    _fade_out(engine, device)
    return 0


def _start(
    arguments: PlaneArguments, device: Device, player: PhrasePlayer | None
) -> tuple[Engine, str]:
    """Start the engine on the device, in silence; return it and what priority was refused."""
    engine = Engine(
        device.rate_hz,
        device.block_frames,
        settings_fd=arguments.settings_fd,
        report_fd=arguments.report_fd,
        tape_fd=arguments.tape_fd,
    )
    if player is not None:
        player.frames_played = lambda: engine.frames_played
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


def _open(arguments: PlaneArguments) -> tuple[Device, Engine, str]:
    """Open the device and start the engine; a rate that is only a wish may be refused.

    Raises: AudioError.
    """
    request = arguments.request
    device, player = open_device(request)
    try:
        return device, *_start(arguments, device, player)
    except AudioError:
        if not request.rate_is_wish or request.rate_hz is None:
            raise
    device, player = open_device(replace(request, rate_hz=None))
    return device, *_start(arguments, device, player)


def main(argv: list[str]) -> int:
    """Run the audio plane. `argv`: one argument, the JSON of `PlaneArguments`."""
    setproctitle.setproctitle("nemod audio")
    arguments = PlaneArguments.from_json(argv[1])
    link = socket.socket(fileno=arguments.link_fd)
    for fd in (arguments.settings_fd, arguments.report_fd, arguments.tape_fd):
        if fd >= 0:
            os.set_blocking(fd, False)
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    memory = lock_memory()
    wake_up()
    raise_pool()
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        device, engine, priority = _open(arguments)
    except AudioError as error:
        send_frame(link, DeviceFailed(str(error)))
        return 1
    send_frame(
        link,
        Opened(
            device=device.name,
            rate_hz=device.rate_hz,
            block_frames=device.block_frames,
            latency_s=device.latency_s,
            notices=tuple(notice for notice in (memory, priority) if notice),
        ),
    )
    try:
        return _serve(Helper(engine, link), device)
    except (BrokenPipeError, ConnectionError):
        _fade_out(engine, device)
        return 0
    finally:
        device.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv))
