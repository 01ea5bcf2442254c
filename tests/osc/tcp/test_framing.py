"""Framing of OSC over TCP, against python-osc's and the wording of RFC 1055."""

import struct
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pythonosc import slip

from nemod.osc.framing import MAX_FRAME, FrameReader, Framing, frame

END, ESC = b"\xc0", b"\xdb"
GAIN = b"/nemo/gain\0\0,f\0\0\x3f\0\0\0"

packets = st.lists(
    st.binary(min_size=1, max_size=40).map(lambda data: data + bytes(-len(data) % 4)), max_size=8
)
special = st.lists(st.sampled_from([b"\xc0", b"\xdb", b"\xdc", b"\xdd", b"a"]), min_size=1).map(
    b"".join
)


def sized(packet: bytes) -> bytes:
    """Return a packet with the length prefix of OSC 1.0, as its specification words it."""
    return struct.pack(">i", len(packet)) + packet


def read(stream: bytes, cuts: list[int] | None = None, limit: int = MAX_FRAME) -> list[bytes]:
    """Return the packets of a valid stream that arrives in pieces."""
    frames, error = read_all(stream, cuts, limit)
    assert not error
    return frames


def read_all(
    stream: bytes, cuts: list[int] | None = None, limit: int = MAX_FRAME
) -> tuple[list[bytes], bool]:
    """Return the packets, and whether the stream ended by an error."""
    reader = FrameReader(limit)
    edges = [0, *sorted(cut % (len(stream) + 1) for cut in cuts or []), len(stream)]
    frames = []
    for start, stop in pairwise(edges):
        frames += reader.feed(stream[start:stop])
    return frames, bool(reader.error)


@given(packets, st.lists(st.integers(0, 1000)))
def test_length_prefixed_packets_come_back_however_they_are_cut(
    sent: list[bytes], cuts: list[int]
) -> None:
    """OSC 1.0: the pieces in which TCP delivers a stream are arbitrary."""
    assert read(b"".join(map(sized, sent)), cuts) == sent


@given(st.lists(special), st.lists(st.integers(0, 1000)), st.booleans())
def test_slip_packets_of_python_osc_come_back(
    sent: list[bytes], cuts: list[int], has_single_ends: bool
) -> None:
    """OSC 1.1: one END between two packets, or one on either side of each."""
    stream = b"".join(map(slip.encode, sent))
    if has_single_ends:
        stream = stream.replace(END + END, END)
    assert read(stream, cuts) == sent


@given(st.lists(special))
def test_python_osc_reads_what_is_framed(sent: list[bytes]) -> None:
    """Its decoder, and its way of finding packets in a stream, are the ones of its clients."""
    stream = b"".join(frame(packet, Framing.SLIP) for packet in sent)
    # It strips END bytes on either side, so it cannot be given an empty packet.
    assert [slip.decode(piece) for piece in stream.split(END + END) if piece] == sent
    assert all(frame(packet, Framing.LENGTH) == sized(packet) for packet in sent)


@given(st.binary(max_size=300), st.lists(st.integers(0, 1000)))
def test_pieces_make_no_difference_to_any_stream(stream: bytes, cuts: list[int]) -> None:
    """Valid or not: the same packets, and an error or none."""
    for start in (b"", END, sized(GAIN)):
        assert read_all(start + stream, cuts, 64) == read_all(start + stream, None, 64)


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("negative", -4),
        ("zero", 0),
        ("odd", 6),
        ("too long", MAX_FRAME + 4),
        ("POST", 0x504F5354),
        ("GET", 0x47455420),
    ],
)
def test_an_invalid_length_ends_the_stream(name: str, size: int) -> None:
    """What came before it counts, and nothing after it does."""
    reader = FrameReader()
    bad = struct.pack(">i", size)
    assert reader.feed(sized(GAIN) + bad + sized(GAIN)) == [GAIN]
    assert f"frame of {size} bytes" in reader.error
    assert reader.feed(sized(GAIN)) == []
    assert not reader.has_partial_frame


def test_the_size_is_checked_before_the_frame_arrives() -> None:
    """Four bytes are enough: nothing is collected for a frame that will be refused."""
    reader = FrameReader()
    for byte in b"POST":
        assert not reader.error
        assert reader.feed(bytes([byte])) == []
    assert reader.error


@pytest.mark.parametrize(
    "body", [ESC + b"a", ESC, ESC + ESC + b"\xdc", b"/x\0\0" + ESC + b"\x00"], ids=repr
)
def test_an_unknown_escape_ends_the_stream(body: bytes) -> None:
    """RFC 1055 knows two escapes; a sender of another one does not speak SLIP."""
    reader = FrameReader()
    assert reader.feed(END + GAIN + END + body + END + GAIN + END) == [GAIN]
    assert "escape" in reader.error


def test_the_longest_frame_of_either_kind() -> None:
    """64 KiB pass; one more byte does not, even before the frame is complete."""
    longest = b"\xc0\xdb/x" * (MAX_FRAME // 4)
    for framing in Framing:
        assert read(frame(longest, framing)) == [longest]
    reader = FrameReader()
    reader.feed(frame(longest, Framing.SLIP)[:-1] + b"a")
    assert "longer than 65536 bytes" in reader.error


def test_endless_escapes_are_bounded() -> None:
    """They add nothing to a packet's size, so their own number is limited."""
    reader = FrameReader(limit=1000)
    assert reader.feed(END + ESC * 2000) == []
    assert not reader.error
    reader.feed(ESC)
    assert reader.error


def test_what_has_begun_is_seen() -> None:
    """So that a sender that never completes a frame can be cut off."""
    reader = FrameReader()
    states = []
    for piece in (sized(GAIN)[:2], sized(GAIN)[2:4], GAIN[:-1], GAIN[-1:]):
        reader.feed(piece)
        states.append(reader.has_partial_frame)
    assert states == [True, True, True, False]
    reader = FrameReader()
    states = []
    for piece in (END, b"/", b"a" + END, END, ESC, b"\xdc" + END):
        reader.feed(piece)
        states.append(reader.has_partial_frame)
    assert states == [False, True, False, False, True, False]


@pytest.mark.parametrize("framing", list(Framing))
def test_work_is_linear_in_the_bytes(
    framing: Framing, count_calls: Callable[[Callable[[], object]], int]
) -> None:
    """Byte by byte, or thousands of packets at once: never more than a few calls for each."""
    stream = frame(GAIN, framing) * 2000
    reader = FrameReader()
    at_once = count_calls(lambda: reader.feed(stream))
    singly = count_calls(lambda: [reader.feed(stream[at : at + 1]) for at in range(len(stream))])
    assert at_once < 20 * 2000
    assert singly < 20 * len(stream)
