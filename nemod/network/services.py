"""What is announced by DNS-SD: the daemon's services with their ports and TXT records."""

import re
from collections.abc import Mapping
from typing import NamedTuple

_TYPE = re.compile(r"_(?=[a-z0-9-]*[a-z])[a-z0-9]([a-z0-9-]{0,13}[a-z0-9])?\._(tcp|udp)\Z")
_KEY = re.compile(r"[ -<>-~]+\Z")
MAX_TXT_ENTRY = 255
"""[bytes] Longest `key=value` of a TXT record (RFC 6763, section 6.1)."""
MAX_TXT = 400
"""[bytes] Longest TXT record: all records of a service fit into one packet (section 6.2)."""


class Service(NamedTuple):
    """One service of this machine."""

    type: str
    """Service and protocol, as `_osc._udp`."""
    port: int
    txt: Mapping[str, str]
    """Entries of the TXT record; `txtvers`, its version, comes first."""

    def txt_entries(self) -> list[bytes]:
        """Return the entries of the TXT record as `key=value`."""
        return [f"{key}={value}".encode() for key, value in self.txt.items()]

    def check(self) -> None:
        """Check the service against the limits of RFC 6763.

        Raises: ValueError that says what is wrong.
        """
        if not _TYPE.match(self.type):
            raise ValueError(f"{self.type!r} is not a service type, as _osc._udp")
        if not 0 < self.port <= 65535:
            raise ValueError(f"{self.type}: {self.port} is not a port")
        for key in self.txt:
            if not _KEY.match(key):
                raise ValueError(f"{self.type}: {key!r} is not a key of a TXT record")
        entries = self.txt_entries()
        if any(len(entry) > MAX_TXT_ENTRY for entry in entries):
            raise ValueError(f"{self.type}: a TXT entry is longer than {MAX_TXT_ENTRY} bytes")
        if sum(len(entry) + 1 for entry in entries) > MAX_TXT:
            raise ValueError(f"{self.type}: the TXT record is longer than {MAX_TXT} bytes")


def osc_udp(port: int) -> Service:
    """Return the OSC service over UDP. Keys are those of OSC 1.1 (Freed and Schmeder, 2009)."""
    return Service("_osc._udp", port, {"txtvers": "1", "version": "1.1"})


def osc_tcp(port: int) -> Service:
    """Return the OSC service over TCP; `framing` is what OSC 1.1 requires of it."""
    return Service("_osc._tcp", port, {"txtvers": "1", "version": "1.1", "framing": "slip"})


def oscquery(port: int) -> Service:
    """Return the OSCQuery service, over HTTP and WebSocket. Clients ask it for all else."""
    return Service("_oscjson._tcp", port, {"txtvers": "1"})
