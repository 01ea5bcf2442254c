"""The decoder against literal bytes, hostile packets and noise."""

import struct
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pythonosc.osc_message_builder import OscMessageBuilder

from nemod.osc.codec import (
    IMMEDIATELY,
    MAX_MESSAGES,
    Bundle,
    DecodeError,
    Message,
    Packet,
    decode,
)

BUNDLE = b"#bundle\0\0\0\0\0\0\0\0\1"


def element(content: bytes) -> bytes:
    return struct.pack(">i", len(content)) + content


def nested(depth: int) -> bytes:
    packet = BUNDLE
    for _ in range(depth - 1):
        packet = BUNDLE + element(packet)
    return packet


@pytest.mark.parametrize(
    ("datagram", "tags", "values"),
    [
        (b"/a\0\0,f\0\0\x3f\x00\0\0", "f", (0.5,)),
        (b"/a\0\0,i\0\0\xff\xff\xff\xfe", "i", (-2,)),
        (b"/a\0\0,d\0\0\x40\x09\x21\xfb\x54\x44\x2d\x18", "d", (3.141592653589793,)),
        (b"/a\0\0,h\0\0\0\0\0\x01\0\0\0\0", "h", (2**32,)),
        (b"/a\0\0,t\0\0\x80\0\0\0\0\0\0\0", "t", (2**63,)),
        (b"/a\0\0,s\0\0abc\0", "s", ("abc",)),
        (b"/a\0\0,S\0\0abcd\0\0\0\0", "S", ("abcd",)),
        (b"/a\0\0,s\0\0\xc3\x9cb\0", "s", ("Üb",)),
        (b"/a\0\0,b\0\0\0\0\0\x05\1\2\3\4\5\0\0\0", "b", (b"\1\2\3\4\5",)),
        (b"/a\0\0,b\0\0\0\0\0\0", "b", (b"",)),
        (b"/a\0\0,c\0\0\0\0\0A", "c", ("A",)),
        (b"/a\0\0,r\0\0\xff\x00\x80\x01", "r", (0xFF008001,)),
        (b"/a\0\0,m\0\0\x00\x90\x40\x7f", "m", ((0, 0x90, 0x40, 0x7F),)),
        (b"/a\0\0,TFNI\0\0\0", "TFNI", (True, False, None, None)),
        (b"/a\0\0,[i[T]]\0\0\0\0\x07", "[i[T]]", ((7, (True,)),)),
        (b"/a\0\0,[]i\0\0\0\0\0\0\0\x07", "[]i", ((), 7)),
        (b"/a\0\0,\0\0\0", "", ()),
        (b"/a\0\0", "", ()),
    ],
)
def test_every_type_is_read_from_its_bytes(
    datagram: bytes, tags: str, values: tuple[object, ...]
) -> None:
    """Each argument type has the layout that the specification gives it."""
    expected = Packet(Message("/a", tags, values), 1, len(datagram))  # type: ignore[arg-type]
    assert expected == decode(datagram)


def test_bundle_keeps_order_nesting_and_time() -> None:
    """Elements stay in order, bundles stay bundles, and time tags are read whole."""
    inner = b"#bundle\0" + struct.pack(">II", 5, 6) + element(b"/c\0\0,T\0\0")
    datagram = BUNDLE + element(b"/a\0\0,\0\0\0") + element(inner) + element(b"/b\0\0,\0\0\0")
    expected = Bundle(
        IMMEDIATELY,
        (
            Message("/a", "", ()),
            Bundle(5 << 32 | 6, (Message("/c", "T", (True,)),)),
            Message("/b", "", ()),
        ),
    )
    assert Packet(expected, 3, len(datagram)) == decode(datagram)


@pytest.mark.parametrize(
    "datagram",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"/a\0", id="not a multiple of four"),
        pytest.param(b"gain\0\0\0\0", id="no slash"),
        pytest.param(b"\0\0\0\0", id="empty address"),
        pytest.param(b"/abc/def", id="address without an end"),
        pytest.param(b"/a\0x,\0\0\0", id="padding that is not zero"),
        pytest.param(b"/a\0\0i\0\0\0\0\0\0\1", id="type tags without a comma"),
        pytest.param(b"/a\0\0,f\0\0\x3f\x00", id="truncated float, cut"),
        pytest.param(b"/a\0\0,f\0\0", id="truncated float, missing"),
        pytest.param(b"/a\0\0,d\0\0\x3f\x00\0\0", id="truncated double"),
        pytest.param(b"/a\0\0,Sf\0abc", id="Sf: string runs out"),
        pytest.param(b"/a\0\0,Sf\0abc\0", id="Sf: float is not there"),
        pytest.param(b"/a\0\0,s\0\0\xff\xfe\xfd\0", id="bad UTF-8"),
        pytest.param(b"/\xff\0\0,\0\0\0", id="bad UTF-8 in the address"),
        pytest.param(b"/a\0\0,\xff\0\0", id="bad UTF-8 in the type tags"),
        pytest.param(b"/a\0\0,b\0\0\0\0\0\x05\1\2\3\4", id="blob longer than the packet"),
        pytest.param(b"/a\0\0,b\0\0\xff\xff\xff\xff", id="blob of size -1"),
        pytest.param(b"/a\0\0,b\0\0\0\0\0\1a\1\0\0", id="blob padding that is not zero"),
        pytest.param(b"/a\0\0,c\0\0\0\0\x01\0", id="character beyond ASCII"),
        pytest.param(b"/a\0\0,q\0\0", id="unknown type"),
        pytest.param(b"/a\0\0,[i\0\0\0\0\1", id="open array"),
        pytest.param(b"/a\0\0,i]\0\0\0\0\1", id="closed array"),
        pytest.param(b"/a\0\0,i\0\0\0\0\0\1\0\0\0\2", id="more data than type tags"),
        pytest.param(BUNDLE[:8], id="bundle without a time tag"),
        pytest.param(BUNDLE + struct.pack(">i", -4), id="element size -4"),
        pytest.param(BUNDLE + struct.pack(">i", 0), id="element size 0"),
        pytest.param(BUNDLE + struct.pack(">i", 8) + b"/a\0\0", id="element beyond the end"),
        pytest.param(BUNDLE + struct.pack(">i", 2) + b"/a\0\0", id="element size 2"),
        pytest.param(nested(9), id="nine nested bundles"),
        pytest.param(nested(400), id="400 nested bundles in 8 KiB"),
        pytest.param(nested(900), id="900 nested bundles"),
        pytest.param(b"/a\0\0," + b"[" * 9 + b"]" * 9 + b"\0", id="nine nested arrays"),
        pytest.param(b"/a\0\0," + b"T" * 1026 + b"\0", id="too many arguments"),
        pytest.param(BUNDLE + element(b"/a\0\0") * (MAX_MESSAGES + 1), id="too many messages"),
        pytest.param(b"/a\0\0,s\0\0" + b"x" * 8192 + b"\0\0\0\0", id="longer than 8 KiB"),
    ],
)
def test_malformed_packets_are_refused(datagram: bytes) -> None:
    """Whatever is cut, contradictory or too much is an error and never a value."""
    with pytest.raises(DecodeError):
        decode(datagram)


def test_limits_are_reached_exactly() -> None:
    """Eight nested bundles and 256 messages are still good."""
    assert decode(nested(8)).message_count == 0
    assert decode(BUNDLE + element(b"/a\0\0") * MAX_MESSAGES).message_count == MAX_MESSAGES


@given(st.binary(max_size=256))
def test_any_bytes_are_a_packet_or_a_decode_error(data: bytes) -> None:
    """No bytes raise anything but DecodeError."""
    _packet_or_refusal(data)


@given(st.binary(max_size=64), st.sampled_from([b"#bundle\0", BUNDLE, b"/a\0\0,", b"/a\0\0,[sb"]))
def test_any_bytes_after_a_good_start_are_a_packet_or_a_decode_error(
    data: bytes, start: bytes
) -> None:
    """The same, past the first checks."""
    _packet_or_refusal(start + data + bytes(-len(start + data) % 4))


@given(st.data())
def test_mutated_packets_are_a_packet_or_a_decode_error(data: st.DataObject) -> None:
    """Real packets with bytes changed, cut out or doubled raise nothing else either."""
    packet = bytearray(data.draw(st.sampled_from(_REAL_PACKETS)))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, max(len(packet) - 1, 0)))
        match data.draw(st.sampled_from(("change", "cut", "double"))):
            case "change":
                packet[at : at + 1] = data.draw(st.binary(min_size=1, max_size=1))
            case "cut":
                del packet[at : at + 4]
            case "double":
                packet[at:at] = packet[at : at + 8]
    _packet_or_refusal(bytes(packet))


_ARGUMENT: st.SearchStrategy[tuple[str, object]] = st.one_of(
    st.tuples(st.just("i"), st.integers(-(2**31), 2**31 - 1)),
    st.tuples(st.just("h"), st.integers(-(2**63), 2**63 - 1)),
    st.tuples(st.just("f"), st.floats(width=32, allow_nan=False)),
    st.tuples(st.just("d"), st.floats(allow_nan=False)),
    st.tuples(st.just("s"), st.text(st.characters(exclude_characters="\0", codec="utf-8"))),
    st.tuples(st.just("b"), st.binary(min_size=1, max_size=40)),
    st.tuples(st.just("T"), st.just(True)),
    st.tuples(st.just("F"), st.just(False)),
    st.tuples(st.just("N"), st.none()),
)


@given(st.lists(_ARGUMENT, max_size=8))
def test_what_python_osc_builds_is_read_back(arguments: list[tuple[str, object]]) -> None:
    """Messages built by another implementation have the values that went in."""
    builder = OscMessageBuilder(address="/nemo/some/where")
    for tag, value in arguments:
        builder.add_arg(value, tag)  # type: ignore[arg-type]
    tags = "".join(tag for tag, _ in arguments)
    values = tuple(value for _, value in arguments)
    assert Message("/nemo/some/where", tags, values) == decode(builder.build().dgram).root  # type: ignore[arg-type]


def test_work_is_linear_in_the_length(count_calls: Callable[[Callable[[], object]], int]) -> None:
    """Twice the messages take no more than twice the calls."""

    def calls(messages: int) -> int:
        datagram = BUNDLE + element(b"/a\0\0,i\0\0\0\0\0\1") * messages
        return count_calls(lambda: decode(datagram))

    few, many = calls(64), calls(128)
    assert many <= 2 * few


def _packet_or_refusal(data: bytes) -> None:
    try:
        packet = decode(data)
    except DecodeError:
        return
    assert isinstance(packet, Packet)


_REAL_PACKETS = (
    b"/nemo/gain\0\0,f\0\0\x3f\x00\0\0",
    b"/nemo/model/load\0\0\0\0,s\0\0fuzz\0\0\0\0",
    BUNDLE + element(b"/nemo/tx\0\0\0\0,i\0\0\0\0\0\1") + element(b"/nemo/mute\0\0,T\0\0"),
    BUNDLE + element(BUNDLE + element(b"/x\0\0,bd\0\0\0\0\x03abc\0\0\0\0\0\0\0\0\1")),
    b"/x\0\0,[ih[s]]T\0\0\0\0\0\0\1\0\0\0\0\0\0\0\2xyz\0",
)
