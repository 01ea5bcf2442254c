"""Makes an infinite, seeded series of mutated OSC packets from real ones built by python-osc.

Half of them are real packets with damaged bytes; the other half are expensive packets: deep or
empty bundles, patterns on which a backtracking matcher would never finish, type tags without data.
"""

import json
import random
import struct
from collections.abc import Callable, Iterator

from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message_builder import OscMessageBuilder

from nemod.chain import plain_chain
from nemod.osc.addresses.tree import build_tree
from nemod.osc.addresses.values import TAGS, LeafKind
from nemod.parameters.parameter_set import KnobSpec, ParameterSet
from tests.chains import BOARD

KNOBS = ("gain", "tone", "Überdrive")
MAX_UDP = 65_507
"""[bytes] The largest datagram that IPv4 can carry."""
BUNDLE = b"#bundle\0"

WORDS = (0, 1, -1, 3, 4, 7, 8, 0x7FFFFFFF, -0x80000000, 0x10000, 8192, -4, 0x23627564)
FLOATS = tuple(map(float, ("nan", "inf", "-inf", "-0", "1e-45", "3.4e38", "-7", "0.5")))
TEXTS = (
    "",
    "x",
    "/nemo/gain?VALUE",
    "GET /?HOST_INFO HTTP/1.1\r\n",
    '{"FULL_PATH": "/nemo", "CONTENTS": {}}',
    "../../../etc/passwd",
    "%s%n%x",
    "a\nb\x1b[2J",
    "\u202e\U0001f3b8",
    "A" * 3000,
    "nan",
    "Amp Clean",
)
PARTS = (
    "{" + ",".join("abcdefgh") + "}",
    "{" + ",".join("a" * n for n in range(1, 12)) + "}",
    "{,,,,}",
    "{{a,b},c}",
    "{a",
    "[!a-zA-Z0-9]",
    "[!" + "".join(map(chr, range(65, 91))) + "]",
    "[z-a]",
    "[a-]",
    "[]",
    "[!]",
    "[",
    "*" * 30,
    "*a" * 15,
    "?" * 20,
    "*?*?*?*?",
    "{a,b}" * 12,
    "*{a,aa,aaa}" * 6,
    "[a-z]*" * 10,
    "gain",
    "delay",
    "*",
)


def message(address: str, *arguments: tuple[str, object]) -> bytes:
    """Return a message of (type tag, value) pairs."""
    made = OscMessageBuilder(address)
    for tag, value in arguments:
        made.add_arg(value, tag)  # type: ignore[arg-type]
    return made.build().dgram


def bundle(*elements: bytes, time_tag: int = 1) -> bytes:
    """Return a bundle."""
    sized = (struct.pack(">i", len(element)) + element for element in elements)
    return BUNDLE + struct.pack(">Q", time_tag) + b"".join(sized)


def real_packets() -> list[bytes]:
    """Return typical packets: a query and a setting of every address, bundles, patterns."""
    values: dict[str, object] = {"f": 0.5, "i": 1, "T": True, "s": "Amp Lead"}
    packets = []
    for leaf in build_tree(
        ParameterSet(knobs={"model": list(map(KnobSpec, KNOBS))})
    ).leaves.values():
        packets.append(message(leaf.address))
        tag = TAGS[leaf.kind][:1] or "I"
        if leaf.kind is not LeafKind.LIST and tag in values:
            packets.append(message(leaf.address, (tag, values[tag])))
    delay = message("/nemo/delay/mix", ("f", 0.25))
    gain = message("/nemo/gain", ("d", 0.75))
    started = message("/nemo/tx", ("i", 7))
    built = OscBundleBuilder(IMMEDIATELY)
    for address in ("/nemo/eq/bass", "/nemo/eq/treble"):
        one = OscMessageBuilder(address)
        one.add_arg(0.4)
        built.add_content(one.build())
    packets += [
        built.build().dgram,
        bundle(),
        bundle(delay, gain),
        bundle(started, delay, bundle(gain, message("/nemo/bypass", ("T", True)))),
        bundle(bundle(bundle(gain)), delay, time_tag=0xE000_0000_0000_0000),
        message("/nemo/*"),
        message("/nemo/{delay,reverb}/mix", ("f", 0.1)),
        message("/nemo/[d-r]*/m?x", ("i", 1)),
        message("/nemo/real/*/*", ("f", 0.3)),
        message("/nemo/blob", ("b", b"12345")),
        message("/nemo/chain/set", ("s", json.dumps(plain_chain(BOARD)))),
        message("/nemo/chain/set", ("s", "default")),
        message("/nemo/chain/add", ("s", "delay2"), ("i", 3), ("s", '{"kind": "delay"}')),
        message("/nemo/chain/move", ("s", "eq"), ("s", "split/a")),
        message("/nemo/chain/replace", ("s", "delay2"), ("s", '{"model2": {"file": "fuzz"}}')),
        message("/nemo/chain/remove", ("s", "delay2")),
    ]
    return packets


class Mutator:
    """Makes mutated packets; the same seed makes the same series."""

    def __init__(self, seed: str) -> None:
        self._rng = random.Random(seed)
        self._real = real_packets()
        self._mutations: list[Callable[[bytes], bytes]] = [
            self._cut,
            self._flip,
            self._word,
            self._insert,
            self._repeat,
            self._splice,
            self._pad,
        ]
        self._expensive: list[Callable[[], bytes]] = [
            self._pattern,
            self._pattern,
            self._deep,
            self._many,
            self._bad_size,
            self._number,
            self._blob,
            self._tags,
            self._text,
            self._array,
            self._storm,
        ]

    def packets(self, count: int) -> Iterator[bytes]:
        """Yield `count` packets."""
        rng = self._rng
        for _ in range(count):
            packet = rng.choice(self._expensive)() if rng.random() < 0.5 else rng.choice(self._real)
            for _ in range(rng.choice((0, 1, 1, 1, 2, 4))):
                packet = rng.choice(self._mutations)(packet)
            yield packet[:MAX_UDP]

    # --- mutations of bytes ----------------------------------------------------------------------

    def _at(self, packet: bytes) -> int:
        return self._rng.randrange(len(packet) + 1)

    def _cut(self, packet: bytes) -> bytes:
        at = self._at(packet)
        return packet[:at] if self._rng.random() < 0.8 else packet[at:]

    def _flip(self, packet: bytes) -> bytes:
        changed = bytearray(packet)
        for _ in range(self._rng.choice((1, 1, 2, 8))):
            if changed:
                changed[self._rng.randrange(len(changed))] = self._rng.randrange(256)
        return bytes(changed)

    def _word(self, packet: bytes) -> bytes:
        at = self._at(packet) & ~3
        return packet[:at] + struct.pack(">i", self._rng.choice(WORDS)) + packet[at + 4 :]

    def _insert(self, packet: bytes) -> bytes:
        at = self._at(packet)
        if self._rng.random() < 0.7:
            at &= ~3
        size = self._rng.choice((1, 4, 4, 8, 400))
        return packet[:at] + self._rng.randbytes(size) + packet[at:]

    def _repeat(self, packet: bytes) -> bytes:
        start, stop = sorted((self._at(packet) & ~3, self._at(packet) & ~3))
        times = self._rng.choice((2, 2, 3, 50))
        return packet[:start] + packet[start:stop] * times + packet[stop:]

    def _splice(self, packet: bytes) -> bytes:
        other = self._rng.choice(self._real)
        return packet[: self._at(packet) & ~3] + other[self._at(other) & ~3 :]

    def _pad(self, packet: bytes) -> bytes:
        return packet + bytes(self._rng.choice((1, 2, 3, 4, 4, 8, 4000)))

    # --- expensive packets -----------------------------------------------------------------------

    def _address(self) -> str:
        count = self._rng.choice((1, 2, 2, 3, 8))
        return "/nemo/" + "/".join(self._rng.choice(PARTS) for _ in range(count))

    def _argument(self) -> tuple[str, object]:
        kind = self._rng.choice(("f", "f", "d", "i", "s", "T", "N"))
        values: dict[str, object] = {
            "f": self._rng.choice(FLOATS),
            "d": self._rng.choice(FLOATS),
            "i": self._rng.choice(WORDS[:10]),
            "s": self._rng.choice(TEXTS),
            "T": True,
            "N": None,
        }
        return kind, values[kind]

    def _pattern(self) -> bytes:
        return message(self._address(), *([self._argument()] if self._rng.random() < 0.7 else []))

    def _deep(self) -> bytes:
        packet = self._rng.choice(self._real)
        for _ in range(self._rng.choice((1, 7, 8, 9, 20, 400))):
            packet = bundle(packet)
        return packet

    def _many(self) -> bytes:
        one = self._rng.choice((message("/a"), message("/nemo/*"), bundle(), b"/\0\0\0", b""))
        count = self._rng.choice((2, 200, 255, 256, 257, 5000, 100_000))
        # Limited to what fits into a datagram.
        return bundle(*[one] * min(count, MAX_UDP // (4 + len(one))))

    def _bad_size(self) -> bytes:
        packet = bytearray(bundle(*self._rng.choices(self._real, k=3)))
        packet[16:20] = struct.pack(">i", self._rng.choice(WORDS))
        return bytes(packet)

    def _number(self) -> bytes:
        leaves = ("gain", "delay/mix", "real/delay/time", "eq/bass", "bypass", "sync", "model/list")
        return message("/nemo/" + self._rng.choice(leaves), self._argument())

    def _blob(self) -> bytes:
        size = self._rng.choice((0, 1, 3, 4000, 8100, 60_000))
        packet = message("/nemo/gain", ("b", self._rng.randbytes(max(size, 1))))
        if self._rng.random() < 0.5:
            return packet
        at = len(packet) - ((max(size, 1) + 3) & ~3) - 4
        return packet[:at] + struct.pack(">i", self._rng.choice(WORDS)) + packet[at + 4 :]

    def _tags(self) -> bytes:
        tags = self._rng.choice(("T", "N", "f", "[", "]", "[]", "i[s]", "q", "\xff", "TFNI"))
        count = self._rng.choice((1, 8, 9, 1000, 1025, 8000))
        text = ("," + tags * count).encode("latin-1")
        return b"/nemo/gain\0\0" + text + bytes(4 - len(text) % 4)

    def _text(self) -> bytes:
        address = self._rng.choice(
            ("/nemo/model/load", "/nemo/model/name", "/nemo/" + self._rng.choice(TEXTS), "/" * 60)
        )
        return message(address, ("s", self._rng.choice(TEXTS)))

    def _array(self) -> bytes:
        values = [struct.pack(">f", self._rng.choice(FLOATS)) for _ in range(3)]
        depth = self._rng.choice((1, 7, 8, 9, 100))
        tags = ("," + "[" * depth + "fff" + "]" * depth).encode()
        return b"/nemo/gain\0\0" + tags + bytes(4 - len(tags) % 4) + b"".join(values)

    def _storm(self) -> bytes:
        first = [message("/nemo/tx", ("i", 1))] if self._rng.random() < 0.5 else []
        elements = [self._pattern() for _ in range(self._rng.choice((2, 8, 40)))]
        return bundle(*first, *elements)
