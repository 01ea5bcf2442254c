"""All devices of this machine: cards through libasound, JACK through PortAudio.

Where libasound is missing, PortAudio's own way to ALSA serves. PortAudio is not started where the
whole name of a card was given: it opens every card to see what that can do, which takes a moment.
"""

from nemod.common.errors import AudioError
from nemod.engine.devices import portaudio
from nemod.engine.devices.alsa import library, listing
from nemod.engine.devices.names import ALSA, Port, choose, choose_one, is_whole_name
from nemod.engine.ipc import DeviceRequest


def list_all(name: str = "") -> tuple[list[Port], str]:
    """Return all devices, and what is missing to find more.

    `name` is added if it is a PCM that ALSA's configuration takes without listing it.
    """
    missing = []
    own: list[Port] = []
    has_alsa = library.is_installed()
    try:
        own = listing.list_ports(name)
    except AudioError as error:
        missing.append(str(error))
    try:
        others = portaudio.list_ports()
    except AudioError as error:
        missing.append(str(error))
        others = []
    if has_alsa:
        others = [port for port in others if port.host_api != ALSA]
    return [*others, *own], "; ".join(missing)


def find(request: DeviceRequest) -> tuple[Port, Port]:
    """Return input and output of the device that a request names.

    Raises: AudioError when none or several match.
    """
    if request.input_name:
        return _find_two(request)
    if library.is_installed():
        for name in filter(None, (request.last_name, request.name)):
            own = listing.card_ports()
            if not is_whole_name(name, own):
                # Listing the plug-ins, too, reads ALSA's whole configuration.
                own = listing.list_ports(name)
            if is_whole_name(name, own):
                return choose(name, own)
    ports, missing = list_all(request.name)
    try:
        return choose(request.name, ports)
    except AudioError as error:
        if missing:
            raise AudioError(f"{error} ({missing})") from None
        raise


def _find_two(request: DeviceRequest) -> tuple[Port, Port]:
    """Return an input and an output of two ALSA devices. Raises: AudioError."""
    ports = listing.list_ports(request.input_name)
    known = {port.pcm for port in ports}
    ports += [port for port in listing.list_ports(request.name) if port.pcm not in known]
    return (
        choose_one(request.input_name, ports, "input"),
        choose_one(request.name, ports, "output"),
    )
