"""Which devices are looked at for a name: cards through ALSA, JACK through PortAudio."""

from dataclasses import replace

import pytest

from nemod.common.errors import AudioError
from nemod.engine.devices import ports
from nemod.engine.devices.names import ALSA, JACK, UNKNOWN, Port
from nemod.engine.ipc import DeviceRequest

CARD = Port(
    index=-1,
    name="UMC: USB Audio (hw:2,0)",
    host_api=ALSA,
    inputs=UNKNOWN,
    outputs=UNKNOWN,
    rate_hz=0,
    card_id="UMC",
    pcm="hw:CARD=UMC,DEV=0",
)
THROUGH_PORTAUDIO = replace(CARD, index=4, inputs=2, outputs=2, pcm="")
SERVER = replace(
    CARD, index=5, name="UMC Analog Stereo", host_api=JACK, inputs=2, outputs=2, pcm=""
)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A machine with a card, which PortAudio lists, too, and JACK. Returns who was asked."""
    asked: list[str] = []

    def alsa(name: str = "") -> list[Port]:
        asked.append("ALSA")
        return [CARD]

    def portaudio() -> list[Port]:
        asked.append("PortAudio")
        return [THROUGH_PORTAUDIO, SERVER]

    monkeypatch.setattr(ports.library, "is_installed", lambda: True)
    monkeypatch.setattr(ports.listing, "list_ports", alsa)
    monkeypatch.setattr(ports.listing, "card_ports", lambda: [CARD])
    monkeypatch.setattr(ports.portaudio, "list_ports", portaudio)
    return asked


@pytest.mark.parametrize("name", ["UMC: USB Audio", "umc", "UMC: USB Audio (hw:2,0)"])
def test_a_whole_name_of_a_card_is_found_without_portaudio(machine: list[str], name: str) -> None:
    """Its id is a whole name, too."""
    assert ports.find(DeviceRequest(name=name)) == (CARD, CARD)
    assert "PortAudio" not in machine


def test_part_of_a_name_means_jack_where_that_has_the_card(machine: list[str]) -> None:
    """A server holds the card that it plays to."""
    assert ports.find(DeviceRequest(name="analog")) == (SERVER, SERVER)
    assert ports.find(DeviceRequest(name="usb aud")) == (CARD, CARD)


def test_the_card_that_was_open_is_tried_before_the_name(machine: list[str]) -> None:
    """After it was disconnected; the name counts where that card is not there."""
    open_before = DeviceRequest(name="analog", last_name="UMC: USB Audio (card UMC, device 0)")
    assert ports.find(open_before) == (CARD, CARD)
    other = DeviceRequest(name="analog", last_name="Scarlett: USB Audio (serial 1, device 0)")
    assert ports.find(other) == (SERVER, SERVER)


def test_a_card_is_listed_once(machine: list[str]) -> None:
    """PortAudio's own way to it would have another period and buffer."""
    assert ports.list_all() == ([SERVER, CARD], "")


def test_where_libasound_is_missing_portaudio_plays_to_the_card(
    machine: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is missing is said where nothing is found."""

    def missing(name: str = "") -> list[Port]:
        raise AudioError("ALSA's library is not installed")

    monkeypatch.setattr(ports.library, "is_installed", lambda: False)
    monkeypatch.setattr(ports.listing, "list_ports", missing)
    monkeypatch.setattr(ports.listing, "card_ports", missing)
    assert ports.find(DeviceRequest(name="usb")) == (THROUGH_PORTAUDIO, THROUGH_PORTAUDIO)
    with pytest.raises(AudioError, match=r"no device matches 'x'.*\(ALSA's library is not inst"):
        ports.find(DeviceRequest(name="x"))


def test_without_portaudio_cards_are_found_all_the_same(
    machine: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only JACK needs it."""

    def missing() -> list[Port]:
        raise AudioError("PortAudio is not installed")

    monkeypatch.setattr(ports.portaudio, "list_ports", missing)
    assert ports.find(DeviceRequest(name="usb aud")) == (CARD, CARD)
    with pytest.raises(AudioError, match=r"no device matches 'system'.*PortAudio is not inst"):
        ports.find(DeviceRequest(name="system"))
