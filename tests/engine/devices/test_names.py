"""Finding a device by name, in lists written by hand."""

import re
from contextlib import suppress
from dataclasses import replace

import pytest

from nemod.common.errors import AudioError
from nemod.engine.devices.names import (
    ALSA_PLUGIN,
    UNKNOWN,
    Port,
    choose,
    has_twins,
    lasting_name,
    lasting_names,
    listing,
)

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


@pytest.mark.parametrize(
    "name", ["HDMI", "HDA Intel PCH: HDMI 0 (hw:0,3)", "HDA Intel PCH: HDMI 0"]
)
def test_a_device_without_an_input_says_so(name: str) -> None:
    """The guitar needs one; the name itself is never offered."""
    with pytest.raises(AudioError) as caught:
        choose(name, STUDIO)
    assert str(caught.value).startswith(f"the device {name!r} has outputs only; the guitar needs")
    assert "did you mean" not in str(caught.value)


def test_a_device_without_an_output_says_so() -> None:
    """A microphone."""
    rows = ports(("USB Mic: Audio (hw:1,0)", ALSA, 1, 0), ("default", ALSA, 32, 32))
    with pytest.raises(AudioError, match="the device 'usb mic' has inputs only; the sound needs"):
        choose("usb mic", rows)


def test_both_directions_under_different_host_apis_say_so() -> None:
    """No stream has its input from one and its output from another."""
    rows = ports(("Scarlett", JACK, 0, 2), ("Scarlett", ALSA, 2, 0))
    with pytest.raises(AudioError, match="has its input under ALSA and its output under JACK"):
        choose("Scarlett", rows)


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
        base = port.name.partition(" (hw:")[0]
        assert f"{base!r} ({port.host_api}, {port.inputs} in, {port.outputs} out)" in text
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
    assert listing([]).startswith("there is no sound card and no JACK server")
    with pytest.raises(AudioError, match="there is no sound card and no JACK server"):
        choose("x", [])


def test_two_under_the_preferred_api_are_not_one_under_another() -> None:
    """JACK lists two of them: which is meant must be said, although ALSA lists one."""
    both = ports(("USB A", JACK, 2, 2), ("USB B", JACK, 2, 2), ("USB A", ALSA, 2, 2))
    with pytest.raises(AudioError, match="'usb' matches several devices: USB A, USB B"):
        choose("usb", both)


# --- names that last ---

CARDS = ports(
    ("bcm2835 Headphones: - (hw:0,0)", ALSA, 0, 8),
    ("UMC202HD 192k: USB Audio (hw:2,0)", ALSA, 2, 2),
    ("Loopback: PCM (hw:4,0)", ALSA, 32, 32),
    ("Loopback: PCM (hw:4,1)", ALSA, 32, 32),
    ("USB Codec", ALSA, 2, 0),
    ("USB Codec", ALSA, 0, 2),
    ("sysdefault", ALSA, 0, 128),
    ("dmix", ALSA, 0, 2),
)


def renumbered(rows: list[Port], numbers: dict[str, str]) -> list[Port]:
    """Return the same devices after a restart: each card has another number."""
    return [
        replace(row, name=re.sub(r"hw:(\d+)", lambda m: f"hw:{numbers[m[1]]}", row.name))
        for row in rows
    ]


def test_names_of_the_list_last() -> None:
    """Without the card's number, and with the device's only where it is needed."""
    assert list(lasting_names(CARDS).values()) == [
        "bcm2835 Headphones: -",
        "UMC202HD 192k: USB Audio",
        "Loopback: PCM (device 0)",
        "Loopback: PCM (device 1)",
        "USB Codec",
        "USB Codec",
        "sysdefault",
        "dmix",
    ]


@pytest.mark.parametrize("index", [1, 2, 3])
def test_a_name_of_the_list_or_of_portaudio_finds_its_device_after_a_restart(index: int) -> None:
    """Whatever number its card has then."""
    later = renumbered(CARDS, {"0": "4", "2": "0", "4": "2"})
    for name in (lasting_names(CARDS)[CARDS[index]], CARDS[index].name):
        assert [port.index for port in choose(name, CARDS)] == [index, index]
        assert [port.index for port in choose(name, later)] == [index, index]
    plug = CARDS[index].name.replace("(hw", "(plughw")
    assert choose(plug, later)[0].index == index


def test_a_part_of_a_name_with_a_stale_number_finds_it() -> None:
    """The number does not count."""
    assert choose("umc202hd 192k: usb audio (hw:7,0)", CARDS)[0].index == 1
    assert choose("usb audio (hw:7,0)", CARDS)[0].index == 1


def test_a_device_of_a_card_that_is_not_there_is_not_another_of_its_devices() -> None:
    """HDMI 7 is not HDMI 3."""
    with pytest.raises(AudioError, match=r"no device matches 'Loopback: PCM \(hw:4,5\)'"):
        choose("Loopback: PCM (hw:4,5)", CARDS)


TWINS = [
    replace(port, card_id=card_id)
    for port, card_id in zip(
        ports(("U2: Audio (hw:1,0)", ALSA, 2, 2), ("U2: Audio (hw:2,0)", ALSA, 2, 2)),
        ("left", "right"),
        strict=True,
    )
]


def test_two_cards_of_one_name_are_told_apart_by_their_ids() -> None:
    """Which may be fixed by a rule for udev; the name alone is an error that says so."""
    assert list(lasting_names(TWINS).values()) == [
        "U2: Audio (card left)",
        "U2: Audio (card right)",
    ]
    later = renumbered(TWINS, {"1": "2", "2": "1"})
    for rows in (TWINS, later):
        assert choose("U2: Audio (card right)", rows)[0].card_id == "right"
    assert choose("U2: Audio (hw:2,0)", TWINS)[0].card_id == "right"
    with pytest.raises(
        AudioError, match=r"'U2' matches several devices: U2: Audio \(card left\)"
    ) as e:
        choose("U2", TWINS)
    assert 'ATTR{id}="left"' in str(e.value)
    # Alone, either is the one.
    assert choose("U2: Audio (card right)", TWINS[:1])[0].card_id == "left"


NAMES = [*{port.name for port in CARDS}, "demo", "null", "DEMO", "Null", "dmi", "umc", "hw:2,0", ""]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("rows", [CARDS, CARDS[:1], CARDS[6:], []])
def test_what_is_given_is_never_offered(name: str, rows: list[Port]) -> None:
    """An error that proposes the very name that was given helps nobody."""
    with suppress(AudioError):
        choose(name, rows)
        return
    with pytest.raises(AudioError) as caught:
        choose(name, rows)
    assert f"did you mean {name!r}" not in str(caught.value)


@pytest.mark.parametrize("name", ["Demo", "NULL"])
def test_the_devices_without_a_card_are_offered(name: str) -> None:
    """By the names that they have."""
    with pytest.raises(AudioError, match=f"did you mean '{name.lower()}'"):
        choose(name, [])


TWO = [
    Port(
        index=-1,
        name=f"UMC202HD: USB Audio (hw:{card},0)",
        host_api=ALSA,
        inputs=UNKNOWN,
        outputs=UNKNOWN,
        rate_hz=0,
        card_id=card_id,
        serial=serial,
        pcm=f"hw:CARD={card_id},DEV=0",
    )
    for card, card_id, serial in ((1, "U202", "8A4C"), (2, "U202_1", "77F0"))
]


def test_interfaces_of_one_kind_are_told_apart_by_their_serial_numbers() -> None:
    """Whatever card number and id they get; without serial numbers, by the id."""
    names = lasting_names(TWO)
    assert list(names.values()) == [
        "UMC202HD: USB Audio (serial 8A4C)",
        "UMC202HD: USB Audio (serial 77F0)",
    ]
    assert not has_twins(TWO)
    moved = [
        replace(port, card_id=other.card_id) for port, other in zip(TWO, TWO[::-1], strict=True)
    ]
    for port in moved:
        assert choose(names[TWO[moved.index(port)]], moved)[0] is port
    assert choose("77f0", TWO)[0] is TWO[1]
    assert choose("u202", TWO)[0] is TWO[0]
    same = [replace(port, serial="0") for port in TWO]
    assert lasting_names(same)[same[0]] == "UMC202HD: USB Audio (card U202)"
    assert has_twins(same)


def test_an_interface_that_is_away_is_not_replaced_by_its_twin() -> None:
    """A name with a serial number means this one alone; the name of one that is open does, too."""
    assert choose(lasting_name(TWO[0]), TWO[:1])[0] is TWO[0]
    with pytest.raises(AudioError, match="no device matches"):
        choose(lasting_name(TWO[0]), TWO[1:])


def test_a_device_with_both_directions_is_preferred_within_a_card() -> None:
    """A part of the card's name fits its HDMI outputs, too."""
    analog, hdmi = (
        replace(TWO[0], name=f"HDA Intel PCH: {name}", inputs=inputs, card_id="PCH", serial="")
        for name, inputs in (("ALC257 Analog (hw:0,0)", UNKNOWN), ("HDMI 0 (hw:0,3)", 0))
    )
    assert choose("pch", [analog, hdmi]) == (analog, analog)


def test_a_plug_in_comes_after_cards_and_its_whole_name_finds_it() -> None:
    """A part of a name means the card itself."""
    plugin = replace(TWO[0], name="plughw:CARD=U202,DEV=0", host_api=ALSA_PLUGIN, card_id="")
    assert choose("USB Audio", [plugin, TWO[0]])[0] is TWO[0]
    assert choose("plughw:CARD=U202,DEV=0", [plugin, TWO[0]])[0] is plugin
    out = replace(plugin, name="dmix", inputs=0)
    with pytest.raises(AudioError, match="the device 'dmix' has outputs only"):
        choose("dmix", [out, TWO[0]])
