"""Cards and ALSA's plug-ins as ports, from which a name chooses (`nemod.engine.devices.names`)."""

import re
from dataclasses import replace
from pathlib import Path

from nemod.common.errors import AudioError
from nemod.engine.devices.alsa import library
from nemod.engine.devices.alsa.cards import PROC, SYS, CardPcm, list_pcms, owners
from nemod.engine.devices.alsa.library import CAPTURE, PLAYBACK
from nemod.engine.devices.alsa.pcm import RATES_HZ, Pcm, is_busy
from nemod.engine.devices.names import ALSA, ALSA_PLUGIN, UNKNOWN, Port

_SKIPPED = ("hw:", "null")
"""Cards are listed by name, and `null` is nemod's own device."""
_ALSA_NAME = re.compile(r"^(hw|plughw|plug|dmix|dsnoop|sysdefault|front|shm|file)(:.+)$")
"""Names of PCMs that need not be listed: they take arguments."""
_CARD = re.compile(r":.*?(?:CARD=)?(?P<card>\w+)(?:,(?:DEV=)?(?P<device>\d+))?")


def card_ports(proc: Path = PROC, sys: Path = SYS) -> list[Port]:
    """Return the PCMs of all cards; opens none of them, so channels are not known."""
    return [_port(pcm) for pcm in list_pcms(proc, sys)]


def _port(pcm: CardPcm) -> Port:
    return Port(
        index=-1,
        name=f"{pcm.card_name}: {pcm.name} (hw:{pcm.card},{pcm.device})",
        host_api=ALSA,
        inputs=UNKNOWN if pcm.has_capture else 0,
        outputs=UNKNOWN if pcm.has_playback else 0,
        rate_hz=0,
        card_id=pcm.card_id,
        serial=pcm.serial,
        pcm=pcm.alsa_name,
    )


def plugin_ports() -> list[Port]:
    """Return what ALSA's configuration makes of the cards, and what it adds to them.

    Raises: AudioError where libasound is not installed.
    """
    ffi, lib = library.load()
    hints = ffi.new("void ***")
    if lib.snd_device_name_hint(-1, b"pcm", hints) < 0:
        return []
    ports = []
    try:
        at = 0
        while hints[0][at] != ffi.NULL:
            name, way = (_hint(hints[0][at], key) for key in (b"NAME", b"IOID"))
            at += 1
            if name and not name.startswith(_SKIPPED):
                ports.append(_plugin(name, way))
    finally:
        lib.snd_device_name_free_hint(hints[0])
    return ports


def _hint(hint: object, key: bytes) -> str:
    ffi, lib = library.load()
    text = lib.snd_device_name_get_hint(hint, key)
    if text == ffi.NULL:
        return ""
    try:
        return str(ffi.string(text).decode("utf-8", "replace"))
    finally:
        lib.free(text)


def _plugin(name: str, way: str = "") -> Port:
    return Port(
        index=-1,
        name=name,
        host_api=ALSA_PLUGIN,
        inputs=0 if way == "Output" else UNKNOWN,
        outputs=0 if way == "Input" else UNKNOWN,
        rate_hz=0,
        pcm=name,
    )


def list_ports(name: str = "") -> list[Port]:
    """Return the cards, the plug-ins, and `name`, if it is one that ALSA's configuration takes.

    Raises: AudioError where libasound is not installed.
    """
    ports = [*card_ports(), *plugin_ports()]
    if _ALSA_NAME.match(name) and all(name != port.name for port in ports):
        ports.append(_plugin(name))
    return ports


def card_of(pcm_name: str, proc: Path = PROC, sys: Path = SYS) -> CardPcm | None:
    """Return the card that a PCM's name states, None where it states none."""
    found = _CARD.search(pcm_name)
    if found is None:
        return None
    device = int(found["device"] or 0)
    for pcm in list_pcms(proc, sys):
        if found["card"] in (pcm.card_id, str(pcm.card)) and pcm.device == device:
            return pcm
    return None


def busy_text(title: str, pcm_name: str, proc: Path = PROC) -> str:
    """Return the error for a device that another process has open, with a remedy."""
    card = card_of(pcm_name, proc)
    users = owners(card.card, card.device, proc) if card is not None else []
    if not users:
        return f"the device {title!r} is busy: another process has it open"
    who = " and ".join(map(str, users))
    return f"the device {title!r} is in use by {who}; {release(' '.join(u.command for u in users))}"


def release(commands: str) -> str:
    """Return what to do so that programs with these command lines release a card."""
    if "pipewire" in commands or "wireplumber" in commands:
        return "choose the device's JACK name, or the profile Off for the card in pavucontrol"
    if "pulseaudio" in commands:
        return "choose the profile Off for the card in pavucontrol, or run `pulseaudio --kill`"
    if "jackd" in commands or "jackdbus" in commands:
        return "play through JACK (--device system), or stop its server"
    return "stop it, or choose another --device"


def with_abilities(port: Port) -> Port:
    """Return the port with channels, rate and note, as its PCM states them.

    A device that cannot be opened keeps its directions; the note says why.
    """
    rates: set[int] | None = None
    for direction, field in ((CAPTURE, "inputs"), (PLAYBACK, "outputs")):
        if not getattr(port, field):
            continue
        try:
            pcm = Pcm(port.pcm, direction, port.base)
        except AudioError as error:
            note = busy_text(port.base, port.pcm) if is_busy(error) else str(error)
            return replace(port, note=note)
        try:
            able = pcm.abilities()
        except AudioError as error:
            return replace(port, note=str(error))
        finally:
            pcm.close()
        if direction == CAPTURE:
            port = replace(port, inputs=able.channels_max)
        else:
            port = replace(port, outputs=able.channels_max)
        rates = set(able.rates_hz) & (rates if rates is not None else set(able.rates_hz))
    best = next((rate for rate in RATES_HZ if rate in (rates or ())), max(rates or {0}))
    return replace(port, rate_hz=best)
