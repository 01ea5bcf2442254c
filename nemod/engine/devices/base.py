"""What calls the engine: one interface for the sound card and for the clocked devices."""

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from nemod.common.errors import AudioError
from nemod.engine.devices.clock import ClockedDevice
from nemod.engine.devices.demo import phrase
from nemod.engine.ipc import DeviceRequest

Block = NDArray[np.float32]
Process = Callable[..., None]
"""(block [frames], out [frames], *, xrun: bool) -> None; see `nemod.engine.engine.Engine`."""

DEMO = "demo"
NULL = "null"
CLOCK_RATE_HZ = 48_000
"""[Hz] Of a clocked device, unless another is asked for."""


class Device(Protocol):
    """A device that is ready to run. Thread: control, but for the calls that it makes."""

    name: str
    rate_hz: int
    block_frames: int
    may_vanish: bool
    """Whether it is something that can be pulled out or switched off."""
    lock_name: str
    """What only one daemon may have at a time; nothing where any number may. See `lock`."""

    def start(self, process: Process) -> None:
        """Begin to call `process` once a block, on a thread of the device's own.

        Raises: AudioError when the device cannot be had.
        """
        ...

    @property
    def latency_s(self) -> float:
        """[s] From the guitar's jack to the speaker's, as far as the device tells."""
        ...

    @property
    def failure(self) -> str:
        """Why the device no longer runs, or nothing."""
        ...

    def close(self) -> None:
        """Stop calling and give the device back."""
        ...


class PhrasePlayer:
    """The demo's source: the phrase, round and round, from the moment that a rig plays it."""

    def __init__(self, rate_hz: int) -> None:
        self._phrase = phrase(rate_hz)
        self.frames_played: Callable[[], int] = lambda: 0
        """Set by the owner of the engine: how far the rig has come."""

    def fill(self, block: Block) -> None:
        """Write the next frames [frames]. Thread: audio."""
        self._phrase.take(
            range(start := self.frames_played(), start + block.size), mode="wrap", out=block
        )


def open_device(request: DeviceRequest) -> tuple[Device, PhrasePlayer | None]:
    """Return the device by name, and the phrase that the demo feeds it.

    Raises: AudioError when no device, or more than one, has that name.
    """
    block = request.block_frames
    if request.name == NULL:
        rate = request.rate_hz or CLOCK_RATE_HZ
        return ClockedDevice(NULL, rate, block, lambda into: into.fill(0.0)), None
    if request.name == DEMO:
        return _open_demo(request)
    from nemod.engine.devices.portaudio import open_stream

    return open_stream(request), None


def _open_demo(request: DeviceRequest) -> tuple[Device, PhrasePlayer]:
    """The phrase goes to the default output, or to a clock where there is no sound card."""
    try:
        from nemod.engine.devices.portaudio import default_output, open_stream

        output = default_output()
    except AudioError:
        output = None
    if output is None:
        rate = request.rate_hz or CLOCK_RATE_HZ
        player = PhrasePlayer(rate)
        return ClockedDevice(DEMO, rate, request.block_frames, player.fill), player
    stream = open_stream(request, demo_output=output)
    player = PhrasePlayer(stream.rate_hz)
    stream.source = player.fill
    return stream, player
