"""`nemod devices`: what it lists, and that each name finds its device."""

import builtins
from typing import Any

import pytest

from nemod.engine.devices import portaudio
from nemod.engine.devices.names import Port, choose
from tests.cli.conftest import Nemod


def card(index: int, name: str, card_id: str = "", inputs: int = 2, outputs: int = 2) -> Port:
    return Port(
        index=index,
        name=name,
        host_api="ALSA",
        inputs=inputs,
        outputs=outputs,
        rate_hz=44_100,
        card_id=card_id,
    )


def test_cards_are_listed_with_the_devices_that_need_none(
    nemod: Nemod, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By names without the card's number, which find the card under another number."""
    monkeypatch.setattr("nemod.cli.devices.list_all", lambda: ([card(0, "USB [x] (hw:1,0)")], ""))
    outcome = nemod("devices")
    assert (outcome.status, outcome.err) == (0, "")
    assert "hw:" not in outcome.out
    for text in ("USB [x]", "ALSA", "44100 Hz", "demo", "null"):
        assert text in outcome.out
    moved = [card(3, "USB [x] (hw:5,0)"), card(4, "HDA: HDMI 0 (hw:0,3)", inputs=0)]
    assert choose("USB [x]", moved)[0].index == 3


def test_twins_are_listed_by_their_ids_with_a_way_to_fix_these(
    nemod: Nemod, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A card of the same name, and a rule for udev."""
    twins = [card(0, "USB: Audio (hw:1,0)", "left"), card(1, "USB: Audio (hw:2,0)", "right")]
    monkeypatch.setattr("nemod.cli.devices.list_all", lambda: (twins, ""))
    outcome = nemod("devices")
    assert outcome.status == 0
    assert "USB: Audio (card left)" in outcome.out
    assert "USB: Audio (card right)" in outcome.out
    assert 'ATTR{id}="left"' in outcome.err


def test_without_portaudio_the_rest_is_listed_with_the_remedy(
    nemod: Nemod, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit status 1 says that something is missing."""
    real = builtins.__import__

    def without(name: str, *more: Any, **also: Any) -> Any:
        if name == "sounddevice":
            raise OSError("PortAudio library not found")
        return real(name, *more, **also)

    monkeypatch.setattr(builtins, "__import__", without)
    outcome = nemod("devices")
    assert outcome.status == 1
    assert "demo" in outcome.out
    assert "null" in outcome.out
    assert "PortAudio is not installed" in outcome.err
    assert portaudio.REMEDY in outcome.err


@pytest.mark.portaudio
def test_devices_come_from_portaudio_itself(nemod: Nemod) -> None:
    """Whatever this machine has, even nothing."""
    outcome = nemod("devices")
    assert (outcome.status, outcome.err) == (0, "")
