"""Bindings against arithmetic: encodings, ends, curves, names of devices."""

import pytest

from nemod.midi.binding import Binding, Curve, Encoding, steps
from nemod.midi.key_names import key_code, key_name
from nemod.midi.messages import Kind, Message, Port
from nemod.midi.quadrature import Quadrature


@pytest.mark.parametrize(
    ("encoding", "values"),
    [
        (Encoding.TWOS_COMPLEMENT, {1: 1, 2: 2, 63: 63, 127: -1, 126: -2, 64: -64, 0: 0}),
        (Encoding.BINARY_OFFSET, {65: 1, 66: 2, 127: 63, 63: -1, 62: -2, 0: -64, 64: 0}),
        (Encoding.SIGNED_BIT, {1: 1, 2: 2, 63: 63, 65: -1, 66: -2, 127: -63, 64: 0, 0: 0}),
    ],
)
def test_relative_encodings(encoding: Encoding, values: dict[int, int]) -> None:
    """Steps as makers of controllers define them."""
    assert {value: steps(encoding, value) for value in values} == values


def pedal(**more: object) -> Binding:
    return Binding(kind=Kind.CC, number=11, target="level", **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("binding", "raw", "position"),
    [
        (pedal(), 127, 1.0),
        (pedal(), 0, 0.0),
        (pedal(low=10, high=110), 60, 0.5),
        (pedal(low=10, high=110), 5, 0.0),
        (pedal(low=10, high=110), 120, 1.0),
        (pedal(low=110, high=10), 35, 0.75),
        (pedal(low=0, high=100, curve=Curve.SLOW), 50, 0.25),
        (pedal(low=0, high=100, curve=Curve.FAST), 25, 0.5),
        (pedal(low=0, high=100, invert=True), 25, 0.75),
        (pedal(low=0, high=100, range=(0.2, 0.6)), 50, 0.4),
        (pedal(low=0, high=100, range=(0.6, 0.2)), 25, 0.5),
        (pedal(low=0, high=100, range=(0.2, 0.6), curve=Curve.SLOW, invert=True), 50, 0.3),
        (Binding(kind=Kind.BEND, target="gain"), 16383, 1.0),
        (
            Binding(kind=Kind.CC, number=1, target="gain", encoding=Encoding.FOURTEEN_BIT),
            1,
            1 / 16383,
        ),
    ],
)
def test_the_way_of_a_pedal_becomes_a_position(binding: Binding, raw: int, position: float) -> None:
    """And within its ends the position becomes the value again."""
    assert binding.position(raw) == pytest.approx(position)
    low, high = sorted(binding.ends)
    assert binding.raw(position) == min(max(raw, low), high)


@pytest.mark.parametrize(
    ("wanted", "device", "is_same"),
    [
        ("", "FCB1010", True),
        ("fcb", "FCB1010", True),
        ("FCB1010", "FCB1010 #2", False),
        ("FCB1010 #2", "FCB1010 #2", True),
        ("FCB1010 #2", "FCB1010", False),
        ("nano", "FCB1010", False),
    ],
)
def test_devices_are_named_by_a_part_of_their_name(wanted: str, device: str, is_same: bool) -> None:
    """The second of two alike is another one."""
    message = Message(Kind.CC, 3, 11, 0)
    assert pedal(device=wanted).matches(Port(device, "MIDI 1"), message) is is_same


def test_channel_and_number_have_to_be_the_same() -> None:
    """Without a channel all are."""
    port = Port("FCB1010")
    assert pedal().matches(port, Message(Kind.CC, 9, 11, 0))
    assert not pedal(channel=2).matches(port, Message(Kind.CC, 9, 11, 0))
    assert not pedal().matches(port, Message(Kind.CC, 1, 12, 0))
    assert not pedal().matches(port, Message(Kind.NOTE, 1, 11, 0))


# Codes from <linux/input-event-codes.h>.
CODES = {"ESC": 1, "1": 2, "0": 11, "Q": 16, "ENTER": 28, "A": 30, "SPACE": 57, "F12": 88}
CODES |= {"PAGEUP": 104, "PAGEDOWN": 109, "UP": 103, "DOWN": 108, "LEFT": 105, "RIGHT": 106}
CODES |= {"VOLUMEUP": 115, "NEXTSONG": 163, "PLAYPAUSE": 164, "KP0": 82, "HOME": 102, "END": 107}


@pytest.mark.parametrize("name", CODES)
def test_names_of_keys(name: str) -> None:
    """As the kernel's header has them, in any case, with its prefix or without."""
    assert key_code(name) == key_code(f"KEY_{name.lower()}") == CODES[name]
    assert key_name(CODES[name]) == name


def test_a_key_without_a_name_has_its_code() -> None:
    """And a word that is neither is an error."""
    assert key_code("240") == 240
    assert key_name(240) == "240"
    with pytest.raises(ValueError, match="PAGEDOWN"):
        key_code("PEDAL")


def test_an_encoder_counts_detents() -> None:
    """Right: the first contact is ahead; left: the second one."""
    encoder = Quadrature(17, 18)
    right = [(17, True), (18, True), (17, False), (18, False)]
    left = [(18, True), (17, True), (18, False), (17, False)]
    assert [encoder.edge(pin, is_active=on) for pin, on in right] == [0, 0, 0, 1]
    assert [encoder.edge(pin, is_active=on) for pin, on in left] == [0, 0, 0, -1]


def test_contacts_that_bounce_count_once() -> None:
    """Every edge three times, and a start that goes back."""
    encoder = Quadrature(1, 2)
    edges = [(1, True), (1, False)]
    for pin, on in [(1, True), (2, True), (1, False), (2, False)]:
        edges += [(pin, on), (pin, not on), (pin, on)]
    assert sum(encoder.edge(pin, is_active=on) for pin, on in edges) == 1
