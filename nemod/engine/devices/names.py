"""Names of audio devices: which ones last, and which device a name means.

An ALSA device is named `UMC202HD 192k: USB Audio (hw:2,0)`. The first number is the card's, in the
order in which cards were found: it changes when the machine starts or a cable is plugged in again.
A lasting name leaves it out.
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nemod.common.errors import AudioError, did_you_mean
from nemod.engine.devices.base import DEMO, NULL

JACK = "JACK Audio Connection Kit"
ALSA = "ALSA"
ALSA_PLUGIN = "ALSA plug-in"
"""What is made of cards by ALSA's configuration: dmix, dsnoop, plug and the like."""
HOST_APIS = (JACK, ALSA, ALSA_PLUGIN)
"""Preferred in this order: JACK owns the card where it runs, ALSA is nearest to it elsewhere."""
UNKNOWN = -1
"""Channels of a direction that exists, where their number was not asked for or is not known."""
NO_CARD = f"the devices that need no sound card are {DEMO!r} and {NULL!r}"
UDEV_HINT = (
    "Cards of one name differ by their id, which follows the order of plugging in. To fix it, name "
    "each card by its USB socket in /etc/udev/rules.d/90-cards.rules, as "
    'SUBSYSTEM=="sound", KERNEL=="card*", KERNELS=="1-1.2", ATTR{id}="left"'
)

_NUMBERS = re.compile(r"\s*\((?:plug)?hw:(?P<card>\w+),(?P<device>\d+)\)$")
"""What PortAudio puts at the end of an ALSA device's name."""
_OWN = re.compile(
    r"\s*\((?:serial (?P<serial>[^(),]+)|card (?P<card>[^(),]+))?(?:, )?"
    r"(?:device (?P<device>\d+))?\)$"
)
"""What a lasting name has at its end where it would not be the only one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """A device, as PortAudio or ALSA lists it."""

    index: int
    name: str
    host_api: str
    inputs: int
    outputs: int
    rate_hz: int
    """[Hz] The device's default; 0 where that is not known."""
    card_id: str = ""
    """ALSA's id of the card, as in /proc/asound/cards; nothing where there is none."""
    serial: str = ""
    """Serial number of a USB interface, where it has one."""
    pcm: str = ""
    """What ALSA opens; nothing for what PortAudio opens."""
    note: str = ""
    """What a user should know, such as who has the device open."""

    @property
    def base(self) -> str:
        """The name without numbers."""
        return _NUMBERS.sub("", self.name) or self.name

    @property
    def card(self) -> str:
        """Number of the card, or nothing."""
        found = _NUMBERS.search(self.name)
        return found["card"] if found else ""

    @property
    def device(self) -> str:
        """Number of the device within its card, or nothing; this one lasts."""
        found = _NUMBERS.search(self.name)
        return found["device"] if found else ""


def lasting_names(ports: Sequence[Port]) -> Mapping[Port, str]:
    """Return, for each port, the name that finds it whatever number its card gets.

    Only where two devices of one host API have the same name is something added: the device's
    number within its card, and the serial number of the interface or else the card's id.
    """
    names = {}
    for group in _alike(ports).values():
        cards = {port.card for port in group}
        devices = {port.device for port in group}
        has_serials = _have_serials(group)
        for port in group:
            card = f"serial {port.serial}" if has_serials else f"card {port.card_id or port.card}"
            parts = [card] if len(cards) > 1 else []
            parts += [f"device {port.device}"] if len(devices) > 1 and port.device else []
            names[port] = f"{port.base} ({', '.join(parts)})" if parts else port.base
    return names


def lasting_name(port: Port) -> str:
    """Return a name that means this device alone, whatever other cards are there later."""
    if not port.card:
        return port.base
    card = f"serial {port.serial}" if port.serial else f"card {port.card_id}"
    return f"{port.base} ({card}, device {port.device})"


def _alike(ports: Sequence[Port]) -> Mapping[tuple[str, str], list[Port]]:
    """Return the ports by host API and name without numbers."""
    alike = defaultdict(list)
    for port in ports:
        alike[port.host_api, port.base].append(port)
    return alike


def _have_serials(group: Sequence[Port]) -> bool:
    """Return whether serial numbers tell the cards of a group apart."""
    serials = {port.card: port.serial for port in group}
    return all(serials.values()) and len(set(serials.values())) == len(serials)


def has_twins(ports: Sequence[Port]) -> bool:
    """Return whether two cards have the same name, so that only their ids tell them apart."""
    return any(
        len({port.card for port in group}) > 1 and not _have_serials(group)
        for group in _alike(ports).values()
    )


def preference(host_api: str) -> int:
    """Return the place of a host API in the order of preference."""
    return HOST_APIS.index(host_api) if host_api in HOST_APIS else len(HOST_APIS)


def choose(name: str, ports: Sequence[Port]) -> tuple[Port, Port]:
    """Return input and output of the device that has this name.

    A whole name wins, or a card's id or serial number, else a part of a name in any case; a card's
    number in brackets counts only where it is needed. Input and output are matched apart, except
    where one device among several has both. A device that several host APIs list is one device: the
    most preferred one that has both directions.

    Raises: AudioError that lists what there is when none or several match.
    """
    matches: list[tuple[int, list[Port], list[Port]]] = []
    names = lasting_names(ports)
    for api in sorted({port.host_api for port in ports}, key=lambda api: (preference(api), api)):
        here = [port for port in ports if port.host_api == api]
        source_rank, sources = _matching(name, [port for port in here if port.inputs], names)
        sink_rank, sinks = _matching(name, [port for port in here if port.outputs], names)
        if sources and sinks:
            matches.append((source_rank + sink_rank, sources, sinks))
    if not matches:
        raise AudioError(f"{_nothing_found(name, ports, names)}; {listing(ports)}")
    # A part of a name under a preferred API does not outdo the whole name under another.
    _, sources, sinks = min(matches, key=lambda match: match[0])
    if len(sources) == len(sinks) == 1:
        return sources[0], sinks[0]
    both = [port for port in sources if port in sinks]
    if len(both) == 1 and both[0].pcm:
        return both[0], both[0]
    several = sorted({names[port] for port in (*sources, *sinks)})
    twins = f" ({UDEV_HINT})" if has_twins([*sources, *sinks]) else ""
    raise AudioError(
        f"{name!r} matches several devices: {', '.join(several)}{twins}; {listing(ports)}"
    )


def is_whole_name(name: str, ports: Sequence[Port]) -> bool:
    """Return whether a name means a device by its whole name, card id or serial number."""
    names = lasting_names(ports)
    sources, sinks = [p for p in ports if p.inputs], [p for p in ports if p.outputs]
    found = [_matching(name, here, names) for here in (sources, sinks)]
    return all(matches and rank == 0 for rank, matches in found)


def choose_one(name: str, ports: Sequence[Port], direction: str) -> Port:
    """Return the one device with this name that has the direction, `input` or `output`.

    Raises: AudioError that lists what there is when none or several match.
    """
    here = [port for port in ports if (port.inputs if direction == "input" else port.outputs)]
    names = lasting_names(ports)
    for api in sorted({port.host_api for port in here}, key=preference):
        rank, found = _matching(name, [port for port in here if port.host_api == api], names)
        if len(found) == 1:
            return found[0]
        if found and rank == 0:
            break
    several = [names[port] for port in here if name.casefold() in names[port].casefold()]
    if several:
        raise AudioError(f"{name!r} matches several {direction}s: {', '.join(several)}")
    raise AudioError(
        f"no {direction} matches {name!r}{did_you_mean(name, [names[port] for port in here])}; "
        f"{listing(here)}"
    )


def _matching(
    name: str, ports: Sequence[Port], names: Mapping[Port, str]
) -> tuple[int, list[Port]]:
    """Return the ports that a name means, and how loosely it matches: 0 is best."""
    whole = [port for port in ports if name in (port.name, names[port])]
    if whole:
        return 0, whole
    wanted = name.casefold()
    by_card = [
        port for port in ports if wanted in (port.card_id.casefold(), port.serial.casefold())
    ]
    if by_card and name:
        return 0, by_card
    own = _OWN.search(name)
    end = _NUMBERS.search(name) or own
    base = name[: end.start()] if end and end.start() else name
    wide = [port for port in ports if port.base.casefold() == base.casefold()]
    if own and own["serial"]:
        # A serial number means this one interface and no other of its kind.
        wide = [port for port in wide if port.serial == own["serial"]]
        if not wide:
            return 1, []
    if wide and end and base != name:
        return 0, _by_numbers(wide, end["card"] or "", end["device"] or "")
    found = [
        port
        for port in ports
        if name.casefold() in port.name.casefold() or name.casefold() in names[port].casefold()
    ]
    if not found and base != name and end:
        # A part of a name with a number that the card had once.
        parts = [port for port in ports if base.casefold() in port.base.casefold()]
        found = _by_numbers(parts, end["card"] or "", end["device"] or "")
    return 1, wide or found


def _by_numbers(ports: list[Port], card: str, device: str) -> list[Port]:
    """Return those with this device number, and of these the card with this id where it is there.

    A card's number says nothing: it may be another card's today.
    """
    ports = [port for port in ports if not device or port.device in (device, "")]
    return [port for port in ports if card and port.card_id == card] or ports


def _nothing_found(name: str, ports: Sequence[Port], names: Mapping[Port, str]) -> str:
    """Return why no device has this name and both directions."""
    _, sources = _matching(name, [port for port in ports if port.inputs], names)
    _, sinks = _matching(name, [port for port in ports if port.outputs], names)
    if sources and sinks:
        return (
            f"the device {name!r} has its input under {sources[0].host_api} and its output under "
            f"{sinks[0].host_api}; one host API with both is needed"
        )
    if sinks:
        return (
            f"the device {name!r} has outputs only; the guitar needs a device that has an input too"
        )
    if sources:
        return (
            f"the device {name!r} has inputs only; the sound needs a device that has an output too"
        )
    if name in (DEMO, NULL):
        return f"the device {name!r} is no sound card"
    if name.casefold() in (DEMO, NULL):
        return f"no device matches {name!r}, did you mean {name.casefold()!r}?"
    # Offering what was given would be no help.
    known = [one for one in (*names.values(), DEMO, NULL) if one.casefold() != name.casefold()]
    return f"no device matches {name!r}{did_you_mean(name, known)}"


def listing(ports: Sequence[Port]) -> str:
    """Return a sentence that names all devices."""
    if not ports:
        return f"there is no sound card and no JACK server; {NO_CARD}"
    names = lasting_names(ports)
    ranked = sorted(ports, key=lambda port: preference(port.host_api))
    shown = [port for port in ranked if port.host_api != ALSA_PLUGIN] or ranked
    each = [f"{names[port]!r} ({port.host_api}, {_directions(port)})" for port in shown]
    more = "" if len(shown) == len(ports) else "; nemod devices lists ALSA's plug-ins, too"
    return "there are: " + "; ".join(each) + f"{more}; {NO_CARD}"


def _directions(port: Port) -> str:
    """Return the channels of a port, or its directions where their number is not known."""
    if UNKNOWN not in (port.inputs, port.outputs):
        return f"{port.inputs} in, {port.outputs} out"
    words = [word for word, count in (("in", port.inputs), ("out", port.outputs)) if count]
    return " and ".join(words)
