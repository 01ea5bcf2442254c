"""The parser of MIDI bytes against the byte sequences of the MIDI 1.0 specification."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nemod.midi.messages import CLOCK, Kind, Message
from nemod.midi.parser import Parser, to_bytes

CC, NOTE, PROGRAM, BEND, PRESSURE = Kind.CC, Kind.NOTE, Kind.PROGRAM, Kind.BEND, Kind.PRESSURE

RECORDED = {
    "control change": ("b0 07 63", [Message(CC, 1, 7, 99)]),
    "last channel": ("bf 0b 00", [Message(CC, 16, 11, 0)]),
    "program": ("c2 05", [Message(PROGRAM, 3, 5, 127)]),
    "note on and off": (
        "90 3c 64 80 3c 40",
        [Message(NOTE, 1, 60, 100), Message(NOTE, 1, 60, 0)],
    ),
    "note on with velocity 0 is a note off": ("90 3c 00", [Message(NOTE, 1, 60, 0)]),
    "pitch bend, lower half first": ("e0 01 40", [Message(BEND, 1, 0, 0x2001)]),
    "bend to the ends": (
        "e0 00 00 e0 7f 7f",
        [Message(BEND, 1, 0, 0), Message(BEND, 1, 0, 16383)],
    ),
    "channel pressure": ("d4 7f", [Message(PRESSURE, 5, 0, 127)]),
    "running status": (
        "b0 07 01 07 02 0b 03",
        [Message(CC, 1, 7, 1), Message(CC, 1, 7, 2), Message(CC, 1, 11, 3)],
    ),
    "running status of programs": ("c0 01 02", [Message(PROGRAM, 1, n, 127) for n in (1, 2)]),
    "real time inside a message": ("b0 f8 07 f8 10", [CLOCK, CLOCK, Message(CC, 1, 7, 16)]),
    "real time between running status": (
        "b0 07 01 fe 07 02",
        [Message(CC, 1, 7, 1), Message(CC, 1, 7, 2)],
    ),
    "real time inside a system exclusive": ("f0 7e f8 00 f7", [CLOCK]),
    "system exclusive is skipped": (
        "f0 00 20 32 00 7f 42 f7 b0 07 05",
        [Message(CC, 1, 7, 5)],
    ),
    "a status byte ends a system exclusive": ("f0 43 10 b0 07 06", [Message(CC, 1, 7, 6)]),
    "system exclusive ends running status": ("b0 07 01 f0 01 f7 07 02", [Message(CC, 1, 7, 1)]),
    "song position ends running status": ("b0 07 01 f2 10 20 07 02", [Message(CC, 1, 7, 1)]),
    "song select has one byte": ("f3 05 b0 07 02", [Message(CC, 1, 7, 2)]),
    "tune request has none": ("f6 b0 07 02", [Message(CC, 1, 7, 2)]),
    "cut off by another message": ("b0 07 c0 05", [Message(PROGRAM, 1, 5, 127)]),
    "data without a status": ("07 40 b0 07 40", [Message(CC, 1, 7, 64)]),
    "undefined status bytes": ("f4 01 f5 02 f9 fd b0 07 03", [Message(CC, 1, 7, 3)]),
    "pressure of keys is nothing": ("a0 3c 40 3d 41 b0 07 04", [Message(CC, 1, 7, 4)]),
    "nothing but a start and a stop": ("fa fb fc ff", []),
}


@pytest.mark.parametrize("name", RECORDED)
def test_recorded_bytes(name: str) -> None:
    """Each sequence is these messages, at once or byte by byte."""
    text, expected = RECORDED[name]
    data = bytes.fromhex(text)
    assert Parser().feed(data) == expected
    parser = Parser()
    assert [message for byte in data for message in parser.feed(bytes([byte]))] == expected


def test_lost_bytes_are_counted() -> None:
    """Two without a status, one that is cut off; those of a system exclusive are none."""
    parser = Parser()
    parser.feed(bytes.fromhex("07 40 b0 07 f0 01 02 f7 b0 07 01"))
    assert parser.skipped == 3


@given(st.binary(max_size=200), st.integers(0, 200))
def test_any_bytes_are_read_however_they_are_cut(data: bytes, cut: int) -> None:
    """Nothing raises, all values are within MIDI's, and the pieces do not matter."""
    whole, parser = Parser().feed(data), Parser()
    assert parser.feed(data[:cut]) + parser.feed(data[cut:]) == whole
    for message in whole:
        assert 0 <= message.channel <= 16
        assert 0 <= message.number <= 127
        assert 0 <= message.value <= 16383


@pytest.mark.parametrize("message", [one for _, found in RECORDED.values() for one in found])
def test_a_message_is_read_as_it_was_written(message: Message) -> None:
    """What is sent to a controller is what it would send; a note off is one with velocity 0."""
    if message is not CLOCK:
        assert Parser().feed(to_bytes(message)) == [message]
