"""Plays a sound into the daemon through JACK, and records what it plays."""

import contextlib
import os
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.parts.jackd import RATE

Sound = NDArray[np.float32]


class JackPlayer:
    """A JACK client that plays a sound into the daemon and records the daemon's outputs."""

    def __init__(self, outputs: int = 1) -> None:
        import jack

        self._client = jack.Client("guitar", no_start_server=True)
        self._out: Any = self._client.outports.register("out")
        self._ins: list[Any] = [
            self._client.inports.register(f"in_{number}") for number in range(outputs)
        ]
        self._sound: Sound = np.zeros(0, np.float32)
        self._recorded: Sound = np.zeros((0, outputs), np.float32)
        self._at = 0
        self.xruns = 0
        self._has_priority = False
        self._client.set_process_callback(self._process)
        self._client.set_xrun_callback(self._xrun)
        self._client.activate()
        sources, sink = self._daemon_ports()
        for port in self._client.get_all_connections(sink):
            self._client.disconnect(port, sink)  # the silence of system:capture_1
        self._client.connect(self._out, sink)
        for source, port in zip(sources, self._ins, strict=False):
            self._client.connect(source, port)

    def _daemon_ports(self) -> tuple[list[Any], Any]:
        """Return the output ports and the input port of the daemon."""
        end = time.monotonic() + 5.0
        while time.monotonic() < end:
            ours = [
                port
                for port in self._client.get_ports(is_audio=True)
                if not port.name.startswith(("system:", "guitar:"))
            ]
            sources = [port for port in ours if port.is_output]
            sinks = [port for port in ours if port.is_input]
            if len(sources) >= len(self._ins) and sinks:
                return sources, sinks[0]
            time.sleep(0.05)
        raise AssertionError("the daemon has no ports")

    def _process(self, frames: int) -> None:
        if not self._has_priority:
            self._has_priority = True
            with contextlib.suppress(OSError):
                os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(75))
        start, stop = self._at, min(self._at + frames, self._sound.size)
        out = self._out.get_array()
        out[:] = 0.0
        out[: stop - start] = self._sound[start:stop]
        for channel, port in enumerate(self._ins):
            self._recorded[start:stop, channel] = port.get_array()[: stop - start]
        self._at = stop

    def _xrun(self, delayed_usecs: float) -> None:
        self.xruns += 1

    def play(self, sound: Sound, during: Callable[[], None] = lambda: None) -> Sound:
        """Play a sound and return the output of the daemon meanwhile, of the same length.

        [frames], or [frames, outputs] of several.
        """
        self._sound, self._at = np.zeros(0, np.float32), 0
        self._recorded = np.zeros((sound.size, len(self._ins)), np.float32)
        self._sound = sound
        during()
        end = time.monotonic() + sound.size / RATE + 10.0
        while self._at < sound.size and time.monotonic() < end:
            time.sleep(0.05)
        assert self._at == sound.size, "JACK did not call the process callback"
        return self._recorded[:, 0] if len(self._ins) == 1 else self._recorded

    @property
    def remaining_frames(self) -> int:
        """Frames of the sound that were not played yet."""
        return self._sound.size - self._at

    def close(self) -> None:
        """Disconnect from the server."""
        self._client.deactivate()
        self._client.close()
