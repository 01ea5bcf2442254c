"""What the model switcher and the supervisor need of each other and of their neighbours.

Protocols, so that each of them runs in the tests with the others in memory. Thread: control.
"""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from nemod.builder.messages import BuildFailure, BuildRequest, BuildResult
from nemod.engine.ipc import DeviceOpened, PlayRig, PrepareRig

Controls = NDArray[np.float32]
"""[n] The controls of a rig, in the order of its layout."""


class SupervisorCallbacks(Protocol):
    """What the supervisor asks and reports; implemented by the model switcher."""

    def rig_to_play(self) -> tuple[PlayRig, Controls] | None:
        """Return the rig that an audio process starts with, and its controls."""
        ...

    def device_opened(self, device: DeviceOpened) -> None:
        """Called when the device starts running, for the first time or again."""
        ...

    def rig_heard(self, rig_id: int) -> None:
        """Called with the rig that is heard alone, once per telemetry record."""
        ...

    def rig_failed(self, rig_id: int, reason: str) -> None:
        """Called when the audio process could not load or verify a rig."""
        ...

    def audio_process_lost(self, reason: str, *, rig_suspected: bool) -> None:
        """Called when the audio process has ended; `rig_suspected`: its rig may be the cause."""
        ...


class Builder(Protocol):
    """Builds rigs; in the daemon `nemod.daemon.child_processes.BuilderProcess`."""

    async def build(self, request: BuildRequest) -> BuildResult | BuildFailure:
        """Return the rig, or why there is none."""
        ...


class AudioOutput(Protocol):
    """The audio process as the switcher uses it; in the daemon the supervisor."""

    @property
    def device(self) -> DeviceOpened | None:
        """The device that was opened last."""
        ...

    @property
    def is_playing(self) -> bool:
        """Whether an audio process has the device open."""
        ...

    async def play(self, rig: PlayRig) -> None:
        """Send a rig. Raises: ConnectionError when there is no audio process."""
        ...

    async def prepare(self, rig: PrepareRig) -> None:
        """Have the programs of a rig loaded that may be played soon."""
        ...

    def send_settings(self, rig_id: int, controls: Controls) -> None:
        """Send the controls [n] of a rig."""
        ...

    def panic(self) -> None:
        """Fade to silence at once and empty all effects; the rig then plays on."""
        ...

    async def wait_for_device(self) -> None:
        """Return when a device was opened for the first time."""
        ...


class FaultLog(Protocol):
    """Remembers which models cannot be played; in the daemon the library."""

    def problem(self, name: str) -> str:
        """Return why a model is known to be unplayable, or nothing."""
        ...

    def mark_unplayable(self, name: str, reason: str) -> None:
        """Mark a model until its file changes; an empty reason removes the mark. Thread: any."""
        ...
