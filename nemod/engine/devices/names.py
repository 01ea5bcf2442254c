"""Names of audio devices: which ones last, and which device a name means.

PortAudio names an ALSA device `UMC202HD 192k: USB Audio (hw:2,0)`. The first number is the card's,
in the order in which cards were found: it changes when the machine starts or a cable is plugged in
again. A lasting name leaves it out.
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nemod.common.errors import AudioError, did_you_mean
from nemod.engine.devices.base import DEMO, NULL

JACK = "JACK Audio Connection Kit"
HOST_APIS = (JACK, "ALSA")
"""Preferred in this order: JACK owns the card where it runs, ALSA is nearest to it elsewhere."""
NO_CARD = f"the devices that need no sound card are {DEMO!r} and {NULL!r}"
UDEV_HINT = (
    "Cards of one name differ by their id, which follows the order of plugging in. To fix it, name "
    "each card by its USB socket in /etc/udev/rules.d/90-cards.rules, as "
    'SUBSYSTEM=="sound", KERNEL=="card*", KERNELS=="1-1.2", ATTR{id}="left"'
)

_NUMBERS = re.compile(r"\s*\((?:plug)?hw:(?P<card>\w+),(?P<device>\d+)\)$")
"""What PortAudio puts at the end of an ALSA device's name."""
_OWN = re.compile(r"\s*\((?:card (?P<card>[^(),]+))?(?:, )?(?:device (?P<device>\d+))?\)$")
"""What a lasting name has at its end where it would not be the only one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """One direction of a device, as PortAudio lists it."""

    index: int
    name: str
    host_api: str
    inputs: int
    outputs: int
    rate_hz: int
    card_id: str = ""
    """ALSA's id of the card, as in /proc/asound/cards; nothing where there is none."""

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
    number within its card, or the card's id.
    """
    alike = defaultdict(list)
    for port in ports:
        alike[port.host_api, port.base].append(port)
    names = {}
    for group in alike.values():
        cards = {port.card for port in group}
        devices = {port.device for port in group}
        for port in group:
            parts = [f"card {port.card_id or port.card}"] if len(cards) > 1 else []
            parts += [f"device {port.device}"] if len(devices) > 1 and port.device else []
            names[port] = f"{port.base} ({', '.join(parts)})" if parts else port.base
    return names


def has_twins(ports: Sequence[Port]) -> bool:
    """Return whether two cards have the same name, so that only their ids tell them apart."""
    cards = defaultdict(set)
    for port in ports:
        cards[port.host_api, port.base].add(port.card)
    return any(len(numbers) > 1 for numbers in cards.values())


def preference(host_api: str) -> int:
    """Return the place of a host API in the order of preference."""
    return HOST_APIS.index(host_api) if host_api in HOST_APIS else len(HOST_APIS)


def choose(name: str, ports: Sequence[Port]) -> tuple[Port, Port]:
    """Return input and output of the device that has this name.

    A whole name wins, else a part of it in any case; a card's number in brackets counts only
    where it is needed. Input and output are matched apart. A device that several host APIs list
    is one device: the most preferred one that has both directions.

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
    several = sorted({names[port] for port in (*sources, *sinks)})
    twins = f" ({UDEV_HINT})" if has_twins([*sources, *sinks]) else ""
    raise AudioError(
        f"{name!r} matches several devices: {', '.join(several)}{twins}; {listing(ports)}"
    )


def _matching(
    name: str, ports: Sequence[Port], names: Mapping[Port, str]
) -> tuple[int, list[Port]]:
    """Return the ports that a name means, and how loosely it matches: 0 is best."""
    whole = [port for port in ports if name in (port.name, names[port])]
    if whole:
        return 0, whole
    end = _NUMBERS.search(name) or _OWN.search(name)
    base = name[: end.start()] if end and end.start() else name
    wide = [port for port in ports if port.base.casefold() == base.casefold()]
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
        return f"PortAudio sees no device at all; {NO_CARD}"
    names = lasting_names(ports)
    each = [f"{names[p]!r} ({p.host_api}, {p.inputs} in, {p.outputs} out)" for p in ports]
    return "there are: " + "; ".join(each) + f"; {NO_CARD}"
