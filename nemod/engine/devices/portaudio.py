"""JACK through PortAudio, and cards where libasound is missing: all that imports sounddevice."""

import os
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from nemod.common.errors import AudioError
from nemod.engine.devices.base import Process, Source, output_block, rows_by_channels
from nemod.engine.devices.names import JACK, NO_CARD, Port, preference
from nemod.engine.ipc import DeviceRequest

REMEDY = (
    "install it (Debian, Raspberry Pi OS: apt install libportaudio2; Fedora: dnf install portaudio)"
)
FIRST_BLOCK_S = 1.0
"""[s] In which JACK makes its first call, and so tells its period."""
CARDS = Path("/proc/asound")

Frames = NDArray[np.float32]
"""[frames, channels] of one call."""


class _PortAudioStream(Protocol):
    """What is used of `sounddevice.Stream` and `sounddevice.OutputStream`."""

    latency: float | tuple[float, float]
    """[s] Of the output, or of input and output."""

    def start(self) -> None: ...

    def close(self, ignore_errors: bool = True) -> None: ...


def _sounddevice() -> Any:
    """Return the module, which has no types. Raises: AudioError."""
    try:
        import sounddevice
    except OSError as error:
        raise AudioError(f"PortAudio is not installed ({error}): {REMEDY}; {NO_CARD}") from None
    except Exception as error:  # its own error, whose class cannot be imported without it
        raise AudioError(f"PortAudio does not start ({error}): {NO_CARD}") from None
    return sounddevice


def list_ports() -> list[Port]:
    """Return every device that PortAudio lists.

    Raises: AudioError when PortAudio is not installed.
    """
    sd = _sounddevice()
    try:
        apis = [api["name"] for api in sd.query_hostapis()]
        devices = sd.query_devices()
    except sd.PortAudioError as error:
        raise AudioError(f"PortAudio cannot list the devices ({error}): {NO_CARD}") from None
    return [
        with_card_id(
            Port(
                index=index,
                name=device["name"],
                host_api=apis[device["hostapi"]],
                inputs=device["max_input_channels"],
                outputs=device["max_output_channels"],
                rate_hz=round(device["default_samplerate"]),
            )
        )
        for index, device in enumerate(devices)
    ]


def with_card_id(port: Port, cards: Path = CARDS) -> Port:
    """Return the port with ALSA's id of its card, if it is on one."""
    try:
        text = (cards / f"card{port.card}" / "id").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return port
    return replace(port, card_id=text.strip())


def default_output() -> Port | None:
    """Return the system's default output, or None where there is no sound card.

    Raises: AudioError when PortAudio is not installed.
    """
    sd = _sounddevice()
    ports = list_ports()
    apis = sorted(sd.query_hostapis(), key=lambda api: preference(api["name"]))
    for api in apis:
        index = int(api["default_output_device"])
        if index >= 0 and ports[index].outputs > 0:
            return ports[index]
    return None


class Stream:
    """A PortAudio stream that calls the engine."""

    def __init__(
        self, source: Port | None, sink: Port, request: DeviceRequest, rate_hz: int
    ) -> None:
        """Without `source` the input stays closed, and `self.source` fills the blocks."""
        self.name = sink.name
        self.rate_hz = rate_hz
        self.block_frames = request.block_frames
        self.source: Source | None = None
        self.failure = ""
        self.failure_fd = -1
        self.may_vanish = True
        self.is_card = False
        self.counts_xruns = True
        self.lock_name = self.reopen_name = self.details = ""
        self.notices: tuple[str, ...] = ()
        if source is not None:
            server = os.environ.get("JACK_DEFAULT_SERVER", "") if "JACK" in source.host_api else ""
            # Two daemons may share a mixing output; the same input twice is a mistake everywhere.
            parts = (source.host_api, server, source.name, str(request.input_channel))
            self.lock_name = "/".join(parts)
        self._ports = source, sink
        outputs = request.output_channels or ((1, 2) if sink.outputs > 1 else (1,))
        _check_channel("output", max(outputs), sink.outputs, sink.name)
        if source is not None:
            _check_channel("input", request.input_channel, source.inputs, source.name)
        self._input = request.input_channel - 1
        self._outputs = [channel - 1 for channel in outputs]
        self._out = output_block(request.outputs, request.block_frames)
        self._stream: _PortAudioStream | None = None
        self._closing = False
        self._has_period = threading.Event()
        self._uneven = 0
        """Frames that JACK's period has beyond whole blocks."""

    @property
    def latency_s(self) -> float:
        """[s] Input and output latency as PortAudio states them."""
        if self._stream is None:
            return 0.0
        latency = self._stream.latency
        return float(sum(latency)) if isinstance(latency, tuple) else float(latency)

    def prepare(self) -> None:
        """There is nothing to open before the start."""

    def start(self, process: Process) -> None:
        """Open the stream and begin to call `process`."""
        _, sink = self._ports
        if sink.host_api != JACK:
            self._open(process, self.block_frames)
            return
        # Asked for a size, PortAudio puts a buffer of one block between itself and JACK's period,
        # even where the two are equal. With JACK's own period it adds none.
        self._open(process, 0)
        self._has_period.wait(FIRST_BLOCK_S)
        if self._uneven:
            self.close()
            self._closing, self.failure = False, ""
            self._open(process, self.block_frames)

    def _open(self, process: Process, asked_frames: int) -> None:
        """Open and start; `asked_frames` 0 leaves the size of a call to the device."""
        sd = _sounddevice()
        size = self.block_frames
        block = np.zeros(size, np.float32)
        out, outputs = self._out, self._outputs
        rows = [
            (index, row) for indices, row in rows_by_channels(outputs, out) for index in indices
        ]
        channel = self._input

        def fits(frames: int) -> bool:
            self._uneven = frames % size if not self._has_period.is_set() else self._uneven
            self._has_period.set()
            if frames % size and not self._uneven:
                self.failure = f"the period of {self.name!r} became {frames} frames"
            return frames % size == 0

        def duplex(
            indata: Frames, outdata: Frames, frames: int, _when: object, status: object
        ) -> None:
            outdata.fill(0.0)
            if not fits(frames):
                return
            for start in range(0, frames, size):
                block[:] = indata[start : start + size, channel]
                process(block, out, xrun=bool(status) and not start)
                for index, row in rows:
                    outdata[start : start + size, index] = row

        def output(outdata: Frames, frames: int, _when: object, status: object) -> None:
            outdata.fill(0.0)
            if not fits(frames):
                return
            for start in range(0, frames, size):
                if self.source is not None:
                    self.source(block)
                process(block, out, xrun=bool(status) and not start)
                for index, row in rows:
                    outdata[start : start + size, index] = row

        def finished() -> None:
            if not self._closing:
                self.failure = f"the device {self.name!r} stopped"

        source, sink = self._ports
        common = {
            "samplerate": self.rate_hz,
            "blocksize": asked_frames,
            "dtype": "float32",
            "latency": "low",
            "finished_callback": finished,
        }
        stream: _PortAudioStream
        try:
            if source is None:
                stream = sd.OutputStream(
                    device=sink.index, channels=max(outputs) + 1, callback=output, **common
                )
            else:
                stream = sd.Stream(
                    device=(source.index, sink.index),
                    channels=(channel + 1, max(outputs) + 1),
                    callback=duplex,
                    **common,
                )
            self._stream = stream
            stream.start()
        except (sd.PortAudioError, ValueError) as error:
            self.close()
            raise AudioError(
                f"device {self.name!r} at {self.rate_hz} Hz, {self.block_frames} frames: {error}"
            ) from None

    def close(self) -> None:
        """Stop and close the stream."""
        self._closing = True
        if self._stream is not None:
            self._stream.close(ignore_errors=True)
            self._stream = None


def _check_channel(direction: str, channel: int, count: int, name: str) -> None:
    if not 1 <= channel <= count:
        raise AudioError(f"{direction} {channel} of {name!r}: allowed are 1 to {count}")


def open_stream(source: Port | None, sink: Port, request: DeviceRequest) -> Stream:
    """Return a stream to the ports of a device; without `source` to an output alone."""
    return Stream(source, sink, request, request.rate_hz or sink.rate_hz)
