"""The kernel's tables of sound cards, as Linux 6 writes them."""

from pathlib import Path

import pytest

from nemod.engine.devices.alsa.cards import list_pcms, nodes, owners
from nemod.engine.devices.alsa.listing import busy_text, card_of, card_ports
from nemod.engine.devices.names import UNKNOWN, lasting_names

CARDS = """\
 0 [Loopback       ]: Loopback - Loopback
                      Loopback 1
 1 [PCH            ]: HDA-Intel - HDA Intel PCH
                      HDA Intel PCH at 0xf7f10000 irq 33
 2 [U192k          ]: USB-Audio - UMC202HD 192k
                      BEHRINGER UMC202HD 192k at usb-0000:00:14.0-2, high speed
"""
PCMS = """\
00-00: Loopback PCM : Loopback PCM : playback 8 : capture 8
00-01: Loopback PCM : Loopback PCM : playback 8 : capture 8
01-00: ALC257 Analog : ALC257 Analog : playback 1 : capture 1
01-03: HDMI 0 : HDMI 0 : playback 1
02-00: USB Audio : USB Audio : playback 1 : capture 1
"""


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """Folder with `proc` and `sys` of a machine with three cards; jackd has the last one."""
    sound = tmp_path / "proc/asound"
    sound.mkdir(parents=True)
    (sound / "cards").write_text(CARDS)
    (sound / "pcm").write_text(PCMS)
    usb = tmp_path / "sys/devices/usb1/1-2"
    (usb / "1-2:1.0").mkdir(parents=True)
    (usb / "idVendor").write_text("1397\n")
    (usb / "serial").write_text("8A4C\n")
    card = tmp_path / "sys/class/sound/card2"
    card.mkdir(parents=True)
    (card / "device").symlink_to(usb / "1-2:1.0")
    for direction, text in (("c", "closed\n"), ("p", "state: RUNNING\nowner_pid   : 813\n")):
        folder = sound / f"card2/pcm0{direction}/sub0"
        folder.mkdir(parents=True)
        (folder / "status").write_text(text)
    (sound / "card2/usbid").write_text("1397:0507\n")
    process = tmp_path / "proc/812"
    process.mkdir()
    (process / "cmdline").write_bytes(b"jackd\0-d\0alsa\0")
    thread = tmp_path / "proc/813"
    thread.mkdir()
    (thread / "status").write_text("Name:\tjackd\nTgid:\t812\nPid:\t813\n")
    return tmp_path


def test_every_pcm_of_every_card_is_listed(machine: Path) -> None:
    """With its directions, and the serial number of a USB interface."""
    found = list_pcms(machine / "proc", machine / "sys")
    assert [(one.alsa_name, one.has_capture, one.has_playback) for one in found] == [
        ("hw:CARD=Loopback,DEV=0", True, True),
        ("hw:CARD=Loopback,DEV=1", True, True),
        ("hw:CARD=PCH,DEV=0", True, True),
        ("hw:CARD=PCH,DEV=3", False, True),
        ("hw:CARD=U192k,DEV=0", True, True),
    ]
    assert [(one.serial, one.is_usb) for one in found[-2:]] == [("", False), ("8A4C", True)]
    assert [node.name for node in nodes(found[3])] == ["controlC1", "pcmC1D3p"]


def test_names_have_no_card_number(machine: Path) -> None:
    """Two PCMs of one name differ by their number within the card, which lasts."""
    ports = card_ports(machine / "proc", machine / "sys")
    assert list(lasting_names(ports).values()) == [
        "Loopback: Loopback PCM (device 0)",
        "Loopback: Loopback PCM (device 1)",
        "HDA Intel PCH: ALC257 Analog",
        "HDA Intel PCH: HDMI 0",
        "UMC202HD 192k: USB Audio",
    ]
    assert [(port.inputs, port.outputs) for port in ports[-2:]] == [(0, UNKNOWN), (UNKNOWN,) * 2]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("hw:CARD=U192k,DEV=0", "U192k"),
        ("plughw:CARD=PCH,DEV=3", "PCH"),
        ("hw:2,0", "U192k"),
        ("dmix:CARD=PCH", "PCH"),
        ("hw:CARD=PCH,DEV=7", None),
        ("default", None),
    ],
)
def test_the_card_of_a_pcm_is_found_by_its_name(
    machine: Path, name: str, expected: str | None
) -> None:
    """By id or by number, as libasound takes them."""
    found = card_of(name, machine / "proc", machine / "sys")
    assert (found.card_id if found else None) == expected


def test_a_busy_card_is_reported_with_its_owner(machine: Path) -> None:
    """The kernel states a thread; the process has the name."""
    (owner,) = owners(2, 0, machine / "proc")
    assert (owner.pid, owner.command) == (812, "jackd -d alsa")
    text = busy_text("UMC", "hw:CARD=U192k,DEV=0", machine / "proc")
    assert text.startswith("the device 'UMC' is in use by process 812 (jackd -d alsa); ")
    assert "--device system" in text
    assert owners(1, 0, machine / "proc") == []


def test_an_owner_whose_name_is_hidden_is_reported_by_its_number(machine: Path) -> None:
    """As in the sandbox of the system service."""
    for name in ("812", "813"):
        for path in (machine / "proc" / name).iterdir():
            path.unlink()
    (owner,) = owners(2, 0, machine / "proc")
    assert str(owner) == "process 813 (of another user, its name is hidden)"


def test_a_machine_without_alsa_has_no_cards(tmp_path: Path) -> None:
    """Nor has one with `--- no soundcards ---`."""
    assert list_pcms(tmp_path, tmp_path) == []
    (tmp_path / "asound").mkdir()
    (tmp_path / "asound/cards").write_text("--- no soundcards ---\n")
    assert list_pcms(tmp_path, tmp_path) == []
