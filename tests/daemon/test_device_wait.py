"""Waiting for a card: in a folder that stands for /proc and one for /dev, with the real inotify."""

import asyncio
from pathlib import Path

import pytest

from nemod.daemon import device_wait
from nemod.daemon.device_wait import DeviceWait
from nemod.engine.ipc import DeviceRequest

LONG_S = 20.0
CARD = " 1 [UMC            ]: USB-Audio - UMC202HD\n                      at usb-1\n"
PCM = "01-00: USB Audio : USB Audio : playback 1 : capture 1\n"
NODES = ("controlC1", "pcmC1D0p", "pcmC1D0c")


def plug(folder: Path) -> None:
    """Do what the kernel does when a card is found: first its tables, then its nodes."""
    (folder / "proc/asound/cards").write_text(CARD)
    (folder / "proc/asound/pcm").write_text(PCM)
    for name in NODES:
        (folder / "dev/snd" / name).touch()


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "proc/asound").mkdir(parents=True)
    (tmp_path / "dev/snd").mkdir(parents=True)

    async def never(request: DeviceRequest, limit_s: float) -> bool:
        return False

    monkeypatch.setattr(device_wait, "is_connected", never)
    return tmp_path


def wait(
    machine: Path,
    request: DeviceRequest,
    limit_s: float,
    *,
    plugged: bool,
    is_card: bool = False,
) -> bool:
    async def run() -> bool:
        made = DeviceWait(machine / "dev", machine / "proc", machine / "sys")
        if plugged:
            asyncio.get_running_loop().call_later(0.05, plug, machine)
        try:
            until = made.until_connected(request, limit_s, is_card=is_card)
            return await asyncio.wait_for(until, LONG_S / 2)
        finally:
            made.close()

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("name", "last_name"),
    [
        ("UMC202HD: USB Audio", ""),
        ("umc", ""),
        ("elsewhere", "UMC202HD: USB Audio (card UMC, device 0)"),
    ],
)
def test_a_card_that_is_plugged_in_is_noticed_at_once(
    machine: Path, name: str, last_name: str
) -> None:
    """Long before the next look; by the name that was given, or the one it had when it was open."""
    request = DeviceRequest(name=name, last_name=last_name)
    assert wait(machine, request, LONG_S, plugged=True)


def test_another_card_is_not_the_one(machine: Path) -> None:
    """It is waited for until the limit."""
    assert not wait(machine, DeviceRequest(name="Scarlett"), 0.3, plugged=True)


def test_a_card_that_may_not_be_opened_yet_is_not_there(machine: Path) -> None:
    """The nodes get the group audio from udev, a moment after the kernel has made them."""
    plug(machine)
    (machine / "dev/snd/pcmC1D0c").unlink()
    assert not wait(machine, DeviceRequest(name="UMC"), 0.1, plugged=False)


def test_what_alsa_does_not_show_is_looked_for_by_a_process(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """JACK."""

    async def always(request: DeviceRequest, limit_s: float) -> bool:
        return True

    monkeypatch.setattr(device_wait, "is_connected", always)
    assert wait(machine, DeviceRequest(name="system"), 0.05, plugged=False)


def test_a_device_that_was_a_card_is_looked_for_in_alsas_tables_alone(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that opens cards to see what they can do would get in the way."""

    async def always(request: DeviceRequest, limit_s: float) -> bool:
        raise AssertionError("a process was started")

    monkeypatch.setattr(device_wait, "is_connected", always)
    assert not wait(machine, DeviceRequest(name="UMC"), 0.05, plugged=False, is_card=True)
    plug(machine)
    assert wait(machine, DeviceRequest(name="UMC"), 0.05, plugged=False, is_card=True)


def test_a_card_that_appears_ends_the_process_that_looks_for_it(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which may take seconds, and may have the card open."""
    ended: list[bool] = []

    async def slow(request: DeviceRequest, limit_s: float) -> bool:
        plug(machine)
        try:
            await asyncio.sleep(LONG_S)
        finally:
            ended.append(True)
        return False

    monkeypatch.setattr(device_wait, "is_connected", slow)
    assert wait(machine, DeviceRequest(name="UMC"), 0.01, plugged=False)
    assert ended == [True]
