"""Sound cards and JACK through PortAudio: the only place that knows sounddevice."""

import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nemod.common.errors import AudioError, did_you_mean
from nemod.engine.ipc import DeviceRequest

REMEDY = (
    "install it (Debian, Raspberry Pi OS: apt install libportaudio2; Fedora: dnf install portaudio)"
)
JACK = "JACK Audio Connection Kit"
HOST_APIS = (JACK, "ALSA")
"""Preferred in this order: JACK owns the card where it runs, ALSA is nearest to it elsewhere."""
FIRST_BLOCK_S = 1.0
"""[s] In which JACK makes its first call, and so tells its period."""
NO_CARD = "the devices that need no sound card are 'demo' and 'null'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """One direction of a device, as PortAudio lists it."""

    index: int
    name: str
    host_api: str
    inputs: int
    outputs: int
    rate_hz: int


def _sounddevice() -> Any:
    try:
        import sounddevice
    except OSError as error:
        raise AudioError(f"PortAudio is not installed ({error}): {REMEDY}; {NO_CARD}") from None
    except Exception as error:  # its own error, of a class that cannot be had without it
        raise AudioError(f"PortAudio does not start ({error}): {NO_CARD}") from None
    return sounddevice


def list_ports() -> list[Port]:
    """Return everything that PortAudio sees.

    Raises: AudioError when PortAudio is not installed.
    """
    sd = _sounddevice()
    try:
        apis = [api["name"] for api in sd.query_hostapis()]
        devices = sd.query_devices()
    except sd.PortAudioError as error:
        raise AudioError(f"PortAudio does not tell its devices ({error}): {NO_CARD}") from None
    return [
        Port(
            index=index,
            name=device["name"],
            host_api=apis[device["hostapi"]],
            inputs=device["max_input_channels"],
            outputs=device["max_output_channels"],
            rate_hz=round(device["default_samplerate"]),
        )
        for index, device in enumerate(devices)
    ]


def default_output() -> Port | None:
    """Return where sound goes unasked, or None where there is no sound card.

    Raises: AudioError when PortAudio is not installed.
    """
    sd = _sounddevice()
    ports = list_ports()
    apis = sorted(sd.query_hostapis(), key=lambda api: _preference(api["name"]))
    for api in apis:
        index = int(api["default_output_device"])
        if index >= 0 and ports[index].outputs > 0:
            return ports[index]
    return None


def _preference(host_api: str) -> int:
    return HOST_APIS.index(host_api) if host_api in HOST_APIS else len(HOST_APIS)


def choose(name: str, ports: Sequence[Port]) -> tuple[Port, Port]:
    """Return input and output of the device that has this name.

    An exact name wins, else a part of it in any case; input and output are matched apart. A device
    that several host APIs list is one device: the most preferred one that has both directions.

    Raises: AudioError that lists what there is when none or several match.
    """
    matches: list[tuple[list[Port], list[Port]]] = []
    for api in sorted({port.host_api for port in ports}, key=lambda api: (_preference(api), api)):
        here = [port for port in ports if port.host_api == api]
        sources = _matching(name, [port for port in here if port.inputs])
        sinks = _matching(name, [port for port in here if port.outputs])
        if sources and sinks:
            matches.append((sources, sinks))
    # A part of a name under a preferred API does not outdo the exact name under another.
    matches.sort(key=lambda match: -sum(found[0].name == name for found in match))
    if not matches:
        raise AudioError(
            f"no device with an input and an output matches {name!r}"
            f"{did_you_mean(name, {port.name for port in ports})}; {listing(ports)}"
        )
    sources, sinks = matches[0]
    if len(sources) == len(sinks) == 1:
        return sources[0], sinks[0]
    several = sorted({port.name for port in (*sources, *sinks)})
    raise AudioError(f"{name!r} matches several devices: {', '.join(several)}; {listing(ports)}")


def _matching(name: str, ports: Sequence[Port]) -> list[Port]:
    exact = [port for port in ports if port.name == name]
    return exact or [port for port in ports if name.casefold() in port.name.casefold()]


def listing(ports: Sequence[Port]) -> str:
    """Return a sentence that names all devices."""
    if not ports:
        return f"PortAudio sees no device at all; {NO_CARD}"
    names = [f"{p.name!r} ({p.host_api}, {p.inputs} in, {p.outputs} out)" for p in ports]
    return "there are: " + "; ".join(names) + f"; {NO_CARD}"


class Stream:
    """A PortAudio stream that calls the engine."""

    def __init__(
        self, source: Port | None, sink: Port, request: DeviceRequest, rate_hz: int
    ) -> None:
        """`source` None leaves the input closed; then `self.source` makes the blocks."""
        self.name = sink.name
        self.rate_hz = rate_hz
        self.block_frames = request.block_frames
        self.source: Callable[[NDArray[np.float32]], None] | None = None
        self.failure = ""
        self.may_vanish = True
        self.lock_name = ""
        if source is not None:
            server = os.environ.get("JACK_DEFAULT_SERVER", "") if "JACK" in source.host_api else ""
            # Two daemons may share what mixes; the same input twice is a mistake everywhere.
            parts = (source.host_api, server, source.name, str(request.input_channel))
            self.lock_name = "/".join(parts)
        self._ports = source, sink
        outputs = request.output_channels or ((1, 2) if sink.outputs > 1 else (1,))
        _check_channel("output", max(outputs), sink.outputs, sink.name)
        if source is not None:
            _check_channel("input", request.input_channel, source.inputs, source.name)
        self._input = request.input_channel - 1
        self._outputs = [channel - 1 for channel in outputs]
        self._stream: Any = None
        self._closing = False
        self._told = threading.Event()
        self._uneven = 0
        """Frames that JACK's period has beyond whole blocks."""

    @property
    def latency_s(self) -> float:
        """[s] Input and output latency as PortAudio states them."""
        if self._stream is None:
            return 0.0
        latency = self._stream.latency
        return float(sum(latency) if isinstance(latency, tuple) else latency)

    def start(self, process: Callable[..., None]) -> None:
        """Open the stream and begin to call `process`."""
        _, sink = self._ports
        if sink.host_api != JACK:
            self._open(process, self.block_frames)
            return
        # Asked for a size of its own, PortAudio puts a block between itself and JACK's period,
        # even where the two are equal. JACK's own period costs nothing.
        self._open(process, 0)
        self._told.wait(FIRST_BLOCK_S)
        if self._uneven:
            self._closing = True
            self._stream.close(ignore_errors=True)
            self._closing, self.failure = False, ""
            self._open(process, self.block_frames)

    def _open(self, process: Callable[..., None], asked_frames: int) -> None:
        """Open and start; `asked_frames` 0 leaves the size of a call to the device."""
        sd = _sounddevice()
        size = self.block_frames
        block = np.zeros(size, np.float32)
        out = np.zeros(size, np.float32)
        channel, outputs = self._input, self._outputs

        def fits(frames: int) -> bool:
            self._uneven = frames % size if not self._told.is_set() else self._uneven
            self._told.set()
            if frames % size and not self._uneven:
                self.failure = f"the period of {self.name!r} became {frames} frames"
            return frames % size == 0

        def duplex(indata: Any, outdata: Any, frames: int, when: Any, status: Any) -> None:
            outdata.fill(0.0)
            if not fits(frames):
                return
            for start in range(0, frames, size):
                block[:] = indata[start : start + size, channel]
                process(block, out, xrun=bool(status) and not start)
                for index in outputs:
                    outdata[start : start + size, index] = out

        def output(outdata: Any, frames: int, when: Any, status: Any) -> None:
            outdata.fill(0.0)
            if not fits(frames):
                return
            for start in range(0, frames, size):
                if self.source is not None:
                    self.source(block)
                process(block, out, xrun=bool(status) and not start)
                for index in outputs:
                    outdata[start : start + size, index] = out

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
        try:
            if source is None:
                self._stream = sd.OutputStream(
                    device=sink.index, channels=max(outputs) + 1, callback=output, **common
                )
            else:
                self._stream = sd.Stream(
                    device=(source.index, sink.index),
                    channels=(channel + 1, max(outputs) + 1),
                    callback=duplex,
                    **common,
                )
            self._stream.start()
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


def open_stream(request: DeviceRequest, *, demo_output: Port | None = None) -> Stream:
    """Return a stream to the device that the request names, or to the demo's output alone.

    Raises: AudioError when none or several match, or PortAudio is not installed.
    """
    if demo_output is not None:
        rate_hz = request.rate_hz or demo_output.rate_hz
        return Stream(None, demo_output, request, rate_hz)
    source, sink = choose(request.name, list_ports())
    return Stream(source, sink, request, request.rate_hz or sink.rate_hz)
