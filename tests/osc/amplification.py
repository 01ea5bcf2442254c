"""How many bytes are sent per byte received, to a host without a subscription.

`python -m tests.osc.amplification` prints the largest ratio for each kind of question.
"""

import asyncio
import struct
import sys
from collections.abc import Iterator
from typing import NamedTuple

from nemod.osc.addresses.values import LeafKind
from nemod.osc.codec import DecodeError, decode
from nemod.osc.encode import bundle, encode
from nemod.presets.preset import Preset
from tests.osc.conftest import Desk, MemoryRig

TAGGED: tuple[tuple[str, bytes], ...] = (
    ("", b""),
    ("f", struct.pack(">f", 2.0)),
    ("i", struct.pack(">i", 1)),
    ("T", b""),
    ("I", b""),
    ("s", b"x\0\0\0"),
    ("b", bytes(4)),
)
"""Arguments of every type, the shortest of each."""


class Question(NamedTuple):
    """A packet, and what kind it is."""

    kind: str
    packet: bytes


class Worst(NamedTuple):
    """The question of a kind that is answered by the most bytes per byte."""

    ratio: float
    packet: bytes
    size: int


def padded(text: str) -> bytes:
    """Return an OSC string."""
    data = text.encode()
    return data + bytes(4 - len(data) % 4)


def message(address: str, tags: str | None = None, data: bytes = b"") -> bytes:
    """Return a message; without `tags` it is of the oldest kind, an address alone."""
    return padded(address) + (b"" if tags is None else padded("," + tags) + data)


def questions(desk: Desk) -> Iterator[Question]:
    """Yield the shortest packets of every kind that can be answered."""
    leaves = desk.dispatcher.tree.leaves
    containers = {address.rpartition("/")[0] for address in leaves}
    containers |= {address.rpartition("/")[0] for address in containers}
    for address, leaf in leaves.items():
        kind = "trigger" if leaf.kind is LeafKind.TRIGGER else "set or error of a leaf"
        yield Question("query of a leaf" if leaf.read else kind, message(address))
        for tags, data in TAGGED:
            yield Question(kind, message(address, tags, data))
    for address in containers - {""}:
        yield Question("container", message(address))
        yield Question("container", message(address, ""))
    for address in ("/*", "/*/*", "/*/*/*", "/n*/*", "/nemo/*", "/nemo/{gain,bass}", "/?*/?*/?*"):
        for tags, data in TAGGED:
            yield Question("pattern", message(address, tags, data))
        yield Question("pattern", message(address))
    for address in ("/", "/x", "/nemo/x", "/nemo/gian", "/[", "/{", "/*]", "/nemo/" + "x" * 500):
        yield Question("unknown address", message(address))
        yield Question("unknown address", message(address, "f", bytes(4)))
    for words in ((), ("text",), ("params", "text", "real", "meters", "status"), ("x",)):
        data = b"".join(map(padded, words))
        tags = "s" * len(words)
        yield Question("subscription, without its dump", message("/nemo/subscribe", tags, data))
    for address in ("/nemo/unsubscribe", "/nemo/refresh", "/nemo/clear_sched", "/nemo/ping"):
        yield Question("subscription, without its dump", message(address))
    for name in ("long", "fuzz", "nothing", "/"):
        for address in ("/nemo/model/load", "/nemo/preset/load", "/nemo/preset/save"):
            yield Question("background job", message(address, "s", padded(name)))
    small = [message("/nemo/model/list"), message("/nemo/x"), message("/nemo")]
    yield from (Question("bundle", bundle([one] * count)) for one in small for count in (1, 9, 99))
    yield Question("bundle", bundle(small))
    yield Question("bundle", bundle([]))
    transaction = [encode("/nemo/tx", "i", 1), message("/nemo/model/info"), message("/nemo/x")]
    yield Question("transaction", bundle(transaction[:2]))
    yield Question("transaction", bundle(transaction))
    yield Question("transaction", message("/nemo/tx"))
    ahead = struct.pack(">Q", int((desk.wall_s + 2_208_988_800 + 1.0) * 2**32))
    for one in small:
        yield Question("bundle for later", b"#bundle\0" + ahead + bundle([one])[16:])
    malformed = (b"", b"/", b"x" * 8, b"#bundle\0", b"/nemo/gain\0\0,f\0\0")
    yield from (Question("malformed", packet) for packet in malformed)


def stranger() -> Desk:
    """Return a dispatcher whose rig has long names, and a sender that is not trusted."""
    rig = MemoryRig()
    rig.names = (*rig.names, "long", *(f"{number:03}" + "n" * 250 for number in range(50)))
    rig.model_name = rig.names[-1]
    rig.presets.kept = {number: Preset(name=f"{number:03}" + "p" * 60) for number in range(128)}
    rig.info = {"architecture": "LSTM-20", "notes": "n" * 5000}
    rig.unplayable = {name: "r" * 100 for name in rig.names[10:]}
    rig.use_knobs("Drive", "k" * 100, "Sag")
    return Desk(rig, is_trusted=False)


async def measure() -> dict[str, Worst]:
    """Return the worst question of each kind."""
    worst: dict[str, Worst] = {}
    desk = stranger()
    for kind, packet in questions(desk):
        desk.sent.clear()
        try:
            decoded = decode(packet)
        except DecodeError:
            continue
        desk.dispatcher.perform(decoded, desk.sender)
        desk.timers.advance(2.0)
        while desk.dispatcher.jobs.count:
            await asyncio.sleep(0.001)
        if packet.startswith(b"/nemo/subscribe\0"):
            # What comes after the answer belongs to the lease, and counts for its 64 kB/s.
            del desk.sent[1:]
            desk.dispatcher.feedback.forget(desk.sender)
        size = sum(map(len, desk.sent))
        found = Worst(size / len(packet), packet, size)
        worst[kind] = max(worst.get(kind, found), found)
    return worst


def main() -> None:
    """Print the table."""
    lines = ["| kind of question | bytes in | bytes out | ratio |", "|---|---|---|---|"]
    for kind, (ratio, packet, size) in asyncio.run(measure()).items():
        lines.append(f"| {kind} | {len(packet)} | {size} | {ratio:.2f} |")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
