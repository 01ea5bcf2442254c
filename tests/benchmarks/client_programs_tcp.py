"""Programs of clients over a connection: OSC over TCP, OSCQuery over HTTP and WebSocket."""

from tests.benchmarks.client_programs import Program

_AFTER = {"bass": 0.25, "mid": 0.25, "treble": 0.625}
_TCP = r"""
import socket
import time
{functions}

def show(*addresses):
    global waiting
    end = time.monotonic() + 1.0
    while (left := end - time.monotonic()) > 0:
        client.settimeout(left)
        try:
            waiting += client.recv(4096)
        except TimeoutError:
            break
    packets, waiting = unframed(waiting)
    for packet in packets:
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


client = socket.create_connection(("127.0.0.1", 9000))
waiting = b""
print("set and query")
client.sendall(framed(b"/nemo/bass\0\0,f\0\0\x3f\x40\0\0"))
client.sendall(framed(b"/nemo/bass\0\0,\0\0\0"))
show(b"/nemo/bass")
print("subscribe")
client.sendall(framed(b"/nemo/subscribe\0,s\0\0text\0\0\0\0"))
show(b"/nemo/subscribed", b"/nemo/text/bass")
print("another client sets")
with socket.create_connection(("127.0.0.1", 9000)) as other:
    other.sendall(framed(b"/nemo/mid\0\0\0,f\0\0\x3e\x80\0\0"))
show(b"/nemo/text/mid")
print("bundle")
now = bytes(7) + b"\1"
bass = b"/nemo/bass\0\0,f\0\0\x3e\x80\0\0"
treble = b"/nemo/treble\0\0\0\0,f\0\0\x3f\x20\0\0"
client.sendall(framed(b"#bundle\0" + now + b"\0\0\0\x14" + bass + b"\0\0\0\x18" + treble))
show(b"/nemo/text/bass", b"/nemo/text/treble")
client.close()
""".lstrip()
_TCP_EXPECTED = r"""
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
""".lstrip()
_LENGTHS = r"""

def framed(packet):
    return len(packet).to_bytes(4, "big") + packet


def unframed(data):
    packets = []
    while len(data) >= 4 and len(data) - 4 >= (size := int.from_bytes(data[:4], "big")):
        packets.append(data[4 : 4 + size])
        data = data[4 + size :]
    return packets, data
"""
_SLIP = r"""
END, ESC = b"\xc0", b"\xdb"


def framed(packet):
    return END + packet.replace(ESC, ESC + b"\xdd").replace(END, ESC + b"\xdc") + END


def unframed(data):
    *packets, rest = data.split(END)
    return [p.replace(ESC + b"\xdc", END).replace(ESC + b"\xdd", ESC) for p in packets if p], rest
"""

CONNECTED = (
    Program(
        "A raw socket: TCP, OSC 1.0",
        "A length before each packet. Answers and feedback come on the same connection.",
        "python",
        _TCP.replace("{functions}", _LENGTHS),
        _TCP_EXPECTED,
        _AFTER,
    ),
    Program(
        "A raw socket: TCP, OSC 1.1",
        "SLIP: a connection whose first byte is END (0xC0) is answered in the same way.",
        "python",
        _TCP.replace("{functions}", _SLIP),
        _TCP_EXPECTED,
        _AFTER,
    ),
    Program(
        "OSCQuery: curl",
        "HTTP reads: values, types, ranges, descriptions, the whole tree (`/`). It sets "
        "nothing, here `oscsend` does; the WebSockets below do both.",
        "sh",
        """\
oscsend localhost 9000 /nemo/bass f 0.75
sleep 0.5
curl -s 'http://localhost:9080/nemo/bass?VALUE'; echo
curl -s 'http://localhost:9080/nemo/text/bass?VALUE'; echo
curl -s 'http://localhost:9080/nemo/bass?RANGE'; echo
curl -s 'http://localhost:9080/nemo/bass?ACCESS'; echo
curl -s -o /dev/null -w '%{http_code}\\n' 'http://localhost:9080/nemo/bass?COLOUR'
curl -s -o /dev/null -w '%{http_code}\\n' 'http://localhost:9080/nemo/nothing'
curl -s -o /dev/null -w '%{http_code}\\n' 'http://localhost:9080/nemo/ping?VALUE'
""",
        """\
{"VALUE":[0.75]}
{"VALUE":["+6.0 dB"]}
{"RANGE":[{"MIN":0.0,"MAX":1.0}]}
{"ACCESS":3}
400
404
204
""",
        {"bass": 0.75},
    ),
    Program(
        "OSCQuery: python-oscquery",
        "`pip install python-oscquery`. Its client reads the tree; it knows no WebSocket, so "
        "it sets with python-osc.",
        "python",
        """\
import socket
import time

from pythonosc.udp_client import SimpleUDPClient
from pythonoscquery.osc_query_client import OSCQueryClient
from pythonoscquery.shared.oscquery_spec import OSCQueryAttribute
from zeroconf import ServiceInfo

service = ServiceInfo(
    "_oscjson._tcp.local.",
    "nemod._oscjson._tcp.local.",
    addresses=[socket.inet_aton("127.0.0.1")],
    port=9080,
)
client = OSCQueryClient(service)
host = client.get_host_info()
print("OSC by", host.osc_transport, "at port", host.osc_port)
SimpleUDPClient("127.0.0.1", host.osc_port).send_message("/nemo/bass", 0.75)
time.sleep(0.5)
for address in ("/nemo/bass", "/nemo/real/bass", "/nemo/text/bass"):
    print(address, client.query_node(address).attributes[OSCQueryAttribute.VALUE])
""",
        """\
OSC by UDP at port 9000
/nemo/bass [0.75]
/nemo/real/bass [6.0]
/nemo/text/bass ['+6.0 dB']
""",
        {"bass": 0.75},
    ),
    Program(
        "OSCQuery: aiohttp",
        "A WebSocket with python-osc's packets in its frames. Each message comes in a frame "
        "of its own.",
        "python",
        """\
import asyncio
import json

import aiohttp
from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder


def message(address, *values):
    builder = OscMessageBuilder(address)
    for value in values:
        builder.add_arg(value)
    return builder.build()


async def show(ws):
    try:
        while True:
            received = OscMessage(await ws.receive_bytes(timeout=1.0))
            print(received.address, *received.params)
    except TimeoutError:
        pass


async def main():
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect("http://localhost:9080") as ws,
        session.ws_connect("http://localhost:9080") as other,
    ):
        print("set and query")
        await ws.send_bytes(message("/nemo/bass", 0.75).dgram)
        await ws.send_bytes(message("/nemo/bass").dgram)
        await show(ws)
        print("listen")
        for address in ("/nemo/mid", "/nemo/text/bass"):
            await ws.send_str(json.dumps({"COMMAND": "LISTEN", "DATA": address}))
        await show(ws)
        print("another client sets")
        await other.send_bytes(message("/nemo/mid", 0.25).dgram)
        await show(ws)
        print("bundle")
        bundle = OscBundleBuilder(IMMEDIATELY)
        bundle.add_content(message("/nemo/bass", 0.25))
        bundle.add_content(message("/nemo/treble", 0.625))
        await ws.send_bytes(bundle.build().dgram)
        await show(ws)


asyncio.run(main())
""",
        """\
set and query
/nemo/bass 0.75
listen
/nemo/mid 0.5
/nemo/text/bass +6.0 dB
another client sets
/nemo/mid 0.25
bundle
/nemo/text/bass -6.0 dB
""",
        _AFTER,
    ),
    Program(
        "OSCQuery: oscquery, ws and osc for Node.js",
        "`npm install oscquery ws osc`: oscquery reads the tree, ws is the WebSocket, osc "
        "packs what goes through it.",
        "js",
        """\
const { OSCQueryDiscovery } = require("oscquery");
const WebSocket = require("ws");
const osc = require("osc");

const float = (address, value) => ({ address, args: [{ type: "f", value }] });

async function connect() {
  const socket = new WebSocket("ws://localhost:9080");
  socket.send_osc = packet => socket.send(osc.writePacket(packet));
  await new Promise(resolve => socket.on("open", resolve));
  return socket;
}

async function main() {
  const service = await new OSCQueryDiscovery().queryNewService("127.0.0.1", 9080);
  console.log(service.hostInfo.oscTransport, "port", service.hostInfo.oscPort);
  const bass = service.flat().find(method => method.full_path === "/nemo/bass");
  console.log(bass.full_path, bass.description, JSON.stringify(bass.arguments[0].range));

  const socket = await connect(), other = await connect();
  socket.on("message", data => {
    const { address, args } = osc.readPacket(new Uint8Array(data), {});
    console.log(address, ...args);
  });
  const step = async (name, act) => {
    console.log(name);
    act();
    await new Promise(resolve => setTimeout(resolve, 1000));
  };
  const listen = DATA => socket.send(JSON.stringify({ COMMAND: "LISTEN", DATA }));
  await step("set and query", () => {
    socket.send_osc(float("/nemo/bass", 0.75));
    socket.send_osc({ address: "/nemo/bass", args: [] });
  });
  await step("listen", () => ["/nemo/mid", "/nemo/text/bass"].forEach(listen));
  await step("another client sets", () => other.send_osc(float("/nemo/mid", 0.25)));
  await step("bundle", () => socket.send_osc({
    timeTag: osc.timeTag(0),
    packets: [float("/nemo/bass", 0.25), float("/nemo/treble", 0.625)],
  }));
  socket.close();
  other.close();
}

main();
""",
        """\
UDP port 9000
/nemo/bass Low shelf. {"min":0,"max":1}
set and query
/nemo/bass 0.75
listen
/nemo/mid 0.5
/nemo/text/bass +6.0 dB
another client sets
/nemo/mid 0.25
bundle
/nemo/text/bass -6.0 dB
""",
        _AFTER,
    ),
)
