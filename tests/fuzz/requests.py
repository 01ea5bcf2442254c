"""Makes seeded series of mutated HTTP requests, WebSocket frames and OSCQuery commands."""

import json
import random
import struct
from collections.abc import Iterator

from nemod.osc.query.answers import ATTRIBUTES
from tests.fuzz.packets import TEXTS, Mutator

_PATHS = (
    "/",
    "/nemo",
    "/nemo/gain",
    "/nemo/delay/note",
    "/nemo/knob/%C3%9Cberdrive",
    "/nemo/model/load",
    "/nemo/nothing",
    "/page/js/main.js",
    "/page/../server.py",
    "/page/%2e%2e/server.py",
    "/api/models/amp.json",
    "/api/models/..%2F..%2Fetc%2Fpasswd",
    "/api/models/%ff.json",
    "/api/presets/Lead.yaml",
    "/api/presets/0",
    "/api/presets/99999999999999999999",
    "/api/",
    "/../../etc/passwd",
    "/%2e%2e%2f%00%ff",
    "*",
    "http://evil.example/nemo",
    "/" + "a/" * 300,
    "/nemo/" + "%41" * 1000,
)
_METHODS = ("GET", "HEAD", "POST", "OPTIONS", "PUT", "TRACE", "PRI", "G\0T", "")
_VERSIONS = ("HTTP/1.1", "HTTP/1.0", "HTTP/2.0", "HTTP/0.9", "http/1.1", "")
_HEADERS = (
    "Connection: close",
    "Connection: keep-alive, Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=99",
    "Sec-WebSocket-Protocol: " + "a," * 100,
    "Content-Length: 5",
    "Content-Length: 99999999",
    "Accept: text/html",
    "Origin: http://127.0.0.1",
    "X-Nemod: page",
    "If-None-Match: *",
    "Content-Length: 99999999999999999999",
    "Content-Length: -1",
    "Content-Encoding: gzip",
    "Transfer-Encoding: chunked",
    "Transfer-Encoding: chunked, identity",
    "Expect: 100-continue",
    "Origin: http://evil.example",
    "Origin: null",
    "Range: bytes=0-1,2-3",
    "Host: evil.example",
    "Host: localhost",
    "Cookie: " + "a=b; " * 500,
    "X: \r\n folded",
    "\u00fc: \u00fc",
    ": no name",
    "no colon",
)
_BODIES = (b"hello", b"5\r\nhello\r\n0\r\n\r\n", b"ffffffffffffffff\r\n", b"-1\r\n\r\n")
_OPCODES = (0x0, 0x1, 0x2, 0x3, 0x7, 0x8, 0x9, 0xA, 0xB, 0xF)


class RequestMutator:
    """Mutates what an HTTP client sends; the same seed gives the same series."""

    def __init__(self, seed: str) -> None:
        self.random = random.Random(seed)
        self._packets = Mutator(seed)

    def requests(self, count: int) -> Iterator[bytes]:
        """Yield that many requests: half of them plausible, half with damaged bytes."""
        for _ in range(count):
            request = b"".join(self._request() for _ in range(self.random.choice((1, 1, 1, 3))))
            yield self._damage(request) if self.random.random() < 0.5 else request

    def frames(self, count: int) -> Iterator[bytes]:
        """Yield that many series of frames of a client."""
        packets = self._packets.packets(count * 4)
        for _ in range(count):
            frames = b"".join(self._frame(next(packets)) for _ in range(self.random.randint(1, 4)))
            yield self._damage(frames) if self.random.random() < 0.3 else frames

    def _request(self) -> bytes:
        pick = self.random
        path = pick.choice(_PATHS)
        if pick.random() < 0.4:
            attributes = [*sorted(ATTRIBUTES), "HOST_INFO", "HTML", "x", "VALUE=1", "%00", ""]
            path += "?" + "&".join(pick.choices(attributes, k=pick.randint(1, 3)))
        method = pick.choice(("GET", "GET", "GET", "HEAD", pick.choice(_METHODS)))
        version = pick.choice(("HTTP/1.1", "HTTP/1.1", pick.choice(_VERSIONS)))
        lines = [f"{method} {path} {version}"]
        if pick.random() < 0.9:
            lines.append("Host: 127.0.0.1")
        lines += pick.sample(_HEADERS, pick.choice((0, 0, 0, 1, 1, 5)))
        body = pick.choice(_BODIES) if pick.random() < 0.2 else b""
        return "\r\n".join([*lines, "", ""]).encode() + body

    def _frame(self, packet: bytes) -> bytes:
        """Return a masked frame with a command, a packet, or anything else."""
        pick = self.random
        content = self._command() if pick.random() < 0.5 else packet[:70_000]
        opcode = 0x1 if content[:1] == b"{" else 0x2
        if pick.random() < 0.1:
            opcode = pick.choice(_OPCODES)
        head = (0x80 if pick.random() < 0.9 else 0) | opcode
        size = len(content) if pick.random() < 0.95 else pick.choice((0, 125, 65_536, 2**40))
        if size < 126:
            lengths = bytes([0x80 | size])
        elif size < 65_536:
            lengths = bytes([0x80 | 126]) + struct.pack(">H", size)
        else:
            lengths = bytes([0x80 | 127]) + struct.pack(">Q", size)
        mask = pick.randbytes(4)
        masked = bytes(byte ^ mask[at % 4] for at, byte in enumerate(content))
        return bytes([head]) + lengths + mask + masked

    def _command(self) -> bytes:
        pick = self.random
        data = pick.choice((*_PATHS, *TEXTS, 7, None, [], {}, 1e308, True, ["/nemo/gain"]))
        name = pick.choice(("LISTEN", "LISTEN", "IGNORE", "PATH_CHANGED", "", None, 3))
        text = json.dumps({"COMMAND": name, "DATA": data})
        return pick.choice(
            (
                text,
                text,
                text[: pick.randint(0, len(text))],
                "{" + '"a":{' * 3000,
                "{}",
                '{"COMMAND":"LISTEN","DATA":' + "9" * 5000 + "}",
                '{"COMMAND":"LISTEN","DATA":NaN}',
            )
        ).encode()

    def _damage(self, data: bytes) -> bytes:
        """Return the bytes with some replaced, removed, repeated or cut off."""
        pick = self.random
        damaged = bytearray(data)
        for _ in range(pick.randint(1, 4)):
            at = pick.randrange(len(damaged) + 1)
            match pick.randrange(5):
                case 0:
                    damaged[at : at + 1] = pick.randbytes(1)
                case 1:
                    del damaged[at : at + pick.randint(1, 30)]
                case 2:
                    damaged[at:at] = damaged[at : at + pick.randint(1, 200)]
                case 3:
                    damaged[at:at] = pick.choice((b"\r\n", b"\0", b"\n", b"\xff", b" ", b"\t:"))
                case 4:
                    del damaged[at:]
        return bytes(damaged)
