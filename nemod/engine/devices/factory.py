"""Opens the device that a request names: a sound card, JACK, the demo or silence."""

from nemod.common.errors import AudioError
from nemod.engine.devices.alsa.device import AlsaDevice
from nemod.engine.devices.base import CLOCK_RATE_HZ, DEMO, NULL, Device, Source
from nemod.engine.devices.clock import ClockDevice
from nemod.engine.devices.demo import PhrasePlayer
from nemod.engine.devices.portaudio import default_output, open_stream
from nemod.engine.devices.ports import find
from nemod.engine.ipc import DeviceRequest


def open_device(request: DeviceRequest) -> tuple[Device, PhrasePlayer | None]:
    """Return the device of a name, and the phrase player that feeds it if it is the demo.

    Raises: AudioError when no device, or more than one, has that name.
    """
    if request.name == NULL:
        rate_hz = request.rate_hz or CLOCK_RATE_HZ
        return _clock(NULL, rate_hz, request, lambda block: block.fill(0.0)), None
    if request.name == DEMO:
        return _open_demo(request)
    source, sink = find(request)
    if source.pcm and sink.pcm:
        return AlsaDevice(source, sink, request), None
    return open_stream(source, sink, request), None


def _clock(name: str, rate_hz: int, request: DeviceRequest, source: Source) -> ClockDevice:
    return ClockDevice(name, rate_hz, request.block_frames, source, request.outputs)


def _open_demo(request: DeviceRequest) -> tuple[Device, PhrasePlayer]:
    """Return the default output, or a clock where there is no sound card."""
    try:
        output = default_output()
    except AudioError:
        output = None
    if output is None:
        rate_hz = request.rate_hz or CLOCK_RATE_HZ
        player = PhrasePlayer(rate_hz)
        return _clock(DEMO, rate_hz, request, player.fill), player
    stream = open_stream(None, output, request)
    player = PhrasePlayer(stream.rate_hz)
    stream.source = player.fill
    return stream, player
