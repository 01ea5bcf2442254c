"""The sound cards of this machine, their PCMs, and who uses them, as the kernel states it.

Everything comes from /proc/asound and /sys: reading opens no card, so it needs no right to use one
and disturbs nobody.
"""

import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PROC, SYS = Path("/proc"), Path("/sys")

_CARD = re.compile(r"^ *(?P<number>\d+) \[(?P<id>[^\]]*?) *\]: *(?P<driver>.*?) - (?P<name>.*)$")
_PCM = re.compile(
    r"^(?P<card>\d+)-(?P<device>\d+): (?P<id>.*?) : (?P<name>.*?)"
    r"(?: : playback (?P<playback>\d+))?(?: : capture (?P<capture>\d+))?$"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CardPcm:
    """A PCM of a card: what a stream is opened on."""

    card: int
    """Number of the card, which another start may give to another card."""
    card_id: str
    """ALSA's short id of the card, as in hw:CARD=U192k."""
    card_name: str
    device: int
    """Number within the card."""
    name: str
    has_capture: bool
    has_playback: bool
    serial: str = ""
    """Serial number of a USB interface, where it has one."""
    is_usb: bool = False

    @property
    def alsa_name(self) -> str:
        """The name that libasound opens."""
        return f"hw:CARD={self.card_id},DEV={self.device}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """The process that has a PCM open."""

    pid: int
    command: str
    """Its command line; empty where the system hides it."""

    def __str__(self) -> str:
        """As it stands in a message."""
        return f"process {self.pid} ({self.command or 'of another user, its name is hidden'})"


def _read(path: Path) -> str:
    with suppress(OSError):
        return path.read_text(encoding="utf-8", errors="replace")
    return ""


def list_pcms(proc: Path = PROC, sys: Path = SYS) -> list[CardPcm]:
    """Return the PCMs of all cards in the order of the cards; empty where there is no ALSA."""
    cards = {}
    for line in _read(proc / "asound/cards").splitlines():
        if found := _CARD.match(line):
            cards[int(found["number"])] = found["id"], found["name"].strip()
    pcms = []
    for line in _read(proc / "asound/pcm").splitlines():
        found = _PCM.match(line.rstrip())
        if found is None or int(found["card"]) not in cards:
            continue
        number = int(found["card"])
        card_id, card_name = cards[number]
        pcms.append(
            CardPcm(
                card=number,
                card_id=card_id,
                card_name=card_name,
                device=int(found["device"]),
                name=found["name"].strip(),
                has_capture=found["capture"] is not None,
                has_playback=found["playback"] is not None,
                serial=_serial(number, sys),
                is_usb=(proc / f"asound/card{number}/usbid").exists(),
            )
        )
    return pcms


def usb_device(card: int, sys: Path = SYS) -> Path | None:
    """Return the folder of the USB device that a card belongs to, None for other cards."""
    with suppress(OSError):
        at = (sys / f"class/sound/card{card}/device").resolve(strict=True)
        for folder in (at, *at.parents):
            if (folder / "idVendor").exists():
                return folder
    return None


def _serial(card: int, sys: Path) -> str:
    """Return the serial number of a card on USB, or nothing."""
    device = usb_device(card, sys)
    return "" if device is None else _read(device / "serial").strip()


def owners(card: int, device: int, proc: Path = PROC) -> list[Owner]:
    """Return who has a PCM of a card open, in either direction."""
    found = {}
    for direction in "cp":
        folder = proc / f"asound/card{card}/pcm{device}{direction}"
        for status in sorted(folder.glob("sub*/status")):
            for line in _read(status).splitlines():
                key, _, value = line.partition(":")
                if key.strip() == "owner_pid" and value.strip().isdecimal():
                    owner = _process(int(value), proc)
                    found[owner.pid] = owner
    return list(found.values())


def _process(thread: int, proc: Path) -> Owner:
    """Return the process of a thread, which is what the kernel states."""
    pid = thread
    for line in _read(proc / str(thread) / "status").splitlines():
        if line.startswith("Tgid:"):
            pid = int(line.partition(":")[2])
    words = _read(proc / str(pid) / "cmdline").split("\0")
    command = " ".join(word for word in words if word)
    return Owner(pid=pid, command=command or _read(proc / str(pid) / "comm").strip())


def nodes(pcm: CardPcm, dev: Path = Path("/dev")) -> list[Path]:
    """Return the device nodes that a stream on a PCM opens."""
    stem = f"pcmC{pcm.card}D{pcm.device}"
    found = [dev / "snd" / f"controlC{pcm.card}"]
    if pcm.has_capture:
        found.append(dev / "snd" / f"{stem}c")
    if pcm.has_playback:
        found.append(dev / "snd" / f"{stem}p")
    return found
