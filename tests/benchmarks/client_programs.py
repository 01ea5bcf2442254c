"""Programs of OSC and OSCQuery clients, and what they print: what `clients.py` runs and shows.

Each sets a value, queries it, subscribes, sees what another client sets, and sends a bundle. The
ports 9000, 9080 and 9001 stand for those of the run.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

START: Mapping[str, float] = {"bass": 0.5, "mid": 0.5, "treble": 0.5}
"""Positions before each program: 0 dB."""


@dataclass(frozen=True, slots=True)
class Program:
    """One program of one client."""

    title: str
    notes: str
    """What is special about it, for the page."""
    language: str
    """`sh`, `python` or `js`."""
    source: str
    expected: str
    """What it must print."""
    positions: Mapping[str, float] = field(default_factory=dict)
    """Positions afterwards, as far as they differ from `START`."""


PROGRAMS = (
    Program(
        "python-osc",
        "`pip install python-osc`. Its own value is not sent back to a client that sets it, "
        "but the label is, and what another client sets. A bundle takes effect in one audio "
        "block.",
        "python",
        """\
from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message_builder import OscMessageBuilder
from pythonosc.osc_packet import OscPacket
from pythonosc.udp_client import SimpleUDPClient


def show(client, *addresses):
    while packet := client.receive(timeout=1.0):
        for timed in OscPacket(packet).messages:
            if timed.message.address in addresses:
                print(timed.message.address, *timed.message.params)


def message(address, value):
    builder = OscMessageBuilder(address)
    builder.add_arg(value)
    return builder.build()


client = SimpleUDPClient("127.0.0.1", 9000)
print("set and query")
client.send_message("/nemo/bass", 0.75)
client.send_message("/nemo/bass", [])
show(client, "/nemo/bass")
print("subscribe: all values as they are")
client.send_message("/nemo/subscribe", ["params", "text"])
show(client, "/nemo/subscribed", "/nemo/bass", "/nemo/text/bass")
print("another client sets")
SimpleUDPClient("127.0.0.1", 9000).send_message("/nemo/mid", 0.25)
show(client, "/nemo/mid", "/nemo/text/mid")
print("bundle")
bundle = OscBundleBuilder(IMMEDIATELY)
bundle.add_content(message("/nemo/bass", 0.25))
bundle.add_content(message("/nemo/treble", 0.625))
client.send(bundle.build())
show(client, "/nemo/bass", "/nemo/treble", "/nemo/text/bass", "/nemo/text/treble")
client.send_message("/nemo/unsubscribe", [])
""",
        """\
set and query
/nemo/bass 0.75
subscribe: all values as they are
/nemo/subscribed 60
/nemo/bass 0.75
/nemo/text/bass +6.0 dB
another client sets
/nemo/mid 0.25
/nemo/text/mid -6.0 dB
bundle
/nemo/text/bass -6.0 dB
/nemo/text/treble +3.0 dB
""",
        {"bass": 0.25, "mid": 0.25, "treble": 0.625},
    ),
    Program(
        "liblo: oscsend, oscdump, oscsendfile",
        "Debian: `liblo-tools`. `oscsend` has a new port each time and does not wait, so "
        "`oscdump` receives: the subscription names its port. To query is to subscribe again. "
        "`oscsendfile` sends lines with the same time tag as one bundle. (The column of time "
        "tags is cut off.)",
        "sh",
        """\
oscdump -L 9001 > dump.txt &
show() { sleep 1; echo "$1:"; cut -d ' ' -f 2- dump.txt | grep -E "$2"; : > dump.txt; }
oscsend localhost 9000 /nemo/bass f 0.75
oscsend localhost 9000 /nemo/subscribe iss 9001 params text
show 'set, subscribe' '/nemo/(text/)?bass '
oscsend localhost 9000 /nemo/mid f 0.25
show 'another client sets' '/nemo/(text/)?mid '
cat > bundle.txt <<END
00000000.00000001 /nemo/bass f 0.25
00000000.00000001 /nemo/treble f 0.625
END
oscsendfile localhost 9000 bundle.txt
show 'bundle' '/nemo/(text/)?(bass|treble) '
oscsend localhost 9000 /nemo/subscribe is 9001 params
show 'query' '/nemo/(bass|mid|treble) '
oscsend localhost 9000 /nemo/unsubscribe i 9001
kill %1
""",
        """\
set, subscribe:
/nemo/bass f 0.750000
/nemo/text/bass s "+6.0 dB"
another client sets:
/nemo/mid f 0.250000
/nemo/text/mid s "-6.0 dB"
bundle:
/nemo/bass f 0.250000
/nemo/text/bass s "-6.0 dB"
/nemo/treble f 0.625000
/nemo/text/treble s "+3.0 dB"
query:
/nemo/bass f 0.250000
/nemo/mid f 0.250000
/nemo/treble f 0.625000
""",
        {"bass": 0.25, "mid": 0.25, "treble": 0.625},
    ),
    Program(
        "pyliblo3",
        "`pip install pyliblo3` (a wheel for x86-64; elsewhere Debian's `liblo-dev`). Sent "
        "from its server's port, so that answers arrive there.",
        "python",
        """\
import pyliblo3 as liblo

NEMOD = liblo.Address("127.0.0.1", 9000)
shown = set()


def received(path, args, types, source):
    if path in shown:
        print(path, types, *args)


def show(*addresses):
    shown.clear()
    shown.update(addresses)
    while server.recv(1000):
        pass


server = liblo.Server()
server.add_method(None, None, received)
print("set and query")
server.send(NEMOD, "/nemo/bass", ("f", 0.75))
server.send(NEMOD, "/nemo/bass")
show("/nemo/bass")
print("subscribe")
server.send(NEMOD, "/nemo/subscribe", "params", "text")
show("/nemo/subscribed", "/nemo/bass", "/nemo/text/bass")
print("another client sets")
liblo.Server().send(NEMOD, "/nemo/mid", ("f", 0.25))
show("/nemo/mid", "/nemo/text/mid")
print("bundle")
bass = liblo.Message("/nemo/bass", ("f", 0.25))
treble = liblo.Message("/nemo/treble", ("f", 0.625))
server.send(NEMOD, liblo.Bundle(bass, treble))
show("/nemo/bass", "/nemo/treble", "/nemo/text/bass", "/nemo/text/treble")
server.send(NEMOD, "/nemo/unsubscribe")
""",
        """\
set and query
/nemo/bass f 0.75
subscribe
/nemo/subscribed i 60
/nemo/bass f 0.75
/nemo/text/bass s +6.0 dB
another client sets
/nemo/mid f 0.25
/nemo/text/mid s -6.0 dB
bundle
/nemo/text/bass s -6.0 dB
/nemo/text/treble s +3.0 dB
""",
        {"bass": 0.25, "mid": 0.25, "treble": 0.625},
    ),
    Program(
        "A raw socket: UDP",
        "Every byte is shown: addresses, type tags and strings are padded with zeros to a "
        "multiple of four, numbers are big-endian.",
        "python",
        r"""
import socket

client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
client.settimeout(1.0)
client.connect(("127.0.0.1", 9000))


def show(*addresses):
    try:
        while packet := client.recv(2000):
            parts = [packet]
            if packet.startswith(b"#bundle\0"):
                parts, at = [], 16
                while at < len(packet):
                    size = int.from_bytes(packet[at : at + 4], "big")
                    parts.append(packet[at + 4 : at + 4 + size])
                    at += 4 + size
            for part in parts:
                if part.split(b"\0")[0] in addresses:
                    print(part)
    except TimeoutError:
        pass


print("set and query")
client.send(b"/nemo/bass\0\0,f\0\0\x3f\x40\0\0")
client.send(b"/nemo/bass\0\0,\0\0\0")
show(b"/nemo/bass")
print("subscribe")
client.send(b"/nemo/subscribe\0,s\0\0text\0\0\0\0")
show(b"/nemo/subscribed", b"/nemo/text/bass")
print("another client sets")
other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
other.sendto(b"/nemo/mid\0\0\0,f\0\0\x3e\x80\0\0", ("127.0.0.1", 9000))
show(b"/nemo/text/mid")
print("bundle")
now = bytes(7) + b"\1"
bass = b"/nemo/bass\0\0,f\0\0\x3e\x80\0\0"
treble = b"/nemo/treble\0\0\0\0,f\0\0\x3f\x20\0\0"
client.send(b"#bundle\0" + now + b"\0\0\0\x14" + bass + b"\0\0\0\x18" + treble)
show(b"/nemo/text/bass", b"/nemo/text/treble")
client.send(b"/nemo/unsubscribe\0\0\0,\0\0\0")
""".lstrip(),
        r"""
set and query
b'/nemo/bass\x00\x00,f\x00\x00?@\x00\x00'
subscribe
b'/nemo/subscribed\x00\x00\x00\x00,i\x00\x00\x00\x00\x00<'
b'/nemo/text/bass\x00,s\x00\x00+6.0 dB\x00'
another client sets
b'/nemo/text/mid\x00\x00,s\x00\x00-6.0 dB\x00'
bundle
b'/nemo/text/bass\x00,s\x00\x00-6.0 dB\x00'
b'/nemo/text/treble\x00\x00\x00,s\x00\x00+3.0 dB\x00'
""".lstrip(),
        {"bass": 0.25, "mid": 0.25, "treble": 0.625},
    ),
)
