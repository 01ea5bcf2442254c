"""Sound cards: whether there are any, who uses them, and how those on USB are connected."""

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from nemod.common.errors import AudioError
from nemod.doctor.finding import Finding, advice, ok, problem
from nemod.doctor.machine import Machine
from nemod.engine.devices.alsa import library
from nemod.engine.devices.alsa.cards import CardPcm, list_pcms, owners, usb_device
from nemod.engine.devices.alsa.listing import card_ports, release
from nemod.engine.devices.names import choose_one

SERVERS = ("pipewire", "wireplumber", "pulseaudio", "jackd", "jackdbus")
_OWN = ("nemod",)
_BEHIND_HUB = re.compile(r"^\d+-\d+\.")
"""A USB device's name is its bus and the ports on the way to it: 1-1.2 is port 2 of a hub."""


def check_library(machine: Machine) -> Iterator[Finding]:
    """Check that libasound is installed."""
    del machine
    if library.is_installed():
        yield ok("libasound", "ALSA's library is installed")
    else:
        yield problem("libasound", "ALSA's library is not installed", library.REMEDY)


def check_cards(machine: Machine) -> Iterator[Finding]:
    """Check that there are cards, and that no other program has one open."""
    pcms = list_pcms(machine.path("/proc"), machine.path("/sys"))
    if not pcms:
        text = machine.read("/proc/asound/cards")
        why = "the kernel has no sound card" if text else "the kernel has no ALSA"
        yield problem(
            "cards",
            why,
            "connect the interface, and look for it in `lsusb` and `dmesg`; in a virtual machine "
            "or a container pass it through",
        )
        return
    cards = sorted({f"{pcm.card_name} ({pcm.card_id})" for pcm in pcms})
    yield ok("cards", f"sound cards: {', '.join(cards)}")
    for pcm in pcms:
        for owner in owners(pcm.card, pcm.device, machine.path("/proc")):
            title = f"{pcm.card_name}: {pcm.name}"
            if any(word in owner.command for word in _OWN):
                yield ok("card-owner", f"{title} is used by nemod, process {owner.pid}")
            else:
                yield problem(
                    "card-owner",
                    f"{title} is in use by {owner}",
                    _release(owner.command, machine),
                )


def check_clocks(machine: Machine) -> Iterator[Finding]:
    """Check that the input and the output of the configuration have one clock."""
    source, sink = machine.input_device, machine.device
    ports = card_ports(machine.path("/proc"), machine.path("/sys"))
    cards = []
    for name, direction in ((source or sink, "input"), (sink, "output")):
        with suppress(AudioError):
            cards.append(choose_one(name, ports, direction).card_id)
    if source in ("", sink) or (len(cards) == 2 and cards[0] == cards[1]):
        yield ok("clocks", "input and output have one clock")
        return
    output = f"the output {sink!r}" if sink else "the default output"
    are = "are" if len(cards) == 2 else "may be"
    yield advice(
        "clocks",
        f"the input {source!r} and {output} {are} two cards. The clocks of two cards drift apart; "
        "nemod does not correct that, and now and then an xrun realigns them",
        "one interface for both. With two, a larger --block and --periods 4 make the xruns rarer",
    )


def check_servers(machine: Machine) -> Iterator[Finding]:
    """Report sound servers, which take a card whenever something plays."""
    running = sorted({name for _, name in machine.processes() if name in SERVERS})
    if not running:
        yield ok("sound-servers", "no sound server runs")
    elif set(running) <= {"jackd", "jackdbus"}:
        yield ok("sound-servers", "JACK runs: --device system plays through it")
    else:
        yield advice(
            "sound-servers",
            f"{' and '.join(running)} may take the card while nemod does not play",
            "leave the guitar's interface to nemod: choose the profile Off for it in pavucontrol. "
            "Other sounds then use the other cards; with PipeWire nemod can also play through its "
            "JACK (pw-jack nemod --device system)",
        )


def _release(command: str, machine: Machine) -> str:
    if not command and not machine.is_root:
        return "run nemod doctor as root to see which program that is, and stop it"
    return release(command)


def check_usb(machine: Machine) -> Iterator[Finding]:
    """Check power saving, hubs and the bus of USB interfaces."""
    seen = set()
    for pcm in list_pcms(machine.path("/proc"), machine.path("/sys")):
        if pcm.is_usb and pcm.card not in seen:
            seen.add(pcm.card)
            device = usb_device(pcm.card, machine.path("/sys"))
            if device is not None:
                yield from _check_usb_device(machine, pcm, device)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _check_usb_device(machine: Machine, pcm: CardPcm, device: Path) -> Iterator[Finding]:
    if _text(device / "power/control") == "auto":
        vendor, product = _text(device / "idVendor"), _text(device / "idProduct")
        yield advice(
            "usb-power",
            f"{pcm.card_name} may be put to sleep while nothing plays",
            f'put ACTION=="add", SUBSYSTEM=="usb", ATTR{{idVendor}}=="{vendor}", '
            f'ATTR{{idProduct}}=="{product}", ATTR{{power/control}}="on" into '
            "/etc/udev/rules.d/90-interface.rules",
        )
    else:
        yield ok("usb-power", f"{pcm.card_name} is not put to sleep")
    if not _BEHIND_HUB.match(device.name):
        yield ok("usb-hub", f"{pcm.card_name} is on a port of its own")
        return
    hub = device.name.rpartition(".")[0]
    others = [
        _text(path / "product") or path.name
        for path in sorted(device.parent.glob(f"{hub}.*"))
        if path.name != device.name and ":" not in path.name
    ]
    if others:
        yield advice(
            "usb-hub",
            f"{pcm.card_name} shares a hub with {', '.join(others)}",
            "a port of its own for the interface (many boards have an internal hub: then the port "
            "farthest from disks and network)",
        )
    else:
        yield ok("usb-hub", f"{pcm.card_name} is alone on its hub")
