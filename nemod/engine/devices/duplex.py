"""Plays a sound through a device and records its input in the same frames."""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from nemod.common.errors import AudioError
from nemod.engine.devices.base import Block, Device
from nemod.engine.devices.factory import open_device
from nemod.engine.ipc import DeviceRequest
from nemod.engine.realtime import SWITCH_INTERVAL_S

Sound = NDArray[np.float32]

SETTLE_S = 0.25
"""[s] Silence after opening: converters and drivers start with clicks and xruns."""
STALL_S = 3.0
"""[s] A device that has not called for this long has failed."""
_POLL_S = 0.02
_MAX_LATENCY_S = 10.0
"""[s] JACK states 2^32 frames where its clients are connected in a loop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DuplexRecording:
    """The recording of one pass."""

    recorded: Sound
    """[frames] As long as the sound; frame n was recorded in the block in which frame n of the
    sound was handed to the device, so it is late by the latency of the device and the cable."""
    rate_hz: int
    block_frames: int
    driver_latency_s: float | None
    """[s] Input and output latency as the driver states them; None if that is implausible."""
    xruns: int
    """Blocks for which the driver reported an underflow or overflow."""


def _plausible(latency_s: float) -> float | None:
    return latency_s if 0.0 <= latency_s <= _MAX_LATENCY_S else None


class _Job:
    """One pass: a sound and its recording so far."""

    __slots__ = ("at", "played", "recorded", "xruns")

    def __init__(self, played: Sound) -> None:
        self.played = played
        self.recorded = np.zeros(played.size, np.float32)
        self.at = 0
        self.xruns = 0


class Duplex:
    """An open device, silent between takes. Its latency is constant as long as it stays open.

    Thread: control, but for `_process`.
    """

    def __init__(self, request: DeviceRequest) -> None:
        """Open the device and let it settle.

        Raises: AudioError when the device cannot be opened, or does not call.
        """
        self._job: _Job | None = None
        self._blocks = 0
        device, _ = open_device(request)
        device.prepare()
        self._device: Device = device
        self.name = device.name
        self.rate_hz = device.rate_hz
        """[Hz] Of what is played and recorded."""
        self.block_frames = device.block_frames
        # The device's thread shares the interpreter with whoever evaluates what was recorded.
        self._interval_s = sys.getswitchinterval()
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        try:
            device.start(self._process)
            self._pass(np.zeros(max(1, round(SETTLE_S * self.rate_hz)), np.float32), None)
        except BaseException:
            self.close()
            raise

    def play_and_record(
        self, played: Sound, progress: Callable[[int], None] | None = None
    ) -> DuplexRecording:
        """Return what the device records while it plays `played` [frames], from its first frame.

        `progress` is called several times a second with the frames played so far. An exception in
        the meantime (Ctrl-C) ends the sound at once.

        Raises: AudioError when the device stops.
        """
        job = self._pass(np.ascontiguousarray(played, np.float32), progress)
        return DuplexRecording(
            recorded=job.recorded,
            rate_hz=self.rate_hz,
            block_frames=self.block_frames,
            driver_latency_s=_plausible(self._device.latency_s),
            xruns=job.xruns,
        )

    def _pass(self, played: Sound, progress: Callable[[int], None] | None) -> _Job:
        job = _Job(played)
        self._job = job
        blocks, alive = self._blocks, time.monotonic()
        try:
            while job.at < played.size:
                time.sleep(_POLL_S)
                if self._device.failure:
                    raise AudioError(f"{self._device.failure} during a take")
                if self._blocks != blocks:
                    blocks, alive = self._blocks, time.monotonic()
                elif time.monotonic() - alive > STALL_S:
                    raise AudioError(f"the device {self.name!r} has not called for {STALL_S:g} s")
                if progress is not None:
                    progress(job.at)
        finally:
            self._job = None
        return job

    def _process(self, block: Block, out: Block, *, xrun: bool) -> None:
        """Thread: audio."""
        self._blocks += 1
        out.fill(0.0)
        job = self._job
        if job is None:
            return
        start = job.at
        count = min(block.size, job.played.size - start)
        if count <= 0:
            return
        # With two outputs the same in both.
        out[..., :count] = job.played[start : start + count]
        job.recorded[start : start + count] = block[:count]
        job.xruns += xrun
        job.at = start + count

    def close(self) -> None:
        """Release the device."""
        self._device.close()
        sys.setswitchinterval(self._interval_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def play_and_record(request: DeviceRequest, played: Sound) -> DuplexRecording:
    """Open the device, play one sound [frames], and close it; see `Duplex` for several.

    Raises: AudioError when the device cannot be opened or stops.
    """
    with Duplex(request) as device:
        return device.play_and_record(played)
