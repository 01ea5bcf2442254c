"""A panic in a real audio process: what its output does."""

import asyncio
import fcntl
import os
import pickle
import time

import numpy as np

from nemod.builder.build import build
from nemod.builder.filled_chain import clean
from nemod.control.settings import Settings
from nemod.daemon.child_processes import AudioProcess
from nemod.engine.active_rig import SETTLE_S
from nemod.engine.ipc import DeviceOpened, DeviceRequest, OpenDevice, PlayRig, ProcessReady

RATE_HZ = 48_000
BLOCK = 64


def test_a_panic_silences_the_audio_process() -> None:
    """The demo plays; the silence begins soon and lasts until the rig has settled.

    How soon depends on what else the machine does; tests/engine/test_panic.py counts frames.
    """
    built = build(clean(), RATE_HZ, BLOCK, Settings({"reverb/mix": 0.5}))
    rig = PlayRig(rig_id=1, rig=pickle.dumps(built.shipped), rate_hz=RATE_HZ, block_frames=BLOCK)
    read, write = os.pipe()
    fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, 1 << 20)
    os.set_blocking(read, False)

    def recorded() -> np.ndarray:
        return np.frombuffer(os.read(read, 1 << 20), np.float32)

    async def scenario() -> tuple[np.ndarray, np.ndarray]:
        process = AudioProcess(lambda _record: None)
        await process.start(write)
        try:
            assert isinstance(await process.next_event(), ProcessReady)
            await process.play(rig)
            request = DeviceRequest(name="demo", rate_hz=RATE_HZ, block_frames=BLOCK)
            await process.open_device(OpenDevice(request=request, rig_id=1))
            assert isinstance(await process.next_event(), DeviceOpened)
            await asyncio.sleep(1.0)
            before = recorded()
            process.panic()
            time.sleep(0.5)
            return before, recorded()
        finally:
            await process.stop()

    try:
        before, after = asyncio.run(scenario())
    finally:
        os.close(read)
        os.close(write)
    assert np.abs(before[-RATE_HZ // 10 :]).max() > 0.01
    silent = np.flatnonzero(after)
    gaps = np.diff(silent)
    start = int(silent[np.argmax(gaps)])
    assert start < round(0.1 * RATE_HZ)
    assert gaps.max() >= round(SETTLE_S * RATE_HZ)
    assert np.abs(after[-RATE_HZ // 10 :]).max() > 0.001
