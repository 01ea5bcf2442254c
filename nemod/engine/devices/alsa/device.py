"""The ALSA device: one thread that reads a block, calls the engine and writes a block."""

import os
import threading
import time

import numpy as np

from nemod.common.errors import AudioError
from nemod.engine.devices.alsa.duplex import TRIAL_S, DuplexStream, Fault, Interrupted
from nemod.engine.devices.alsa.library import CAPTURE, PLAYBACK
from nemod.engine.devices.alsa.listing import busy_text
from nemod.engine.devices.alsa.pcm import RATES_HZ, Pcm, is_busy
from nemod.engine.devices.base import Process, output_block, rows_by_channels
from nemod.engine.devices.clock import ask_for_exact_timers
from nemod.engine.devices.names import Port, lasting_name
from nemod.engine.ipc import DeviceRequest
from nemod.engine.realtime import take_realtime_priority

START_S = 10.0
"""[s] Longest time from the start of the thread to the start of the card."""
END_S = 2.0
"""[s] How long the thread may take to end; a driver that hangs holds it for ever."""
LARGEST_GROWTH, LARGEST_FRAMES = 4, 1024
"""A buffer grows to this many times its size, and to this many frames in any case. What does not
run with that is played with xruns, which are counted: more latency would be no remedy."""
SHORTEST_TRIAL_S = TRIAL_S / 4.0
"""[s] What plays the silence before the sound in less time has no clock, as ALSA's plug-ins `null`
and `file`: its thread would never wait, and at real-time priority stop the machine."""
DRIFT = (
    "input and output are two cards: each has a clock of its own, and their drift is not "
    "corrected. When their buffers have drifted apart, one xrun realigns them; --periods 4 makes "
    "that rarer"
)


class AlsaDevice:
    """A card's input and output, or those of two cards."""

    may_vanish = True
    counts_xruns = True

    def __init__(self, source: Port, sink: Port, request: DeviceRequest) -> None:
        """Nothing is opened yet."""
        self.name = sink.base
        self.reopen_name = "" if request.input_name else lasting_name(sink)
        self.block_frames = request.block_frames
        self.rate_hz = request.rate_hz or 0
        self.failure = ""
        self.failure_fd = -1
        self.notices: tuple[str, ...] = ()
        self.details = ""
        # A plug-in may mix several outputs; a card's input belongs to one process in any case.
        self.lock_name = f"ALSA/{source.pcm}"
        self.is_card = bool(source.card_id and sink.card_id)
        self._request = request
        self._ports = source, sink
        self._outputs: tuple[int, ...] = ()
        self._periods = request.periods
        self._stream: DuplexStream | None = None
        self._pcms: tuple[Pcm, ...] = ()
        self._channels: tuple[int, ...] = ()
        self._stops = False
        self._has_begun = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def latency_s(self) -> float:
        """[s] What waits in both buffers, as the driver states it."""
        return self._stream.latency_frames / self.rate_hz if self._stream is not None else 0.0

    # --- opening ---------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Open both directions and choose rate, format, period and buffer. Raises: AudioError."""
        source, sink = self._ports
        capture = self._open(source, CAPTURE)
        try:
            playback = self._open(sink, PLAYBACK)
            try:
                self._set_up(capture, playback)
            except AudioError:
                playback.close()
                raise
        except AudioError:
            capture.close()
            raise

    def _open(self, port: Port, direction: int) -> Pcm:
        try:
            return Pcm(port.pcm, direction, port.base)
        except AudioError as error:
            if is_busy(error):
                raise AudioError(busy_text(port.base, port.pcm)) from None
            raise

    def _set_up(self, capture: Pcm, playback: Pcm) -> None:
        request = self._request
        self.rate_hz = request.rate_hz or _common_rate(capture, playback)
        most = playback.abilities().channels_max
        outputs = request.output_channels or ((1, 2) if most > 1 else (1,))
        self._outputs = tuple(channel - 1 for channel in outputs)
        self._channels = request.input_channel, max(outputs)
        self._pcms = capture, playback
        self._choose_sizes()

    def _choose_sizes(self) -> None:
        """Set both directions up for the present number of periods. Raises: AudioError."""
        for pcm, channels in zip(self._pcms, self._channels, strict=True):
            pcm.set_up(
                rate_hz=self.rate_hz,
                channels=channels,
                # As many as in the other direction: some cards have one count for both.
                preferred=max(2, *self._channels),
                block_frames=self.block_frames,
                periods=self._periods,
            )
        capture, playback = self._pcms
        self._stream = DuplexStream(
            capture,
            playback,
            block_frames=self.block_frames,
            periods=self._periods,
            title=self.name,
        )
        self.notices = self._differences(self._stream)
        self.details = f"in {capture.description}; out {playback.description}"

    def _differences(self, stream: DuplexStream) -> tuple[str, ...]:
        """Return what is not as it was asked for, in sentences."""
        block, wanted = self.block_frames, self._request.periods * self.block_frames
        notices = []
        sizes = {pcm.period_frames for pcm in self._pcms}
        if sizes != {block}:
            have = " and ".join(str(size) for size in sorted(sizes))
            notices.append(f"the card has periods of {have} frames, not {block}")
        if stream.prefill_frames != wanted:
            latency_ms = 1e3 * stream.prefill_frames / self.rate_hz
            notices.append(
                f"the card needs a buffer of {stream.prefill_frames} frames, not {wanted}: "
                f"the latency is {latency_ms:.1f} ms"
            )
        source, sink = self._ports
        if source.pcm != sink.pcm and (not source.card_id or source.card_id != sink.card_id):
            notices.append(DRIFT)
        return tuple(notices)

    # --- playing ---------------------------------------------------------------------------------

    def start(self, process: Process) -> None:
        """Start the card and begin to call `process`. Raises: AudioError."""
        if self._stream is None:
            self.prepare()
        self.failure_fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._thread = threading.Thread(
            target=self._run, args=(process,), name="nemod alsa", daemon=True
        )
        self._thread.start()
        if not self._has_begun.wait(START_S):
            raise AudioError(f"the device {self.name!r} does not start within {START_S:g} s")
        if self.failure:
            raise AudioError(self.failure)

    def _run(self, process: Process) -> None:
        try:
            ask_for_exact_timers()
            if self._ports[1].card_id:
                # Why that may be refused is reported by whoever starts the device.
                take_realtime_priority()
            stream = self._begin()
            self._has_begun.set()
            self._play(stream, process)
        except Fault as fault:
            self._fail(str(fault))
        except Exception as error:
            # Otherwise the thread would end unreported and the output stay silent.
            self._fail(f"the device {self.name!r} failed: {type(error).__name__}: {error}")
        self._has_begun.set()

    def _fail(self, reason: str) -> None:
        self.failure = reason
        os.eventfd_write(self.failure_fd, 1)

    def _begin(self) -> DuplexStream:
        """Start the card, with the next larger buffer where it does not keep up. Raises: Fault."""
        wanted = self._request.periods * self.block_frames
        limit, last = max(LARGEST_GROWTH * wanted, LARGEST_FRAMES), 0
        while True:
            stream = self._stream
            assert stream is not None
            frames, began = stream.prefill_frames, time.monotonic()
            if stream.try_out():
                if time.monotonic() - began < SHORTEST_TRIAL_S:
                    raise Fault(
                        f"the device {self.name!r} has no clock: it takes sound as fast as it is "
                        "given; choose a sound card"
                    )
                return stream
            if frames <= last or frames >= limit:
                return stream
            last = frames
            self._periods += max(1, self._periods // 2)
            try:
                self._choose_sizes()
            except AudioError as error:
                raise Fault(str(error)) from None

    def _play(self, stream: DuplexStream, process: Process) -> None:
        """Call the engine once a block until `close`. Thread: audio. Raises: Fault."""
        block = np.zeros(self.block_frames, np.float32)
        out = output_block(self._request.outputs, self.block_frames)
        rows = rows_by_channels(self._outputs, out)
        channel = self._request.input_channel - 1
        captured, played = stream.frames
        xrun = False
        while not self._stops:
            try:
                stream.read()
                captured.read(channel, block)
                process(block, out, xrun=xrun)
                xrun = False
                for outputs, row in rows:
                    played.write(outputs, row)
                stream.write()
            except Interrupted as interrupted:
                stream.recover(interrupted.code)
                xrun = True

    def close(self) -> None:
        """Stop and release the card."""
        self._stops = True
        if self._thread is not None:
            self._thread.join(END_S)
            if self._thread.is_alive():
                return  # the driver hangs, and closing would hang, too
        if self._stream is not None:
            self._stream.close()
            self._stream = None
        if self.failure_fd >= 0:
            os.close(self.failure_fd)
            self.failure_fd = -1


def _common_rate(capture: Pcm, playback: Pcm) -> int:
    """Return the preferred rate [Hz] that both directions have. Raises: AudioError."""
    both = set(capture.abilities().rates_hz) & set(playback.abilities().rates_hz)
    for rate_hz in RATES_HZ:
        if rate_hz in both or (capture.has_rate(rate_hz) and playback.has_rate(rate_hz)):
            return rate_hz
    if not both:
        raise AudioError(
            f"the input of {capture.title!r} and the output of {playback.title!r} have no sample "
            "rate in common"
        )
    return max(both)
