"""Runs the tuner on the input of the audio process, while it is enabled."""

import asyncio
import os
import threading
from collections.abc import Callable
from contextlib import suppress

import numpy as np
import structlog

from nemod.control.control_vector import TUNER
from nemod.control.events import NO_READING, Changed, EventStream, TunerReading
from nemod.control.settings import TUNER_REFERENCE, Settings
from nemod.engine.ipc import enlarge_pipe
from nemod.parameters.table import param
from nemod.tuner.tuner import HOP_S, Tuner

SILENT_POLLS = 5
"""Polls in a row without input, as there is no device, after which the display goes empty."""
_READ_BYTES = 1 << 20

log = structlog.get_logger("nemod")


class _Input:
    """One opening of the device: what it sends belongs together. Immutable."""

    def __init__(self, rate_hz: int) -> None:
        self.rate_hz = rate_hz


class TunerThread:
    """Follows `tuner/enable` and `tuner/ref` and publishes readings, at most one each 50 ms.

    The thread looks at the pipe twenty times a second, not with every block. Thread: control,
    unless stated.
    """

    def __init__(
        self, settings: Settings, events: EventStream, stream_input: Callable[[bool], None]
    ) -> None:
        """`stream_input` starts and stops the stream that arrives in `input_w`."""
        self.reading = NO_READING
        """The last reading; empty while the tuner is off."""
        self._fd, self.input_w = os.pipe()
        os.set_blocking(self._fd, False)
        enlarge_pipe(self.input_w)
        self._settings = settings
        self._events = events
        self._stream_input = stream_input
        self._input: _Input | None = None
        self._reference_hz = self._reference()
        self._thread: threading.Thread | None = None
        self._stop: threading.Event | None = None
        """Set to end the thread; None while the tuner is off."""
        self._changes = events.subscribe((Changed,), wake=self._follow)

    def device_opened(self, rate_hz: int) -> None:
        """Start anew on the input of a device that was opened."""
        self._input = _Input(rate_hz)

    def close(self) -> None:
        """End the thread. The audio process must have ended."""
        self._changes.close()
        if self._stop is not None:
            self._stop.set()
        if self._thread is not None:
            self._thread.join()
        os.close(self._fd)
        os.close(self.input_w)

    def _reference(self) -> float:
        return param(TUNER_REFERENCE).value(self._settings.get(TUNER_REFERENCE))

    def _follow(self) -> None:
        """Start or stop when a setting of the tuner has changed."""
        changed = {event.path for event in self._changes.take() if isinstance(event, Changed)}
        if TUNER_REFERENCE in changed:
            self._reference_hz = self._reference()
        if TUNER not in changed:
            return
        is_on = self._settings.get(TUNER) >= 0.5
        if is_on and self._stop is None:
            self._start()
        elif not is_on and self._stop is not None:
            self._stop.set()
            self._stop = None
            self._stream_input(False)
            self._set(NO_READING)

    def _start(self) -> None:
        stop = self._stop = threading.Event()
        loop, before = asyncio.get_running_loop(), self._thread

        def publish(reading: TunerReading) -> None:
            if stop is self._stop:
                self._set(reading)

        def send(reading: TunerReading) -> None:
            with suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(publish, reading)

        def run() -> None:
            if before is not None:
                before.join()
            try:
                self._run(stop, send)
            except Exception as error:
                log.exception("tuner ended, switch it off and on again", reason=str(error))
                send(NO_READING)

        self._thread = threading.Thread(target=run, name="nemod tuner", daemon=True)
        self._thread.start()
        self._stream_input(True)

    def _set(self, reading: TunerReading) -> None:
        if reading != self.reading:
            self.reading = reading
            self._events.publish(reading)

    # --- the thread ------------------------------------------------------------------------------

    def _run(self, stop: threading.Event, send: Callable[[TunerReading], None]) -> None:
        """Read, analyse and send readings until stopped. Thread: the tuner's own."""
        self._read()  # what is left from before
        tuner: Tuner | None = None
        heard: _Input | None = None
        part, silent = b"", 0
        while not stop.wait(HOP_S):
            data = self._read()
            if heard is not self._input or silent >= SILENT_POLLS:
                # Another device, or a gap: nothing of what came before belongs to what follows.
                heard, tuner, part = self._input, None, b""
                if silent < SILENT_POLLS:
                    data = b""
            silent = 0 if data else silent + 1
            if silent == SILENT_POLLS:
                send(NO_READING)
            if not data or heard is None:
                continue
            if tuner is None:
                tuner = Tuner(heard.rate_hz)
            tuner.reference_hz = self._reference_hz
            data = part + data
            whole = len(data) - len(data) % 4
            part = data[whole:]
            reading = tuner.push(np.frombuffer(data[:whole], np.float32))
            if reading is not None:
                send(TunerReading(*reading))

    def _read(self) -> bytes:
        """Return what has arrived. Thread: the tuner's own."""
        try:
            return os.read(self._fd, _READ_BYTES)
        except BlockingIOError:
            return b""
