"""Choosing a device by name, over lists written by hand."""

import builtins
import re
from typing import Any

import pytest

from nemod.common.errors import AudioError
from nemod.engine.devices.portaudio import Port, Stream, choose, listing, open_stream
from nemod.engine.ipc import DeviceRequest

JACK, ALSA, OSS = "JACK Audio Connection Kit", "ALSA", "OSS"


def ports(*rows: tuple[str, str, int, int]) -> list[Port]:
    """Return ports from (name, host API, inputs, outputs)."""
    return [
        Port(index=index, name=name, host_api=api, inputs=ins, outputs=outs, rate_hz=48_000)
        for index, (name, api, ins, outs) in enumerate(rows)
    ]


STUDIO = ports(
    ("Scarlett 2i2 USB: Audio (hw:1,0)", ALSA, 2, 2),
    ("HDA Intel PCH: ALC257 Analog (hw:0,0)", ALSA, 2, 2),
    ("HDA Intel PCH: HDMI 0 (hw:0,3)", ALSA, 0, 8),
    ("default", ALSA, 32, 32),
    ("sysdefault", ALSA, 32, 32),
)


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("Scarlett 2i2 USB: Audio (hw:1,0)", 0),
        ("scarlett", 0),
        ("SCARLETT 2I2", 0),
        ("alc257", 1),
        ("hw:1", 0),
        ("default", 3),
        ("sysdef", 4),
    ],
)
def test_an_exact_name_wins_else_a_part_in_any_case(name: str, index: int) -> None:
    """`default` is a part of `sysdefault` too, and is meant by itself."""
    assert [port.index for port in choose(name, STUDIO)] == [index, index]


def test_input_and_output_are_matched_apart() -> None:
    """One interface is often listed as two devices."""
    split = ports(("USB Codec", ALSA, 2, 0), ("USB Codec", ALSA, 0, 2), ("Loudspeaker", ALSA, 0, 2))
    assert [port.index for port in choose("usb", split)] == [0, 1]


def test_an_output_that_matches_needs_an_input_that_matches() -> None:
    """The guitar comes in where the sound goes out."""
    with pytest.raises(AudioError, match="no device with an input and an output matches 'HDMI'"):
        choose("HDMI", STUDIO)


@pytest.mark.parametrize(
    ("apis", "chosen"),
    [((ALSA, JACK), JACK), ((OSS, ALSA), ALSA), ((OSS, JACK, ALSA), JACK), ((OSS,), OSS)],
)
def test_one_interface_under_several_host_apis_is_one_match(
    apis: tuple[str, ...], chosen: str
) -> None:
    """JACK is preferred, then ALSA, wherever they stand in the list."""
    rows = ports(*(("Scarlett", api, 2, 2) for api in apis))
    source, sink = choose("scarlett", rows)
    assert {source.host_api, sink.host_api} == {chosen}


def test_both_directions_are_from_one_host_api() -> None:
    """A preferred one that has the output alone is passed over."""
    rows = ports(("Scarlett", JACK, 0, 2), ("Scarlett", ALSA, 2, 2))
    assert [port.index for port in choose("Scarlett", rows)] == [1, 1]


def test_an_exact_name_wins_over_a_part_under_a_preferred_host_api() -> None:
    """What is typed whole is meant."""
    rows = ports(("my system card", JACK, 2, 2), ("system", ALSA, 2, 2))
    assert [port.index for port in choose("system", rows)] == [1, 1]


@pytest.mark.parametrize("name", ["HDA", "(hw:", "2i3", "", "Scarlet 2i2"])
def test_none_or_several_is_an_error_that_lists_what_there_is(name: str) -> None:
    """With the channels of each, and the devices that need no card."""
    rows = [*STUDIO, *ports(("HDA Intel PCH: ALC257 Alt (hw:0,2)", ALSA, 2, 2))]
    with pytest.raises(AudioError) as caught:
        choose(name, rows)
    text = str(caught.value)
    assert repr(name) in text
    for port in rows:
        assert f"{port.name!r} ({port.host_api}, {port.inputs} in, {port.outputs} out)" in text
    assert text.endswith("'demo' and 'null'")


def test_several_are_named_before_the_list() -> None:
    """Those that match, and only those."""
    rows = ports(("USB A", ALSA, 2, 2), ("USB B", ALSA, 2, 2), ("PCI", ALSA, 2, 2))
    with pytest.raises(AudioError, match="'usb' matches several devices: USB A, USB B; there are"):
        choose("usb", rows)


def test_a_name_that_is_nearly_right_gets_a_hint() -> None:
    """The nearest of all."""
    rows = ports(("system", JACK, 2, 2), ("PCI", JACK, 2, 2))
    with pytest.raises(AudioError, match="'sistem', did you mean 'system'"):
        choose("sistem", rows)


def test_a_machine_without_devices_is_told_so() -> None:
    """Instead of an empty list."""
    assert listing([]).startswith("PortAudio sees no device at all")
    with pytest.raises(AudioError, match="sees no device at all"):
        choose("x", [])


# --- channels ------------------------------------------------------------------------------------


def stream(source: Port | None, sink: Port, **wanted: Any) -> Stream:
    return Stream(source, sink, DeviceRequest(name="x", **wanted), 48_000)


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        ({"input_channel": 3}, "input 3 of 'Two': allowed are 1 to 2"),
        ({"output_channels": (3,)}, "output 3 of 'Two': allowed are 1 to 2"),
        ({"output_channels": (1, 5)}, "output 5 of 'Two': allowed are 1 to 2"),
    ],
)
def test_a_channel_that_the_device_has_not_is_refused(wanted: dict[str, Any], text: str) -> None:
    """Before anything is opened."""
    (two,) = ports(("Two", ALSA, 2, 2))
    with pytest.raises(AudioError, match=re.escape(text)):
        stream(two, two, **wanted)


@pytest.mark.parametrize(
    ("outputs", "wanted", "expected"),
    [(8, (), [0, 1]), (2, (), [0, 1]), (1, (), [0]), (8, (7, 3), [6, 2])],
)
def test_sound_goes_to_the_first_two_channels_unless_told(
    outputs: int, wanted: tuple[int, ...], expected: list[int]
) -> None:
    """Or to the only one."""
    (sink,) = ports(("Out", ALSA, 0, outputs))
    assert stream(None, sink, output_channels=wanted)._outputs == expected


def test_without_portaudio_the_error_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the devices that work all the same."""
    real = builtins.__import__

    def without(name: str, *more: Any, **also: Any) -> Any:
        if name == "sounddevice":
            raise OSError("PortAudio library not found")
        return real(name, *more, **also)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(AudioError, match=r"apt install libportaudio2.*'demo' and 'null'"):
        open_stream(DeviceRequest(name="Scarlett"))


def test_two_under_the_preferred_api_are_not_one_under_another() -> None:
    """JACK lists two of them: which is meant must be said, although ALSA lists one."""
    both = ports(("USB A", JACK, 2, 2), ("USB B", JACK, 2, 2), ("USB A", ALSA, 2, 2))
    with pytest.raises(AudioError, match="'usb' matches several devices: USB A, USB B"):
        choose("usb", both)
